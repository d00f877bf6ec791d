"""A run on the terminal: how far it is, what it learns, how fast, in how much memory, how long it still takes."""

from __future__ import annotations

from collections import deque
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from amrg.metrics.validation import WatchedMetric
from amrg.training.callbacks import StepStats

_LAST = 20  # steps that throughput is a mean of


class Terminal:
    """A bar with the last figures beside it, and a line a validation. Used as a context."""

    def __init__(self, console: Console, metric: WatchedMetric) -> None:
        """`metric` names what is watched."""
        self._console, self._metric = console, metric
        columns = (
            TextColumn("training"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[told]}"),
            TimeRemainingColumn(),
        )
        self._bars = Progress(*columns, console=console, transient=True)
        self._task = self._bars.add_task("training", total=None, told="")
        self._taken: deque[StepStats] = deque(maxlen=_LAST)

    def __enter__(self) -> Terminal:
        self._bars.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._bars.stop()

    def step(self, taken: StepStats) -> None:
        """Move the bar."""
        self._taken.append(taken)
        self._bars.update(self._task, total=taken.of, completed=taken.step, told=throughput_line(self._taken))

    def validated(self, step: int, value: float) -> bool:
        """A line above the bar; never stops a run."""
        self._console.print(f"step {step}: {self._metric.value} {value:.4f} on the validation part")
        return False


def throughput_line(last: deque[StepStats]) -> str:
    """The figures beside the bar: those of the last step, throughput over the last few."""
    now, seconds = last[-1], sum(t.seconds for t in last)
    return (
        f"loss {now.loss:.3f}  rate {now.learning_rate:.1e}  {sum(t.cases for t in last) / seconds:.2f} exams/s  "
        f"{sum(t.tokens for t in last) / seconds:.0f} tokens/s  {now.peak_bytes / 2**30:.2f} GiB"
    )
