"""One optimiser step: the step's samples, by device and micro-batch, to new weights.

The loss is the mean over all labelled tokens of the step, on all devices: the micro-batch size and the number of
devices change nothing but rounding and, with dropout, which units are dropped.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from zlib import crc32

import torch
from peft import PeftModel
from torch import Tensor

from amrg.training.data.batching import BatchPlan, lengths_of, shard
from amrg.training.data.collating import Padding, collate
from amrg.training.data.prepared import PreparedData
from amrg.training.data.samples import Sample
from amrg.training.errors import non_finite_error
from amrg.training.loop.checkpoints import Parameters
from amrg.training.loop.distributed import DeviceGroup, to_device
from amrg.training.loop.lora import ReportLoss
from amrg.training.loop.schedule import learning_rate_at
from amrg.training.recipe import Recipe


@dataclass(frozen=True)
class StepResult:
    """The result of a step: loss in nats per labelled token, gradient norm, cases and tokens."""

    loss: float
    grad_norm: float
    cases: int
    tokens: int


@dataclass(frozen=True)
class MicroBatch:
    """Samples that are computed together; one with `counts` false only keeps a process in sync with the others."""

    samples: tuple[Sample, ...]
    counts: bool = True


class Stepper:
    """Runs the steps of a run on this process's device."""

    def __init__(self, prepared: PreparedData, recipe: Recipe, devices: DeviceGroup, loss: ReportLoss) -> None:
        """`loss` has adapters in its model, and is not yet wrapped for the devices."""
        self._prepared = prepared
        self._recipe = recipe
        self._devices = devices
        self._loss = devices.wrap(loss)
        self._plan = BatchPlan(lengths_of(prepared.train), recipe.batch_size, recipe.seed)
        self._pad = Padding.of(prepared.loaded)
        self.parameters = trainable(loss.model)
        self.optimiser = torch.optim.AdamW(_decay_groups(self.parameters, recipe.weight_decay), lr=0.0)

    def run_step(self, step: int) -> StepResult:
        """Run a step, counted from 0.

        Raises:
            NotANumber: its loss or gradient is not finite; the weights are unchanged.
        """
        samples = [self._prepared.train[i] for i in self._plan.indices(step)]
        torch.manual_seed(crc32(f"{self._recipe.seed} {step} {self._devices.rank}".encode()))
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate_at(self._recipe, step)
        self.optimiser.zero_grad(set_to_none=True)
        loss = self._gradients(samples)
        self._refuse_non_finite(loss, "loss", step, samples)
        norm = self._devices.clip_gradients(list(self.parameters.values()), self._recipe.max_grad_norm)
        self._refuse_non_finite(norm, "gradient norm", step, samples)
        self.optimiser.step()
        return StepResult(loss, norm, len(samples), sum(lengths_of(samples)))

    def _gradients(self, samples: Sequence[Sample]) -> float:
        """Backward through every micro-batch; returns the loss over all processes."""
        labelled = sum(len(sample.answer) for sample in samples)
        parts = micro_batches(samples, self._recipe.micro_batch_size, self._devices)
        total = torch.zeros((), device=self._devices.device)
        for part in parts[:-1]:
            with self._devices.no_sync(self._loss):
                total += self._backward(part, labelled)
        total += self._backward(parts[-1], labelled)
        return float(self._devices.all_reduce(total))

    def _backward(self, part: MicroBatch, labelled: int) -> Tensor:
        """Backward through one micro-batch; returns its share of the loss."""
        batch = to_device(collate(part.samples, self._prepared.features, self._pad), self._devices.device)
        with self._devices.autocast():
            loss: Tensor = self._loss(batch) * (part.counts / labelled)
        self._devices.backward(loss * self._devices.count)  # gradients are averaged over processes
        return loss.detach()

    def _refuse_non_finite(self, value: float, what: str, step: int, samples: Sequence[Sample]) -> None:
        if not math.isfinite(value):
            raise non_finite_error(f"{what} is {value}", step + 1, [s.key for s in samples], self._recipe)


def micro_batches(samples: Sequence[Sample], size: int, devices: DeviceGroup) -> list[MicroBatch]:
    """A process's part of a step's samples in micro-batches; every process gets the same number of them."""
    mine = tuple(samples[i] for i in shard(range(len(samples)), devices.rank, devices.count))
    parts = [MicroBatch(mine[i : i + size]) for i in range(0, len(mine), size)]
    needed = math.ceil(math.ceil(len(samples) / devices.count) / size)
    return parts + [MicroBatch(tuple(samples[:1]), counts=False)] * (needed - len(parts))


def trainable(module: PeftModel) -> Parameters:
    """Trainable parameters by name, in the module's order."""
    return {name: p for name, p in module.named_parameters() if p.requires_grad}


def _decay_groups(parameters: Parameters, decay: float) -> list[dict[str, object]]:
    """Weight decay for matrices and filters; none for biases, norms and magnitudes."""
    both = ([p for p in parameters.values() if p.ndim >= 2], [p for p in parameters.values() if p.ndim < 2])
    return [{"params": ps, "weight_decay": d} for ps, d in zip(both, (decay, 0.0), strict=True) if ps]
