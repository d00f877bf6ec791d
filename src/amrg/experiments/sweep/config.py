"""How a sweep is run: on which data, into which folder, who is notified, which steps train a trial."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from amrg.core.progress import Progress
from amrg.datasets import open_dataset
from amrg.experiments.sweep.definition import Definition, Sweep
from amrg.experiments.sweep.trials import Trial
from amrg.training.callbacks import Callback
from amrg.training.data.prepared import DataSource, PreparedData, prepare
from amrg.training.loop.tuning import TrainedAdapter, tune
from amrg.training.recipe import Recipe


class SweepCallbacks(Protocol):
    """Notified of what a sweep does."""

    def progress(self, what: str, done: int, count: int) -> None:
        """Work on what all trials of a backbone share."""

    def started(self, trial: Trial) -> Callback:
        """A trial starts or resumes; returns the callback of its training."""

    def ended(self, trial: Trial) -> None:
        """A trial ended."""


@dataclass(frozen=True)
class Steps:
    """What is done once a backbone, and what is done once a trial."""

    prepare: Callable[[Recipe, DataSource, Path, Progress], PreparedData] = prepare
    tune: Callable[[PreparedData, Recipe, Path, Callback], TrainedAdapter] = tune


@dataclass(frozen=True)
class SweepConfig:
    """What to sweep, on which data, into which folder; `storage` is a PostgreSQL URL, or None for a file there.

    `retry` runs each failed trial once more, as a new trial: the failure stays listed. `shared`: all workers are known
    to share the folder and its file locks, also those on other machines.
    """

    sweep: Sweep
    source: DataSource
    folder: Path
    storage: str | None = None
    retry: bool = False
    steps: Steps = Steps()
    shared: bool = False

    @property
    def definition(self) -> Definition:
        """The sweep with its data.

        Raises:
            DatasetError: no such data set or split, a part without cases, or its images are not there.
        """
        dataset = open_dataset(self.source.data)
        split = dataset.ready_split(self.source.split, ("train", "validation"))
        return Definition(
            sweep=self.sweep,
            data=dataset.info.name,
            dataset_hash=dataset.info.hash,
            split=split.name,
            split_hash=split.hash,
        )
