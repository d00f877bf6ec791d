"""How many parameters a model has, by the headers of its files: no weight is read. Loads no model library."""

from __future__ import annotations

import json
from math import prod
from pathlib import Path

from amrg.models.adapters.files import CONFIG_FILE, WEIGHTS_FILE, is_adapter, stored_shapes
from amrg.models.checkpoint import EMBEDDED, NAME, weight_files
from amrg.models.errors import ModelError


def stored_parameters(model: str) -> int | None:
    """Parameters in the files of a model's folder, an adapter's with its base's; None where they are not there."""
    folder = EMBEDDED if model == NAME else Path(model)
    try:
        if is_adapter(folder):
            named = json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8"))["base_model_name_or_path"]
            base = None if is_adapter(Path(named)) else stored_parameters(named)
            return None if base is None else base + _parameters([folder / WEIGHTS_FILE])
        files = weight_files(folder)
        return _parameters(files) if files else None
    except (OSError, ValueError, KeyError, TypeError, ModelError):  # loading it says what is wrong
        return None


def _parameters(files: list[Path]) -> int:
    return sum(prod(shape) for file in files for shape in stored_shapes(file).values())
