"""A sweep: every trial once, resumed where it was interrupted, failed and pruned ones recorded as such."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import optuna
import pytest
from sqlalchemy.exc import OperationalError

from amrg.experiments.sweep.config import Steps, SweepConfig
from amrg.experiments.sweep.definition import Point, Search, SweepBase, SweepError
from amrg.experiments.sweep.pruning import heartbeats
from amrg.experiments.sweep.studies import DEFINITION, open_studies, read_definition
from amrg.experiments.sweep.trials import Trial, TrialStatus
from amrg.experiments.sweep.worker import run_trials
from amrg.training.callbacks import Callback
from amrg.training.data.prepared import DataSource
from amrg.training.errors import TuningError
from amrg.training.loop.tuning import TrainedAdapter
from amrg.training.recipe import Recipe
from tests.experiments.sweeps import Made, Silent, Swept, alpha, strength, sweep
from tests.training.exams import drawn


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> DataSource:
    return drawn(tmp_path_factory.mktemp("exams"))


@pytest.fixture
def swept(source: DataSource, tmp_path: Path) -> Swept:
    return Swept(source, tmp_path / "sweep", Made(tmp_path / "notes"))


HUNG = "3600"  # seconds after which a PostgreSQL server that does not start is taken to hang
GRID = ["r2-a2-s0", "r2-a4-s0", "r4-a4-s0", "r4-a8-s0"]


def states(trials: list[Trial]) -> dict[str, TrialStatus]:
    return {t.point.label: t.status for t in trials if t.point is not None}


def test_the_grid_holds_every_configuration_once_with_every_seed() -> None:
    points = list(sweep(alphas=(alpha("1x"), alpha("4")), seeds=(0, 1)).grid())
    # Rank 4 has its scaling 4 both as once the rank and as a number: one configuration.
    assert [p.label for p in points] == ["r2-a2-s0", "r2-a2-s1", "r2-a4-s0", "r2-a4-s1", "r4-a4-s0", "r4-a4-s1"]
    recipe = sweep().recipe_of(SweepBase(name="one", source="a/b"), points[-1])
    assert (recipe.base, recipe.lora.rank, recipe.lora.alpha, recipe.seed) == ("a/b", 4, 4, 1)
    assert recipe.lora.dropout == Recipe().lora.dropout


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"alphas": (alpha("0.25x"),)}, "alpha 0.25x of rank 2 is 0.5; expected a whole number"),
        ({"ranks": (2, 2)}, "rank 2 is given twice"),
        ({"bases": (SweepBase.parse("a/m"), SweepBase.parse("b/m"))}, "backbone 'm' is given twice; give each once"),
        (
            {"bases": (SweepBase.parse("a/m"), SweepBase.parse("b/n")), "recipe": Recipe(revision="abc")},
            "recipe.revision is 'abc' with 2 backbones; expected one",
        ),
        ({"ranks": ()}, "sweep: ranks: found (), expected at least 1 item"),
        ({"ranks": (4, 0)}, "sweep: ranks.1: found 0, expected greater than or equal to 1"),
        ({"ranks": (4.5,)}, "sweep: ranks.0: found 4.5, expected a valid integer"),
        ({"seeds": ("one",)}, "sweep: seeds.0: found 'one', expected a valid integer"),
        ({"prune": "maybe"}, "sweep: prune: found 'maybe', expected a valid boolean"),
        ({"search": {"trials": 0}}, "sweep: search.trials: found 0, expected greater than or equal to 1"),
        ({"search": {"trials": 9, "dropout": (0, 2)}}, "sweep: search.dropout.1: found 2, expected less than 1"),
        ({"search": {"trials": 9, "dropout": ("0.1",)}}, "sweep: search.dropout.1: found nothing, expected a value"),
        (
            {"search": {"trials": 9, "learning_rate": ("low", "high")}},
            "sweep: search.learning_rate.0: found 'low', expected a valid number",
        ),
        (
            {"search": {"trials": 9, "learning_rate": (1e-3, 1e-5)}},
            "sweep: search: learning_rate is 0.001 to 1e-05; expected the lower end first",
        ),
        ({"rank": 4}, "sweep: rank: found 4, expected no field of this name"),
        ({"recipe": {"steps": [0] * 999}}, "sweep: recipe.steps: found [0, 0, 0, 0, 0, 0, ...], expected a valid int"),
        ({"recipe": {"target_text": "x"}}, "sweep: recipe.target_text: found 'x', expected 'published', 'clinical'"),
    ],
)
def test_a_sweep_that_makes_no_sense_is_refused_in_one_line(fields: dict[str, object], message: str) -> None:
    with pytest.raises(SweepError, match="sweep") as refused:
        sweep(**fields)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda text: text.replace('"prune": true', '"prune": "maybe"'),
            "sweep.prune: found 'maybe', expected a valid b",
        ),
        (lambda text: text[:40], "Invalid JSON"),
    ],
)
def test_a_damaged_definition_names_its_field_and_what_was_found(
    change: Callable[[str], str], message: str, swept: Swept
) -> None:
    swept.run(sweep(ranks=(2,)))
    path = swept.folder / DEFINITION
    path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")
    with pytest.raises(SweepError, match="not a sweep definition of this version") as refused:
        read_definition(swept.folder)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("text", ["x", "-1", "2y", "0", ""])
def test_an_alpha_is_a_number_or_a_multiple_of_the_rank(text: str) -> None:
    with pytest.raises(SweepError, match="expected a number such as 16, or a multiple of the rank such as 2x"):
        alpha(text)


def test_every_trial_runs_once_and_a_base_is_prepared_once(swept: Swept) -> None:
    two = sweep(bases=(SweepBase(name="one", source="one"), SweepBase(name="two", source="two")))
    trials = swept.run(two)
    assert swept.made.noted("prepare") == ["one", "two"]
    assert swept.made.noted("tune") == GRID * 2
    assert {t.status for t in trials} == {TrialStatus.FINISHED}
    best = max(trials, key=lambda t: t.best or 0)
    assert (best.point, best.best, best.best_step) == (Point(rank=4, alpha=8), strength_of(4, 8), 8)
    assert best.folder == "trials/one/003-r4-a8-s0"
    assert (swept.folder / best.folder).is_dir()
    # Again: nothing is loaded, nothing is run.
    assert swept.run(two) == trials
    assert len(swept.made.noted("tune")) == 8
    assert len(swept.made.noted("prepare")) == 2


def strength_of(rank: int, scaling: int) -> float:
    return strength(sweep().recipe_of(SweepBase(name="one", source="one"), Point(rank=rank, alpha=scaling)))


def test_killed_in_a_trial_it_resumes_that_trial(swept: Swept) -> None:
    def killed_once(recipe: Recipe, folder: Path, step: int) -> None:
        if folder.name == "002-r4-a4-s0" and step == 4 and not (folder / "killed").exists():
            (folder / "killed").touch()
            os.kill(os.getpid(), signal.SIGKILL)

    swept.made.before = killed_once
    assert swept.in_processes([swept.folder], sweep()) == [-signal.SIGKILL]
    assert swept.made.noted("tune") == GRID[:2]
    trials = swept.run(sweep())
    # The trial that ran is resumed before any other; finished ones are not run again.
    assert swept.made.noted("tune") == GRID
    assert {t.status for t in trials} == {TrialStatus.FINISHED}
    assert len(list(swept.folder.glob("trials/one/*"))) == 4
    assert (swept.folder / (trials[2].folder or "") / "killed").exists()


def test_a_failed_trial_has_its_reason_and_is_run_again_only_on_request(swept: Swept) -> None:
    def fails(recipe: Recipe, folder: Path, step: int) -> None:
        if recipe.lora.alpha == 4:
            raise TuningError("loss is nan at step 4 on cases a, b")

    swept.made.before = fails
    trials = swept.run(sweep())
    assert states(trials) == dict(
        zip(GRID, [TrialStatus.FINISHED, TrialStatus.FAILED, TrialStatus.FAILED, TrialStatus.FINISHED], strict=True)
    )
    assert [(t.best, t.reason) for t in trials if t.status is TrialStatus.FAILED] == [
        (None, "loss is nan at step 4 on cases a, b")
    ] * 2
    swept.made.before = lambda recipe, folder, step: None
    assert swept.run(sweep()) == trials
    again = swept.run(sweep(), retry=True)
    assert [t.status for t in again] == [t.status for t in trials] + [TrialStatus.FINISHED] * 2
    assert len({t.folder for t in again}) == 6
    assert swept.run(sweep(), retry=True) == again


def test_a_full_disk_is_no_trials_fault(swept: Swept) -> None:
    def full(recipe: Recipe, folder: Path, step: int) -> None:
        raise TuningError("no room left to write") from OSError(28, "No space left on device")

    swept.made.before = full
    with pytest.raises(TuningError, match="no room"):
        swept.run(sweep())
    swept.made.before = lambda recipe, folder, step: None
    assert {t.status for t in swept.run(sweep())} == {TrialStatus.FINISHED}


def test_a_storage_that_goes_away_is_no_trials_fault(swept: Swept) -> None:
    def away(recipe: Recipe, folder: Path, step: int) -> None:
        raise OperationalError("SELECT 1", {}, Exception("server closed the connection"))

    swept.made.before = away
    with pytest.raises(SweepError, match=r"storage of the sweep: not reachable while .*closed the connection"):
        swept.run(sweep())
    swept.made.before = lambda recipe, folder, step: None
    trials = swept.run(sweep())
    assert [t.status for t in trials] == [TrialStatus.FINISHED] * 4
    assert len(list(swept.folder.glob("trials/one/*"))) == 4


def test_a_fault_in_amrg_is_recorded_and_raised(swept: Swept) -> None:
    def wrong(recipe: Recipe, folder: Path, step: int) -> None:
        raise KeyError("pixels")

    swept.made.before = wrong
    with pytest.raises(KeyError):
        swept.run(sweep())
    swept.made.before = lambda recipe, folder, step: None
    first, *others = swept.run(sweep())
    assert (first.status, first.reason) == (TrialStatus.FAILED, "a fault in amrg: KeyError: 'pixels'")
    assert {t.status for t in others} == {TrialStatus.FINISHED}


@pytest.mark.parametrize("prune", [True, False])
def test_weak_trials_are_stopped_after_five_that_were_not(swept: Swept, prune: bool) -> None:
    ranks = (32, 30, 28, 26, 24, 2, 40)
    trials = swept.run(sweep(ranks=ranks, alphas=(alpha("1x"),), prune=prune))
    weak = trials[5]
    assert [t.status for t in trials if t is not weak] == [TrialStatus.FINISHED] * 6
    if not prune:
        assert weak.status is TrialStatus.FINISHED
        return
    # Its first validation, at step 2, is too early to judge by.
    assert (weak.status, weak.steps, weak.reason) == (TrialStatus.PRUNED, 4, "weaker than the median of one at step 4")
    assert weak.best == pytest.approx(strength_of(2, 2) / 2)


def test_two_processes_share_the_trials_of_one_folder(swept: Swept) -> None:
    swept.made.before = lambda recipe, folder, step: time.sleep(0.01)
    wide = sweep(ranks=(2, 4, 8), seeds=(0, 1), prune=False)
    assert swept.in_processes([swept.folder] * 2, wide) == [0, 0]
    assert sorted(swept.made.noted("tune")) == sorted(p.label for p in wide.grid())
    assert swept.made.noted("prepare") == ["one", "one"]  # both took part
    assert {t.status for t in swept.run(wide)} == {TrialStatus.FINISHED}


def test_two_machines_share_the_trials_of_one_postgresql_database(swept: Swept, server: str) -> None:
    """Each has a folder of its own, so that nothing but the database keeps them apart."""
    swept.made.before = lambda recipe, folder, step: time.sleep(0.01)
    wide = sweep(ranks=(2, 4, 8), seeds=(0, 1), prune=False)
    folders = [swept.folder / name for name in ("here", "there")]
    assert swept.in_processes(folders, wide, server) == [0, 0]
    assert sorted(swept.made.noted("tune")) == sorted(p.label for p in wide.grid())
    assert swept.made.noted("prepare") == ["one", "one"]
    with pytest.raises(SweepError, match="cannot be opened") as refused:
        swept.run(wide, server.replace("amrg@", "amrg:secret@").replace("/postgres", "/nowhere"))
    assert "secret" not in str(refused.value)


def test_two_machines_that_start_together_fill_a_study_once(
    swept: Swept, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second one comes while the first one puts its first trial there."""
    enqueue = optuna.Study.enqueue_trial

    def slowly(study: optuna.Study, params: dict[str, Any]) -> None:
        time.sleep(0.2)
        enqueue(study, params)

    monkeypatch.setattr(optuna.Study, "enqueue_trial", slowly)
    swept.made.before = lambda recipe, folder, step: time.sleep(0.01)
    wide = sweep(ranks=(2, 8, 16), prune=False)
    assert swept.in_processes([swept.folder / name for name in ("here", "there")], wide, server) == [0, 0]
    assert sorted(swept.made.noted("tune")) == sorted(p.label for p in wide.grid())


