"""Runs the trials of a sweep one by one, shares what those of a backbone have in common, records how each ended.

Any number of processes may run the same sweep concurrently. A killed process leaves its trial as running. The next
process in the same folder resumes it immediately, since nobody holds its lock; on another machine, it is resumed after
a long time without a heartbeat.
"""

from __future__ import annotations

import math
import os
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
import torch
from optuna.trial import TrialState
from safetensors import SafetensorError
from sqlalchemy.exc import SQLAlchemyError

from amrg.core.attempts import MOST, Attempts, new_session
from amrg.core.locks import try_lock
from amrg.experiments.sweep.config import SweepCallbacks, SweepConfig
from amrg.experiments.sweep.definition import SweepBase, SweepError
from amrg.experiments.sweep.locks import lock_file
from amrg.experiments.sweep.pruning import HEARTBEAT, PruningCallback, heartbeats
from amrg.experiments.sweep.studies import Studies, open_studies, suggest, trials_in
from amrg.experiments.sweep.trials import POINT, REASON, TUNED, Trial, read_trial, read_trials, trial_folder
from amrg.training.callbacks import STOPPED
from amrg.training.data.prepared import PreparedData
from amrg.training.errors import TuningError
from amrg.training.loop.tuning import TrainedAdapter

FEATURES = "features"
"""The folder of what the trials of a sweep share, inside the sweep's."""

ATTEMPTS = "attempts"
"""The folder of trials in work, inside the sweep's."""

PLACE, WEIGHTS = "place", "weights"
_HEARTBEAT_TIMEOUT = 1800.0  # seconds without a heartbeat after which another machine resumes a trial


def list_trials(config: SweepConfig) -> list[Trial]:
    """All trials of a sweep in their current state.

    Raises:
        SweepError: the folder contains a different sweep, or the storage cannot be opened.
        DatasetError: no such data set or split.
    """
    with open_studies(config.folder, config.definition, config.storage) as studies:
        return read_trials(studies)


def run_trials(config: SweepConfig, callbacks: SweepCallbacks) -> list[Trial]:
    """Run every trial that is waiting or was interrupted; returns all trials, also those of other workers.

    Raises:
        SweepError: the folder contains a different sweep, or the storage cannot be opened.
        DatasetError: no such data set or split.
        ModelError: a backbone is missing.
        TuningError: nothing can be written any more; the next call resumes what ran.
    """
    _refuse_several_processes()
    with open_studies(config.folder, config.definition, config.storage) as studies:
        for base in config.sweep.bases:
            worker = TrialWorker(config, callbacks, studies, base, here(config))
            if config.retry:
                worker.retry_failed()
            while worker.run_one():
                pass
        return read_trials(studies)


def here(config: SweepConfig) -> Attempts:
    """The attempts of a session of its own: of another, a process that ended within a trial does not count."""
    return Attempts(config.folder / ATTEMPTS, new_session(), socket.gethostname())


