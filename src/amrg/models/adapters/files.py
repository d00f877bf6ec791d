"""The files of an adapter: its configuration, its weights, and what amrg's training wrote next to them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from amrg.models.checkpoint import ADAPTER, ADAPTER_CONFIG
from amrg.models.errors import ModelError

CONFIG_FILE, WEIGHTS_FILE = ADAPTER_CONFIG, ADAPTER
RECIPE_FILE, TRAINING_FILE = "recipe.json", "training.json"  # written by `amrg.training` next to an adapter
RUN_FILE = "run.json"  # written at the start of a run; the training file at its end

_LFS = b"version https://git-lfs"

Shapes = dict[str, tuple[int, ...]]


def is_adapter(folder: Path) -> bool:
    """Whether a folder holds an adapter rather than a full model."""
    return (folder / CONFIG_FILE).is_file()


def nested_adapters(folder: Path) -> tuple[str, ...]:
    """Names of the folders within a folder that hold adapters, as trainers leave checkpoints."""
    return tuple(sorted(file.parent.name for file in folder.glob(f"*/{CONFIG_FILE}")))


def why_no_adapter(folder: Path) -> str | None:
    """Why a folder is no adapter; None where it is one."""
    if is_adapter(folder):
        return None
    if nested := nested_adapters(folder):
        return f"{folder}: has no adapter itself, but its folders {', '.join(nested)} have; name one of them"
    what = "a full model" if (folder / "config.json").is_file() else "another folder"
    return f"{folder}: not an adapter but {what}; expected a folder of `amrg train` or PEFT, with {CONFIG_FILE}"


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
        if _is_lfs_pointer(file):
            raise ModelError(f"{file.parent.name}/{file.name}: a pointer of Git LFS; run `git lfs pull`") from error
        raise ModelError(
            f"{file.parent.name}/{file.name}: it cannot be read ({error}); copy or write it again"
        ) from error


def _is_lfs_pointer(file: Path) -> bool:
    """Whether a file is what Git leaves in place of a large one that was not fetched."""
    if not file.is_file():
        return False
    with file.open("rb") as stream:
        return stream.read(len(_LFS)) == _LFS