def test_a_trial_of_another_machine_is_not_resumed_while_it_gives_heartbeats(swept: Swept, server: str) -> None:
    definition = SweepConfig(sweep(), swept.source, swept.folder).definition
    with open_studies(swept.folder, definition, server) as studies:
        other = studies.study_of(sweep().bases[0]).ask()
        other.set_user_attr("place", "elsewhere:/sweep")
        other.set_user_attr("heartbeat", time.time())
        assert [t.status for t in swept.run(sweep(), server)] == [TrialStatus.RUNNING] + [TrialStatus.FINISHED] * 3
        other.set_user_attr("heartbeat", time.time() - 7200)
    assert {t.status for t in swept.run(sweep(), server)} == {TrialStatus.FINISHED}


def test_heartbeats_come_while_a_step_takes_long_also_after_one_that_was_lost() -> None:
    lost, given = threading.Event(), threading.Event()

    class Storage:
        def set_user_attr(self, name: str, value: float) -> None:
            if not lost.is_set():
                lost.set()
                raise OSError("the database is away")
            given.set()

    with heartbeats(Storage(), seconds=0.001):
        assert given.wait(60)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """A PostgreSQL server of this test's own."""
    pytest.importorskip("psycopg", reason="the PostgreSQL driver is not installed")
    places = [Path(p).parent for p in [shutil.which("initdb")] if p] + sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not places:
        pytest.skip("no PostgreSQL server is installed here")
    user = "postgres" if os.getuid() == 0 else None  # the server refuses to run as root
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = Path(tempfile.mkdtemp(prefix="amrg-postgresql-"))
    if user:
        shutil.chown(folder, user)

    def call(program: str, *arguments: str) -> None:
        subprocess.run([places[-1] / program, *arguments], user=user, cwd=folder, check=True, capture_output=True)

    call("initdb", "-D", f"{folder}/db", "-U", "amrg", "--auth", "trust", "--no-sync")
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
    call("pg_ctl", "-D", f"{folder}/db", "-o", options, "-l", f"{folder}/log", "-w", "-t", HUNG, "start")
    try:
        yield f"postgresql://amrg@127.0.0.1:{port}/postgres"
    finally:
        call("pg_ctl", "-D", f"{folder}/db", "-m", "immediate", "-w", "-t", HUNG, "stop")
        shutil.rmtree(folder)


