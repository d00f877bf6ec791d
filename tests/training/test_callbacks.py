"""Logs that go on where a run does, without a gap or a double; figures on the terminal."""

from __future__ import annotations

import errno
import io
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from amrg.metrics.validation import WatchedMetric
from amrg.training.callbacks import StepStats, peak_bytes
from amrg.training.outputs.logs import BOARD, LOG, VALIDATION, RunLogs
from amrg.training.outputs.terminal import TerminalProgress


def taken(step: int, seconds: float = 0.5) -> StepStats:
    return StepStats(
        step=step,
        total_steps=8,
        loss=4.0 / step,
        learning_rate=1e-3,
        grad_norm=1.5,
        cases=4,
        tokens=1000,
        seconds=seconds,
        peak_bytes=3 * 2**30,
    )


@contextmanager
def logs(folder: Path, done: int = 0, steps: int = 8) -> Iterator[RunLogs]:
    made = RunLogs(folder, steps, done)
    yield made
    made.close()


def steps_in(path: Path) -> list[str]:
    return [line.split(",")[0] for line in path.read_text(encoding="utf-8").splitlines()[1:]]


def test_logs_go_on_after_the_checkpoint_without_a_gap_or_a_double(tmp_path: Path) -> None:
    with logs(tmp_path) as first:
        for step in range(1, 6):
            first.log_step(taken(step))
            first.log_validation(step, {"birads_accuracy_7_worst_strict": 0.5, "loss": 2.0})
    with (tmp_path / LOG).open("a", encoding="utf-8") as file:
        file.write("6,0.6")  # the row that was being written
    with logs(tmp_path, done=4) as second:
        for step in range(5, 9):
            second.log_step(taken(step))
        second.log_validation(8, {"birads_accuracy_7_worst_strict": 0.75, "loss": 1.5})
    assert steps_in(tmp_path / LOG) == [str(step) for step in range(1, 9)]
    assert steps_in(tmp_path / VALIDATION) == ["1", "2", "3", "4", "8"]
    lines = (tmp_path / LOG).read_text(encoding="utf-8").splitlines()
    assert lines[0] == "step,loss,learning_rate,grad_norm,exams_per_second,tokens_per_second,peak_bytes,seconds"
    assert lines[2] == "2,2,0.001,1.5,8,2000,3221225472,0.5"


def test_a_long_run_has_a_row_every_few_steps_and_one_of_its_last(tmp_path: Path) -> None:
    with logs(tmp_path, steps=10_001) as long:
        for step in (1, 2, 3, 10_000, 10_001):
            long.log_step(taken(step))
    assert steps_in(tmp_path / LOG) == ["3", "10001"]


def test_tensorboard_shows_a_step_once(tmp_path: Path) -> None:
    for done in (0, 3):
        with logs(tmp_path, done=done) as some:
            for step in range(done + 1, done + 5):
                some.log_step(taken(step))
                some.log_validation(step, {"clinical": 0.5})
    events = EventAccumulator(str(tmp_path / BOARD)).Reload()
    assert [scalar.step for scalar in events.Scalars("training/loss")] == list(range(1, 8))
    assert events.Scalars("validation/clinical")[0].value == 0.5


def test_a_full_disk_prints_no_traceback_of_tensorboards_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    printed: list[str] = []
    monkeypatch.setattr(threading, "excepthook", lambda failure: printed.append(failure.exc_type.__name__))
    outside = threading.excepthook
    with logs(tmp_path):
        for error in (OSError(errno.ENOSPC, "No space left on device"), KeyError("a bug")):
            threading.excepthook(threading.ExceptHookArgs((type(error), error, None, None)))
    assert printed == ["KeyError"]
    assert threading.excepthook is outside


def test_the_terminal_tells_how_far_how_well_how_fast_and_in_how_much_memory() -> None:
    written = io.StringIO()
    with TerminalProgress(
        Console(file=written, force_terminal=True, width=160, highlight=False), WatchedMetric.BIRADS
    ) as terminal:
        for step in (1, 2):
            terminal.on_step(taken(step))
        assert terminal.on_validation(2, 0.25) is False
    shown = written.getvalue()
    for reported in ("2/8", "loss 2.000", "lr 1.0e-03", "8.00 exams/s", "2000 tokens/s", "3.00 GiB"):
        assert reported in shown, reported
    assert "step 2: birads_accuracy_7_worst_strict 0.2500 on the validation part" in shown


def test_the_bar_of_80_columns_cuts_off_neither_step_nor_time_left() -> None:
    written = io.StringIO()
    console = Console(file=written, force_terminal=True, width=80, highlight=False)
    with TerminalProgress(console, WatchedMetric.BIRADS) as terminal:
        terminal.on_step(replace(taken(12345), total_steps=50000, loss=2.0))
        terminal.on_step(replace(taken(12346), total_steps=50000, loss=2.0))
    last = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", written.getvalue()).strip().splitlines()[-1]
    assert re.search(r"step 12346/50000 .* (-:--:--|\d+:\d\d:\d\d) left loss 2\.000  8\.00 exams/s  3\.00 GiB", last)
    assert len(last.rstrip()) <= 80


def test_without_a_terminal_there_is_a_line_a_minute_of_training() -> None:
    written = io.StringIO()
    with TerminalProgress(Console(file=written, width=40), WatchedMetric.BIRADS) as terminal:
        for step in range(1, 8):
            terminal.on_step(replace(taken(step), seconds=25.0))
    lines = written.getvalue().splitlines()
    assert [line.split(",")[0] for line in lines] == ["step 1 of 8", "step 4 of 8", "step 7 of 8"]
    assert lines[1].startswith("step 4 of 8, 0:01:40 left: loss 1.000, 0.16 exams/s, 3.00 GiB, ")


def test_memory_is_told_in_bytes() -> None:
    assert 50e6 < peak_bytes() < 1e12
