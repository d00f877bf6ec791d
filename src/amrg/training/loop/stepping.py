"""One optimiser step: the step's samples, device by device and micro-batch by micro-batch, to new weights.

The loss is the mean over all labelled tokens of the step, wherever they were computed: how many samples a device holds
at once, and how many devices there are, change nothing but rounding and, with dropout, which units it drops.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from zlib import crc32

import torch
from peft import PeftModel
from torch import Tensor

from amrg.training.data.batching import BatchPlan, lengths_of, share
from amrg.training.data.collating import Padding, collate
from amrg.training.data.prepared import Prepared
from amrg.training.data.samples import Sample
from amrg.training.errors import not_a_number
from amrg.training.loop.checkpoints import Parameters
from amrg.training.loop.distributed import DeviceGroup, on
from amrg.training.loop.lora import ReportLoss
from amrg.training.loop.schedule import learning_rate_at
from amrg.training.recipe import Recipe


@dataclass(frozen=True)
class StepResult:
    """What a step did: its loss in nats a labelled token, the gradient's norm, how much was seen."""

    loss: float
    grad_norm: float
    cases: int
    tokens: int


@dataclass(frozen=True)
class MicroBatch:
    """Samples held at once; one that counts nothing only keeps a process in step with the others."""

    samples: tuple[Sample, ...]
    counts: bool = True


class Stepper:
    """Takes the steps of a run on this process's device."""

    def __init__(self, prepared: Prepared, recipe: Recipe, devices: DeviceGroup, loss: ReportLoss) -> None:
        """`loss` is a `ReportLoss` with adapters in its model, not yet wrapped for the devices."""
        self._prepared = prepared
        self._recipe = recipe
        self._devices = devices
        self._loss = devices.wrapped(loss)
        self._plan = BatchPlan(lengths_of(prepared.train), recipe.batch_size, recipe.seed)
        self._pad = Padding.of(prepared.loaded)
        self.parameters = trainable(loss.model)
        self.optimiser = torch.optim.AdamW(_decayed(self.parameters, recipe.weight_decay), lr=0.0)

    def take(self, step: int) -> StepResult:
        """Take a step, counted from 0.

        Raises:
            NotANumber: its loss or gradient is not finite; no weight was changed.
        """
        samples = [self._prepared.train[i] for i in self._plan.indices(step)]
        torch.manual_seed(crc32(f"{self._recipe.seed} {step} {self._devices.rank}".encode()))
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate_at(self._recipe, step)
        self.optimiser.zero_grad(set_to_none=True)
        loss = self._gradients(samples)
        self._refuse(loss, "loss", step, samples)
        norm = self._devices.clipped(list(self.parameters.values()), self._recipe.max_grad_norm)
        self._refuse(norm, "gradient norm", step, samples)
        self.optimiser.step()
        return StepResult(loss, norm, len(samples), sum(lengths_of(samples)))

    def _gradients(self, samples: Sequence[Sample]) -> float:
        """Backward through every micro-batch; returns the loss over all processes."""
        labelled = sum(len(sample.answer) for sample in samples)
        parts = micro_batches(samples, self._recipe.micro_batch_size, self._devices)
        total = torch.zeros((), device=self._devices.device)
        for part in parts[:-1]:
            with self._devices.unsynced(self._loss):
                total += self._one(part, labelled)
        total += self._one(parts[-1], labelled)
        return float(self._devices.summed(total))

    def _one(self, part: MicroBatch, labelled: int) -> Tensor:
        """Backward through one micro-batch; returns its share of the loss."""
        batch = on(collate(part.samples, self._prepared.shown, self._pad), self._devices.device)
        with self._devices.computing():
            loss: Tensor = self._loss(batch) * (part.counts / labelled)
        self._devices.backward(loss * self._devices.count)  # gradients are averaged over processes
        return loss.detach()

    def _refuse(self, value: float, what: str, step: int, samples: Sequence[Sample]) -> None:
        if not math.isfinite(value):
            raise not_a_number(f"{what} is {value}", step + 1, [s.key for s in samples], self._recipe)


def micro_batches(samples: Sequence[Sample], at_once: int, devices: DeviceGroup) -> list[MicroBatch]:
    """A process's part of a step's samples, cut; every process gets as many micro-batches."""
    mine = tuple(samples[i] for i in share(range(len(samples)), devices.rank, devices.count))
    parts = [MicroBatch(mine[i : i + at_once]) for i in range(0, len(mine), at_once)]
    most = math.ceil(math.ceil(len(samples) / devices.count) / at_once)
    return parts + [MicroBatch(tuple(samples[:1]), counts=False)] * (most - len(parts))


def trainable(module: PeftModel) -> Parameters:
    """What is trained, by name, in the module's own order."""
    return {name: p for name, p in module.named_parameters() if p.requires_grad}


def _decayed(parameters: Parameters, decay: float) -> list[dict[str, object]]:
    """Matrices and filters decay, biases, norms and magnitudes do not."""
    both = ([p for p in parameters.values() if p.ndim >= 2], [p for p in parameters.values() if p.ndim < 2])
    return [{"params": ps, "weight_decay": d} for ps, d in zip(both, (decay, 0.0), strict=True) if ps]