def test_a_folder_holds_one_sweep(swept: Swept, source: DataSource) -> None:
    swept.run(sweep())
    with pytest.raises(SweepError, match=r"sweep.ranks is \[2, 4\], requested \[2, 8\]: .* a different sweep"):
        swept.run(sweep(ranks=(2, 8)))
    slower = sweep().recipe.model_copy(update={"micro_batch_size": 1})
    assert len(swept.run(sweep(recipe=slower))) == 4  # changes nothing but rounding, and helps where memory ran out
    assert len(swept.made.noted("tune")) == 4


def test_order_of_options_and_folder_of_a_backbone_make_no_other_sweep(swept: Swept, tmp_path: Path) -> None:
    swept.run(sweep(ranks=(2, 4), seeds=(0, 1)))
    moved = tuple(base.model_copy(update={"source": str(tmp_path / "moved")}) for base in sweep().bases)
    again = sweep(ranks=(4, 2), seeds=(1, 0), bases=moved)
    assert [t.status for t in swept.run(again)] == [TrialStatus.FINISHED] * len(list(again.grid()))
    assert len(swept.made.noted("tune")) == len(list(again.grid()))


def test_a_sweep_resumes_with_the_same_weights_only(swept: Swept) -> None:
    def stops(recipe: Recipe, folder: Path, step: int) -> None:
        raise OSError(5, "Input/output error")

    swept.made.before = stops
    with pytest.raises(OSError, match="Input/output"):
        swept.run(sweep())
    swept.made.weights = "v" * 64
    with pytest.raises(SweepError, match="earlier trials had www"):
        swept.run(sweep())


