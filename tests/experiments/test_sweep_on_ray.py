"""Trials of a sweep on a cluster: each once, resumed where a node was killed, with the results of a sweep here."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from time import sleep
from typing import Any

import pytest

from amrg.core.ray_cluster import RayPlan
from amrg.experiments.sweep.config import Steps, SweepConfig
from amrg.experiments.sweep.on_ray import run_trials_on_ray
from amrg.experiments.sweep.trials import TrialStatus
from amrg.experiments.sweep.worker import list_trials
from amrg.training.recipe import Recipe
from tests.experiments.sweeps import Made, Swept, sweep
from tests.training.exams import drawn

pytestmark = pytest.mark.filterwarnings("ignore")  # Ray's own, and of its sockets
FATAL = "r4-a4-s0"


def slow(recipe: Recipe, folder: Path, step: int) -> None:
    """Ends its process within one trial; the others take a while."""
    if folder.name.endswith(FATAL):
        os._exit(7)
    sleep(0.2)


def test_trials_on_a_cluster_are_those_of_a_sweep_here(
    cluster: Any, doomed_node: Callable[[], None], tmp_path: Path
) -> None:
    source, grid = drawn(tmp_path), sweep(prune=False)
    here = Swept(source, tmp_path / "here", Made(tmp_path / "notes-here")).run(grid)
    made = Made(tmp_path / "notes", slow)
    config = SweepConfig(grid, source, tmp_path / "there", steps=Steps(made.prepare, made.tune))
    computed: list[list[str]] = []

    def progress(what: str, done: int, count: int) -> None:
        doomed_node()

    run_trials_on_ray(config, RayPlan(cluster.address), progress, lambda job, keys: computed.append(keys))
    there = {trial.number: trial for trial in list_trials(config)}
    failed = [trial for trial in there.values() if trial.status is TrialStatus.FAILED]
    assert [(trial.point.label, trial.reason) for trial in failed if trial.point is not None] == [
        (FATAL, "it ended 2 processes: set aside; --retry-failed runs it again")
    ]
    others = [trial for trial in here if trial.number != failed[0].number]
    assert [there[trial.number] for trial in others] == others
    assert computed == [[f"study-{number}" for number in range(6)]]
    # Nothing is left to do, and no cluster is asked.
    run_trials_on_ray(config, RayPlan("127.0.0.1:1"), progress, lambda job, keys: computed.append(keys))
    assert len(computed) == 1
