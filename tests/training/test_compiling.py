"""Layers that torch compiles learn the same, survive a kill the same, and are afterwards as they were."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch._dynamo.utils import counters
from torch._inductor import config
from transformers import PretrainedConfig, PreTrainedModel
from transformers.modeling_layers import GradientCheckpointingLayer

from amrg.models.load import LoadedModel
from amrg.training.callbacks import NoCallback
from amrg.training.data.collating import Padding, collate
from amrg.training.data.prepared import PreparedData
from amrg.training.data.samples import Batch
from amrg.training.errors import TuningError
from amrg.training.loop.compiling import compiled_layers
from amrg.training.loop.lora import ReportLoss, adapters_attached, eval_mode, train_mode
from amrg.training.loop.stepping import trainable
from amrg.training.loop.tuning import tune
from amrg.training.loop.validating import DraftWriter
from amrg.training.recipe import Lora, Recipe
from tests.models.tiny import TINY
from tests.rounding import assert_same_but_rounded
from tests.training.comparing import same_but_rounded, state_of
from tests.training.killing import NEVER, SAME, run, spawned, traced_run
from tests.training.several import in_processes
from tests.training.small import RECIPE, base, fabricated
from tests.training.tracing import traced

pytestmark = [
    pytest.mark.skipif(shutil.which("g++") is None, reason="torch compiles for processors with g++"),
    pytest.mark.filterwarnings("ignore"),  # torch warns of what it does itself while it compiles
]

COMPILED = RECIPE.model_copy(update={"torch_compile": True})
EXACT = RECIPE.model_copy(update={"lora": Lora(rank=4, dropout=0.0)})


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bases")


def graphs() -> int:
    """Graphs that torch has made so far."""
    return int(counters["stats"]["unique_graphs"])


def gradients(prepared: PreparedData, recipe: Recipe, batch: Batch) -> dict[str, Tensor]:
    """Of all that is trained."""
    with adapters_attached(prepared.loaded, recipe) as model:
        train_mode(model)
        torch.autograd.backward(ReportLoss(model, prepared.loaded.backbone)(batch))
        return {name: p.grad.clone() for name, p in trainable(model).items() if p.grad is not None}


@pytest.mark.slow  # g++ writes the kernels: a minute with an empty cache
@pytest.mark.parametrize("checkpointing", [True, False])
def test_kernels_have_the_same_gradients(checkpointing: bool, bases: Path) -> None:
    same_gradients(base(bases), checkpointing)


@pytest.mark.parametrize("backend", ["eager", pytest.param("aot_eager", marks=pytest.mark.slow)])
@pytest.mark.parametrize(("family", "checkpointing"), [("gemma3", False), *((family, True) for family in sorted(TINY))])
def test_traced_layers_have_the_same_gradients(family: str, checkpointing: bool, backend: str, bases: Path) -> None:
    """Without kernels: how torch traces a layer differs between families, and what it writes of a graph does not."""
    with traced(backend):
        same_gradients(base(bases, family), checkpointing)


def same_gradients(loaded: LoadedModel, checkpointing: bool) -> None:
    prepared = fabricated(loaded)
    batch = collate(prepared.train[:3], prepared.features, Padding.of(prepared.loaded))
    before, made = state_of(prepared.loaded.model), graphs()
    plain = gradients(prepared, EXACT, batch)
    assert graphs() == made
    recipe = EXACT.model_copy(update={"torch_compile": True, "gradient_checkpointing": checkpointing})
    compiled = gradients(prepared, recipe, batch)
    assert graphs() > made, "nothing was compiled"
    assert_same_but_rounded(compiled, plain)  # what is compiled adds in another order
    assert state_of(prepared.loaded.model) == before


def test_drafts_compile_nothing(bases: Path) -> None:
    prepared = fabricated(base(bases))
    with adapters_attached(prepared.loaded, COMPILED) as model, eval_mode(model):
        made = graphs()
        DraftWriter(prepared, 4).write(model, prepared.validation)
        assert graphs() == made


@pytest.mark.parametrize("target", [traced_run, pytest.param(run, marks=pytest.mark.slow)])
def test_a_compiled_run_killed_and_resumed_ends_with_the_bytes_of_never_stopped(
    target: Callable[..., None], bases: Path, tmp_path: Path
) -> None:
    base(bases)
    assert spawned(tmp_path / "whole", bases, COMPILED, 1e9, NEVER, target=target) == 0
    assert spawned(tmp_path / "run", bases, COMPILED, 0.0, ("step", 2), target=target) == -signal.SIGKILL
    assert spawned(tmp_path / "run", bases, COMPILED, 0.0, NEVER, target=target) == 0
    for name in SAME:
        assert (tmp_path / "run" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name


@pytest.fixture(scope="module")
def plain(bases: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run in one process, not compiled."""
    base(bases)
    folder = tmp_path_factory.mktemp("plain") / "run"
    assert in_processes(1, folder, bases, EXACT.model_copy(update={"learning_rate": 1e-3}), False, 0) == [0]
    return folder


@pytest.mark.parametrize("sharded", [False, True], ids=["replicated", "sharded"])
def test_two_processes_compile_to_the_weights_of_one(sharded: bool, bases: Path, plain: Path, tmp_path: Path) -> None:
    """Traced in both, without kernels."""
    recipe = EXACT.model_copy(update={"torch_compile": True, "learning_rate": 1e-3})
    assert in_processes(2, tmp_path / "two", bases, recipe, sharded, 0) == [0, 0]
    same_but_rounded(*(load_file(run / "adapter_model.safetensors") for run in (tmp_path / "two", plain)))


@pytest.fixture
def no_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config.cpp, "cxx", (None, "no-such-compiler"))
    monkeypatch.setattr(config, "force_disable_caches", True)


TOLD = r"torch_compile=true: .*compiler.* set torch_compile=false, then resume"


class Doubling(GradientCheckpointingLayer):  # type: ignore[misc]  # without types
    """The least that is compiled."""

    def forward(self, given: Tensor) -> Tensor:
        return (given * 2).cos()


class OneLayer(PreTrainedModel):  # type: ignore[misc]
    """A model of a layer."""

    config_class = PretrainedConfig

    def __init__(self) -> None:
        super().__init__(PretrainedConfig())
        self.layer = Doubling()

    def get_input_embeddings(self) -> nn.Module:
        return nn.Identity()


@pytest.mark.usefixtures("no_compiler")
def test_a_machine_without_a_compiler_is_told_of() -> None:
    model = OneLayer()
    with pytest.raises(TuningError, match=TOLD) as raised, compiled_layers(model):
        model.layer(torch.ones(4))
    assert "\n" not in str(raised.value)
    assert torch.equal(model.layer(torch.zeros(4)), torch.ones(4))  # afterwards it is computed as before


@pytest.mark.slow  # half a minute until a layer of Gemma 3 has come to the compiler
@pytest.mark.usefixtures("no_compiler")
def test_a_run_on_a_machine_without_a_compiler_is_told_of(bases: Path, tmp_path: Path) -> None:
    with pytest.raises(TuningError, match=TOLD):
        tune(fabricated(base(bases), COMPILED), COMPILED, tmp_path, NoCallback())
