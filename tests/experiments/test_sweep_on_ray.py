"""Trials of a sweep on a cluster: each once, resumed where a node was killed, with the results of a sweep here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from time import sleep
from typing import Any

import pytest

from amrg.core.attempts import Attempts
from amrg.core.ray_cluster import RayPlan
from amrg.experiments.sweep import on_ray
from amrg.experiments.sweep.config import Steps, SweepConfig
from amrg.experiments.sweep.on_ray import run_trials_on_ray
from amrg.experiments.sweep.trials import TrialStatus
from amrg.experiments.sweep.worker import ATTEMPTS, list_trials
from amrg.training.data.compute_on_ray import FeatureJob
from amrg.training.data.prepared import DataSource
from amrg.training.recipe import Recipe
from tests.experiments.sweeps import Made, Swept, sweep
from tests.training.exams import drawn

pytestmark = pytest.mark.filterwarnings("ignore")  # Ray's own, and of its sockets
GRID = sweep(prune=False)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> DataSource:
    return drawn(tmp_path_factory.mktemp("exams"))


def config_of(source: DataSource, folder: Path, made: Made) -> SweepConfig:
    return SweepConfig(GRID, source, folder, steps=Steps(made.prepare, made.tune))


def slow(recipe: Recipe, folder: Path, step: int) -> None:
    """Takes a while, so that a node is killed in the middle."""
    sleep(0.2)


def test_trials_on_a_cluster_are_those_of_a_sweep_here(
    cluster: Any, doomed_node: Callable[[], None], source: DataSource, tmp_path: Path
) -> None:
    here = Swept(source, tmp_path / "here", Made(tmp_path / "notes-here")).run(GRID)
    config = config_of(source, tmp_path / "there", Made(tmp_path / "notes", slow))
    computed: list[list[str]] = []

    def progress(what: str, done: int, count: int) -> None:
        doomed_node()

    def compute(job: FeatureJob, keys: list[str]) -> None:
        computed.append(keys)

    run_trials_on_ray(config, RayPlan(cluster.address), progress, compute)
    assert list_trials(config) == here
    assert computed == [[f"study-{number}" for number in range(6)]]
    run_trials_on_ray(config, RayPlan("127.0.0.1:1"), progress, compute)  # nothing is left to do: no cluster is asked
    assert len(computed) == 1


def test_a_trial_that_ended_two_processes_has_failed_and_runs_again_where_that_is_asked(
    source: DataSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one process: what an actor does, with what was left by two that ended within a trial."""
    for module in ("core.ray_cluster", "experiments.sweep.on_ray"):
        monkeypatch.setattr(f"amrg.{module}.node_id", lambda: "ab12")
    monkeypatch.setattr(on_ray, "is_node_up", lambda node: True)
    monkeypatch.setattr(on_ray, "new_session", lambda: "session")
    monkeypatch.setattr(on_ray, "map_on_ray", lambda tasks, make, plan: make()(list(tasks)))
    config = config_of(source, tmp_path, Made(tmp_path / "notes"))
    attempt = tmp_path / ATTEMPTS / "one-002.json"
    with Attempts(attempt.parent, "session", "ab12").working(["one-002"], earlier=1):
        left = attempt.read_bytes()
    attempt.write_bytes(left)

    def run(config: SweepConfig) -> dict[str, str | None]:
        run_trials_on_ray(config, RayPlan(""), lambda what, done, count: None, lambda job, keys: None)
        return {f"{t.number} {t.status}": t.reason for t in list_trials(config)}

    reason = "it ended 2 processes: set aside; --retry-failed runs it again"
    first = {"0 finished": None, "1 finished": None, f"2 {TrialStatus.FAILED}": reason, "3 finished": None}
    assert run(config) == first
    assert list(attempt.parent.iterdir()) == []
    assert run(replace(config, retry=True)) == first | {"4 finished": None}
