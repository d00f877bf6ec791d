"""The files of an adapter: its configuration, its weights, and what amrg's training wrote next to them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from amrg.models.errors import ModelError

CONFIG_FILE = "adapter_config.json"
RECIPE_FILE, TRAINING_FILE = "recipe.json", "training.json"  # written by `amrg.training` next to an adapter
WEIGHTS_FILE = "adapter_model.safetensors"

Shapes = dict[str, tuple[int, ...]]


def is_adapter(folder: Path) -> bool:
    """Whether a folder holds an adapter rather than a full model."""
    return (folder / CONFIG_FILE).is_file()


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
