"""The layout of `scores.json`: documented in docs/scores.md, versioned by `SCHEMA`."""

from __future__ import annotations

from enum import StrEnum
from typing import TypedDict

from pydantic import Field

from amrg.core.values import Value
from amrg.metrics.families import Family
from amrg.metrics.intervals import Method

SCHEMA = 4


class Role(StrEnum):
    """What a system is in a run: the one under test, one that reads no image, or one to measure against."""

    SYSTEM = "system"
    BLIND = "blind"  # constant report, sampled report, label prior: no image read
    RETRIEVAL = "retrieval"  # nearest training image
    ORACLE = "oracle"  # knows category and density
    PERFECT = "perfect"  # the references themselves


class Ends(TypedDict):
    """The fields of a `Number` that its interval decides."""

    low: float | None
    high: float | None
    method: Method | None


class Number(Value):
    """A value with its 95 % interval and the interval's method; None where it has no meaning (JSON has no NaN)."""

    value: float | None
    low: float | None = None
    high: float | None = None
    method: Method | None = None

    @property
    def between(self) -> tuple[float, float] | None:
        """The interval; None where there is none."""
        return None if self.low is None or self.high is None else (self.low, self.high)


class Skill(Number):
    """(value - blind) / (perfect - blind): 1 where perfect, 0 where no better than the best blind baseline named.

    `groups` are those that have a value of their own of all three; None in scores of before it was stored.
    """

    blind: str
    groups: int | None = None


class MetricScore(Number):
    """One metric of one system: n scored, of how many groups, how many it could not score, how it was computed."""

    n: int
    groups: int
    unscored: int
    family: Family
    about: str
    higher_is_better: bool
    skill: Skill | None = None


class SystemScores(Value):
    """All metrics of one system over the same cases; `failed` are in no number. `about`: how a baseline came about."""

    role: Role
    about: str = ""
    n: int
    failed: int
    metrics: dict[str, MetricScore]


class MetricChange(Number):
    """How far a metric moves when the images are perturbed, paired by case.

    `groups` are those that have a value of their own on both images. `p` is of approximate randomisation.
    """

    groups: int
    p: float | None = None


class PerturbationScores(Value):
    """The same model on perturbed images; `change` is perturbed minus unchanged."""

    n: int
    metrics: dict[str, MetricScore]
    change: dict[str, MetricChange]


class Confusion(Value):
    """Counts [reference, draft]; the last column is `unscored`."""

    labels: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


class Unread(Value):
    """Texts of one kind (`prediction` or `reference`) that were not read for one reason: how many `of` all cases."""

    what: str
    reason: str
    count: int
    of: int
    examples: tuple[str, ...]


class TrainingOverlap(Value):
    """Scored cases in what a model was trained on: `count` of them by content, with what they share, or unknown which.

    `data_set` is given where only the name is known to be in `training`; then `count` is 0.
    """

    training: str
    data_set: str | None = None
    count: int = 0
    kinds: tuple[tuple[str, int], ...] = ()
    examples: tuple[str, ...] = ()


class TrainedOn(Value):
    """What a model was trained on: data sets, a line for each part that is not known, and the scored cases in it."""

    names: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    overlaps: tuple[TrainingOverlap, ...] = ()


class CaseScores(Value):
    """One case: its subgroups, and each metric's own value where the metric has one a case."""

    key: str
    group: str
    subgroups: dict[str, str]
    values: dict[str, float | None]


class DataScored(Value):
    """What was scored on: data set, split, part, hashes; `trained_on` warns that the part is one to train on.

    `leaks` are lines on patients or texts that are on both sides of the split, as far as its train part was at hand.
    """

    name: str
    split: str | None = None
    part: str | None = None
    hash: str
    n: int
    groups: int
    trained_on: bool = False
    leaks: tuple[str, ...] = ()


class ScoredWith(Value):
    """How a run was scored, so that it can be scored so again; `radeval_values` is the name of the file given."""

    seed: int
    resamples: int
    label_texts: bool = False
    meteor_jar: bool = False
    radeval: tuple[str, ...] = ()
    radeval_values: str | None = None


class Scores(Value):
    """`scores.json`: everything measured of one system and its baselines on one part of a data set."""

    schema_version: int = SCHEMA
    software: str
    system: str
    predictions_hash: str  # of the predictions scored
    data: DataScored
    scored_with: ScoredWith | None = None  # not stated by what was scored before it was stored
    systems: dict[str, SystemScores]
    # Field (density, view, ...), its value, the system's metrics on those cases.
    subgroups: dict[str, dict[str, SystemScores]] = Field(default_factory=dict)
    perturbed: dict[str, PerturbationScores] = Field(default_factory=dict)  # blanked, shuffled, mirrored
    confusions: dict[str, Confusion] = Field(default_factory=dict)  # birads, density
    cases: tuple[CaseScores, ...] = ()
    unread: tuple[Unread, ...] = ()
    trained_on: TrainedOn | None = None
    warnings: tuple[str, ...] = ()

    def named(self, system: str) -> Scores:
        """The same scores with another name of the system under test."""
        systems = {system if name == self.system else name: scores for name, scores in self.systems.items()}
        return self.model_copy(update={"system": system, "systems": systems})
