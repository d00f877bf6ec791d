"""A run killed at any moment and started again ends with the bytes of one that was never stopped."""

from __future__ import annotations

import csv
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
import torch

from amrg.training.errors import TuningError
from amrg.training.loop import checkpoints
from amrg.training.loop.checkpoints import CheckpointState, load_checkpoint, save_checkpoint
from amrg.training.loop.run_state import RunState
from amrg.training.loop.stepping import Stepper
from tests.training.killing import NEVER, SAME, Moment, spawned
from tests.training.small import RECIPE


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bases")


@pytest.fixture(scope="module")
def never_stopped(bases: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "run"
    assert spawned(folder, bases, RECIPE, 1e9, NEVER) == 0
    return folder


def trained(folder: Path) -> list[tuple[str, ...]]:
    """What the log says of every step but how long it took."""
    with (folder / "log.csv").open(encoding="utf-8") as file:
        return [(row["step"], row["loss"], row["learning_rate"], row["grad_norm"]) for row in csv.DictReader(file)]


@pytest.mark.parametrize(
    ("moments", "save_every"),
    [
        ([("step", 1), ("step", 5)], 1e9),
        ([("step", 2), ("step", 3)], 0.0),
        ([("drafting", 1), ("drafting", 2)], 0.0),
        ([("writing a checkpoint", 3), ("renaming a checkpoint", 4)], 0.0),
        ([("leaving", 1)], 1e9),
    ],
    ids=str,
)
def test_killed_and_resumed_ends_with_the_bytes_of_never_stopped(
    moments: list[Moment], save_every: float, bases: Path, never_stopped: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    for moment in moments:
        assert spawned(folder, bases, RECIPE, save_every, moment) == -signal.SIGKILL, moment
        assert not (folder / "training.json").exists()
    assert spawned(folder, bases, RECIPE, save_every, NEVER) == 0
    for name in SAME:
        assert (folder / name).read_bytes() == (never_stopped / name).read_bytes(), name
    assert trained(folder) == trained(never_stopped)
    assert [step for step, *_ in trained(folder)] == [str(step) for step in range(1, RECIPE.steps + 1)]
    assert {p.name for p in folder.iterdir()} == {p.name for p in never_stopped.iterdir()}


def test_a_checkpoint_is_there_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / checkpoints.FILE_NAME
    first = CheckpointState(step=1, best=0.5, texts=("a", "b"))
    save_checkpoint(path, first, {"now/a": torch.ones(2)})

    def broken_off(tensors: object, partial: Path, metadata: object) -> None:
        partial.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(checkpoints, "save_file", broken_off)
        with pytest.raises(OSError, match="No space left"):
            save_checkpoint(path, CheckpointState(step=2), {})
    found = load_checkpoint(path)
    assert found is not None
    assert found[0] == first
    assert torch.equal(found[1]["now/a"], torch.ones(2))
    assert [p.name for p in tmp_path.iterdir()] == [checkpoints.FILE_NAME]


@pytest.mark.parametrize("content", [b"", b"no safetensors", b"\x02\x00\x00\x00\x00\x00\x00\x00{}"])
def test_a_damaged_checkpoint_is_named_with_what_to_do(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / checkpoints.FILE_NAME
    path.write_bytes(content)
    with pytest.raises(TuningError, match=r"checkpoint.safetensors: not a checkpoint of this version.*delete it"):
        load_checkpoint(path)
    path.unlink()
    assert load_checkpoint(path) is None


@pytest.mark.parametrize(
    "tensors",
    [{"current/other.lora_A": torch.zeros(2, 3)}, {"current/layer.lora_A": torch.zeros(2, 4)}, {}],
    ids=["other names", "another shape", "nothing"],
)
def test_a_checkpoint_of_other_parameters_is_named_with_what_to_do(
    tensors: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    save_checkpoint(tmp_path / checkpoints.FILE_NAME, CheckpointState(step=3), tensors)
    parameters = {"layer.lora_A": torch.nn.Parameter(torch.ones(2, 3))}
    stepper = cast(Stepper, SimpleNamespace(parameters=parameters, optimiser=torch.optim.AdamW(parameters.values())))
    with pytest.raises(TuningError, match=r"checkpoint.safetensors: has no layer.lora_A .*the releases .*delete"):
        RunState(tmp_path, RECIPE, stepper)
    assert torch.equal(parameters["layer.lora_A"], torch.ones(2, 3))


def test_what_is_saved_is_no_copy_and_the_best_adapter_is_one() -> None:
    weight = torch.nn.Parameter(torch.ones(3, 4))
    weight.grad = torch.ones(3, 4)
    optimiser = torch.optim.AdamW([weight])
    optimiser.step()
    parameters = {"weight": weight}
    state = checkpoints.optimiser_state(optimiser, parameters)
    assert checkpoints.to_save(parameters)["weight"].data_ptr() == weight.data_ptr()
    assert {name: tensor.data_ptr() for name, tensor in state.items()} == {
        f"{kind}.weight": tensor.data_ptr() for kind, tensor in optimiser.state[weight].items()
    }
    trained, best = weight.detach().clone(), checkpoints.snapshot(parameters)
    optimiser.step()
    assert not torch.equal(weight, trained)
    assert torch.equal(best["weight"], trained)
