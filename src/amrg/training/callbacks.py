"""Who looks on while a run goes: the protocol, and those that look on silently or on the terminal."""

from __future__ import annotations

import resource
import sys
from dataclasses import dataclass
from typing import Protocol

import torch

STOPPED = "stopped by who watched"
"""Why a run ended that its watch stopped."""

_RSS_UNIT = 1 if sys.platform == "darwin" else 1024  # bytes in a unit of ru_maxrss


@dataclass(frozen=True)
class StepStats:
    """One optimiser step, over all processes.

    `loss` is nats a labelled token, `norm` the gradient's before it was clipped, `tokens` all those of the batch that
    are no padding, `seconds` the time the step took, `peak_bytes` the most memory held so far.
    """

    step: int
    of: int
    loss: float
    learning_rate: float
    grad_norm: float
    cases: int
    tokens: int
    seconds: float
    peak_bytes: int

    @property
    def cases_a_second(self) -> float:
        """Throughput of the step in exams."""
        return self.cases / self.seconds

    @property
    def tokens_a_second(self) -> float:
        """Throughput of the step in tokens, those of pictures included."""
        return self.tokens / self.seconds


class Callback(Protocol):
    """Told of every step and validation; may stop a run that promises little."""

    def step(self, taken: StepStats) -> None:
        """A step was taken."""

    def validated(self, step: int, value: float) -> bool:
        """The watched metric after a step; True ends the run here (its best adapter is kept)."""


class NoCallback:
    """Looks on and says nothing."""

    def step(self, taken: StepStats) -> None:
        """Nothing."""

    def validated(self, step: int, value: float) -> bool:
        """Never stops a run."""
        return False


def peak_bytes() -> int:
    """The most memory held so far: of the accelerator where there is one, else resident memory of this process."""
    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated())
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _RSS_UNIT
