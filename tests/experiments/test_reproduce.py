"""AMRG's experiment, dry: two families at tiny size on DMID's replica, every stage, and again from the middle."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from amrg.cli.models.reproduce import THREE
from amrg.datasets import DatasetError
from amrg.experiments.reproduction.page import Reproduction
from amrg.experiments.reproduction.published_results import NOT_COMPARABLE, PUBLISHED
from amrg.experiments.reproduction.reproduce import RECIPE, Experiment, refuse_missing_backbones, reproduce
from amrg.experiments.sweep.config import SweepConfig
from amrg.experiments.sweep.definition import Alpha, SweepBase, SweepError, make_sweep
from amrg.experiments.sweep.run import sweep_and_score
from amrg.experiments.sweep.scores import SweepScores
from amrg.experiments.sweep.trials import TrialStatus
from amrg.metrics.text.wordnet import load_wordnet
from amrg.models import ModelError
from amrg.models.catalog import pinned_revision
from amrg.training.recipe import Precision, Recipe, Validation
from tests.datasets.replicas import dmid_replica
from tests.experiments.sweeps import BRIEF, Silent
from tests.models.tiny import TINY

pytestmark = pytest.mark.usefixtures("no_page_charts")

FAMILIES = ("gemma3", "phi3_v")
DRY = Recipe(settings=BRIEF, steps=1, batch_size=2, learning_rate=1e-3, validation=Validation(every=1, cases=1))


@pytest.fixture(scope="module")
def experiment(tmp_path_factory: pytest.TempPathFactory) -> Experiment:
    """One rank and two scalings; one test case is also drafted on perturbed images."""
    folder = tmp_path_factory.mktemp("reproduce")
    dmid = dmid_replica(folder / "dmid", 14, reports=14)
    bases = tuple(SweepBase(name=family, source=str(TINY[family](folder / family))) for family in FAMILIES)
    what = make_sweep(bases=bases, ranks=(2,), alphas=(Alpha.parse("1x"), Alpha.parse("2x")), recipe=DRY)
    return Experiment(dmid, folder / "out", what, ("image-407-51-52", "clean"), perturbed=1)


@pytest.fixture(scope="module")
def reproduction(experiment: Experiment) -> Reproduction:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("amrg.training.loop.tuning.write_summary", lambda *_: None)  # the charts of eight trials
        return reproduce(experiment, Silent())


def test_every_backbone_is_swept_and_its_best_tested_once_on_both_splits(
    experiment: Experiment, reproduction: Reproduction
) -> None:
    assert [(t.split, t.base) for t in reproduction.tested] == [
        (split, family) for split in ("image-407-51-52", "clean") for family in FAMILIES
    ]
    for one in reproduction.tested:
        assert one.scores.data.part == "test"
        assert one.scores.data.split == one.split
        assert one.configuration.startswith(f"{one.base} r2 a")
        assert set(one.scores.perturbed) - {"shuffled"} == {"blanked", "mirrored"}  # a case may have no partner
    for split in experiment.splits:
        assert (experiment.out / "sweeps" / split / "sweep.html").is_file()


def test_the_table_has_the_published_results_and_says_what_cannot_be_compared(
    experiment: Experiment, reproduction: Reproduction
) -> None:
    table = (experiment.out / "reproduced.md").read_text(encoding="utf-8")
    page = (experiment.out / "reproduced.html").read_text(encoding="utf-8")
    cells = ([cell.strip() for cell in line.split("|") if cell.strip()] for line in table.splitlines())
    meteor = [] if load_wordnet() is None else ["0.6152"]  # without WordNet the table has no METEOR
    assert ["0.5691", "0.575", *meteor, "0.5818", "0.5582"] in [row[3:] for row in cells]
    assert table.count("| amrg: constant (blind)") == 2
    for family in FAMILIES:
        assert table.count(f"| amrg: {family} r2 a") == 2
    for line in NOT_COMPARABLE:
        assert line in table
        assert line.split("'")[0] in page
    assert "is no k/51 and no k/52" in page
    assert {r.rouge_l for r in PUBLISHED} >= {0.5691, 0.631, 0.654, 0.659, 0.661, 0.671, 0.666}
    assert Reproduction.model_validate_json((experiment.out / "reproduced.json").read_bytes()) == reproduction


def test_what_is_done_is_not_done_again(experiment: Experiment, reproduction: Reproduction) -> None:
    removed = experiment.out / "runs" / "clean-gemma3"
    before = (experiment.out / "sweeps" / "clean" / "sweep.html").read_bytes()
    shutil.rmtree(removed)
    callbacks = Silent()
    assert reproduce(experiment, callbacks) == reproduction
    assert callbacks.begun == []
    assert (removed / "report.html").is_file()
    assert (experiment.out / "sweeps" / "clean" / "sweep.html").read_bytes() == before


def test_the_test_part_is_not_opened_while_trials_run_elsewhere(
    experiment: Experiment, reproduction: Reproduction, monkeypatch: pytest.MonkeyPatch
) -> None:
    def still_running(*given: object) -> SweepScores:
        swept = sweep_and_score(*given)  # type: ignore[arg-type]
        first = swept.configurations[0]
        trials = (first.trials[0].model_copy(update={"status": TrialStatus.RUNNING}), *first.trials[1:])
        left = (first.model_copy(update={"trials": trials}), *swept.configurations[1:])
        return swept.model_copy(update={"configurations": left})

    monkeypatch.setattr("amrg.experiments.reproduction.reproduce.sweep_and_score", still_running)
    monkeypatch.setattr("amrg.experiments.reproduction.reproduce.run", pytest.fail)
    with pytest.raises(SweepError, match=r"image-407-51-52: 1 trials are still run by other processes"):
        reproduce(experiment, Silent())


@pytest.mark.parametrize("retry", [False, True])
def test_failed_trials_are_run_again_where_that_is_requested(
    experiment: Experiment, reproduction: Reproduction, monkeypatch: pytest.MonkeyPatch, retry: bool
) -> None:
    def swept(config: SweepConfig, callbacks: object) -> SweepScores:
        assert config.retry is retry
        return sweep_and_score(config, callbacks)  # type: ignore[arg-type]

    monkeypatch.setattr("amrg.experiments.reproduction.reproduce.sweep_and_score", swept)
    assert reproduce(replace(experiment, retry=retry), Silent()) == reproduction  # none failed


def test_a_split_that_there_is_not_is_refused_before_any_is_swept(
    experiment: Experiment, reproduction: Reproduction, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("amrg.experiments.reproduction.reproduce.sweep_and_score", pytest.fail)
    with pytest.raises(DatasetError, match="claen"):
        reproduce(replace(experiment, splits=("clean", "claen")), Silent())


def test_all_missing_backbones_are_named_before_anything_begins(
    experiment: Experiment, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    (tmp_path / "empty").mkdir()
    whole = Path(experiment.sweep.bases[0].source)
    half = shutil.copytree(whole, tmp_path / "half")
    weights = next(half.glob("*.safetensors"))
    weights.write_bytes(weights.read_bytes()[:-1])
    shards = shutil.copytree(whole, tmp_path / "shards")
    (shards / "model.safetensors.index.json").write_text('{"weight_map": {"a": "model-2.safetensors"}}')
    bases = (
        SweepBase.parse("gone=no-such-folder"),
        SweepBase.parse(f"empty={tmp_path / 'empty'}"),
        experiment.sweep.bases[0],
        SweepBase.parse("nobody/no-such-model"),
        SweepBase.parse(f"half={half}"),
        SweepBase.parse(f"shards={shards}"),
    )
    with pytest.raises(ModelError) as refused:
        refuse_missing_backbones(bases)
    message = str(refused.value)
    assert message.startswith("5 of 6 backbones are not available: gone (no-such-folder: no such folder); empty (")
    assert "no safetensors in this folder; no-such-model (" in message.replace(")", "")
    assert "model.safetensors cannot be read or is cut short" in message
    assert "model-2.safetensors cannot be read" in message
    assert "\n" not in message


def test_a_split_none_of_whose_trials_finished_is_named() -> None:
    bases = tuple(SweepBase(name=name, source=name) for name in ("one", "two"))
    sweep = make_sweep(bases=bases, ranks=(4,), alphas=(Alpha.parse("2x"),))
    nothing = Reproduction(
        software="amrg", dataset_hash="h", cases=3, sweep=sweep, splits=("image-407-51-52", "clean"), tested=()
    )
    assert nothing.untested == ["one on image-407-51-52", "two on image-407-51-52", "one on clean", "two on clean"]


def test_the_papers_backbones_are_held_to_a_commit_and_one_recipe() -> None:
    backbones = THREE.split(",")
    assert len(backbones) == 3
    assert all(pinned_revision(name) for name in backbones)
    assert RECIPE.precision is Precision.BFLOAT16
    assert TrialStatus.FINISHED.value == "finished"