def test_a_search_samples_the_requested_trials_the_same_after_an_interruption(
    source: DataSource, tmp_path: Path
) -> None:
    searched = sweep(alphas=(alpha("1x"), alpha("2x"), alpha("16")), seeds=(0, 1), search=Search(trials=7))
    uninterrupted = Swept(source, tmp_path / "whole", Made(tmp_path / "notes")).run(searched)
    points = [t.point for t in uninterrupted if t.point is not None]
    assert [p.seed for p in points[:7]] == [0] * 7
    assert {p.seed for p in points[7:]} == {1}
    assert len({p.model_dump_json() for p in points}) == len(uninterrupted)
    for p in points:
        assert 5e-5 <= (p.learning_rate or 0) <= 1e-3
        assert 0 <= (p.dropout or 0) <= 0.1
        assert p.alpha in (p.rank, 2 * p.rank, 16)
    best = max(uninterrupted[:7], key=lambda t: t.best or 0)
    assert best.point is not None
    # The best is repeated with the other seeds; what is best after that is repeated too.
    assert points[7] == best.point.model_copy(update={"seed": 1})

    def stops(recipe: Recipe, folder: Path, step: int) -> None:
        if folder.name.startswith("003") and not (folder / "stopped").exists():
            (folder / "stopped").touch()
            raise OSError(5, "Input/output error")

    broken = Swept(source, tmp_path / "broken", Made(tmp_path / "other-notes", stops))
    with pytest.raises(OSError, match="Input/output"):
        broken.run(searched)
    assert broken.run(searched) == uninterrupted


