"""How many threads a person asked for, and which model needs one only. Loads no model library."""

from __future__ import annotations

import json
import os
from math import prod
from pathlib import Path

from amrg.core.threads import AMRG, requested_threads
from amrg.models.adapters.files import CONFIG_FILE, WEIGHTS_FILE, is_adapter, stored_shapes
from amrg.models.checkpoint import EMBEDDED, NAME, weight_files
from amrg.models.errors import ModelError

SMALL = 50_000_000
"""Parameters from which a model is no longer small: the embedded one has about 6 million, SmolVLM2's smallest 256."""


def checked_threads() -> int | None:
    """The threads that the environment asks for, None where it does not.

    Raises:
        ModelError: `AMRG_NUM_THREADS` is no number of threads.
    """
    requested = os.environ.get(AMRG, "").strip()
    if requested and (not requested.isdecimal() or int(requested) < 1):
        raise ModelError(f"{AMRG} is {requested!r}; expected a number of threads, 1 or more")
    return requested_threads()


def stored_parameters(model: str) -> int | None:
    """Parameters in a model's files, by their headers, an adapter's with its base's; None where there are no files."""
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
