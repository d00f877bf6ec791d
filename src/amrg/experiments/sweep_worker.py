"""Runs a sweep: takes trials one by one, shares what those of a backbone have in common, keeps how each ended.

Any number of processes may run the same sweep at once. Killed, a process leaves its trial as running: the next one in
the same folder takes it up at once, since nobody holds its lock, and one elsewhere when no sign of life came for long.
"""

from __future__ import annotations

import math
import os
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import optuna
import torch
from optuna.trial import TrialState
from safetensors import SafetensorError
from sqlalchemy.exc import SQLAlchemyError

from amrg.core.progress import Progress
from amrg.datasets import open_dataset
from amrg.experiments.locks import claimed
from amrg.experiments.optuna_studies import Studies, open_study, suggest, trials_in
from amrg.experiments.pruning import ALIVE, Pruning
from amrg.experiments.sweep import Definition, Sweep, SweepBase, SweepError
from amrg.experiments.trials import POINT, REASON, TUNED, Trial, folder_of, read_trial, read_trials
from amrg.training.callbacks import STOPPED, Callback
from amrg.training.data.prepared import Prepared, Source, prepare
from amrg.training.errors import TuningError
from amrg.training.loop.tuning import Tuned, tune
from amrg.training.recipe import Recipe

FEATURES = "features"
"""Where a sweep's folder holds what its trials share."""

PLACE, WEIGHTS = "place", "weights"
_SILENCE = 1800.0  # seconds without a sign of life after which another machine takes a trial up


class SweepCallbacks(Protocol):
    """Told how a sweep goes."""

    def progress(self, what: str, done: int, count: int) -> None:
        """What all trials of a backbone share is being made."""

    def started(self, trial: Trial) -> Callback:
        """A trial begins, or is taken up again; gives who watches it."""

    def ended(self, trial: Trial) -> None:
        """A trial ended."""


@dataclass(frozen=True)
class Steps:
    """What is done once a backbone, and what is done a trial."""

    prepare: Callable[[Recipe, Source, Path, Progress], Prepared] = prepare
    tune: Callable[[Prepared, Recipe, Path, Callback], Tuned] = tune


@dataclass(frozen=True)
class SweepConfig:
    """What to sweep, on which data, into which folder; `storage` is a PostgreSQL address or None for a file there.

    `retry` runs what failed again, once, as trials of their own: the failures stay listed.
    """

    sweep: Sweep
    source: Source
    folder: Path
    storage: str | None = None
    retry: bool = False
    steps: Steps = Steps()

    @property
    def definition(self) -> Definition:
        """The sweep with its data.

        Raises:
            DatasetError: no such data set or split.
        """
        dataset = open_dataset(self.source.data)
        split = dataset.split(self.source.split)
        return Definition(
            sweep=self.sweep,
            data=dataset.info.name,
            dataset_hash=dataset.info.hash,
            split=split.name,
            split_hash=split.hash,
        )


def trials_of(order: SweepConfig) -> list[Trial]:
    """All trials of a sweep as they stand now.

    Raises:
        SweepError: another sweep lies in the folder, or the storage cannot be opened.
        DatasetError: no such data set or split.
    """
    with open_study(order.folder, order.definition, order.storage) as studies:
        return read_trials(studies)


def run_sweep(order: SweepConfig, listener: SweepCallbacks) -> list[Trial]:
    """Run every trial that is waiting or was left; gives all of them, those of other workers too.

    Raises:
        SweepError: another sweep lies in the folder, or the storage cannot be opened.
        DatasetError: no such data set or split.
        ModelError: a backbone is missing.
        TuningError: nothing can be written any more; what ran is taken up again by the next run.
    """
    _refuse_several_processes()
    with open_study(order.folder, order.definition, order.storage) as studies:
        for base in order.sweep.bases:
            _Worker(order, listener, studies, base, studies.of(base)).run()
        return read_trials(studies)


