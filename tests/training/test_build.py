"""`make model` at a tiny size: from films and phantoms to a checkpoint, and started again it changes nothing."""

from __future__ import annotations

import copy
import json
import multiprocessing.dummy
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor
from transformers import Gemma3ForConditionalGeneration

from amrg.models.embedded.mammogram_tower import EfficientNetLite0, MammogramTower
from amrg.models.graph import exporting
from amrg.models.graph.exporting import _traced as traced
from amrg.training.embedded import build, phantom_shards
from amrg.training.embedded.build import EmbeddedRecipe, build_model
from amrg.training.embedded.loop import Schedule
from amrg.training.tower import build as tower_build
from amrg.training.tower import film_shards
from amrg.training.tower.film_shards import usable_films
from tests.training.filming import write_films
from tests.training.package_weights import package_weights

TINY = Schedule(steps=2, batch_size=2, peak_learning_rate=1e-3, warmup_steps=1)


class TracedOnce:
    """The graph of a model, and the same one of every later model, which must have the first one's weights."""

    def __init__(self) -> None:
        self._weights: dict[str, Tensor] = {}
        self._graph: Any = None

    def __call__(self, model: Any) -> Any:
        weights = model.state_dict()
        if self._graph is None:
            self._weights, self._graph = weights, traced(model)
        assert weights.keys() == self._weights.keys()
        assert all(torch.equal(weights[name], self._weights[name]) for name in weights)
        return copy.deepcopy(self._graph)


@pytest.mark.parametrize("traced_again", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_a_tiny_model_is_built_and_is_built_again_alike(
    traced_again: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights: dict[str, Tensor] = package_weights(EfficientNetLite0())
    monkeypatch.setattr(tower_build, "pretrained_weights", lambda: weights)
    films = tmp_path / "films"
    write_films(films, patients=4)
    # A process that is spawned imports torch anew; tests/training/test_tower_build.py frames films in one.
    for module in (film_shards, phantom_shards):
        monkeypatch.setattr(module, "get_context", lambda _: multiprocessing.dummy)
    monkeypatch.setattr(build, "PHRASE_STEPS", 4)
    if not traced_again:
        monkeypatch.setattr(exporting, "_traced", TracedOnce())
    recipe = EmbeddedRecipe(
        tower=tower_build.TowerRecipe(
            versions=2, drawn_exams=3, small_size=128, small=TINY, full=TINY, held_out=usable_films(films)[0].fold
        ),
        language_rich_exams=1,
        language_screening_exams=1,
        held_out_exams=2,
        language_first=TINY,
        language=TINY,
        few_views=1,
    )
    for out in ("first", "second"):
        build_model(recipe, films, tmp_path / "run", tmp_path / out)
    written = ("recipe.json", "tokenizer.json", "operating-points.json", "phrases.json")
    for name in ("model.safetensors", "guard.safetensors", "tower.onnx", *written):
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes(), name
    towers = (load_file(tmp_path / "run" / stage / "checkpoint.safetensors") for stage in ("tower-small", "tower-full"))
    small, full = (tower["model.heads.places.weight"] for tower in towers)
    assert not torch.equal(small, full)  # each stage trained it
    assert EmbeddedRecipe.model_validate_json((tmp_path / "first" / "recipe.json").read_text()) == recipe
    model = Gemma3ForConditionalGeneration.from_pretrained(tmp_path / "first")
    assert isinstance(model.model.vision_tower, MammogramTower)
    assert all(torch.isfinite(tensor).all() for tensor in model.state_dict().values())
    assert json.loads((tmp_path / "first" / "amrg.json").read_text())["encoding"]["size"] == 512
