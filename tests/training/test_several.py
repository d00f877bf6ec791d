"""Two processes end with the weights of one, replicated or sharded; one of them alone writes and speaks."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from safetensors.torch import load_file

from amrg.models.backbones.base import Modules
from amrg.training.outputs.summary import read_columns
from amrg.training.recipe import Lora
from tests.training.comparing import same_but_rounded
from tests.training.several import in_processes, late
from tests.training.small import RECIPE, base

# Three samples a step on two processes: one of them has nothing to learn in the second micro-batch.
UNEVEN = RECIPE.model_copy(
    update={
        "lora": Lora(rank=4, dropout=0.0, modules=Modules.PROJECTOR),
        "learning_rate": 1e-3,
        "batch_size": 3,
        "micro_batch_size": 1,
    }
)


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bases")
    base(folder)
    return folder


@pytest.fixture(scope="module")
def one(bases: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("one") / "run"
    assert in_processes(1, folder, bases, UNEVEN, False, 0) == [0]
    return folder


@pytest.mark.parametrize("sharded", [False, True], ids=["replicated", "sharded"])
def test_two_processes_end_with_the_weights_of_one(sharded: bool, one: Path, bases: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    assert 9 in in_processes(2, folder, bases, UNEVEN, sharded, 4), "it was to be broken off"
    assert in_processes(2, folder, bases, UNEVEN, sharded, 0) == [0, 0]
    found, wanted = (load_file(f / "adapter_model.safetensors") for f in (folder, one))
    same_but_rounded(found, wanted)
    predictions = "predictions-validation.jsonl"
    assert (folder / predictions).read_text(encoding="utf-8") == (one / predictions).read_text(encoding="utf-8")
    assert set(folder.with_suffix(".spoke").read_text(encoding="utf-8").split()) == {"0"}
    assert logged(folder)["step"] == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    for column in ("loss", "grad_norm"):  # Adam forgives a gradient that is twice what it should be
        assert logged(folder)[column] == pytest.approx(logged(one)[column], rel=1e-4)


def test_processes_wait_for_the_one_that_encodes_images_however_long_it_takes() -> None:
    assert in_processes(2, 4.0, target=late) == [0, 0]


def test_a_folder_that_the_processes_do_not_share_is_refused_before_a_step(bases: Path, tmp_path: Path) -> None:
    assert in_processes(2, tmp_path / "run-{rank}", bases, UNEVEN, False, 0)[0] == 1
    refused = (tmp_path / "run-0.refused").read_text(encoding="utf-8")
    assert "run-0: process 1 finds no run there, process 0 a run at step 0: " in refused
    assert "a disk that all processes share" in refused
    assert not (tmp_path / "run-0.spoke").exists()


def test_processes_that_stand_at_different_steps_are_refused(bases: Path, tmp_path: Path) -> None:
    assert in_processes(1, tmp_path / "run-{rank}", bases, UNEVEN, False, 4) == [9]
    shutil.copytree(tmp_path / "run-0", tmp_path / "run-1")
    (tmp_path / "run-1" / "checkpoint.safetensors").unlink()
    assert in_processes(2, tmp_path / "run-{rank}", bases, UNEVEN, False, 0)[0] == 1
    refused = (tmp_path / "run-0.refused").read_text(encoding="utf-8")
    assert "process 1 finds a run at step 0 there, process 0 a run at step 3" in refused


def logged(folder: Path) -> dict[str, list[float]]:
    return read_columns(folder / "log.csv")
