"""One run on one or several devices, with accelerate: wrapping, reducing and gathering.

`accelerate launch` or torchrun starts the processes (on CPUs torchrun, because accelerate needs MPI there); a single
process is a run on one device. `accelerate launch --use_fsdp` is done with torch's own `fully_shard`, because
accelerate shards on accelerators only, and here two processes on a CPU test the same path.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import timedelta
from typing import Any, TypeVar

import torch
from accelerate import Accelerator, DistributedDataParallelKwargs, PartialState
from accelerate.state import AcceleratorState
from accelerate.utils import broadcast_object_list, gather_object
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from amrg.training.data.samples import Batch
from amrg.training.recipe import Precision, Recipe

Item = TypeVar("Item")

_MANAGED = "_is_fsdp_managed_module"  # the attribute that transformers checks

WAIT = timedelta(days=30)
"""How long a process waits for another. Encoding images may take days, and torch would give up after ten minutes of
NCCL, thirty of gloo; where a process ends, its launcher ends the others."""

SHARDED = "ACCELERATE_USE_FSDP"
"""Set by `accelerate launch --use_fsdp`."""


def processes() -> PartialState:
    """The process group of this run; of one process if it was not launched with others.

    To be called before a base is loaded: it makes each process's own GPU the current CUDA device.
    """
    return PartialState(cpu=_on_cpu(), timeout=WAIT)


def _on_cpu() -> bool:
    """Whether a run computes on the CPU; accelerate itself checks this only when launched with `--cpu`."""
    return not torch.cuda.is_available() or os.environ.get("ACCELERATE_USE_CPU", "false").lower() in ("true", "1")


class DeviceGroup:
    """The devices of a run. Every process has a group object, and all call its methods in the same order."""

    def __init__(self, recipe: Recipe, some_unused: bool) -> None:
        """`some_unused`: trainable parameters may have no gradient in a step, as in the last layer of a tower."""
        self.sharded = os.environ.get(SHARDED, "false").lower() == "true"
        precision = "bf16" if recipe.precision is Precision.BFLOAT16 else "no"
        AcceleratorState._reset_state()  # trials of one process may differ in precision
        processes()
        with _environment(SHARDED, "false"):
            self._accelerator = Accelerator(
                cpu=_on_cpu(),
                mixed_precision=precision,
                kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=some_unused)],
            )

    @property
    def count(self) -> int:
        """Number of processes."""
        return int(self._accelerator.num_processes)

    @property
    def rank(self) -> int:
        """Index of this process."""
        return int(self._accelerator.process_index)

    @property
    def is_main(self) -> bool:
        """Whether this process writes the outputs."""
        return bool(self._accelerator.is_main_process)

    @property
    def device(self) -> torch.device:
        """The device of this process."""
        found: torch.device = self._accelerator.device
        return found

    def wrap(self, module: nn.Module) -> nn.Module:
        """A module with synchronised gradients: unchanged on one device, replicated or sharded on several."""
        if self.count > 1 and self.sharded:
            mesh = init_device_mesh(self.device.type, (self.count,))
            for layer in _layers(module):
                fully_shard(layer, mesh=mesh)
            fully_shard(module, mesh=mesh)
            for inner in module.modules():
                setattr(inner, _MANAGED, True)  # so that `generate` keeps all processes in sync
            return module
        found: nn.Module = self._accelerator.prepare_model(module)
        return found

    def autocast(self) -> AbstractContextManager[None]:
        """The recipe's precision, as autocast."""
        found: AbstractContextManager[None] = self._accelerator.autocast()
        return found

    def no_sync(self, module: nn.Module) -> AbstractContextManager[None]:
        """No gradient synchronisation: for all micro-batches of a step but the last."""
        if isinstance(module, FSDPModule):
            return nullcontext()
        found: AbstractContextManager[None] = self._accelerator.no_sync(module)
        return found

    @contextmanager
    def unsharded(self, module: nn.Module) -> Iterator[None]:
        """A sharded module's parameters are gathered within the context, so that its parts can be called directly."""
        if not isinstance(module, FSDPModule):
            yield
            return
        module.unshard()
        try:
            yield
        finally:
            module.reshard()

    def backward(self, loss: Tensor) -> None:
        """Backward; gradients are averaged over processes unless in `no_sync`."""
        self._accelerator.backward(loss)

    def clip_gradients(self, parameters: Sequence[nn.Parameter], max_norm: float) -> float:
        """Clip gradients in place; returns their norm before clipping."""
        return float(full_tensor(torch.nn.utils.clip_grad_norm_(parameters, max_norm)))

    def all_reduce(self, values: Tensor) -> Tensor:
        """A tensor summed over processes."""
        if self.count == 1:
            return values
        found: Tensor = self._accelerator.reduce(values, reduction="sum")
        return found

    def gather(self, values: Sequence[Any]) -> list[Any]:
        """The values of all processes, in process order."""
        return list(values) if self.count == 1 else list(gather_object(list(values)))

    def map_shards(self, items: Sequence[Item], function: Callable[[Sequence[Item]], Sequence[Any]]) -> list[Any]:
        """Apply a function to items, each process to its shard; returns the results of all items, in order.

        Every process gets the same number of items, so that all stay in sync if they share a model.
        """
        shares = [items[rank :: self.count] for rank in range(self.count)]
        made = function([*shares[self.rank], *items[: len(shares[0]) - len(shares[self.rank])]])
        all_made = self.gather(made)
        return [all_made[(i % self.count) * len(shares[0]) + i // self.count] for i in range(len(items))]

    def broadcast(self, value: Any) -> Any:
        """The main process's value."""
        return broadcast_object_list([value])[0] if self.count > 1 else value

    def wait(self) -> None:
        """Wait for all processes."""
        self._accelerator.wait_for_everyone()


def full_tensor(tensor: Tensor) -> Tensor:
    """A tensor without sharding: gathered if it is sharded."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def place_like(tensor: Tensor, other: Tensor) -> Tensor:
    """An unsharded tensor on the device, and with the sharding, of another."""
    moved = tensor.to(device=other.device, dtype=other.dtype)
    if isinstance(other, DTensor):
        return distribute_tensor(moved, other.device_mesh, other.placements)
    return moved


def to_device(batch: Batch, device: torch.device) -> Batch:
    """A batch with all tensors on a device."""
    return Batch(
        batch.keys,
        {name: column.to(device) for name, column in batch.tokens.items()},
        batch.labels.to(device),
        batch.stage,
        tuple({name: part.to(device) for name, part in image.items()} for image in batch.images),
    )


def _layers(model: nn.Module) -> list[nn.Module]:
    """The layers that are sharded one by one: the members of module lists."""
    lists = [m for m in model.modules() if isinstance(m, nn.ModuleList) and len(m) > 1]
    return [layer for layers in lists for layer in layers]


@contextmanager
def _environment(name: str, value: str) -> Iterator[None]:
    """An environment variable, set within the context."""
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before
