"""Weak trials of a sweep are stopped early: which, and how a run is told."""

from __future__ import annotations

import time
from typing import Any

import optuna

from amrg.experiments.sweep import Sweep
from amrg.training.callbacks import Callback, StepStats

ALIVE = "alive"
"""When a running trial last gave a sign of life, seconds since 1970."""

FIRST_WHOLE, FEWEST, WARM_UP = 5, 3, 2
"""Trials a backbone that always run to their end, those that a median takes, validations before any is stopped."""

_BEAT = 60.0  # seconds between signs of life


class Pruning:
    """A watch that tells a trial's study of every validation, and stops the trial where it is weaker than others."""

    def __init__(self, trial: Any, inner: Callback) -> None:
        self._trial, self._inner = trial, inner
        self._reported = set(trial.storage.get_trial(trial._trial_id).intermediate_values)
        self._beaten = time.monotonic()

    def step(self, taken: StepStats) -> None:
        """Pass it on, and give a sign of life now and then."""
        if time.monotonic() - self._beaten > _BEAT:
            self._beaten = time.monotonic()
            self._trial.set_user_attr(ALIVE, time.time())
        self._inner.step(taken)

    def validated(self, step: int, value: float) -> bool:
        """Report it, once however often the trial was taken up again."""
        if step not in self._reported:
            self._reported.add(step)
            self._trial.report(value, step)
        return self._inner.validated(step, value) or bool(self._trial.should_prune())


def pruner(sweep: Sweep) -> Any:
    """The median rule: a trial whose best value so far is below the median of the others' at the same step ends.

    Not successive halving: of fifteen trials it would stop ten at their first validation, on a few dozen cases, when
    high ranks are ahead because they learn faster, not better.
    """
    if not sweep.prune:
        return optuna.pruners.NopPruner()
    first = WARM_UP * sweep.recipe.validation.every
    return optuna.pruners.MedianPruner(n_startup_trials=FIRST_WHOLE, n_warmup_steps=first, n_min_trials=FEWEST)
