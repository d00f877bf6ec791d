"""A run's figures as they come: rows of plain CSV, and the same for TensorBoard. Resumed without a gap or a double."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

from torch.utils.tensorboard import SummaryWriter

from amrg.core.files import write_text
from amrg.training.callbacks import StepStats

LOG, VALIDATION, BOARD = "log.csv", "validation.csv", "tensorboard"
_MOST_ROWS = 5000  # of log.csv: a longer run has a row every few steps

_TAKEN = (
    "step",
    "loss",
    "learning_rate",
    "grad_norm",
    "exams_per_second",
    "tokens_per_second",
    "peak_bytes",
    "seconds",
)


class Logs:
    """The logs of one run, written by its main process."""

    def __init__(self, folder: Path, steps: int, done: int) -> None:
        """`done`: the step that the run goes on after; what was logged beyond it is dropped and comes again."""
        self._every = max(1, -(-steps // _MOST_ROWS))
        self._steps = steps
        self._taken = _continued(folder / LOG, _TAKEN, done)
        self._folder, self._done = folder, done
        self._validated: TextIO | None = None
        self._board = SummaryWriter(str(folder / BOARD), purge_step=done + 1 if done else None)

    def step(self, taken: StepStats) -> None:
        """A row for a step."""
        if taken.step % self._every and taken.step < self._steps:
            return
        values = {
            "loss": taken.loss,
            "learning_rate": taken.learning_rate,
            "grad_norm": taken.grad_norm,
            "exams_per_second": taken.cases_a_second,
            "tokens_per_second": taken.tokens_a_second,
            "peak_bytes": taken.peak_bytes,
        }
        _row(self._taken, [taken.step, *values.values(), taken.seconds])
        for name, value in values.items():
            self._board.add_scalar(f"training/{name}", value, taken.step)

    def validated(self, step: int, values: Mapping[str, float]) -> None:
        """A row for a validation."""
        if self._validated is None:
            self._validated = _continued(self._folder / VALIDATION, ("step", *values), self._done)
        _row(self._validated, [step, *values.values()])
        for name, value in values.items():
            self._board.add_scalar(f"validation/{name}", value, step)

    def flush(self) -> None:
        """Put all rows on the disk: before a checkpoint says that their steps are done."""
        for file in (self._taken, self._validated):
            if file is not None:
                file.flush()
                os.fsync(file.fileno())
        self._board.flush()

    def close(self) -> None:
        """No more rows."""
        for file in (self._taken, self._validated):
            if file is not None:
                file.close()
        self._board.close()


def _continued(path: Path, columns: tuple[str, ...], done: int) -> TextIO:
    """A file of rows, cut to those of steps up to `done`, open at its end."""
    lines = path.read_text(encoding="utf-8").split("\n")[1:-1] if path.is_file() else []
    whole_rows = [line for line in lines if line.count(",") == len(columns) - 1]
    write_text(path, [",".join(columns), *(line for line in whole_rows if int(line.split(",")[0]) <= done)])
    return path.open("a", encoding="utf-8", newline="", buffering=1)


def _row(file: TextIO, values: list[float]) -> None:
    csv.writer(file, lineterminator="\n").writerow([f"{v:.6g}" if isinstance(v, float) else v for v in values])
