"""One trial of a sweep as its study keeps it: what it is run with, how far it is, how it ended and why."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from optuna.trial import TrialState

from amrg.core.values import Value
from amrg.experiments.optuna_studies import Studies, trials_in
from amrg.experiments.sweep import Point, SweepBase

TRIALS = "trials"
"""Where a sweep's folder holds the folders of its trials."""

POINT, REASON, TUNED = "point", "reason", "tuned"
"""What a study keeps of a trial beside its parameters."""


class TrialStatus(StrEnum):
    """How far a trial is, or how it ended."""

    WAITING = "waiting"
    RUNNING = "running"
    FINISHED = "finished"
    PRUNED = "pruned"
    FAILED = "failed"


_STATES = {
    TrialState.WAITING: TrialStatus.WAITING,
    TrialState.RUNNING: TrialStatus.RUNNING,
    TrialState.COMPLETE: TrialStatus.FINISHED,
    TrialState.PRUNED: TrialStatus.PRUNED,
    TrialState.FAIL: TrialStatus.FAILED,
}


class Trial(Value):
    """One trial: what it is run with, how it ended and why. `folder` is below the sweep's, None before it began.

    `best` is the watched metric on the validation part, at `best_step`; None for one that failed, never 0.
    `seconds` are those of training and validation, `peak_bytes` the most memory held.
    """

    base: str
    number: int
    state: TrialStatus
    point: Point | None = None
    folder: str | None = None
    reason: str | None = None
    best: float | None = None
    best_step: int | None = None
    steps: int | None = None
    trainable: int | None = None
    seconds: float | None = None
    peak_bytes: int | None = None


def read_trials(studies: Studies) -> list[Trial]:
    """Every trial of a sweep as it stands, backbone by backbone."""
    return [read_trial(base, frozen) for base in studies.sweep.bases for frozen in trials_in(studies.of(base))]


def read_trial(base: SweepBase, frozen: Any) -> Trial:
    """A trial from its study."""
    told, point = frozen.user_attrs, None
    if POINT in told:
        point = Point.model_validate(told[POINT])
    elif "alpha" in frozen.system_attrs.get("fixed_params", {}):
        point = Point.model_validate(frozen.system_attrs["fixed_params"])
    return Trial(
        base=base.name,
        number=frozen.number,
        state=_STATES[frozen.state],
        point=point,
        folder=folder_of(base, frozen.number, point) if POINT in told and point is not None else None,
        reason=told.get(REASON),
        **told.get(TUNED, {}),
    )


def folder_of(base: SweepBase, number: int, point: Point) -> str:
    """Where a trial lies below the sweep's folder."""
    return f"{TRIALS}/{base.name}/{number:03d}-{point.label}"
