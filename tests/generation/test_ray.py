"""Studies on a real Ray cluster of several nodes on this machine, one of which is killed in the middle."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from time import sleep, time
from typing import Any

import pytest
from typer.testing import CliRunner

from amrg.benchmark.run.on_ray import predict_on_ray
from amrg.benchmark.run.run_config import RunConfig
from amrg.benchmark.run.running import run
from amrg.birads import Laterality
from amrg.cli import Exit, app
from amrg.core.attempts import new_session
from amrg.core.ray_cluster import RayError, RayPlan, map_on_ray
from amrg.generation.bulk.on_ray import draft_on_ray
from amrg.generation.bulk.processes import WorkerPlan, WorkerReady
from amrg.generation.bulk.records import StudyOutcome, StudyStatus
from amrg.generation.engines.base import EngineDrifted, Generation, Request
from tests.benchmark.reader import Reader, draw, imported
from tests.generation.bulk_studies import (
    DriftingEngine,
    FatalEngine,
    contents,
    draft_here,
    index_of,
    options_of,
    write_studies,
)

pytest.importorskip("ray", reason="Ray is an extra: pip install 'amrg[ray]'")
pytestmark = pytest.mark.filterwarnings("ignore")  # Ray's own, and of its sockets


@dataclass(frozen=True)
class SlowFatalEngine(FatalEngine):
    """Ends its process over a study of two views; any other takes a while, so that a node is killed in its middle."""

    def generate(self, requests: Sequence[Request]) -> Iterator[Generation]:
        sleep(0.3 * len(requests))
        return super().generate(requests)


def test_a_study_has_exactly_one_result_when_a_node_is_killed(
    cluster: Any, doomed_node: Callable[[], None], tmp_path: Path
) -> None:
    """The rows of 12 studies: 11 drafted, and one set aside that ends its actor's process twice."""
    source, out = write_studies(tmp_path / "in", 12), tmp_path / "out"
    for name in ("LMLO.dcm", "RMLO.dcm"):
        (source / "1.2.5" / name).unlink()
    plan = WorkerPlan(SlowFatalEngine, options_of(out), new_session())
    rows: list[StudyOutcome] = []
    with closing(index_of(source)) as index:
        for message in draft_on_ray(index.tasks(), plan, RayPlan(cluster.address, batch=2)):
            if isinstance(message, WorkerReady):
                continue
            rows += message.record.rows
            if len(rows) == 2:
                doomed_node()
    assert sorted(row.study_instance_uid for row in rows) == sorted(f"1.2.{number}" for number in range(1, 13))
    assert [row.study_instance_uid for row in rows if row.status is StudyStatus.FAILED] == ["1.2.5"]
    assert {row.images for row in rows if row.status is StudyStatus.DRAFTED} == {4}
    (source / "1.2.5" / "LCC.dcm").unlink()
    (source / "1.2.5" / "RCC.dcm").unlink()
    here = tmp_path / "here"
    draft_here(source, options_of(here), SlowFatalEngine())
    reports = {name: content for name, content in contents(out).items() if not name.startswith(".")}
    assert reports == {name: content for name, content in contents(here).items() if not name.startswith(".")}


def test_what_was_drafted_on_a_cluster_since_a_server_was_exchanged_is_withdrawn(cluster: Any, tmp_path: Path) -> None:
    source, out = write_studies(tmp_path / "in", 8), tmp_path / "out"
    plan = WorkerPlan(DriftingEngine, options_of(out), new_session())
    drifted = pytest.raises(EngineDrifted, match="another answer; of this run 3 drafts after that withdrawn")
    with closing(index_of(source)) as index, drifted:
        list(draft_on_ray(index.tasks(), plan, RayPlan(cluster.address, workers=1)))
    assert len(list(out.glob("*/report.txt"))) == 2
    assert sum(not result.resumed for result in draft_here(source, options_of(out))) == 6


def test_the_command_drafts_on_a_cluster_and_resumes(cluster: Any, tmp_path: Path) -> None:
    source, out = write_studies(tmp_path / "in", 2), tmp_path / "out"
    command = ["report", str(source), "--out", str(out), "--ray", cluster.address, "--force", "--format", "text,json"]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == Exit.OK, done.output
    assert "1.2.1" in done.stdout
    again = CliRunner().invoke(app, [*command, "--workers", "1"])
    assert again.exit_code == Exit.OK, again.output
    assert "2 drafts, 2 of them from an earlier run" in again.stderr


def test_a_benchmark_run_on_a_cluster_has_the_bytes_of_one_here(cluster: Any, tmp_path: Path) -> None:
    drawn = draw(tmp_path / "drawn", (Laterality.RIGHT, Laterality.LEFT, None, Laterality.RIGHT, Laterality.LEFT))
    data = imported(drawn, tmp_path / "data", 1).folder
    for where in ("here", "there"):
        config = RunConfig(data, "some", tmp_path / where, perturbed=0)
        elsewhere = partial(predict_on_ray, config, Reader, RayPlan(cluster.address, workers=2), silent)
        run(config, Reader(), silent, elsewhere if where == "there" else None)
    here, there = contents(tmp_path / "here"), contents(tmp_path / "there")
    assert here.pop("timings.jsonl")
    assert there == here


@dataclass
class DriftingReader(Reader):
    """Answers otherwise at its sixth study than since before its third."""

    asked: list[float] = field(default_factory=list)

    def generate(self, requests: Sequence[Request]) -> Iterator[Generation]:
        """The last of them raises."""
        self.asked.append(time())
        if len(self.asked) == 6:
            raise EngineDrifted("another answer", self.asked[2])
        return super().generate(requests)


@dataclass
class UnconfirmedReader(Reader):
    """Has answered otherwise than at the start when it is looked at."""

    start: float = field(default_factory=time)

    def confirm(self) -> None:
        """Raises."""
        raise EngineDrifted("another answer", self.start)


@pytest.mark.parametrize(("engine", "withdrawn", "remain"), [(DriftingReader, 3, 2), (UnconfirmedReader, 4, 0)])
def test_what_was_predicted_on_a_cluster_since_a_server_was_exchanged_is_withdrawn(
    engine: Callable[[], Reader], withdrawn: int, remain: int, cluster: Any, tmp_path: Path
) -> None:
    sides = (Laterality.RIGHT, Laterality.LEFT, None, Laterality.RIGHT)
    data = imported(draw(tmp_path / "drawn", (*sides, *sides, None)), tmp_path / "data", 1).folder
    config = RunConfig(data, "some", tmp_path / "run", perturbed=0)
    plan = RayPlan(cluster.address, workers=1)
    message = f"another answer; of this run {withdrawn} predictions after that withdrawn: run the same command"
    with pytest.raises(EngineDrifted, match=message):
        run(config, Reader(), silent, partial(predict_on_ray, config, engine, plan, silent))
    assert len(list((config.out / ".parts").glob("*.json"))) == remain
    again = Reader()
    run(config, again, silent)
    assert again.read == len(sides) * 2 - remain


def silent(what: str, done: int, count: int) -> None:
    """Reports nothing."""


def failing() -> Any:
    raise RayError("no work here")


def test_work_that_cannot_start_is_one_error(cluster: Any) -> None:
    with pytest.raises(RayError, match="no work here"):
        list(map_on_ray(["a", "b"], failing, RayPlan(cluster.address, workers=1)))


def test_a_cluster_that_is_not_there_is_one_error() -> None:
    with pytest.raises(RayError, match="no Ray cluster answers there"):
        list(map_on_ray(["a"], failing, RayPlan("127.0.0.1:1")))
