"""The progress of a run on the terminal: steps, loss, throughput, memory, remaining time."""

from __future__ import annotations

from collections import deque
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from amrg.metrics.validation import WatchedMetric
from amrg.training.callbacks import StepStats

_WINDOW = 20  # steps over which throughput is averaged


class TerminalProgress:
    """A callback with a progress bar, and a line per validation. Used as a context manager."""

    def __init__(self, console: Console, metric: WatchedMetric) -> None:
        """`metric` is the monitored one."""
        self._console, self._metric = console, metric
        columns = (
            TextColumn("training"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[throughput]}"),
            TimeRemainingColumn(),
        )
        self._bars = Progress(*columns, console=console, transient=True)
        self._task = self._bars.add_task("training", total=None, throughput="")
        self._recent: deque[StepStats] = deque(maxlen=_WINDOW)

    def __enter__(self) -> TerminalProgress:
        self._bars.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._bars.stop()

    def on_step(self, stats: StepStats) -> None:
        """Move the bar."""
        self._recent.append(stats)
        line = throughput_line(self._recent)
        self._bars.update(self._task, total=stats.total_steps, completed=stats.step, throughput=line)

    def on_validation(self, step: int, value: float) -> bool:
        """A line above the bar; never stops a run."""
        self._console.print(f"step {step}: {self._metric.value} {value:.4f} on the validation part")
        return False


def throughput_line(recent: deque[StepStats]) -> str:
    """Loss, learning rate and memory of the last step, throughput over the recent ones."""
    last, seconds = recent[-1], sum(s.seconds for s in recent)
    return (
        f"loss {last.loss:.3f}  lr {last.learning_rate:.1e}  {sum(s.cases for s in recent) / seconds:.2f} exams/s  "
        f"{sum(s.tokens for s in recent) / seconds:.0f} tokens/s  {last.peak_bytes / 2**30:.2f} GiB"
    )
