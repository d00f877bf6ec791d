"""Stacked trials are those of training alone, and none depends on another: what their measured gain stands for."""

from __future__ import annotations

from dataclasses import replace

import bench_stacked
import pytest
import torch
from torch import Tensor

from amrg.training.data.prepared import PreparedData
from amrg.training.recipe import Lora, Recipe
from tests.training.small import RECIPE, base, fabricated

STEPS = 5


def recipes(dropout: float = 0.0) -> list[Recipe]:
    """Two trials that differ in rank, scaling, rate and order of samples."""
    common = RECIPE.model_copy(update={"micro_batch_size": 2, "steps": STEPS})
    first = {"lora": Lora(rank=4, alpha=8, dropout=dropout), "learning_rate": 2e-4, "seed": 0}
    second = {"lora": Lora(rank=8, alpha=8, dropout=dropout), "learning_rate": 1e-3, "seed": 1}
    return [common.model_copy(update=update) for update in (first, second)]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> PreparedData:
    return fabricated(base(tmp_path_factory.mktemp("base")))


def after(prepared: PreparedData, given: list[Recipe], steps: int = STEPS) -> list[dict[str, Tensor]]:
    """Each trial's weights, in order, after stacked steps."""
    with bench_stacked.stacked(prepared, given) as trials:
        for step in range(steps):
            trials.run_step(step)
        return [{n: p.detach().clone() for n, p in own.items()} for own in trials.parameters]


def test_stacked_trials_end_with_the_weights_of_training_alone(prepared: PreparedData) -> None:
    together = after(prepared, recipes())
    for recipe, found in zip(recipes(), together, strict=True):
        with bench_stacked.alone(prepared, recipe) as one:
            began = bench_stacked.weights(one)
            for step in range(STEPS):
                one.run_step(step)
            wanted = bench_stacked.weights(one)
        assert len(found) == len(wanted) > 0
        moved = [float((w - b).abs().max()) for w, b in zip(wanted.values(), began.values(), strict=True)]
        assert max(moved) > 1e-4
        for mine, theirs in zip(found.values(), wanted.values(), strict=True):
            torch.testing.assert_close(mine, theirs, atol=1e-6, rtol=0)


@pytest.mark.parametrize("dropout", [0.0, 0.2])
def test_a_trial_does_not_depend_on_the_data_of_another(dropout: float, prepared: PreparedData) -> None:
    """Bit for bit: the second trial's texts change, the first trial's gradient and weights do not."""
    given = recipes(dropout)
    first, second = gradients(prepared, given, reverse=False), gradients(prepared, given, reverse=True)
    assert all(torch.equal(a, b) for a, b in zip(first[0], second[0], strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(first[1], second[1], strict=True))


def gradients(prepared: PreparedData, given: list[Recipe], reverse: bool) -> list[list[Tensor]]:
    """Each trial's gradients in the first step; `reverse`: the second trial's answers are written backwards."""
    with bench_stacked.stacked(prepared, given) as trials:
        own = trials.samples(0)
        if reverse:
            own[1] = [replace(s, answer=(*s.answer[-2::-1], s.answer[-1])) for s in own[1]]
        trials.compute_gradients(0, own)
        return [[p.grad.clone() for p in held.values() if p.grad is not None] for held in trials.parameters]