@dataclass
class TrialWorker:
    """Runs the trials of one backbone, those that it can claim."""

    config: SweepConfig
    callbacks: SweepCallbacks
    studies: Studies
    base: SweepBase
    attempts: Attempts
    prepared: PreparedData | None = None

    def __post_init__(self) -> None:
        """Open the backbone's study, and queue its trials if they are not."""
        self.study = self.studies.study_of(self.base)

    def run_one(self) -> bool:
        """Run a trial, or queue those that a search repeats; False if there is nothing to do.

        The base model is loaded only if there is a trial to claim.
        """
        if self.prepared is None:
            if not self.has_work():
                return False
            self.prepared = self._prepare()
        return self._run_next(self.prepared) or self._repeat_best()

    def has_work(self) -> bool:
        """Whether there is a trial to claim now; queues those that a search repeats."""
        return self.has_free() or self._repeat_best()

    def has_free(self) -> bool:
        """Whether there is a trial to claim now."""
        return any(map(self._is_free, self._unfinished()))

    def count_unfinished(self) -> int:
        """How many trials wait or run."""
        return len(self._unfinished())

    def _prepare(self) -> PreparedData:
        """What all trials share, computed or read: image features are in the sweep's folder."""
        recipe = self.config.sweep.recipe.model_copy(update={"base": self.base.source})
        cache = self.config.folder / FEATURES
        prepared = self.config.steps.prepare(recipe, self.config.source, cache, self.callbacks.progress)
        weights = prepared.weights_id
        earlier = self.study.user_attrs.get(WEIGHTS, weights)
        if earlier != weights:
            raise SweepError(
                f"{self.config.folder}: {self.base.name} has weights {weights}, earlier trials had {earlier}; restore "
                "those, or sweep into an empty folder"
            )
        self.study.set_user_attr(WEIGHTS, weights)
        return prepared

    def _run_next(self, prepared: PreparedData) -> bool:
        """Run one trial; False if there is none to claim."""
        with self._claim() as trial:
            if trial is None:
                return False
            self._run(trial, prepared)
        return True

    @contextmanager
    def _claim(self) -> Iterator[Any]:
        """A trial that is this worker's alone until it is done, interrupted ones first; None if there is none."""
        for frozen in sorted(self._unfinished(), key=lambda f: f.state is not TrialState.RUNNING):
            with self._lock(frozen) as locked:
                if locked and self._start(frozen):
                    yield optuna.trial.Trial(self.study, frozen._trial_id)
                    return
        yield None

    def _start(self, listed: Any) -> bool:
        """Start a trial that is locked; False unless it is waiting or was interrupted.

        A file lock guards it from all processes that share the folder, a row lock of PostgreSQL from the others. SQLite
        has no row lock: without the file lock two processes could both start a waiting trial.
        """
        storage, number = self.studies.storage, listed._trial_id
        current = storage.get_trial(number)
        if current.state is TrialState.WAITING:
            try:
                started = bool(storage.set_trial_state_values(number, TrialState.RUNNING))
            except optuna.exceptions.UpdateFinishedTrialError:
                return False
        else:
            started = current.state is TrialState.RUNNING and self._is_interrupted(current)
        if started:
            storage.set_trial_user_attr(number, PLACE, self._place)
            storage.set_trial_user_attr(number, HEARTBEAT, time.time())
        return started

    def _is_free(self, frozen: Any) -> bool:
        """Whether a trial could be claimed now."""
        with self._lock(frozen) as locked:
            return locked and (frozen.state is TrialState.WAITING or self._is_interrupted(frozen))

    def _is_interrupted(self, frozen: Any) -> bool:
        """Whether a running trial whose lock is free was interrupted; on another machine, only its heartbeat tells."""
        if self.config.storage is None or self.config.shared or frozen.user_attrs.get(PLACE) == self._place:
            return True
        started = frozen.datetime_start.timestamp()  # it has no heartbeat yet right after its start
        return bool(time.time() - frozen.user_attrs.get(HEARTBEAT, started) > _HEARTBEAT_TIMEOUT)

    @property
    def _place(self) -> str:
        """Machine and folder: workers that share both share the file locks."""
        return f"{socket.gethostname()}:{self.config.folder.resolve()}"

    def _lock(self, frozen: Any) -> AbstractContextManager[bool]:
        return try_lock(lock_file(self.config.folder, self._name(frozen)))

    def _name(self, trial: Any) -> str:
        return f"{self.base.name}-{trial.number:03d}"

    def _unfinished(self) -> list[Any]:
        return list(trials_in(self.study, TrialState.WAITING, TrialState.RUNNING))

    def _run(self, trial: Any, prepared: PreparedData) -> None:
        """Run one trial until it is finished, pruned or failed."""
        point = suggest(trial, self.config.sweep)
        trial.set_user_attr(POINT, point.model_dump(mode="json", exclude_none=True))
        callback = PruningCallback(trial, self.callbacks.started(self._read(trial)))
        folder = self.config.folder / trial_folder(self.base, trial.number, point)
        folder.parent.mkdir(parents=True, exist_ok=True)
        recipe = self.config.sweep.recipe_of(self.base, point)
        name = self._name(trial)
        deaths = self.attempts.deaths(name).count
        _reset_peak_memory()
        try:
            if deaths >= MOST:
                raise TuningError(f"it ended {deaths} processes: set aside; --retry-failed runs it again")
            with self.attempts.working([name], deaths), heartbeats(trial):
                tuned = self.config.steps.tune(prepared, recipe, folder, callback)
        except OSError:
            raise  # not the trial's fault: it stays as running, to be resumed
        except (optuna.exceptions.StorageInternalError, SQLAlchemyError) as error:
            reason = str(error).strip().splitlines()[0]
            raise SweepError(
                f"storage of the sweep: not reachable while a trial ran ({reason}); run the same command again to "
                "resume the trial"
            ) from error
        except TuningError as error:
            if isinstance(error.__cause__, (OSError, SafetensorError)):
                raise
            self._fail(trial, str(error))
        except Exception as error:
            self._fail(trial, f"a fault in amrg: {type(error).__name__}: {error}")
            raise
        else:
            self._finish(trial, tuned)
        self.attempts.end(name)
        self.callbacks.ended(self._read(trial))

    def _finish(self, trial: Any, tuned: TrainedAdapter) -> None:
        """Record the result of a trial, finished or pruned."""
        if math.isnan(tuned.best):
            metric = self.config.sweep.recipe.validation.metric.value
            self._fail(trial, f"{metric} is not a number: no reference of the validation part has what it scores")
            return
        fields = ("best", "best_step", "peak_bytes", "seconds", "steps", "trainable")
        trial.set_user_attr(TUNED, {name: getattr(tuned, name) for name in fields})
        if tuned.stopped == STOPPED:
            trial.set_user_attr(REASON, f"weaker than the median of {self.base.name} at step {tuned.steps}")
            self.study.tell(trial, state=TrialState.PRUNED)
        else:
            self.study.tell(trial, tuned.best)

    def _fail(self, trial: Any, why: str) -> None:
        """Record a failure: with its reason, without a value, not to be retried."""
        trial.set_user_attr(REASON, " ".join(why.split()))
        self.study.tell(trial, state=TrialState.FAIL)

    def retry_failed(self) -> None:
        """Queue the parameters of failed trials again, except for those that were queued since."""
        with self.studies.lock_queue(self.base):
            others = [_params(t) for t in trials_in(self.study) if t.state is not TrialState.FAIL]
            for params in [_params(t) for t in trials_in(self.study, TrialState.FAIL)]:
                if params not in others:
                    others.append(params)
                    self.study.enqueue_trial(params)

    def _read(self, trial: Any) -> Trial:
        return read_trial(self.base, self.studies.storage.get_trial(trial._trial_id))

    def _repeat_best(self) -> bool:
        """After a search: queue the best configuration with the seeds that it lacks. True if that queued any.

        A lucky seed alone does not win: after the repetition another configuration may be the best, and is repeated.
        """
        sweep = self.config.sweep
        if sweep.search is None:
            return False
        with self.studies.lock_queue(self.base):
            if self._unfinished():
                return False
            missing = _missing_seeds(list(trials_in(self.study)), sweep.seeds)
            for params in missing:
                self.study.enqueue_trial(params)
            return bool(missing)


