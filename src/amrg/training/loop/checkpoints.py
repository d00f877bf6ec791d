"""Where a run stands, in one file that is there whole or not at all: safetensors with JSON in its header, no pickle.

All that decides what comes next is in it: adapters, AdamW's moments, the step, the best adapters so far and how long
there was no better. What a step draws at random follows from the seed and the step, so there is nothing else to keep.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import torch
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from amrg.core.files import atomic_write
from amrg.core.values import Value
from amrg.training.errors import TuningError
from amrg.training.loop.distributed import laid_like, whole_tensor

FILE_NAME = "checkpoint.safetensors"
_STATE = "state"  # the header's entry that holds the state as JSON

Parameters = Mapping[str, nn.Parameter]


class CheckpointState(Value):
    """How far a run is. `best` is the watched metric at its highest, `stale` how many validations there were since.

    `loss` is that of the validation part then, and `texts` are its drafts. `stopped` says why a run ended, and is None
    while it goes on.
    """

    step: int = 0
    best: float | None = None
    loss: float | None = None
    best_step: int = 0
    stale: int = 0
    texts: tuple[str, ...] = ()
    stopped: str | None = None
    seconds: float = 0.0
    peak_bytes: int = 0


def save_checkpoint(path: Path, state: CheckpointState, tensors: Mapping[str, Tensor]) -> None:
    """Write a checkpoint; the old one is there until the new one is whole and on the disk.

    Raises:
        OSError, SafetensorError: it cannot be written; the old one is as it was.
    """
    with atomic_write(path) as partial:
        save_file(dict(tensors), partial, {_STATE: state.model_dump_json()})
        flushed(partial)
    flushed(path.parent)


def load_checkpoint(path: Path) -> tuple[CheckpointState, dict[str, Tensor]] | None:
    """The last checkpoint, None where there is none.

    Raises:
        TuningError: it was not written by this version of amrg, or is damaged.
    """
    if not path.is_file():
        return None
    try:
        with safe_open(path, "pt") as file:
            state = CheckpointState.model_validate_json((file.metadata() or {})[_STATE])
            return state, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, KeyError, ValidationError) as error:
        raise TuningError(
            f"{path}: no checkpoint of this version of amrg ({type(error).__name__}); delete it to begin anew"
        ) from error


def flushed(path: Path) -> None:
    """Wait until a file or a folder's list of names is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def snapshot(parameters: Parameters) -> dict[str, Tensor]:
    """Copies of parameters, whole, in main memory."""
    return {name: whole_tensor(p.detach()).to("cpu", copy=True).contiguous() for name, p in parameters.items()}


def restore(parameters: Parameters, tensors: Mapping[str, Tensor]) -> None:
    """Put whole tensors back into parameters of the same names."""
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(laid_like(tensors[name], parameter))


def moments(optimiser: torch.optim.Optimizer, parameters: Parameters) -> dict[str, Tensor]:
    """AdamW's own state, whole, in main memory; a parameter that never had a gradient has none."""
    found: dict[str, Tensor] = {}
    for name, parameter in parameters.items():
        state = optimiser.state.get(parameter, {})
        found |= {f"{kind}.{name}": whole_tensor(value).to("cpu", copy=True) for kind, value in state.items()}
    return found


def restore_moments(optimiser: torch.optim.Optimizer, parameters: Parameters, tensors: Mapping[str, Tensor]) -> None:
    """Put AdamW's state back, as `moments` gave it."""
    for name, parameter in parameters.items():
        found = {kind: tensors[f"{kind}.{name}"] for kind in ("exp_avg", "exp_avg_sq") if f"{kind}.{name}" in tensors}
        if found:
            laid = {kind: laid_like(value, parameter) for kind, value in found.items()}
            optimiser.state[parameter] = {"step": tensors[f"step.{name}"].clone(), **laid}


def under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors whose names begin with a prefix and a slash, by the rest of their names."""
    return {name.removeprefix(f"{prefix}/"): t for name, t in tensors.items() if name.startswith(f"{prefix}/")}


def beneath(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors by their names with a prefix and a slash."""
    return {f"{prefix}/{name}": tensor for name, tensor in tensors.items()}
