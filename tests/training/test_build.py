"""`make model` at a tiny size: from films and phantoms to a checkpoint, and started again it changes nothing."""

from __future__ import annotations

import json
import multiprocessing.dummy
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor
from transformers import Gemma3ForConditionalGeneration

from amrg.models.embedded.efficientnet import EfficientNetLite0
from amrg.models.embedded.mammogram_tower import MammogramTower
from amrg.training.embedded import build, phantom_shards
from amrg.training.embedded.build import EmbeddedRecipe, build_model
from amrg.training.embedded.loop import Schedule
from amrg.training.embedded.phantom_shards import DrawnExams
from amrg.training.tower import build as tower_build
from amrg.training.tower import film_shards
from amrg.training.tower.film_shards import usable_films
from tests.training.filming import write_films
from tests.training.package_weights import package_weights

TINY = Schedule(steps=2, batch_size=2, peak_learning_rate=1e-3, warmup_steps=1)


ONCE, TWICE = ("first",), ("first", "second")


@pytest.mark.parametrize("folders", [ONCE, pytest.param(TWICE, marks=pytest.mark.slow)], ids=["once", "twice"])
def test_a_tiny_model_is_built_and_is_built_again_alike(
    folders: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights: dict[str, Tensor] = package_weights(EfficientNetLite0())
    monkeypatch.setattr(tower_build, "pretrained_weights", lambda: weights)
    films = tmp_path / "films"
    write_films(films, patients=4)
    # A process that is spawned imports torch anew; tests/training/test_tower_build.py frames films in one.
    for module in (film_shards, phantom_shards):
        monkeypatch.setattr(module, "get_context", lambda _: multiprocessing.dummy)
    monkeypatch.setattr(build, "PHRASE_STEPS", 4)
    recipe = EmbeddedRecipe(
        tower=tower_build.TowerRecipe(
            versions=3,
            drawn=(DrawnExams(population="rich", first_seed=10_000, exams=1),),
            varied=(DrawnExams(population="varied-rich", first_seed=20_000, exams=1),),
            further_drawn=(DrawnExams(population="asymmetric", first_seed=120_000, exams=1),),
            further_varied=(),
            regions_drawn=(),
            regions_varied=(),
            small_size=128,
            small=TINY,
            full=TINY,
            further=TINY,
            regions=TINY,
            held_out=usable_films(films)[0].fold,
        ),
        language_exams=(build.LanguageExams(population="rich", first_seed=100_000, exams=1, share=0.7),),
        held_out=DrawnExams(population="screening", first_seed=900_000, exams=2),
        language_first=TINY,
        language=TINY,
        language_last=TINY,
        few_views=1,
    )
    for out in folders:
        build_model(recipe, films, tmp_path / "run", tmp_path / out)
    written = ("recipe.json", "tokenizer.json", "operating-points.json", "phrases.json")
    for name in ("model.safetensors", "guard.safetensors", "tower.onnx", *written):
        assert len({(tmp_path / folder / name).read_bytes() for folder in folders}) == 1, name
    stages = ("tower-small", "tower-full", "tower-further")
    small, full, further = (load_file(tmp_path / "run" / stage / "checkpoint.safetensors") for stage in stages)
    for before, after in pairwise((small, full, further)):  # each stage trained it
        assert not torch.equal(before["model.heads.places.weight"], after["model.heads.places.weight"])
    assert torch.equal(full["averaged.backbone.stem.weight"], further["averaged.backbone.stem.weight"])
    assert (tmp_path / "first" / "tower-regions-log.csv").is_file()
    assert EmbeddedRecipe.model_validate_json((tmp_path / "first" / "recipe.json").read_text()) == recipe
    model = Gemma3ForConditionalGeneration.from_pretrained(tmp_path / "first")
    assert isinstance(model.model.vision_tower, MammogramTower)
    last = [load_file(tmp_path / "run" / f"language-last-{number}" / "checkpoint.safetensors") for number in range(2)]
    own = "model.language_model.norm.weight"
    each = [state[f"averaged.{own}"] for state in last]
    assert not torch.equal(*each)  # from one start, by seeds of their own
    assert torch.equal(model.state_dict()[own], torch.stack(each).mean(0))
    assert all(torch.isfinite(tensor).all() for tensor in model.state_dict().values())
    assert json.loads((tmp_path / "first" / "amrg.json").read_text())["encoding"]["size"] == 512


def test_stages_are_resumed_with_their_own_recipe_only(tmp_path: Path) -> None:
    recipe, other = EmbeddedRecipe(), EmbeddedRecipe(film_share=0.3)
    for _ in range(2):
        build.claim_folder(recipe, tmp_path / "run")
    with pytest.raises(ValueError, match=r"film_share: the folder has 0\.2, this run 0\.3"):
        build.claim_folder(other, tmp_path / "run")
    (tmp_path / "older" / "tower-small").mkdir(parents=True)
    with pytest.raises(ValueError, match=r"its recipe\.json is missing"):
        build.claim_folder(recipe, tmp_path / "older")
