"""LoRA adapters on disk: read one, put it on its base, and say where the two do not fit.

PEFT fills what an adapter's file lacks with fresh weights and passes over what it has too many, so that an adapter of
another base, or one saved without the modules trained whole, drafts as if it had learned nothing. Here both are errors.
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
RECIPE_FILE, TRAINING_FILE = "recipe.json", "training.json"  # what `amrg.training` leaves beside an adapter
WEIGHTS_FILE = "adapter_model.safetensors"
TOWERS = (".vision_tower.", ".visual.", ".vision_model.", ".img_processor.")
"""What vision towers are called in the families' module names."""

CONNECTORS = (".connector.",)
"""What stands between tower and language model, where LoRA touches it by a name that is no tower's: in SmolVLM2."""

Shapes = dict[str, tuple[int, ...]]


def is_adapter(folder: Path) -> bool:
    """Whether a folder holds an adapter rather than a whole model."""
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
        raise ModelError(f"adapter {folder.name}: {CONFIG_FILE} names no base_model_name_or_path; write in which it is")
    if not (folder / WEIGHTS_FILE).is_file():
        raise ModelError(f"adapter {folder.name}: there is no {WEIGHTS_FILE}; finish its training, or copy it whole")
    return config


def told_beside(folder: Path, name: str) -> dict[str, Any]:
    """A JSON document that training left beside an adapter, empty where it did not.

    Raises:
        ModelError: it is no JSON object.
    """
    path = folder / name
    if not path.is_file():
        return {}
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise ModelError(
            f"adapter {folder.name}: {name} is damaged ({error}), expected what its training left; copy it again, or "
            "remove it"
        ) from error


def stored_shapes(file: Path) -> Shapes:
    """Names and shapes of the tensors of a safetensors file.

    Raises:
        ModelError: the file is cut short or is none.
    """
    try:
        with safe_open(file, "pt") as stored:
            return {name: tuple(stored.get_slice(name).get_shape()) for name in stored.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise ModelError(
            f"{file.parent.name}/{file.name}: it cannot be read ({error}); copy or write it again"
        ) from error


def put_on(model: Any, folder: Path) -> PeftModel:
    """A model with an adapter put on it, in place and unmerged, ready to draft.

    Raises:
        ModelError: the adapter was made for another base, or its file lacks or has too many tensors.
    """
    stored = stored_shapes(folder / WEIGHTS_FILE)
    whole = read_config(folder).modules_to_save or ()
    if lost := [module for module in whole if not any(f".{module}." in name for name in stored)]:
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
    wanted = get_peft_model_state_dict(tuned, save_embedding_layers=False)
    if lacking := sorted(set(wanted) - set(stored)):
        raise ModelError(_unfit(folder, "lacks", lacking))
    if surplus := sorted(set(stored) - set(wanted)):
        raise ModelError(_unfit(folder, "has, and its base has no place for,", surplus))
    return tuned.eval()


def merge(tuned: PeftModel, name: str) -> Any:
    """The base with the adapter put on it merged in.

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