def test_a_search_repeats_the_highest_mean_until_it_has_every_seed(swept: Swept) -> None:
    """Every second seed is worse than any first one, so that in the end each configuration was best once."""

    def tune(prepared: object, recipe: Recipe, folder: Path, callback: Callback) -> TrainedAdapter:
        tuned = swept.made.tune(prepared, recipe, folder, callback)
        return tuned.model_copy(update={"best": recipe.learning_rate - recipe.seed})

    searched = sweep(seeds=(0, 1), search=Search(trials=3), prune=False)
    config = SweepConfig(searched, swept.source, swept.folder, steps=Steps(swept.made.prepare, tune))
    points = [t.point for t in run_trials(config, Silent()) if t.point is not None]
    by_rate = sorted(points[:3], key=lambda p: p.learning_rate or 0, reverse=True)
    assert points[3:] == [p.model_copy(update={"seed": 1}) for p in by_rate]


def test_a_failure_in_a_search_skips_no_other_trial(swept: Swept) -> None:
    """The first trial fails, so that the finished ones are not the first of the list."""

    def fails(recipe: Recipe, folder: Path, step: int) -> None:
        if folder.name.startswith("000") or (recipe.seed and step == 4):
            raise TuningError("memory ran out")

    swept.made.before = fails
    trials = swept.run(sweep(seeds=(0, 1), search=Search(trials=3), prune=False))
    # A repetition that fails rules its configuration out; the next is repeated, until none is left.
    assert [t.status for t in trials] == [TrialStatus.FAILED, *[TrialStatus.FINISHED] * 2, *[TrialStatus.FAILED] * 2]


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("mysql://amrg:secret@host/db", "storage 'mysql://host/db': expected postgresql://USER@HOST/DATABASE"),
        ("sweep.db", "storage 'sweep.db': expected"),
    ],
)
def test_a_storage_is_a_file_or_postgresql(swept: Swept, url: str, message: str) -> None:
    with pytest.raises(SweepError) as refused:
        swept.run(sweep(), url)
    assert message in str(refused.value)


def test_a_port_that_is_none_is_one_line(swept: Swept) -> None:
    pytest.importorskip("psycopg", reason="the PostgreSQL driver is not installed")
    with pytest.raises(SweepError, match="cannot be opened") as refused:
        swept.run(sweep(), "postgresql://amrg:secret@127.0.0.1:port/postgres")
    assert "secret" not in str(refused.value)


def test_an_account_without_rights_is_one_line(swept: Swept, server: str) -> None:
    psycopg = pytest.importorskip("psycopg", reason="the PostgreSQL driver is not installed")
    with psycopg.connect(server, autocommit=True) as root:
        root.execute("CREATE USER nobody")
        root.execute("CREATE DATABASE closed")
    with psycopg.connect(server.replace("/postgres", "/closed"), autocommit=True) as root:
        root.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
    with pytest.raises(SweepError, match=r"cannot be opened.*check the URL and the user's rights"):
        swept.run(sweep(), server.replace("amrg@", "nobody@").replace("/postgres", "/closed"))


def test_a_launcher_of_several_processes_is_refused(swept: Swept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(SweepError, match="start amrg sweep once a device"):
        swept.run(sweep())
