"""What vLLM cannot serve of an export, and the options that it needs for the rest.

For vLLM 0.33 (`lora/peft_helper.py`, `lora/model_manager.py`, `models/gemma3_mm.py`, `models/phi3v.py`).
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from amrg.models.backbones.base import Part
from amrg.models.embedded.tokenizer import LINE_ENDS
from amrg.models.known_answers import KnownAnswers
from amrg.models.load import LoadedModel, Unmerged


def merged_obstacles(loaded: LoadedModel) -> tuple[str, ...]:
    """Why vLLM cannot serve a merged model, one line per reason."""
    if loaded.model.config.model_type != "gemma3":
        return ()
    found = []
    vocabulary = loaded.processor.tokenizer.get_vocab()
    if lacking := [end for end in LINE_ENDS if end not in vocabulary]:
        # It merges line ends around images by the ids of these tokens; new tokens would change how prompts are split.
        found.append(
            f"vLLM looks up {', '.join(map(repr, lacking))} as single tokens, and the vocabulary does not have them; "
            "train on a base whose tokenizer has them"
        )
    if loaded.finding_tower is not None:
        found.append("vLLM does not support the embedded model's convolutional vision tower; draft with amrg")
    if loaded.model.get_output_embeddings().weight is not loaded.model.get_input_embeddings().weight:
        found.append("vLLM uses Gemma 3's embeddings as its head, and the adapter trained these apart; draft with amrg")
    return tuple(found)


def adapter_obstacles(unmerged: Unmerged) -> tuple[str, ...]:
    """Why vLLM cannot serve an adapter with its base, one line per reason; only a model's own remain with --merge."""
    config, loaded = unmerged.attached.config, unmerged.loaded
    model_type = loaded.model.config.model_type
    found = list(merged_obstacles(loaded))
    if config.modules_to_save:
        names = ", ".join(sorted(config.modules_to_save))
        found.append(f"vLLM refuses adapters with fully trained modules ({names}); export with --merge")
    if config.use_dora:
        found.append("vLLM does not support DoRA; export with --merge")
    if config.rank_pattern or config.alpha_pattern:
        found.append("vLLM scales all modules alike (it ignores rank_pattern and alpha_pattern); export with --merge")
    if model_type == "phi3_v":
        found.append("vLLM does not support adapters for Phi-3.5-vision; export with --merge")
    if model_type == "gemma3" and Part.TOWER in _parts(unmerged):
        # PEFT's names follow transformers, which dropped `vision_model`; vLLM skips unknown names.
        found.append("vLLM would silently skip the adapter's weights in Gemma 3's tower; export with --merge")
    return tuple(found)


def adapter_notes(unmerged: Unmerged) -> tuple[str, ...]:
    """The options that vLLM needs to serve an adapter; none where it cannot serve it."""
    if adapter_obstacles(unmerged):
        return ()
    notes = [f"vLLM: --enable-lora --max-lora-rank {_served_rank(max(unmerged.attached.placement.ranks.values()))}"]
    if {Part.TOWER, Part.PROJECTOR} & _parts(unmerged):
        notes.append("vLLM: --enable-tower-connector-lora, else it skips the adapter's weights in tower and connector")
        notes.append("SGLang: skips the adapter's weights in tower and connector; export with --merge")
    return tuple(notes)


MOST_IMAGES = 8
"""Images of the largest study that the printed command lets through: two views twice of both breasts."""


def serve_command(folder: Path, known: KnownAnswers) -> str:
    """The command by which vLLM serves a merged export under the name that follows from its weights."""
    return f"vllm serve {shlex.quote(str(folder))} --served-model-name {known.name} {_common_options(known)}"


def serve_original_command(known: KnownAnswers) -> str:
    """The same of a model that was not exported, by the folder or hub name that its known answers state."""
    hub = "" if known.commit is None else f" --revision {known.commit}"
    source = shlex.quote(str(known.source))
    return f"vllm serve {source}{hub} --served-model-name {known.name} {_common_options(known)}"


def serve_adapter_command(folder: Path, known: KnownAnswers, base: str, notes: Sequence[str]) -> str:
    """The same of an adapter with its base; `notes` are its `adapter_notes`, which name options."""
    options = " ".join(note.removeprefix("vLLM: ").partition(",")[0] for note in notes if note.startswith("vLLM: --"))
    adapter = shlex.quote(f"{known.name}={folder}")
    return f"vllm serve {shlex.quote(base)} {options} --lora-modules {adapter} {_common_options(known)}"


def _common_options(known: KnownAnswers) -> str:
    """Images of a study at the model's size, no room for video, and no sampling settings of the checkpoint's own."""
    size = known.settings.encoding.size
    images = f'{{"image": {{"count": {MOST_IMAGES}, "width": {size}, "height": {size}}}, "video": 0}}'
    return f"--generation-config vllm --limit-mm-per-prompt '{images}'"


def _parts(unmerged: Unmerged) -> set[Part]:
    return set(unmerged.parts_of(unmerged.attached.placement.changed))


def _served_rank(rank: int) -> int:
    """The smallest value of --max-lora-rank that allows this rank."""
    return next((r for r in (8, 16, 32, 64, 128, 256, 320, 512) if r >= rank), rank)