def _params(frozen: Any) -> dict[str, Any]:
    """A trial's parameters, sampled or as queued."""
    found: dict[str, Any] = frozen.params or frozen.system_attrs.get("fixed_params", {})
    return found


def _missing_seeds(trials: Sequence[Any], seeds: Sequence[int]) -> list[dict[str, Any]]:
    """The configuration with the highest mean, none of its seeds failed: its parameters with each seed it lacks."""
    ended: dict[tuple[Any, ...], dict[int, Any]] = {}
    for trial in trials:
        if trial.params:  # one that failed before it was sampled has none
            seed, others = trial.params["seed"], {n: v for n, v in trial.params.items() if n != "seed"}
            by_seed = ended.setdefault(tuple(sorted(others.items())), {})
            if seed not in by_seed or trial.state is TrialState.COMPLETE:
                by_seed[seed] = trial
    complete = [c for c in ended.values() if all(t.state is TrialState.COMPLETE for t in c.values())]
    if not complete:
        return []
    best = max(complete, key=lambda c: sum(t.value for t in c.values()) / len(c))
    params = next(iter(best.values())).params
    return [{**params, "seed": seed} for seed in seeds if seed not in best]


def _refuse_several_processes() -> None:
    """A trial runs in one process: several devices run several trials."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise SweepError(
            "a sweep was started by a launcher of several processes; start amrg sweep once a device instead "
            "(CUDA_VISIBLE_DEVICES=0, 1, ...), all with the same --out: they share its trials"
        )


def _reset_peak_memory() -> None:
    """Reset the peak memory, so that it is this trial's."""
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
        return
    with suppress(OSError):  # not Linux, or not allowed: it is then the peak since the process started
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
