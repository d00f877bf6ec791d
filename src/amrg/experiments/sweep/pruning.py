"""Weak trials of a sweep are stopped early: by which rule, and through which callback; running ones give heartbeats."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import optuna

from amrg.core.threads import repeated
from amrg.experiments.sweep.definition import Sweep
from amrg.training.callbacks import Callback, StepStats

HEARTBEAT = "heartbeat"
"""When a running trial last gave a heartbeat, seconds since 1970."""

STARTUP_TRIALS, MIN_TRIALS, WARMUP_VALIDATIONS = 5, 3, 2
"""Trials a backbone that are never pruned, those that a median needs, validations before any trial is pruned."""

_HEARTBEAT_SECONDS = 60.0


class PruningCallback:
    """Reports every validation to a trial's study, and stops the trial where it is weaker than others."""

    def __init__(self, trial: Any, inner: Callback) -> None:
        self._trial, self._inner = trial, inner
        self._reported = set(trial.storage.get_trial(trial._trial_id).intermediate_values)

    def on_step(self, stats: StepStats) -> None:
        """Pass it on."""
        self._inner.on_step(stats)

    def on_validation(self, step: int, value: float) -> bool:
        """Report it, once however often the trial was resumed."""
        if step not in self._reported:
            self._reported.add(step)
            self._trial.report(value, step)
        return self._inner.on_validation(step, value) or bool(self._trial.should_prune())


@contextmanager
def heartbeats(trial: Any, seconds: float = _HEARTBEAT_SECONDS) -> Iterator[None]:
    """A heartbeat every minute while the block runs, from a thread: a step or a validation may take half an hour."""

    def beat() -> bool:
        with suppress(Exception):  # a storage that is not reachable shows where the trial reports
            trial.set_user_attr(HEARTBEAT, time.time())
        return True

    with repeated(beat, seconds, "heartbeat"):
        yield


def make_pruner(sweep: Sweep) -> Any:
    """The median rule: a trial whose best value so far is below the median of the others' at the same step ends.

    Not successive halving: of fifteen trials it would stop ten at their first validation, on a few dozen cases, when
    high ranks are ahead because they learn faster, not better.
    """
    if not sweep.prune:
        return optuna.pruners.NopPruner()
    first = WARMUP_VALIDATIONS * sweep.recipe.validation.every
    return optuna.pruners.MedianPruner(n_startup_trials=STARTUP_TRIALS, n_warmup_steps=first, n_min_trials=MIN_TRIALS)
