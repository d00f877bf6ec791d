"""The progress of a run on the terminal: steps, loss, throughput, memory, remaining time."""

from __future__ import annotations

import signal
import threading
from collections import deque
from collections.abc import Sequence
from datetime import timedelta
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from amrg.metrics.validation import WatchedMetric
from amrg.training.callbacks import StepStats

_WINDOW = 20  # steps over which throughput is averaged
_BAR, _OTHERS = 10, 44  # columns of the bar, and of all but the measures
_SECONDS = 60.0  # of training between lines where there is no terminal


class TerminalProgress:
    """A callback with a progress bar, and a line per validation. Used as a context manager.

    Without a terminal there is a line after the first step, and then one a minute of training. Ctrl-C takes effect
    after the step, so that it is saved; a second one immediately.
    """

    def __init__(self, console: Console, metric: WatchedMetric) -> None:
        """`metric` is the monitored one."""
        self._console, self._metric = console, metric
        columns = (
            TextColumn("step"),
            MofNCompleteColumn(),
            BarColumn(bar_width=_BAR),
            TimeRemainingColumn(),
            TextColumn("left"),
            TextColumn("{task.fields[measures]}"),
        )
        self._bars = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._task = self._bars.add_task("training", total=None, measures="")
        self._recent: deque[StepStats] = deque(maxlen=_WINDOW)
        self._unprinted = _SECONDS
        self._interrupted = False
        self._handler: Any = None
        self.step = 0
        """The last step of this process."""

    def __enter__(self) -> TerminalProgress:
        is_main = threading.current_thread() is threading.main_thread()
        if is_main and signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:  # as of nohup and background jobs
            self._handler = signal.signal(signal.SIGINT, self._interrupt)
        self._bars.start()
        return self

    def _interrupt(self, *_: object) -> None:
        """Ctrl-C."""
        if self._interrupted:
            raise KeyboardInterrupt
        self._interrupted = True
        self._console.print("finishing this step, then saving; press Ctrl-C again to stop immediately", soft_wrap=True)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._bars.stop()
        if self._handler is not None:
            signal.signal(signal.SIGINT, self._handler)

    def on_step(self, stats: StepStats) -> None:
        """Move the bar, or print a line if one is due.

        Raises:
            KeyboardInterrupt: Ctrl-C was pressed during the step.
        """
        self._recent.append(stats)
        self.step = stats.step
        if self._interrupted:
            raise KeyboardInterrupt
        if self._console.is_terminal:
            fitting = _fit(measures(self._recent), self._console.width - _OTHERS)
            self._bars.update(self._task, total=stats.total_steps, completed=stats.step, measures=fitting)
            return
        self._unprinted += stats.seconds
        if self._unprinted >= _SECONDS:
            self._unprinted = 0.0
            self._console.print(progress_line(self._recent), markup=False, soft_wrap=True)

    def on_validation(self, step: int, value: float) -> bool:
        """A line above the bar; never stops a run."""
        self._console.print(f"step {step}: {self._metric.value} {value:.4f} on the validation part", soft_wrap=True)
        return False


def measures(recent: deque[StepStats]) -> list[str]:
    """Loss of the last step, throughput over the recent ones, memory, learning rate: the most important first."""
    last, seconds = recent[-1], sum(s.seconds for s in recent)
    return [
        f"loss {last.loss:.3f}",
        f"{sum(s.cases for s in recent) / seconds:.2f} exams/s",
        f"{last.peak_bytes / 2**30:.2f} GiB",
        f"lr {last.learning_rate:.1e}",
        f"{sum(s.tokens for s in recent) / seconds:.0f} tokens/s",
    ]


def progress_line(recent: deque[StepStats]) -> str:
    """Where a run is, how long its steps will still take, and the measures."""
    last = recent[-1]
    left = (last.total_steps - last.step) * sum(s.seconds for s in recent) / len(recent)
    return (
        f"step {last.step} of {last.total_steps}, {timedelta(seconds=round(left))} left: {', '.join(measures(recent))}"
    )


def _fit(parts: Sequence[str], width: int) -> str:
    """As many parts as a width has room for."""
    fitting = parts[0]
    for part in parts[1:]:
        if len(fitting) + 2 + len(part) > width:
            break
        fitting += f"  {part}"
    return fitting
