"""`amrg train` from a data set on disk to an adapter that drafts; refusals in one line; a run broken off goes on."""

from __future__ import annotations

import errno
import io
import json
import os
import pkgutil
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import NoReturn

import pytest
import typer
from typer.testing import CliRunner, Result

from amrg.cli import Exit
from amrg.cli.models.train import train
from amrg.core.ray_cluster import RayError
from amrg.datasets import make_split, open_dataset
from amrg.models.load import load_model
from amrg.training.data.prepared import DataSource
from amrg.training.loop import tuning
from amrg.training.loop.stepping import Stepper
from amrg.training.train_config import read_config
from tests.models.tiny import TINY
from tests.training.exams import drawn

pytestmark = pytest.mark.usefixtures("no_charts")

SHORT = ("--set", "steps=4", "--set", "validation.every=2", "--set", "batch_size=2", "--set", "lora.rank=2")


def amrg_train(*arguments: object) -> Result:
    app = typer.Typer()
    app.command()(train)
    return CliRunner().invoke(app, [str(a) for a in arguments])


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> tuple[object, ...]:
    """Options of a run but for its folder: a small data set, a tiny base, a few steps."""
    folder = tmp_path_factory.mktemp("given")
    source: DataSource = drawn(folder)
    base = TINY["gemma3"](folder / "base")
    data = ("--data", source.data, "--split", source.split, "--cache", folder / "cache")
    return (*data, "--base", base, "--target-text", "clinical", *SHORT)


def test_a_run_leaves_an_adapter_that_drafts_and_goes_on_where_it_was_broken_off(
    given: tuple[object, ...], tmp_path: Path
) -> None:
    def broken_off(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    done = amrg_train(*given, "--out", tmp_path / "whole", "--json")
    assert done.exit_code == Exit.OK, done.output
    told = json.loads(done.stdout)
    assert (told["steps"], told["data"]["n_train"], told["data"]["n_validation"]) == (4, 4, 2)
    assert "lora.rank = 2" in done.stderr
    model = load_model(str(tmp_path / "whole"))
    assert model.adapter == tmp_path / "whole"
    assert {"summary.html", "summary.md", "log.csv"} < {p.name for p in (tmp_path / "whole").iterdir()}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tuning, "write_summary", broken_off)
        assert amrg_train(*given, "--out", tmp_path / "parts").exit_code == 130
    refused = amrg_train(*given, "--out", tmp_path / "parts")
    assert refused.exit_code == Exit.USAGE
    assert "contains an interrupted run of this recipe; add --resume" in refused.stderr
    other = amrg_train("--resume", tmp_path / "parts", "--set", "seed=1")
    assert other.exit_code == Exit.TUNING
    assert "recipe.seed: the folder has 0, this run 1" in other.stderr
    assert amrg_train("--resume", tmp_path / "parts").exit_code == Exit.OK
    longer = amrg_train("--resume", tmp_path / "parts", "--set", "num_train_epochs=9")  # of a run that is finished
    assert longer.exit_code == Exit.TUNING
    assert "recipe.steps: the folder has 4, this run" in longer.stderr
    elsewhere = amrg_train("--resume", tmp_path / "parts", "--base", "gpt2")
    assert elsewhere.exit_code == Exit.TUNING
    assert "recipe.base: the folder has " in elsewhere.stderr
    whole, parts = ((tmp_path / run / "adapter_model.safetensors").read_bytes() for run in ("whole", "parts"))
    assert whole == parts


