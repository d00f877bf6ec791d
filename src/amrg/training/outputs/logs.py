"""A run's logs: CSV files, TensorBoard and trackers. A resumed run has no gap and no duplicate row."""

from __future__ import annotations

import csv
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

from torch.utils.tensorboard import SummaryWriter

from amrg.core.files import write_text
from amrg.training.callbacks import StepStats
from amrg.training.outputs.trackers import Trackers

LOG, VALIDATION, BOARD = "log.csv", "validation.csv", "tensorboard"
_MAX_ROWS = 5000  # of log.csv: a longer run has a row every few steps

_COLUMNS = (
    "step",
    "loss",
    "learning_rate",
    "grad_norm",
    "exams_per_second",
    "tokens_per_second",
    "peak_bytes",
    "seconds",
)


class RunLogs:
    """The logs of one run, written by its main process."""

    def __init__(self, folder: Path, steps: int, done: int, trackers: Trackers | None = None) -> None:
        """`done`: the step after which the run resumes; later rows are removed and written again.

        `trackers` get the same values; they are started already, and closed here.
        """
        self._trackers = trackers or Trackers((), print)
        self._every = max(1, -(-steps // _MAX_ROWS))
        self._steps = steps
        self._training = _reopen(folder / LOG, _COLUMNS, done)
        self._folder, self._done = folder, done
        self._validation: TextIO | None = None
        self._hook = threading.excepthook
        threading.excepthook = self._report_thread
        self._board = SummaryWriter(str(folder / BOARD), purge_step=done + 1)

    def log_step(self, stats: StepStats) -> None:
        """A row for a step."""
        if stats.step % self._every and stats.step < self._steps:
            return
        values = {
            "loss": stats.loss,
            "learning_rate": stats.learning_rate,
            "grad_norm": stats.grad_norm,
            "exams_per_second": stats.exams_per_second,
            "tokens_per_second": stats.tokens_per_second,
            "peak_bytes": stats.peak_bytes,
        }
        _write_row(self._training, [stats.step, *values.values(), stats.seconds])
        self._send("training", values, stats.step)

    def log_validation(self, step: int, values: Mapping[str, float]) -> None:
        """A row for a validation."""
        if self._validation is None:
            self._validation = _reopen(self._folder / VALIDATION, ("step", *values), self._done)
        _write_row(self._validation, [step, *values.values()])
        self._send("validation", values, step)

    def _send(self, group: str, values: Mapping[str, float], step: int) -> None:
        """To TensorBoard and the trackers."""
        for name, value in values.items():
            self._board.add_scalar(f"{group}/{name}", value, step)
        self._trackers.log({f"{group}/{name}": value for name, value in values.items()}, step)

    def flush(self) -> None:
        """Write all rows to disk, before a checkpoint that counts their steps as done."""
        for file in (self._training, self._validation):
            if file is not None:
                file.flush()
                os.fsync(file.fileno())
        self._board.flush()

    def close(self) -> None:
        """Close all files."""
        for file in (self._training, self._validation):
            if file is not None:
                file.close()
        try:
            self._board.close()
            self._trackers.close()
        finally:
            threading.excepthook = self._hook

    def _report_thread(self, failure: threading.ExceptHookArgs) -> None:
        """No traceback for a full disk: TensorBoard's thread hands the error on to the next call."""
        if not isinstance(failure.exc_value, OSError):
            self._hook(failure)


def _reopen(path: Path, columns: tuple[str, ...], done: int) -> TextIO:
    """A CSV file with its rows up to step `done`, open for appending."""
    lines = path.read_text(encoding="utf-8").split("\n")[1:-1] if path.is_file() else []
    complete = [line for line in lines if line.count(",") == len(columns) - 1]
    write_text(path, [",".join(columns), *(line for line in complete if int(line.split(",")[0]) <= done)])
    return path.open("a", encoding="utf-8", newline="", buffering=1)


def _write_row(file: TextIO, values: list[float]) -> None:
    csv.writer(file, lineterminator="\n").writerow([f"{v:.6g}" if isinstance(v, float) else v for v in values])
