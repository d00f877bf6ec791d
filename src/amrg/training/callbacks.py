"""Callbacks of a run: the protocol, and one that does nothing."""

from __future__ import annotations

import resource
import sys
from dataclasses import dataclass
from typing import Protocol

import torch

STOPPED = "stopped by a callback"
"""Why a run ended if its callback stopped it."""

_RSS_UNIT = 1 if sys.platform == "darwin" else 1024  # bytes in a unit of ru_maxrss


@dataclass(frozen=True)
class StepStats:
    """One optimiser step, over all processes.

    `loss` is nats per labelled token, `grad_norm` the norm before clipping, `tokens` all tokens of the batch without
    padding, `seconds` the duration of the step, `peak_bytes` the maximum memory so far.
    """

    step: int
    total_steps: int
    loss: float
    learning_rate: float
    grad_norm: float
    cases: int
    tokens: int
    seconds: float
    peak_bytes: int

    @property
    def exams_per_second(self) -> float:
        """Throughput of the step in exams."""
        return self.cases / self.seconds

    @property
    def tokens_per_second(self) -> float:
        """Throughput of the step in tokens, image tokens included."""
        return self.tokens / self.seconds


class Callback(Protocol):
    """Called after every step and validation; may stop a run early."""

    def on_step(self, stats: StepStats) -> None:
        """After a step. A `KeyboardInterrupt` from here ends the run with a checkpoint, unless a validation is due."""

    def on_validation(self, step: int, value: float) -> bool:
        """After a validation, with the monitored metric; True stops the run (its best adapter is saved)."""


class NoCallback:
    """Does nothing."""

    def on_step(self, stats: StepStats) -> None:
        """Nothing."""

    def on_validation(self, step: int, value: float) -> bool:
        """Never stops a run."""
        return False


def peak_bytes() -> int:
    """The maximum memory so far: of the GPU if there is one, else the resident memory of this process."""
    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated())
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _RSS_UNIT