def test_an_interruption_says_what_is_saved_and_the_folder_alone_resumes(
    given: tuple[object, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, options = tmp_path / "run", (*given, "--out", tmp_path / "run")
    with interrupted_at(monkeypatch, "amrg.training.data.prepared.prepare", 1):
        before = amrg_train(*options)
    assert (before.exit_code, lines(before), run.exists()) == (130, 1, False)
    assert "interrupted before the first step: nothing of the run is saved" in before.stderr
    with interrupted_at(monkeypatch, "amrg.training.loop.stepping.Stepper.run_step", 2):
        early = amrg_train(*options)
    assert "before the first checkpoint, the 1 step done is lost; amrg train --resume" in early.stderr
    with interrupted_at(monkeypatch, "amrg.training.loop.stepping.Stepper.run_step", 4):
        late = amrg_train("--resume", run)
    assert "after step 3, the checkpoint is of step 2; step 3 is computed again; resume with amrg train" in late.stderr
    done = amrg_train("--resume", run, "--json")
    assert (done.exit_code, json.loads(done.stdout)["steps"]) == (Exit.OK, 4), done.output
    again = amrg_train("--resume", run, "--json")
    assert json.loads(again.stdout) == json.loads(done.stdout)


def test_a_run_on_a_base_by_its_path_resumes_from_any_folder(
    given: tuple[object, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = Path(str(given[given.index("--base") + 1]))
    monkeypatch.chdir(base.parent)
    relative = [base.name if option == base else option for option in given]
    with interrupted_at(monkeypatch, "amrg.training.loop.stepping.Stepper.run_step", 4):
        assert amrg_train(*relative, "--out", tmp_path / "run").exit_code == 130
    monkeypatch.chdir(tmp_path)
    done = amrg_train("--resume", tmp_path / "run")
    assert done.exit_code == Exit.OK, done.output


def test_ctrl_c_during_a_step_saves_it(
    given: tuple[object, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    every = ("--set", "validation.every=4")
    assert amrg_train(*given, *every, "--out", tmp_path / "whole").exit_code == Exit.OK
    real, calls = Stepper.run_step, count(1)

    def pressing(stepper: Stepper, step: int) -> object:
        if next(calls) == 3:
            signal.raise_signal(signal.SIGINT)
        return real(stepper, step)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job starts with it ignored
    try:
        with monkeypatch.context() as patched:
            patched.setattr(Stepper, "run_step", pressing)
            stopped = amrg_train(*given, *every, "--out", tmp_path / "parts")
    finally:
        signal.signal(signal.SIGINT, before)
    assert (stopped.exit_code, lines(stopped)) == (130, 1)
    assert "finishing this step, then saving; press Ctrl-C again" in stopped.stderr
    assert "interrupted after step 3, the checkpoint is of step 3; resume with" in stopped.stderr
    assert amrg_train("--resume", tmp_path / "parts").exit_code == Exit.OK
    whole, parts = ((tmp_path / run / "adapter_model.safetensors").read_bytes() for run in ("whole", "parts"))
    assert whole == parts


@contextmanager
def interrupted_at(patch: pytest.MonkeyPatch, target: str, call: int) -> Iterator[None]:
    """Ctrl-C at a call of a function."""
    place, _, name = target.rpartition(".")
    owner = pkgutil.resolve_name(place)
    real, calls = getattr(owner, name), count(1)

    def interrupting(*given: object, **named: object) -> object:
        if next(calls) == call:
            raise KeyboardInterrupt
        return real(*given, **named)

    with patch.context() as patched:
        patched.setattr(owner, name, interrupting)
        yield


def test_one_file_has_a_whole_run_with_paths_from_its_own_place(given: tuple[object, ...], tmp_path: Path) -> None:
    options = dict(zip(given[::2], given[1::2], strict=True))
    (tmp_path / "config").mkdir()
    (tmp_path / "data").symlink_to(str(options["--data"]))
    (tmp_path / "base").symlink_to(str(options["--base"]))
    file = tmp_path / "config" / "run.yaml"
    file.write_text(
        "data: ../data\nsplit: some\nout: ../run\ncache: ../cache\nbase: ../base\n"
        "recipe:\n  target_text: clinical\n  num_train_epochs: 2\n  batch_size: 3\n  learning_rate: 2e-4\n"
        "  lora: {rank: 2}\n  validation: {every: 2}\n",
        encoding="utf-8",
    )
    done = amrg_train("--config", file, "--json", "--set", "lora.rank=4")
    assert done.exit_code == Exit.OK, done.output
    assert "num_train_epochs 2: 4 steps of 3 exams, on 4 training cases" in done.stderr
    assert json.loads(done.stdout)["steps"] == 4
    run = read_config(tmp_path / "run" / "run.yaml")
    assert (run.recipe.lora.rank, run.recipe.steps, run.epochs) == (4, 4, None)
    assert [path for path in (run.data, run.out, run.cache) if path is not None and path.is_absolute()] != []
    refused = amrg_train("--config", file)
    assert refused.exit_code == Exit.TUNING
    assert "recipe.lora.rank: the folder has 4, this run 2" in refused.stderr


def test_without_a_terminal_a_run_is_seen_to_go_on(given: tuple[object, ...], tmp_path: Path) -> None:
    done = amrg_train(*given, "--cache", tmp_path / "cache", "--out", tmp_path / "run")
    assert "\nreading images: 6 of 6\n" in done.stderr
    assert "\nstep 1 of 4, " in done.stderr


def test_what_is_cheap_is_looked_at_before_the_base(
    given: tuple[object, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("amrg.training.data.prepared.prepare", never)
    source = drawn(tmp_path)
    options = (*given, "--data", source.data, "--out", tmp_path / "run")
    dataset = open_dataset(source.data)
    dataset.write_split(make_split(dataset, "all-test"))
    empty = amrg_train(*options, "--split", "all-test")
    assert (empty.exit_code, lines(empty)) == (Exit.UNREADABLE, 1)
    assert "split all-test has no case in its part train" in empty.stderr
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=3 * 2**20))
    full = amrg_train(*options)
    assert (full.exit_code, lines(full)) == (Exit.UNWRITABLE, 1)
    assert "100 MiB are needed, 3 MiB are free there" in full.stderr
    monkeypatch.undo()
    dataset.root.rename(tmp_path / "moved")
    moved = amrg_train(*options)
    assert (moved.exit_code, lines(moved)) == (Exit.UNREADABLE, 1)
    assert f"{dataset.root}: no such folder, where {source.data} has its images" in moved.stderr


def test_features_are_computed_on_a_cluster_where_one_is_named(given: tuple[object, ...], tmp_path: Path) -> None:
    pytest.importorskip("ray")
    command = (*given, "--cache", tmp_path / "cache", "--out", tmp_path / "run", "--ray", "127.0.0.1:1")
    with pytest.raises(RayError, match="no Ray cluster answers there"):
        raise amrg_train(*command).exception or AssertionError("no cluster was asked")
    assert not (tmp_path / "run" / "training.json").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--resume",), Exit.USAGE, "RUN: not given; expected the folder of the run to resume"),
        (("--resume", "none"), Exit.USAGE, "none: no run to resume (run.yaml is missing)"),
        (("--out", "a", "b"), Exit.USAGE, "RUN is b and --out is a; expected one folder"),
        (("--split", "clean"), Exit.USAGE, "--data, --out: not given; expected as options, or in the file of --config"),
        (("--set", "epochs=3"), Exit.USAGE, "did you mean num_train_epochs?"),
        (("--set", "num_train_epochs=none"), Exit.USAGE, "num_train_epochs is 'none'; expected a number above 0"),
        (("--set", "num_train_epochs=1", "--set", "steps=4"), Exit.USAGE, "both steps and num_train_epochs are set"),
        (("--config", "no-such.yaml"), Exit.USAGE, "no-such.yaml: cannot be read"),
        (("--base", "./no-such"), Exit.USAGE, "--data, --split, --out: not given"),
    ],
)
def test_a_run_that_is_not_all_named_is_refused(arguments: tuple[str, ...], code: Exit, said: str) -> None:
    done = amrg_train(*arguments)
    assert (done.exit_code, lines(done)) == (code, 1), done.output
    assert said in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--set", "lora.rnk=2"), Exit.USAGE, "did you mean lora.rank"),
        (("--target-text", "poem"), Exit.USAGE, "expected one of published, clinical, dmid"),
        (("--recipe", "no-such.json"), Exit.USAGE, "no-such.json: cannot be read"),
        (("--split", "other"), Exit.UNREADABLE, "no split 'other'"),
        (("--base", "no-such-model"), Exit.NO_MODEL, "no such folder"),
        (("--set", "quantization=nf4"), Exit.TUNING, "install amrg[quantised] on a machine with a GPU"),
    ],
)
def test_a_user_error_is_one_line_and_a_code(
    arguments: tuple[str, ...], code: Exit, said: str, given: tuple[object, ...], tmp_path: Path
) -> None:
    done = amrg_train(*given, "--out", tmp_path / "run", *arguments)
    assert done.exit_code == code, done.output
    assert said in done.stderr
    assert lines(done) == 1
    assert not (tmp_path / "run").exists()


def test_cases_that_cannot_be_read_are_named_and_kept_with_the_reason(
    given: tuple[object, ...], tmp_path: Path
) -> None:
    source = drawn(tmp_path)
    dataset = open_dataset(source.data)
    broken = dataset.keys()[1]
    (dataset.root / dataset.case(broken).images[0].file).write_bytes(b"no picture")
    options = (*given, "--data", source.data, "--cache", tmp_path / "cache", "--out", tmp_path / "run")
    done = amrg_train(*options, "--json")
    assert done.exit_code == Exit.OK, done.output
    assert "3 training cases, 2 validation cases; 1 skipped" in done.stderr
    assert f"skipped: {broken}: " in done.stderr
    assert "not DICOM" in json.loads(done.stdout)["skipped"][broken]


def test_a_folder_that_cannot_be_written_is_refused_before_anything_is_loaded(
    given: tuple[object, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("amrg.training.data.prepared.prepare", never)
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    for place in (tmp_path / "file", tmp_path / "file" / "run"):
        done = amrg_train(*given, "--out", place)
        assert (done.exit_code, lines(done)) == (Exit.UNWRITABLE, 1), done.output
        assert f"amrg: {tmp_path / 'file'}: not a folder" in done.stderr
    monkeypatch.setattr(os, "access", lambda path, _: path != tmp_path)  # root, who may run this, may write anywhere
    done = amrg_train(*given, "--out", tmp_path / "run")
    assert (done.exit_code, lines(done)) == (Exit.UNWRITABLE, 1), done.output
    assert f"amrg: {tmp_path}: no permission to write" in done.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    ("option", "code", "said"),
    [
        ("--data", Exit.UNREADABLE, "cannot be read (Permission denied)"),
        ("--base", Exit.UNREADABLE, "cannot be read (Permission denied)"),
        ("--recipe", Exit.USAGE, "cannot be read (Permission denied)"),
        ("--cache", Exit.UNWRITABLE, "cannot be written (Permission denied)"),
        ("--out", Exit.UNWRITABLE, "cannot be written (Permission denied)"),
    ],
)
def test_a_folder_that_may_not_be_looked_into_is_one_line(
    option: str, code: Exit, said: str, given: tuple[object, ...], tmp_path: Path
) -> None:
    closed = tmp_path / "closed"
    closed.mkdir()
    with closed_to_us(closed):
        done = amrg_train(*given, "--out", tmp_path / "run", option, closed / "inside")
    assert (done.exit_code, lines(done)) == (code, 1), done.output
    assert f"amrg: {closed}" in done.stderr
    assert said in done.stderr


@contextmanager
def closed_to_us(folder: Path) -> Iterator[None]:
    """As a folder of another user, which root, who may run this, could look into all the same."""

    def refusing(real: Callable[..., object]) -> Callable[..., object]:
        def call(path: object, *given: object, **named: object) -> object:
            if isinstance(path, str | os.PathLike) and folder in Path(path).parents:
                raise PermissionError(errno.EACCES, "Permission denied", str(path))
            return real(path, *given, **named)

        return call

    with pytest.MonkeyPatch.context() as patch:
        for module, name in ((os, "stat"), (os, "lstat"), (os, "scandir"), (os, "mkdir"), (io, "open")):
            patch.setattr(module, name, refusing(getattr(module, name)))
        yield


def never(*_: object) -> NoReturn:
    raise AssertionError("the base was loaded")


def lines(done: Result) -> int:
    """How many lines of complaint there are."""
    return sum(line.startswith("amrg: ") for line in done.stderr.splitlines())


def test_the_recipe_is_printed_with_all_that_was_set() -> None:
    done = amrg_train("--print-recipe", "--set", "lora.rank=8")
    assert done.exit_code == Exit.OK
    assert json.loads(done.stdout)["lora"]["rank"] == 8
    epochs = json.loads(amrg_train("--print-recipe", "--set", "num_train_epochs=3").stdout)
    assert epochs["num_train_epochs"] == 3
    assert "steps" not in epochs
    assert amrg_train("--data", "somewhere").exit_code == Exit.USAGE
