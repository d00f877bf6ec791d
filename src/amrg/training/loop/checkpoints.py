"""The checkpoint of a run: one safetensors file with JSON in its header, no pickle, written atomically.

It has everything that determines the rest of the run: adapters, AdamW's state, the step, the best adapters so far and
how long ago they were found. Random numbers follow from the seed and the step, so no generator state is needed.
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
from amrg.training.loop.distributed import full_tensor, place_like

FILE_NAME = "checkpoint.safetensors"
_STATE = "state"  # the entry of the header with the state as JSON

Parameters = Mapping[str, nn.Parameter]


class CheckpointState(Value):
    """The progress of a run. `best` is the best value of the monitored metric, `stale` the validations since then.

    `loss` and `texts` are the validation loss and the drafts at the best step. `stopped` says why the run ended; None
    while it is running.
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
    """Write a checkpoint; the old one remains until the new one is completely on disk.

    Raises:
        OSError, SafetensorError: it cannot be written; the old one is unchanged.
    """
    with atomic_write(path) as partial:
        save_file(dict(tensors), partial, {_STATE: state.model_dump_json()})
        fsync(partial)
    fsync(path.parent)


def load_checkpoint(path: Path) -> tuple[CheckpointState, dict[str, Tensor]] | None:
    """The last checkpoint; None if there is none.

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
            f"{path}: not a checkpoint of this version of amrg ({type(error).__name__}); delete it to start again"
        ) from error


def read_step(path: Path) -> int | None:
    """The step of the last checkpoint; None if there is none that can be read."""
    try:
        with safe_open(path, "pt") as file:
            return CheckpointState.model_validate_json((file.metadata() or {})[_STATE]).step
    except (OSError, SafetensorError, KeyError, ValidationError):
        return None


def fsync(path: Path) -> None:
    """Wait until a file or a folder's entries are on disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def snapshot(parameters: Parameters) -> dict[str, Tensor]:
    """Copies of parameters, unsharded, in CPU memory."""
    return {name: full_tensor(p.detach()).to("cpu", copy=True).contiguous() for name, p in parameters.items()}


def to_save(parameters: Parameters) -> dict[str, Tensor]:
    """Parameters, unsharded, in CPU memory; the parameters themselves where they are there already, not copies."""
    return {name: full_tensor(p.detach()).to("cpu").contiguous() for name, p in parameters.items()}


def refuse_other_parameters(path: Path, parameters: Parameters, tensors: Mapping[str, Tensor]) -> None:
    """Refuse a checkpoint whose tensors are not those of the trained parameters, by name and shape.

    Raises:
        TuningError: names the first parameter without one.
    """
    shapes = {name: tensor.shape for name, tensor in tensors.items()}
    lacking = [name for name, parameter in parameters.items() if shapes.get(name) != parameter.shape]
    if lacking:
        raise TuningError(
            f"{path}: has no {lacking[0]} of the shape {list(parameters[lacking[0]].shape)} ({len(lacking)} of "
            f"{len(parameters)} parameters differ): other releases of transformers or PEFT name modules otherwise; "
            "resume with the releases that it was written with, or delete it to start again"
        )


def restore(parameters: Parameters, tensors: Mapping[str, Tensor]) -> None:
    """Copy unsharded tensors into the parameters of the same names."""
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(place_like(tensors[name], parameter))


def optimiser_state(optimiser: torch.optim.Optimizer, parameters: Parameters) -> dict[str, Tensor]:
    """AdamW's state to save, as `to_save` has parameters; a parameter without any gradient so far has none."""
    return {
        f"{kind}.{name}": full_tensor(value).to("cpu").contiguous()
        for name, parameter in parameters.items()
        for kind, value in optimiser.state.get(parameter, {}).items()
    }


def restore_optimiser(optimiser: torch.optim.Optimizer, parameters: Parameters, tensors: Mapping[str, Tensor]) -> None:
    """Restore AdamW's state, as `optimiser_state` returned it."""
    for name, parameter in parameters.items():
        found = {kind: tensors[f"{kind}.{name}"] for kind in ("exp_avg", "exp_avg_sq") if f"{kind}.{name}" in tensors}
        if found:
            placed = {kind: place_like(value, parameter) for kind, value in found.items()}
            optimiser.state[parameter] = {"step": tensors[f"step.{name}"].clone(), **placed}


def select_prefix(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors whose names start with a prefix and a slash, without that prefix."""
    return {name.removeprefix(f"{prefix}/"): t for name, t in tensors.items() if name.startswith(f"{prefix}/")}


def add_prefix(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors with a prefix and a slash before their names."""
    return {f"{prefix}/{name}": tensor for name, tensor in tensors.items()}
