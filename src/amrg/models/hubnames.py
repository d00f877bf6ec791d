"""Names of stored weights as the hub and serving engines have them.

transformers renamed modules more than once, and writes its current names: since 5.6 a SigLIP tower's inner
`vision_model` is gone from its names, while the hub's files, vLLM (`gemma3_mm.py`, `siglip.py`) and llama.cpp still
expect it. Reading takes either, so files are renamed when they are exported.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file

from amrg.models.adapters.files import Shapes, stored_shapes
from amrg.models.checkpoint import INDEX, weight_files

_RULES: dict[str, tuple[tuple[str, str], ...]] = {  # by `model_type` of the configuration
    # As google/medgemma-4b-it and google/gemma-3-4b-it are stored.
    "gemma3": (
        (r"^model\.(?=language_model\.|vision_tower\.|multi_modal_projector\.)", ""),
        (r"^language_model\.(?!model\.|lm_head\.)", "language_model.model."),
        (r"^lm_head\.", "language_model.lm_head."),
        (r"^vision_tower\.(?=embeddings\.|encoder\.|post_layernorm\.|head\.)", "vision_tower.vision_model."),
    ),
    # As Qwen/Qwen2.5-VL-3B-Instruct is stored.
    "qwen2_5_vl": (
        (r"^model\.visual\.", "visual."),
        (r"^model\.language_model\.", "model."),
    ),
}


def hub_name(model_type: str, name: str) -> str:
    """A stored weight's name as the hub has it, from any of the names it had in transformers."""
    for pattern, replacement in _RULES.get(model_type, ()):
        name = re.sub(pattern, replacement, name)
    return name


def checkpoint_shapes(folder: Path, model_type: str) -> Shapes:
    """Hub names and shapes of all that a checkpoint's files hold."""
    return {
        hub_name(model_type, name): shape
        for file in weight_files(folder)
        for name, shape in stored_shapes(file).items()
    }


def rename_to_hub(folder: Path, model_type: str) -> None:
    """Give the weights that transformers wrote into a folder the hub's names, a file at a time."""
    for file in weight_files(folder):
        if all(hub_name(model_type, name) == name for name in stored_shapes(file)):
            continue
        renamed = {hub_name(model_type, name): tensor for name, tensor in load_file(file).items()}
        partial = file.with_suffix(".partial")
        save_file(renamed, partial, metadata={"format": "pt"})
        partial.replace(file)
    if (folder / INDEX).is_file():
        _rename_index(folder / INDEX, model_type)


def _rename_index(path: Path, model_type: str) -> None:
    index: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    index["weight_map"] = {hub_name(model_type, name): file for name, file in index["weight_map"].items()}
    path.write_text(json.dumps(index, indent=2, sort_keys=True) + "\n", encoding="utf-8")
