"""Trials of a sweep on a Ray cluster: every actor is one more worker of the sweep, which a task asks to run one trial.

Which trial that is, the sweep's own studies and locks decide, as among workers that were started by hand. Numbers of
tasks go through Ray, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial

from amrg.core.attempts import Attempts, new_session
from amrg.core.progress import Progress
from amrg.core.ray_cluster import RayError, RayPlan, SharedFolder, Work, is_node_up, map_on_ray, node_id
from amrg.datasets.store import INFO, open_dataset
from amrg.experiments.sweep.config import SweepConfig
from amrg.experiments.sweep.studies import open_studies
from amrg.experiments.sweep.trials import Trial
from amrg.experiments.sweep.worker import ATTEMPTS, FEATURES, TrialWorker, here
from amrg.training.callbacks import Callback, NoCallback
from amrg.training.data.compute_on_ray import ClusterFeatures, FeatureJob
from amrg.training.data.examples import TRAIN, VALIDATION

ComputeFeatures = Callable[[FeatureJob, list[str]], None]
"""Computes the features of cases, by their keys, for all trials of a backbone."""


def run_trials_on_ray(
    config: SweepConfig, plan: RayPlan, progress: Progress, compute: ComputeFeatures | None = None
) -> None:
    """Run every trial that is waiting or was interrupted, features first; `compute` None: on the same cluster.

    A trial whose node is killed is resumed elsewhere, at its last checkpoint; one that ends two processes has failed.

    Raises:
        RayError: the cluster cannot be reached, a node does not see the folder, its locks or the data, or an actor
            cannot work.
        SweepError, DatasetError: as `run_trials`.
    """
    data = replace(config.source, data=config.source.data.resolve())
    config = replace(config, folder=config.folder.resolve(), source=data, shared=True)
    compute = compute or (lambda job, keys: ClusterFeatures(job, plan, progress)(keys, ()))
    with _workers(config, here(config)) as workers:
        if config.retry:
            for worker in workers:
                worker.retry_failed()
        total = sum(worker.count_unfinished() for worker in workers)
        for worker in workers:
            if worker.has_free():
                recipe = config.sweep.recipe.model_copy(update={"base": worker.base.source})
                compute(FeatureJob.here(recipe, config.source, config.folder / FEATURES), _keys(config))
        shared = SharedFolder(config.folder, new_session())
        with shared.opened():
            done = 0
            while any(worker.has_work() for worker in workers):
                tasks = [str(number) for number in range(sum(worker.count_unfinished() for worker in workers))]
                before = done
                for result in map_on_ray(tasks, partial(_make, config, shared), replace(plan, batch=1)):
                    done += result == RAN
                    progress("running trials on the cluster", min(done, total), total)
                if done == before:
                    raise RayError(f"{config.folder}: no actor could claim a trial that is free; look at its locks")


RAN, NONE = "ran", "none"
"""What a task answers: that it ran a trial, or that there was none to claim."""


@contextmanager
def _workers(config: SweepConfig, attempts: Attempts) -> Iterator[list[TrialWorker]]:
    """A worker for each backbone."""
    with open_studies(config.folder, config.definition, config.storage) as studies:
        yield [TrialWorker(config, _Silent(), studies, base, attempts) for base in config.sweep.bases]


def _keys(config: SweepConfig) -> list[str]:
    """The cases whose features trials read."""
    split = open_dataset(config.source.data).split(config.source.split)
    return [key for part in (TRAIN, VALIDATION) for key in split.keys(part)]


def _make(config: SweepConfig, shared: SharedFolder) -> Work:
    """The work of an actor: a trial for each task, as long as there are any."""
    shared.require("--out", locks=True)
    if not (config.source.data / INFO).is_file():
        raise RayError(f"{config.source.data}: not seen on node {node_id()}; put it where all nodes see it")
    return _Workers(config, Attempts(config.folder / ATTEMPTS, shared.session, node_id(), is_up=is_node_up)).run


class _Workers:
    """The workers of an actor, with the sweep's studies open as long as it lives."""

    def __init__(self, config: SweepConfig, attempts: Attempts) -> None:
        self._open = ExitStack()
        self._workers = self._open.enter_context(_workers(config, attempts))

    def run(self, tasks: list[str]) -> list[str]:
        """Run a trial for each task."""
        return [self._run_one() for _ in tasks]

    def _run_one(self) -> str:
        """Run a trial of the first backbone that has one; what was prepared of the others is not kept."""
        for worker in self._workers:
            if worker.run_one():
                return RAN
            worker.prepared = None
        return NONE


@dataclass(frozen=True)
class _Silent:
    """Reports nothing: the studies have it all."""

    def progress(self, what: str, done: int, count: int) -> None:
        """Nothing."""

    def started(self, trial: Trial) -> Callback:
        """No callback of its own."""
        return NoCallback()

    def ended(self, trial: Trial) -> None:
        """Nothing."""
