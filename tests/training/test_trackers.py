"""Trackers next to a run's own logs: what they get, what they never get, and that none can end a run."""

from __future__ import annotations

import csv
import json
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from amrg.api.training import train
from amrg.cli import Exit, app
from amrg.training.callbacks import NoCallback
from amrg.training.documents import RecipeError
from amrg.training.loop.stepping import Stepper
from amrg.training.loop.tuning import tune
from amrg.training.outputs import trackers as module
from amrg.training.outputs.trackers import IDS, TRACKERS, Trackers
from amrg.training.tracker_names import PACKAGES, refuse_missing_trackers, tracker_names
from amrg.training.train_config import TrainConfig, read_config, write_config
from tests.training.small import RECIPE, TEXTS, base, fabricated

pytestmark = pytest.mark.usefixtures("no_charts")


class Recording:
    """A tracker that records what it gets, and fails at the step that it is made for."""

    sent: list[Any]
    fails_at = -1

    def __init__(self, folder: Path, run_id: str | None) -> None:
        self.tracker = SimpleNamespace(id=run_id or "first")
        self.sent.append(("begin", folder.name, run_id))

    def start(self) -> None:
        pass

    def store_init_configuration(self, values: dict[str, Any]) -> None:
        self.sent.append(("settings", values))

    def log(self, values: dict[str, float], step: int) -> None:
        if step == self.fails_at:
            raise ConnectionError("the server\nis away")
        self.sent.append((step, values))

    def finish(self) -> None:
        self.sent.append("end")


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the tracker called wandb gets."""
    monkeypatch.setattr(Recording, "sent", [], raising=False)
    monkeypatch.setattr(module, "TRACKERS", {**TRACKERS, "wandb": Recording})
    return Recording.sent


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bases")


def test_a_tracker_gets_the_logs_and_the_recipe_and_no_case(sent: list[Any], bases: Path, tmp_path: Path) -> None:
    lines: list[str] = []
    recipe = RECIPE.model_copy(update={"base": str(bases / "gemma3")})
    tune(fabricated(base(bases), recipe), recipe, tmp_path / "run", NoCallback(), Trackers(["wandb"], lines.append))
    (begin, settings, *steps, end) = sent
    assert (begin, end, lines) == (("begin", "run", None), "end", [])
    assert settings[1]["recipe.lora.rank"] == 4
    assert settings[1]["recipe.base"] == "gemma3"  # the folder's name, not its path
    rows = list(csv.DictReader((tmp_path / "run" / "log.csv").read_text(encoding="utf-8").splitlines()))
    losses = [(step, values["training/loss"]) for step, values in steps if "training/loss" in values]
    assert [(int(r["step"]), r["loss"]) for r in rows] == [(step, f"{loss:.6g}") for step, loss in losses]
    assert [step for step, values in steps if "validation/loss" in values] == [3, 6]
    everything = json.dumps(sent)
    assert [t for t in (*TEXTS, "case-", str(tmp_path), str(bases)) if t in everything] == []
    assert all(isinstance(value, int | float) for _, values in steps for value in values.values())


def test_a_tracker_that_fails_is_one_line_and_the_run_continues(
    sent: list[Any], bases: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Recording, "fails_at", 2)
    lines: list[str] = []
    tune(fabricated(base(bases)), RECIPE, tmp_path / "run", NoCallback(), Trackers(["wandb"], lines.append))
    assert lines == [
        "wandb: ConnectionError: the server is away; nothing more is sent there, the run continues, and log.csv has "
        "every value"
    ]
    assert [entry[0] for entry in sent] == ["begin", "settings", 1]
    assert (tmp_path / "run" / "training.json").is_file()

    refused: list[str] = []
    monkeypatch.setattr(module, "TRACKERS", {"wandb": lambda folder, run_id: 1 / 0})
    trackers = Trackers(["wandb"], refused.append)
    trackers.start(tmp_path, {})
    trackers.log({"loss": 1.0}, 1)
    trackers.close()
    assert len(refused) == 1
    assert refused[0].startswith("wandb: ZeroDivisionError")


def test_a_resumed_run_continues_the_run_there(
    sent: list[Any], bases: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Stepper.run_step

    def interrupted(stepper: Stepper, step: int) -> object:
        if step == 4:
            raise KeyboardInterrupt
        return real(stepper, step)

    with monkeypatch.context() as patched:
        patched.setattr(Stepper, "run_step", interrupted)
        with pytest.raises(KeyboardInterrupt):
            tune(fabricated(base(bases)), RECIPE, tmp_path, NoCallback(), Trackers(["wandb"], print))
    assert json.loads((tmp_path / IDS).read_text(encoding="utf-8")) == {"wandb": "first"}
    assert sent[-1] == "end"
    del sent[:]
    tune(fabricated(base(bases)), RECIPE, tmp_path, NoCallback(), Trackers(["wandb"], print))
    assert sent[0] == ("begin", tmp_path.name, "first")
    assert [entry[0] for entry in sent[1:-1] if "training/loss" in entry[1]] == [4, 5, 6]


def test_names_are_checked_before_anything_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert set(PACKAGES) == set(TRACKERS)
    monkeypatch.setattr("amrg.training.tracker_names.find_spec", lambda name: name == "wandb" or None)
    assert tracker_names("wandb, tensorboard,wandb", "--report-to") == ("wandb", "tensorboard")
    assert tracker_names("none", "--report-to") == ()
    with pytest.raises(RecipeError, match="no tracker 'comet'; expected any of tensorboard,wandb,mlflow, or none"):
        tracker_names("comet", "--report-to")
    with pytest.raises(RecipeError, match=r'package mlflow is not installed; pip install "amrg\[trackers\]"'):
        refuse_missing_trackers(("tensorboard", "wandb", "mlflow"))
    (tmp_path / "run.yaml").write_text("split: clean\nreport_to: [wandb]\n", encoding="utf-8")
    config = read_config(tmp_path / "run.yaml")
    assert config.report_to == ("wandb",)
    write_config(tmp_path / "again", config)
    assert read_config(tmp_path / "again" / "run.yaml").report_to == ("wandb",)
    assert TrainConfig().report_to == ()
    refused = CliRunner().invoke(app, ["train", "--report-to", "comet", "--print-recipe"])
    assert (refused.exit_code, "--report-to: no tracker 'comet'" in refused.stderr) == (Exit.USAGE, True)


def test_a_tracker_of_a_file_can_be_turned_off_where_its_package_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("amrg.training.tracker_names.find_spec", lambda name: None)
    write_config(tmp_path, TrainConfig(data=tmp_path, split="some", out=tmp_path, report_to=("wandb",)))
    arguments = ["train", "--config", str(tmp_path / "run.yaml"), "--print-recipe"]
    refused = CliRunner().invoke(app, arguments)
    assert (refused.exit_code, "package wandb is not installed" in refused.stderr) == (Exit.USAGE, True)
    assert CliRunner().invoke(app, [*arguments, "--report-to", "none"]).exit_code == Exit.OK
    with pytest.raises(RecipeError, match="package wandb is not installed"):
        train(read_config(tmp_path / "run.yaml"))


@pytest.mark.filterwarnings("ignore")  # those packages' own
@pytest.mark.parametrize("name", PACKAGES)
def test_the_real_tracker_gets_every_value_offline(
    name: str, bases: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if find_spec(name) is None:
        pytest.skip(f"{name} is not installed: pip install 'amrg[trackers]'")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    lines: list[str] = []
    tune(fabricated(base(bases)), RECIPE, tmp_path / "run", NoCallback(), Trackers([name], lines.append))
    assert lines == []
    assert list(json.loads((tmp_path / "run" / IDS).read_text(encoding="utf-8"))) == [name]
    stored = b"".join(p.read_bytes() for p in [*tmp_path.rglob("*.wandb"), *tmp_path.glob("mlflow.db")])
    assert b"training/loss" in stored
    private = [*TEXTS, "case-0", str(tmp_path), str(Path.home())]
    assert [t for t in private if t.split("\n")[0].encode() in stored] == []
