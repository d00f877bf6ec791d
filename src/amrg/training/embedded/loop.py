"""The optimisation loop of both stages of the embedded model: resumable, averaged, logged.

All random numbers of a step follow from `(seed, step)`, so an interrupted run ends with the same weights as an
uninterrupted one; on an accelerator as far as its arithmetic is the same twice. Checkpoints are safetensors, written
atomically.
"""

from __future__ import annotations

import csv
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from pydantic import Field
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from amrg.core.values import Value
from amrg.training.embedded.devices import training_device


class Schedule(Value):
    """Linear warm-up, cosine to a twentieth of the peak learning rate, moving average (EMA) of the weights."""

    steps: int = Field(gt=0)
    batch_size: int = Field(gt=0)
    peak_learning_rate: float = Field(gt=0)
    warmup_steps: int = 300
    weight_decay: float = 0.05
    max_grad_norm: float = 1.0
    ema_decay: float = Field(0.999, ge=0, lt=1)
    beta2: float = Field(0.98, gt=0, lt=1)
    rate_factors: dict[str, float] = Field(default_factory=dict)
    """By the start of a parameter's name: its learning rate as a multiple of the step's."""
    seed: int = 0

    def learning_rate_at(self, step: int) -> float:
        """Learning rate of a step."""
        if step < self.warmup_steps:
            return self.peak_learning_rate * (step + 1) / self.warmup_steps
        done = (step - self.warmup_steps) / max(1, self.steps - self.warmup_steps)
        return self.peak_learning_rate * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * min(1.0, done))))


StepLoss = Callable[[int], tuple[Tensor, Mapping[str, float]]]
"""The loss of a step, and values for the log."""


@dataclass
class StageRun:
    """A run in a folder: the trained module, moved to `device`; its averaged copy, checkpoints and log."""

    module: nn.Module
    schedule: Schedule
    folder: Path
    step: int = 0
    device: torch.device = field(default_factory=training_device)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.module.to(self.device)
        self._parameters = dict(self.module.named_parameters())
        # Running statistics are averaged with the weights.
        self._sources = {k: v for k, v in self.module.state_dict(keep_vars=True).items() if v.is_floating_point()}
        self.averaged = {k: v.detach().clone().float() for k, v in self._sources.items()}
        groups = _parameter_groups(self._parameters, self.schedule)
        self._optimiser = torch.optim.AdamW(groups, lr=0.0, betas=(0.9, self.schedule.beta2), fused=True)

    @property
    def _checkpoint(self) -> Path:
        return self.folder / "checkpoint.safetensors"

    def resume(self) -> bool:
        """Load the last checkpoint, if there is one."""
        if not self._checkpoint.is_file():
            return False
        stored = load_file(self._checkpoint)
        self.step = int(stored["step"])
        self.module.load_state_dict({k[6:]: v for k, v in stored.items() if k.startswith("model.")})
        for name, average in self.averaged.items():
            average.copy_(stored[f"averaged.{name}"])
        for name, parameter in self._parameters.items():
            if f"first.{name}" in stored:
                self._optimiser.state[parameter] = {
                    "step": torch.tensor(float(self.step), device=self.device),
                    "exp_avg": stored[f"first.{name}"].to(self.device),
                    "exp_avg_sq": stored[f"second.{name}"].to(self.device),
                }
        return True

    def save(self) -> None:
        """Write a checkpoint; the old one remains until the new one is complete."""
        tensors = {f"model.{k}": v.contiguous() for k, v in self.module.state_dict().items()}
        tensors["step"] = torch.tensor(self.step)
        tensors |= {f"averaged.{name}": average for name, average in self.averaged.items()}
        for name, parameter in self._parameters.items():
            state = self._optimiser.state.get(parameter, {})
            if state:
                tensors[f"first.{name}"] = state["exp_avg"]
                tensors[f"second.{name}"] = state["exp_avg_sq"]
        partial = self._checkpoint.with_suffix(".partial")
        save_file({k: v.cpu().clone() for k, v in tensors.items()}, partial)
        partial.replace(self._checkpoint)

    def train(self, loss_of: StepLoss, until: int | None = None, save_every: float = 120.0) -> None:
        """Run to the end of the schedule (or to step `until`), saving every `save_every` seconds.

        Raises:
            FloatingPointError: the loss is not a number; the last good checkpoint stays.
        """
        self.module.train()
        last = time.monotonic()
        stop = min(self.schedule.steps, until or self.schedule.steps)
        while self.step < stop:
            loss, metrics = loss_of(self.step)
            value = float(loss.detach())
            if not math.isfinite(value):
                raise FloatingPointError(
                    f"loss is {value} at step {self.step}; the last checkpoint in {self.folder.name} is intact: "
                    f"lower peak_learning_rate (now {self.schedule.peak_learning_rate}) and resume"
                )
            self._update(loss)
            self._log(value, metrics)
            if time.monotonic() - last > save_every:
                self.save()
                last = time.monotonic()
        self.save()

    def _update(self, loss: Tensor) -> None:
        """One optimiser step, and the averaged weights after it."""
        for group in self._optimiser.param_groups:
            group["lr"] = self.schedule.learning_rate_at(self.step) * group["factor"]
        self._optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(self.module.parameters(), self.schedule.max_grad_norm)
        self._optimiser.step()
        self.step += 1
        decay = min(self.schedule.ema_decay, (1 + self.step) / (10 + self.step))
        averaged = list(self.averaged.values())
        torch._foreach_lerp_(averaged, [t.detach().float() for t in self._sources.values()], 1 - decay)

    def _log(self, loss: float, metrics: Mapping[str, float]) -> None:
        """Append a row to log.csv every 25 steps, and at the last."""
        if self.step % 25 and self.step < self.schedule.steps:
            return
        path = self.folder / "log.csv"
        fresh = not path.is_file()
        with path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            if fresh:
                writer.writerow(["time", "step", "learning_rate", "loss", *metrics])
            values = [f"{v:.4f}" for v in metrics.values()]
            writer.writerow(
                [
                    f"{time.time():.0f}",
                    self.step,
                    f"{self.schedule.learning_rate_at(self.step):.2e}",
                    f"{loss:.4f}",
                    *values,
                ]
            )

    def averaged_state(self) -> dict[str, Tensor]:
        """The module's state with averaged parameters in place of the last ones."""
        return {k: self.averaged.get(k, v) for k, v in self.module.state_dict().items()}


def _parameter_groups(parameters: Mapping[str, nn.Parameter], schedule: Schedule) -> list[dict[str, object]]:
    """By rate factor; matrices and filters decay, biases and norms do not."""
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in parameters.items():
        factor = next((f for start, f in schedule.rate_factors.items() if name.startswith(start)), 1.0)
        groups.setdefault((factor, schedule.weight_decay if parameter.ndim >= 2 else 0.0), []).append(parameter)
    return [{"params": part, "factor": factor, "weight_decay": decay} for (factor, decay), part in groups.items()]
