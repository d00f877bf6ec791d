"""`amrg sweep` from the command line, on a tiny base."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from amrg.cli import Exit
from amrg.cli.models.reproduce import app as reproductions
from amrg.cli.models.sweep import sweep
from amrg.core.ray_cluster import RayError
from amrg.training.data.prepared import DataSource
from tests.experiments.sweeps import BRIEF
from tests.models.tiny import TINY
from tests.training.exams import drawn

app = typer.Typer()
app.command("sweep")(sweep)
app.add_typer(reproductions, name="reproduce")


def amrg_sweep(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["sweep", *map(str, arguments)])


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> DataSource:
    return drawn(tmp_path_factory.mktemp("exams"))


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return TINY["gemma3"](tmp_path_factory.mktemp("tiny") / "gemma3")


@pytest.mark.usefixtures("no_charts")
def test_a_sweep_prints_its_table_and_writes_its_page_and_is_not_run_again(
    source: DataSource, tiny: Path, tmp_path: Path
) -> None:
    command = (
        *("--data", source.data, "--split", source.split, "--out", tmp_path, "--backbones", f"tiny={tiny}"),
        *(
            "--ranks",
            "2,4",
            "--alphas",
            "1x",
            "--set",
            "steps=1",
            "--set",
            "batch_size=2",
            "--set",
            "validation.cases=1",
        ),
        *("--seeds", "0", "--set", f"settings={BRIEF.model_dump_json()}"),
    )
    done = amrg_sweep(*command)
    assert done.exit_code == Exit.OK, done.output
    assert "best: tiny r" in done.stdout
    assert done.stderr.count(": finished, ") == 2
    page = (tmp_path / "sweep.html").read_bytes()
    again = amrg_sweep(*command, "--json")
    assert "finished, " not in again.stderr  # nothing was run
    document = json.loads(again.stdout)
    assert [t["status"] for c in document["configurations"] for t in c["trials"]] == ["finished"] * 2
    assert document["best"] in {"tiny r2 a2", "tiny r4 a4"}
    assert (tmp_path / "sweep.html").read_bytes() == page


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--ranks", "4,x"), Exit.USAGE, "--ranks: found 'x', expected whole numbers"),
        (("--alphas", "two"), Exit.USAGE, "alpha 'two': expected a number such as 16, or a multiple"),
        (("--set", "stepz=3"), Exit.USAGE, "did you mean steps"),
        (("--set", "base=google/medgemma-4b-it"), Exit.USAGE, "--set base: every trial has its own; set it by --back"),
        (("--set", "lora.rank=8"), Exit.USAGE, "set it by --ranks"),
        (("--search", "3", "--set", "learning_rate=1e-5"), Exit.USAGE, "set it by --range learning_rate=A,B"),
        (("--range", "learning_rate=1e-5,1e-3"), Exit.USAGE, "add --search N"),
        (("--search", "3", "--range", "lr=1e-5,1e-3"), Exit.USAGE, "--range lr=1e-5,1e-3: expected NAME=VALUE,VALUE"),
        (("--search", "3", "--range", "learning_rate=1e-3,1e-5"), Exit.USAGE, "expected the lower end first"),
        (("--split", "none"), Exit.UNREADABLE, "no split 'none'"),
        (("--backbones", "nobody"), Exit.NO_MODEL, "no such folder"),
        (("--storage", "mysql://host/db"), Exit.USAGE, "expected postgresql://"),
    ],
)
def test_a_user_error_is_one_line_and_a_code(
    arguments: tuple[str, ...], code: Exit, message: str, source: DataSource, tmp_path: Path
) -> None:
    done = amrg_sweep("--data", source.data, "--split", source.split, "--out", tmp_path / "sweep", *arguments)
    assert done.exit_code == code, done.output
    assert message in done.stderr
    assert sum(line.startswith("amrg: ") for line in done.stderr.splitlines()) == 1


def test_a_sweep_is_not_put_into_the_folder_of_a_run(source: DataSource, tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("{}", encoding="utf-8")
    done = amrg_sweep("--data", source.data, "--split", source.split, "--out", tmp_path, "--backbones", tiny)
    assert done.exit_code == Exit.USAGE, done.output
    assert "found run.json, so it is a run's folder" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]


def test_trials_run_on_a_cluster_where_one_is_named(source: DataSource, tiny: Path, tmp_path: Path) -> None:
    pytest.importorskip("ray")
    command = ("--data", source.data, "--split", source.split, "--out", tmp_path, "--backbones", f"tiny={tiny}")
    with pytest.raises(RayError, match="no Ray cluster answers there"):
        raise amrg_sweep(*command, "--ray", "127.0.0.1:1").exception or AssertionError("no cluster was asked")
    assert not (tmp_path / "sweep.json").exists()


def test_a_reproduction_names_all_missing_backbones_before_it_begins(tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = CliRunner().invoke(
        app, ["reproduce", "amrg", str(tmp_path), "--out", str(out), "--backbones", "a=no-such-folder,b=nor-this"]
    )
    assert done.exit_code == Exit.NO_MODEL
    assert "2 of 2 backbones are not available: a (no-such-folder: no such folder); b (nor-this: no such" in done.stderr
    assert not out.exists()
