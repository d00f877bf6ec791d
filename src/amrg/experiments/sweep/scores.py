"""The layout of `sweep.json`: what a sweep was, how each trial ended, what each configuration scored."""

from __future__ import annotations

from pydantic import Field

from amrg.benchmark.scoring.compare import MetricComparison
from amrg.core.values import Value
from amrg.experiments.sweep.definition import Definition, Point
from amrg.experiments.sweep.trials import Trial, TrialStatus
from amrg.metrics.scores import DataScored, MetricScore, Number, SystemScores

SCHEMA = 2


class Configuration(Value):
    """A backbone with a rank and a scaling, over its seeds; `point` has the first one's.

    `metrics` are over the drafts of all finished seeds of the validation part, a case counted with each; intervals by a
    bootstrap of seeds and groups. `spread` is over seeds: mean, lowest, highest; a metric of one seed has none. Empty
    where no seed finished. `from_best` is over the seeds that both have. `drafted` are the seeds that are in `metrics`:
    those that finished and whose drafts are in the sweep's folder, not on another machine.
    """

    label: str
    base: str
    point: Point
    trials: tuple[Trial, ...]
    drafted: tuple[int, ...] = ()
    metrics: dict[str, MetricScore] = Field(default_factory=dict)
    spread: dict[str, Number] = Field(default_factory=dict)
    from_best: MetricComparison | None = None

    def count(self, status: TrialStatus) -> int:
        """How many of its trials have a status."""
        return sum(t.status is status for t in self.trials)

    @property
    def complete(self) -> bool:
        """Whether every seed that started finished, be it at a second try; else its mean is not used for selection."""
        return self.finished == {t.point.seed for t in self.trials if t.point}

    @property
    def finished(self) -> set[int]:
        """Its seeds that finished."""
        return {t.point.seed for t in self.trials if t.point and t.status is TrialStatus.FINISHED}


class SweepScores(Value):
    """`sweep.json`. `selection` names the metric that selects; `best` is the label of the configuration selected.

    `best_of` names that of each backbone that has one; `blind` and `perfect` are on the same validation cases.
    """

    schema_version: int = SCHEMA
    software: str
    definition: Definition
    data: DataScored
    selection: str
    best: str | None
    best_of: dict[str, str]
    configurations: tuple[Configuration, ...]
    waiting: tuple[Trial, ...] = ()
    baselines: dict[str, SystemScores]
    warnings: tuple[str, ...] = ()

    def configuration(self, label: str) -> Configuration:
        """A configuration by its label."""
        return next(c for c in self.configurations if c.label == label)
