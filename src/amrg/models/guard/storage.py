"""The files of the guard: tensors, with what they are and their version in the header."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from amrg.core.errors import first_line
from amrg.core.files import atomic_write
from amrg.models.errors import ModelError

Numbers = npt.NDArray[np.float64]
_KEY = "content"


def write_guard_file(file: Path, content: str, tensors: Mapping[str, Numbers]) -> None:
    """Write tensors as float32, with what they are."""
    stored = {name: np.ascontiguousarray(tensor, np.float32) for name, tensor in tensors.items()}
    with atomic_write(file) as partial:
        save_file(stored, partial, {_KEY: content})


def read_guard_file(file: Path, content: str, names: Sequence[str]) -> dict[str, Numbers]:
    """Read tensors as float64.

    Raises:
        ModelError: the file is damaged, or holds something else, such as what an earlier version of amrg wrote.
    """
    what = f"{file.parent.name}/{file.name}"
    try:
        with safe_open(file, "numpy") as stored:
            found = (stored.metadata() or {}).get(_KEY, "nothing named")
            tensors = {name: stored.get_tensor(name).astype(np.float64) for name in stored.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise ModelError(
            f"{what}: the guard's file is damaged ({first_line(error)}); copy it again from where the model came from, "
            "or remove it to draft without a distance"
        ) from error
    if found != content or set(tensors) != set(names):
        raise ModelError(
            f"{what}: the guard's file has {found!r}, expected {content!r}: another version of amrg wrote it; "
            "train the model again with this one, or remove the file to draft without a distance"
        )
    if not all(np.isfinite(tensor).all() for tensor in tensors.values()):
        raise ModelError(f"{what}: the guard's file has values that are no numbers; copy it again, or remove it")
    return tensors
