"""LoRA adapters on disk: read one, attach it to its base, and refuse one that does not fit.

PEFT fills what an adapter's file lacks with fresh weights and skips surplus tensors, so that an adapter of another
base, or one saved without its fully trained modules, drafts as if it had not been trained. Here both are errors.
"""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

from peft import PeftConfig, PeftModel, get_peft_model_state_dict
from safetensors import SafetensorError, safe_open

from amrg.models.errors import ModelError

CONFIG_FILE = "adapter_config.json"
RECIPE_FILE, TRAINING_FILE = "recipe.json", "training.json"  # written by `amrg.training` next to an adapter
WEIGHTS_FILE = "adapter_model.safetensors"
TOWERS = (".vision_tower.", ".visual.", ".vision_model.", ".img_processor.")
"""What vision towers are called in the families' module names."""

CONNECTORS = (".connector.",)
"""Modules between tower and language model that LoRA touches under a name that is not a tower's: in SmolVLM2."""

Shapes = dict[str, tuple[int, ...]]


def is_adapter(folder: Path) -> bool:
    """Whether a folder holds an adapter rather than a full model."""
    return (folder / CONFIG_FILE).is_file()


def read_config(folder: Path) -> Any:
    """An adapter's PEFT configuration.

    Raises:
        ModelError: it cannot be read, is no LoRA, names no base, or its weights are not there as safetensors.
    """
    try:
        config = PeftConfig.from_pretrained(str(folder))
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ModelError(f"adapter {folder.name}: {CONFIG_FILE} cannot be read ({error}); train it again") from error
    if str(getattr(config.peft_type, "value", config.peft_type)) != "LORA":
        raise ModelError(f"adapter {folder.name}: it is of kind {config.peft_type}, expected LORA, as amrg trains them")
    if not config.base_model_name_or_path:
        raise ModelError(f"adapter {folder.name}: {CONFIG_FILE} has no base_model_name_or_path; add its base's")
    if not (folder / WEIGHTS_FILE).is_file():
        raise ModelError(f"adapter {folder.name}: there is no {WEIGHTS_FILE}; finish its training, or copy it again")
    return config


def read_training_file(folder: Path, name: str) -> dict[str, Any]:
    """A JSON document that training wrote next to an adapter; empty where there is none.

    Raises:
        ModelError: it is not a JSON object.
    """
    path = folder / name
    if not path.is_file():
        return {}
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise ModelError(
            f"adapter {folder.name}: {name} is damaged ({error}), expected the JSON that its training wrote; copy it "
            "again, or remove it"
        ) from error


def stored_shapes(file: Path) -> Shapes:
    """Names and shapes of the tensors of a safetensors file.

    Raises:
        ModelError: the file is cut short or is not safetensors.
    """
    try:
        with safe_open(file, "pt") as stored:
            return {name: tuple(stored.get_slice(name).get_shape()) for name in stored.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise ModelError(
            f"{file.parent.name}/{file.name}: it cannot be read ({error}); copy or write it again"
        ) from error


def attach(model: Any, folder: Path) -> PeftModel:
    """A model with an adapter attached, in place and unmerged, ready to draft.

    Raises:
        ModelError: the adapter was made for another base, or its file lacks tensors or has surplus ones.
    """
    stored = stored_shapes(folder / WEIGHTS_FILE)
    full = read_config(folder).modules_to_save or ()
    if lost := [module for module in full if not any(f".{module}." in name for name in stored)]:
        raise ModelError(_unfit(folder, "lacks", lost))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of missing keys, which are looked for below
            tuned = PeftModel.from_pretrained(model, str(folder))
    except (RuntimeError, ValueError, KeyError) as error:
        raise ModelError(
            f"adapter {folder.name} does not fit its base ({' '.join(str(error).split())[:160]}...); "
            "name the base that it was trained on in adapter_config.json"
        ) from error
    expected = get_peft_model_state_dict(tuned, save_embedding_layers=False)
    if lacking := sorted(set(expected) - set(stored)):
        raise ModelError(_unfit(folder, "lacks", lacking))
    if surplus := sorted(set(stored) - set(expected)):
        raise ModelError(_unfit(folder, "has a tensor that its base has no place for:", surplus))
    return tuned.eval()


def merge(tuned: PeftModel, name: str) -> Any:
    """The base with its attached adapter merged in.

    Raises:
        ModelError: the adapter holds numbers that are not finite.
    """
    try:
        return tuned.merge_and_unload(safe_merge=True).eval()
    except ValueError as error:
        raise ModelError(
            f"adapter {name}: it holds numbers that are not finite ({error}); train it again, at a lower rate"
        ) from error


def changes_tower(folder: Path) -> bool:
    """Whether an adapter changes the vision tower."""
    return changes(folder, TOWERS)


def changes(folder: Path, modules: tuple[str, ...]) -> bool:
    """Whether an adapter changes any of some modules."""
    return any(module in name for name in stored_shapes(folder / WEIGHTS_FILE) for module in modules)


def _unfit(folder: Path, how: str, names: list[str]) -> str:
    return (
        f"adapter {folder.name}: {WEIGHTS_FILE} {how} {names[0]} (one of {len(names)}); it was saved incompletely or "
        "trained on another base: train it again, or name its base in adapter_config.json"
    )
