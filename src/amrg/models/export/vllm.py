"""What serving engines make of an export: what vLLM cannot serve, and what it serves only when told to.

As vLLM 0.33 has it (`lora/peft_helper.py`, `lora/model_manager.py`, `models/gemma3_mm.py`, `models/phi3v.py`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from amrg.models.adapters import CONNECTORS, TOWERS, changes, changes_tower, read_config
from amrg.models.embedded.tokenizer import LINE_ENDS
from amrg.models.load import LoadedModel


def merged_obstacles(loaded: LoadedModel) -> tuple[str, ...]:
    """Why vLLM cannot serve a whole model, a line a reason."""
    if loaded.model.config.model_type != "gemma3":
        return ()
    found = []
    vocabulary = loaded.processor.tokenizer.get_vocab()
    if lacking := [end for end in LINE_ENDS if end not in vocabulary]:
        # It joins line ends around pictures by these tokens' numbers. New ones would split prompts otherwise.
        found.append(
            f"vLLM looks up {', '.join(map(repr, lacking))} as single tokens, and the vocabulary lacks them; "
            "train on a base whose tokenizer has them"
        )
    if hasattr(loaded.model.model.vision_tower, "stages"):
        found.append("vLLM knows no convolutional vision tower, which the embedded model has; draft with amrg")
    return tuple(found)


def adapter_obstacles(loaded: LoadedModel, folder: Path) -> tuple[str, ...]:
    """Why vLLM cannot serve an adapter beside its base, a line a reason; all go away with --merge but the model's."""
    config: Any = read_config(folder)
    model_type = loaded.model.config.model_type
    found = list(merged_obstacles(loaded))
    if config.modules_to_save:
        names = ", ".join(sorted(config.modules_to_save))
        found.append(f"vLLM refuses adapters with modules trained whole ({names}); export with --merge")
    if config.use_dora:
        found.append("vLLM serves no DoRA; export with --merge")
    if model_type == "phi3_v":
        found.append("vLLM puts no adapters on Phi-3.5-vision; export with --merge")
    if model_type == "gemma3" and changes_tower(folder):
        # PEFT's names follow transformers, which dropped `vision_model`; vLLM passes over names it does not have.
        found.append("vLLM would leave out, unsaid, what the adapter changes in Gemma 3's tower; export with --merge")
    return tuple(found)


def adapter_notes(loaded: LoadedModel, folder: Path) -> tuple[str, ...]:
    """What vLLM must be told to serve an adapter."""
    config: Any = read_config(folder)
    notes = [f"vLLM: --enable-lora --max-lora-rank {_served_rank(config.r)}"]
    if changes(folder, (*TOWERS, *CONNECTORS)) and loaded.model.config.model_type != "gemma3":
        notes.append("vLLM: --enable-tower-connector-lora, without which it leaves out what the adapter changes there")
    return tuple(notes)


def _served_rank(rank: int) -> int:
    """The least rank that vLLM can be told which holds this one."""
    return next((r for r in (8, 16, 32, 64, 128, 256, 320, 512) if r >= rank), rank)
