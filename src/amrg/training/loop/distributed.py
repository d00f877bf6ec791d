"""One run on one device or on many: accelerate's part in it, and what is shared, summed and gathered.

`accelerate launch` or torchrun starts the processes (on CPUs torchrun, because accelerate asks for MPI there); one
alone is a run on one device. What `accelerate launch --use_fsdp` asks for is done with torch's own `fully_shard`,
because accelerate shards on accelerators only and what is not tested is not offered: two processes on a CPU take the
very same path.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
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

_MANAGED = "_is_fsdp_managed_module"  # where transformers looks

SHARDED = "ACCELERATE_USE_FSDP"
"""Set by `accelerate launch --use_fsdp`."""


def processes() -> PartialState:
    """The processes that this one was started with, joined to one group; alone where it is alone.

    To be called before a base is loaded: it makes each process's own accelerator the one that is meant by `cuda`.
    """
    return PartialState(cpu=_on_processors())


def _on_processors() -> bool:
    """Whether a run computes on processors: accelerate itself asks only those that it has launched with `--cpu`."""
    return not torch.cuda.is_available() or os.environ.get("ACCELERATE_USE_CPU", "false").lower() in ("true", "1")


class DeviceGroup:
    """The devices of a run. Every process has one, and all call its methods in the same order."""

    def __init__(self, recipe: Recipe, some_unused: bool) -> None:
        """`some_unused`: a step may leave trainable parameters without a gradient, as the last layer of a tower."""
        self.sharded = os.environ.get(SHARDED, "false").lower() == "true"
        precision = "bf16" if recipe.precision is Precision.BFLOAT16 else "no"
        AcceleratorState._reset_state()  # trials of one process may differ in precision
        processes()
        with _environment(SHARDED, "false"):
            self._accelerator = Accelerator(
                cpu=_on_processors(),
                mixed_precision=precision,
                kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=some_unused)],
            )

    @property
    def count(self) -> int:
        """Processes of the run."""
        return int(self._accelerator.num_processes)

    @property
    def rank(self) -> int:
        """Which of them this is."""
        return int(self._accelerator.process_index)

    @property
    def is_main(self) -> bool:
        """Whether this process is the one that writes."""
        return bool(self._accelerator.is_main_process)

    @property
    def device(self) -> torch.device:
        """Where this process computes."""
        found: torch.device = self._accelerator.device
        return found

    def wrapped(self, module: nn.Module) -> nn.Module:
        """A module whose gradients are shared: as it is on one device, replicated or sharded on several."""
        if self.count > 1 and self.sharded:
            mesh = init_device_mesh(self.device.type, (self.count,))
            for layer in _layers(module):
                fully_shard(layer, mesh=mesh)
            fully_shard(module, mesh=mesh)
            for inner in module.modules():
                setattr(inner, _MANAGED, True)  # so that `generate` keeps all processes in step
            return module
        found: nn.Module = self._accelerator.prepare_model(module)
        return found

    def computing(self) -> AbstractContextManager[None]:
        """The precision of the recipe."""
        found: AbstractContextManager[None] = self._accelerator.autocast()
        return found

    def unsynced(self, module: nn.Module) -> AbstractContextManager[None]:
        """Gradients stay with each process: for all micro-batches of a step but the last."""
        if isinstance(module, FSDPModule):
            return nullcontext()
        found: AbstractContextManager[None] = self._accelerator.no_sync(module)
        return found

    @contextmanager
    def together(self, module: nn.Module) -> Iterator[None]:
        """A wrapped module's own parameters are whole for a while, so that parts of it can be called by themselves."""
        if not isinstance(module, FSDPModule):
            yield
            return
        module.unshard()
        try:
            yield
        finally:
            module.reshard()

    def backward(self, loss: Tensor) -> None:
        """Gradients of a loss, averaged over processes where they are synced."""
        self._accelerator.backward(loss)

    def clipped(self, parameters: Sequence[nn.Parameter], most: float) -> float:
        """Clip gradients in place; returns their norm before."""
        return float(whole_tensor(torch.nn.utils.clip_grad_norm_(parameters, most)))

    def summed(self, values: Tensor) -> Tensor:
        """A tensor summed over processes."""
        if self.count == 1:
            return values
        found: Tensor = self._accelerator.reduce(values, reduction="sum")
        return found

    def gathered(self, values: Sequence[Any]) -> list[Any]:
        """The values of all processes, process after process."""
        return list(values) if self.count == 1 else list(gather_object(list(values)))

    def each(self, items: Sequence[Item], work: Callable[[Sequence[Item]], Sequence[Any]]) -> list[Any]:
        """Work on items, each process on its share; returns what came of all of them, in their order.

        Every process has as many to work on, so that they stay in step where they share a model.
        """
        shares = [items[rank :: self.count] for rank in range(self.count)]
        made = work([*shares[self.rank], *items[: len(shares[0]) - len(shares[self.rank])]])
        all_made = self.gathered(made)
        return [all_made[(i % self.count) * len(shares[0]) + i // self.count] for i in range(len(items))]

    def told(self, value: Any) -> Any:
        """What the main process says."""
        return broadcast_object_list([value])[0] if self.count > 1 else value

    def wait(self) -> None:
        """Until all processes are here."""
        self._accelerator.wait_for_everyone()


def whole_tensor(tensor: Tensor) -> Tensor:
    """A tensor as it is on one device, gathered where it is sharded."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def laid_like(tensor: Tensor, other: Tensor) -> Tensor:
    """A whole tensor on the device, and with the sharding, of another."""
    moved = tensor.to(device=other.device, dtype=other.dtype)
    if isinstance(other, DTensor):
        return distribute_tensor(moved, other.device_mesh, other.placements)
    return moved


def on(batch: Batch, device: torch.device) -> Batch:
    """A batch with all its tensors on a device."""
    return Batch(
        batch.keys,
        {name: column.to(device) for name, column in batch.tokens.items()},
        batch.labels.to(device),
        batch.stage,
        tuple({name: part.to(device) for name, part in shown.items()} for shown in batch.shown),
    )


def _layers(model: nn.Module) -> list[nn.Module]:
    """The layers that are gathered one after another: what stands in lists of modules that are alike."""
    lists = [m for m in model.modules() if isinstance(m, nn.ModuleList) and len(m) > 1]
    return [layer for layers in lists for layer in layers]


@contextmanager
def _environment(name: str, value: str) -> Iterator[None]:
    """A variable set for a while."""
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before