@dataclass(frozen=True)
class _Worker:
    """Runs the trials of one backbone, as many as it gets."""

    order: SweepConfig
    listener: SweepCallbacks
    studies: Studies
    base: SweepBase
    study: Any

    def run(self) -> None:
        """Every trial that is to be had; the base is loaded only where there is one."""
        if self.order.retry:
            self._wait_again()
        if not any(map(self._is_free, self._open())) and not self._repeat_best():
            return
        prepared = self._prepared()
        while self._run_next(prepared) or self._repeat_best():
            pass

    def _prepared(self) -> Prepared:
        """What all trials share, made or read: features and pictures lie in the sweep's folder."""
        recipe = self.order.sweep.recipe.model_copy(update={"base": self.base.source})
        cache, told = self.order.folder / FEATURES, self.listener.progress
        made = self.order.steps.prepare(recipe, self.order.source, cache, told)
        weights = made.loaded.weights_hash or made.loaded.revision
        there = self.study.user_attrs.get(WEIGHTS, weights)
        if there != weights:
            raise SweepError(
                f"{self.order.folder}: {self.base.name} has weights {weights}, earlier trials had {there}; put those "
                "back, or sweep into an empty folder"
            )
        self.study.set_user_attr(WEIGHTS, weights)
        return made

    def _run_next(self, prepared: Prepared) -> bool:
        """Run one trial; False where there is none to be had."""
        with self._taken() as trial:
            if trial is None:
                return False
            self._run(trial, prepared)
        return True

    @contextmanager
    def _taken(self) -> Iterator[Any]:
        """A trial that is this worker's alone until it is done; those that were left come first."""
        for frozen in sorted(self._open(), key=lambda f: f.state is not TrialState.RUNNING):
            with self._claimed(frozen) as mine:
                if mine and self._begun(frozen):
                    yield optuna.trial.Trial(self.study, frozen._trial_id)
                    return
        yield None

    def _begun(self, listed: Any) -> bool:
        """Whether a trial that is locked is now ours: it was waiting, or nobody lives who runs it.

        A lock of the folder guards it from all who share the folder; a row lock of PostgreSQL from the others. SQLite
        has none: two processes that see a waiting trial would both be told that it is theirs.
        """
        storage, number = self.studies.storage, listed._trial_id
        now = storage.get_trial(number)
        if now.state is TrialState.WAITING:
            try:
                begun = bool(storage.set_trial_state_values(number, TrialState.RUNNING))
            except optuna.exceptions.UpdateFinishedTrialError:
                return False
        else:
            begun = now.state is TrialState.RUNNING and self._is_left(now)
        if begun:
            storage.set_trial_user_attr(number, PLACE, self._place)
            storage.set_trial_user_attr(number, ALIVE, time.time())
        return begun

    def _is_free(self, frozen: Any) -> bool:
        """Whether a trial could be taken now."""
        with self._claimed(frozen) as mine:
            return mine and (frozen.state is TrialState.WAITING or self._is_left(frozen))

    def _is_left(self, frozen: Any) -> bool:
        """Whether a running trial whose lock is free was left: run here, at once; elsewhere, after a long silence."""
        if self.order.storage is None or frozen.user_attrs.get(PLACE) == self._place:
            return True
        begun = frozen.datetime_start.timestamp()  # it has no more where it was begun this very moment
        return bool(time.time() - frozen.user_attrs.get(ALIVE, begun) > _SILENCE)

    @property
    def _place(self) -> str:
        """Machine and folder: whoever shares both shares the locks."""
        return f"{socket.gethostname()}:{self.order.folder.resolve()}"

    def _claimed(self, frozen: Any) -> AbstractContextManager[bool]:
        return claimed(self.order.folder, f"{self.base.name}-{frozen.number:03d}")

    def _open(self) -> list[Any]:
        return list(trials_in(self.study, TrialState.WAITING, TrialState.RUNNING))

    def _run(self, trial: Any, prepared: Prepared) -> None:
        """One trial to its end, whatever that is."""
        point = suggest(trial, self.order.sweep)
        trial.set_user_attr(POINT, point.model_dump(mode="json", exclude_none=True))
        watch = Pruning(trial, self.listener.started(self._now(trial)))
        folder = self.order.folder / folder_of(self.base, trial.number, point)
        folder.parent.mkdir(parents=True, exist_ok=True)
        recipe = self.order.sweep.recipe_of(self.base, point)
        _forget_peak()
        try:
            tuned = self.order.steps.tune(prepared, recipe, folder, watch)
        except OSError:
            raise  # nothing that this trial did wrong: it stays as running, to be taken up again
        except (optuna.exceptions.StorageInternalError, SQLAlchemyError) as error:
            reason = str(error).strip().splitlines()[0]
            raise SweepError(
                f"storage of the sweep: away while a trial ran ({reason}); the trial is taken up where it was when the "
                "same command is started again"
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
        self.listener.ended(self._now(trial))

    def _finish(self, trial: Any, tuned: Tuned) -> None:
        """Keep what a trial reached, and whether it was let come to its end."""
        if math.isnan(tuned.best):
            metric = self.order.sweep.recipe.validation.metric.value
            self._fail(trial, f"{metric} is not a number: no reference of the validation part has what it looks at")
            return
        kept = {"best", "best_step", "steps", "trainable", "seconds", "peak_bytes"}
        trial.set_user_attr(TUNED, {name: getattr(tuned, name) for name in sorted(kept)})
        if tuned.stopped == STOPPED:
            trial.set_user_attr(REASON, f"weaker than the median of {self.base.name} at step {tuned.steps}")
            self.study.tell(trial, state=TrialState.PRUNED)
        else:
            self.study.tell(trial, tuned.best)

    def _fail(self, trial: Any, why: str) -> None:
        """Keep a failure as one: with its reason, without a value, not to be tried again."""
        trial.set_user_attr(REASON, " ".join(why.split()))
        self.study.tell(trial, state=TrialState.FAIL)

    def _wait_again(self) -> None:
        """Put the parameters of failed trials there anew, but for those that were since."""
        with self.studies.adding(self.base):
            others = [_params(t) for t in trials_in(self.study) if t.state is not TrialState.FAIL]
            for params in [_params(t) for t in trials_in(self.study, TrialState.FAIL)]:
                if params not in others:
                    others.append(params)
                    self.study.enqueue_trial(params)

    def _now(self, trial: Any) -> Trial:
        return read_trial(self.base, self.studies.storage.get_trial(trial._trial_id))

    def _repeat_best(self) -> bool:
        """After a search: put the configuration that leads there with the seeds it lacks. True where that added some.

        A lucky seed alone does not win: what leads after its repetition may be another one, which is repeated then.
        """
        sweep = self.order.sweep
        if sweep.search is None:
            return False
        with self.studies.adding(self.base):
            if self._open():
                return False
            missing = _lacking(list(trials_in(self.study)), sweep.seeds)
            for params in missing:
                self.study.enqueue_trial(params)
            return bool(missing)


def _params(frozen: Any) -> dict[str, Any]:
    """A trial's parameters, drawn or as it was put there."""
    found: dict[str, Any] = frozen.params or frozen.system_attrs.get("fixed_params", {})
    return found


def _lacking(trials: Sequence[Any], seeds: Sequence[int]) -> list[dict[str, Any]]:
    """Parameters with each seed that the configuration of the highest mean lacks, of those with no seed lost."""
    ended: dict[tuple[Any, ...], dict[int, Any]] = {}
    for trial in trials:
        if trial.params:  # one that failed before anything was drawn has none
            seed, drawn = trial.params["seed"], {n: v for n, v in trial.params.items() if n != "seed"}
            of = ended.setdefault(tuple(sorted(drawn.items())), {})
            if seed not in of or trial.state is TrialState.COMPLETE:
                of[seed] = trial
    whole = [of for of in ended.values() if all(t.state is TrialState.COMPLETE for t in of.values())]
    if not whole:
        return []
    best = max(whole, key=lambda of: sum(t.value for t in of.values()) / len(of))
    params = next(iter(best.values())).params
    return [{**params, "seed": seed} for seed in seeds if seed not in best]


def _refuse_several_processes() -> None:
    """A trial is one process's: several devices run several trials."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise SweepError(
            "a sweep was started by a launcher of several processes; start amrg sweep once a device instead "
            "(CUDA_VISIBLE_DEVICES=0, 1, ...), all with the same --out: they share its trials"
        )


def _forget_peak() -> None:
    """Count the most memory held anew, so that it is this trial's."""
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
        return
    with suppress(OSError):  # no Linux, or not allowed: it is then the most since the process began
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
