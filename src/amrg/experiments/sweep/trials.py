"""One trial of a sweep as its study stores it: its configuration, its status, its result or why it has none."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from optuna.trial import TrialState

from amrg.core.values import Value
from amrg.experiments.sweep.definition import Point, SweepBase
from amrg.experiments.sweep.studies import Studies, trials_in

TRIALS = "trials"
"""The folder of the trials' folders, inside the sweep's."""

POINT, REASON, TUNED = "point", "reason", "tuned"
"""What a study stores of a trial besides its parameters."""


class TrialStatus(StrEnum):
    """How far a trial is, or how it ended."""

    WAITING = "waiting"
    RUNNING = "running"
    FINISHED = "finished"
    PRUNED = "pruned"
    FAILED = "failed"


_STATUS = {
    TrialState.WAITING: TrialStatus.WAITING,
    TrialState.RUNNING: TrialStatus.RUNNING,
    TrialState.COMPLETE: TrialStatus.FINISHED,
    TrialState.PRUNED: TrialStatus.PRUNED,
    TrialState.FAIL: TrialStatus.FAILED,
}


class Trial(Value):
    """One trial: its configuration, how it ended and why. `folder` is relative to the sweep's, None before it started.

    `best` is the best value of the validation metric, at `best_step`; None for one that failed, never 0.
    `seconds` are those of training and validation, `peak_bytes` is the peak memory.
    """

    base: str
    number: int
    status: TrialStatus
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
    """Every trial of a sweep in its current state, backbone by backbone."""
    return [read_trial(base, frozen) for base in studies.sweep.bases for frozen in trials_in(studies.study_of(base))]


def read_trial(base: SweepBase, frozen: Any) -> Trial:
    """A trial from its study."""
    attributes, point = frozen.user_attrs, None
    if POINT in attributes:
        point = Point.model_validate(attributes[POINT])
    elif "alpha" in frozen.system_attrs.get("fixed_params", {}):
        point = Point.model_validate(frozen.system_attrs["fixed_params"])
    return Trial(
        base=base.name,
        number=frozen.number,
        status=_STATUS[frozen.state],
        point=point,
        folder=trial_folder(base, frozen.number, point) if POINT in attributes and point is not None else None,
        reason=attributes.get(REASON),
        **attributes.get(TUNED, {}),
    )


def trial_folder(base: SweepBase, number: int, point: Point) -> str:
    """A trial's folder, relative to the sweep's."""
    return f"{TRIALS}/{base.name}/{number:03d}-{point.label}"
