"""The tower that finds candidates: tokens, candidates, batches, as a tower of Gemma 3."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from torch import Tensor
from transformers import AutoModel, Gemma3Config, Gemma3ForConditionalGeneration, Gemma3TextConfig

from amrg.models.embedded.candidates import CELL
from amrg.models.embedded.mammogram_tower import (
    CANDIDATES,
    RARE,
    STATED,
    MammogramTower,
    MammogramTowerConfig,
    ViewMaps,
    find_candidates,
    place_score,
)
from tests.models.towers import random_tower
from tests.rounding import assert_same_but_rounded

SIZE = 128


@pytest.fixture(scope="module")
def tower() -> MammogramTower:
    return random_tower(SIZE)


@pytest.fixture(scope="module")
def views() -> Tensor:
    """A breast at the left of each of three views, then a blank one."""
    pixels = torch.full((4, 3, SIZE, SIZE), -1.0)
    pixels[:3, :, 16:112, :80] = torch.rand(3, 3, 96, 80, generator=torch.Generator().manual_seed(1))
    return pixels


@torch.inference_mode()
def test_every_candidate_is_a_maximum_in_the_breast_and_best_first(tower: MammogramTower, views: Tensor) -> None:
    out = tower(views)
    outside = (views[:, 0, ::CELL, ::CELL] == -1) & (views[:, 0, CELL - 1 :: CELL, CELL - 1 :: CELL] == -1)
    score = place_score(out.maps).masked_fill(outside, -torch.inf)
    for view in range(3):
        chosen = [divmod(int(c), SIZE // CELL) for c in out.candidates[view] if c >= 0]
        assert chosen
        values = [float(score[view, row, column]) for row, column in chosen]
        assert values == sorted(values, reverse=True)
        for (row, column), value in zip(chosen, values, strict=True):
            assert value == score[view, max(0, row - 1) : row + 2, max(0, column - 1) : column + 2].max()


@torch.inference_mode()
def test_a_blank_view_has_no_candidate_and_no_number_that_is_none(tower: MammogramTower, views: Tensor) -> None:
    out = tower(views)
    assert (out.candidates[3] == -1).all()
    assert torch.isfinite(out.last_hidden_state).all()
    assert (out.last_hidden_state[3, 1:] == 0).all()


@torch.inference_mode()
def test_a_view_is_the_same_alone_and_in_a_batch(tower: MammogramTower, views: Tensor) -> None:
    together = tower.predict(views)
    for i in range(len(views)):
        alone = tower.predict(views[i : i + 1])
        for name in ("kinds", "boxes", "composition", "suspicion"):
            assert_same_but_rounded(alone[name][0], together[name][i])


@torch.inference_mode()
def test_empty_columns_at_the_right_change_nothing(tower: MammogramTower, views: Tensor) -> None:
    narrow, wide = tower(views), tower(torch.nn.functional.pad(views, (0, 192), value=-1.0))
    assert torch.equal(narrow.last_hidden_state, wide.last_hidden_state)
    assert torch.equal(narrow.maps.suspicion, wide.maps.suspicion)
    assert _in_rows(narrow.candidates, SIZE // CELL) == _in_rows(wide.candidates, (SIZE + 192) // CELL)
    assert torch.equal(wide.maps.kinds[..., : SIZE // CELL], narrow.maps.kinds)
    assert place_score(wide.maps)[..., SIZE // CELL :].sigmoid().max() < 1e-9


@torch.inference_mode()
def test_it_computes_in_bfloat16_throughout(tower: MammogramTower, views: Tensor) -> None:
    half = copy.deepcopy(tower).bfloat16()
    tokens = half(views.bfloat16()).last_hidden_state
    assert tokens.dtype == torch.bfloat16
    assert torch.isfinite(tokens).all()


@torch.inference_mode()
def test_before_training_places_are_rare_and_the_second_look_changes_nothing(
    tower: MammogramTower, views: Tensor
) -> None:
    seen, out = tower.look(views), tower.read(views)
    assert out.found is not None
    assert out.found.places.amax() < RARE + 1
    assert torch.equal(out.found.places, seen.found.places)
    assert all(torch.equal(out.found.attributes[name], values) for name, values in seen.found.attributes.items())


def _in_rows(candidates: Tensor, columns: int) -> list[list[tuple[int, int]]]:
    return [[divmod(int(c), columns) for c in view if c >= 0] for view in candidates]


def test_a_neighbour_of_a_better_place_is_no_candidate() -> None:
    kinds = torch.full((1, 15, 4, 4), -9.0)
    kinds[0, 3, 1, 1], kinds[0, 3, 1, 2], kinds[0, 5, 3, 3] = 2.0, 1.0, 3.0
    found = ViewMaps(lesion=torch.full((1, 4, 4), -8.0), kinds=kinds)
    inside = torch.ones(1, 4, 4, dtype=torch.bool)
    inside[0, 0] = False
    candidates = find_candidates(found, inside)
    assert candidates.shape == (1, CANDIDATES)
    chosen = [int(c) for c in candidates[0] if c >= 0]
    assert chosen[:2] == [15, 5]
    assert not {0, 1, 2, 3, 6} & set(chosen)


@torch.inference_mode()
def test_it_is_a_tower_of_gemma_3(tmp_path: Path) -> None:
    text = Gemma3TextConfig(
        vocab_size=64,
        hidden_size=32,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=16,
    )
    vision = MammogramTowerConfig(image_size=SIZE)
    config = Gemma3Config(
        text_config=text, vision_config=vision, mm_tokens_per_image=CANDIDATES + 1, image_token_index=63
    )
    torch.manual_seed(0)
    Gemma3ForConditionalGeneration(config).save_pretrained(tmp_path)
    model = Gemma3ForConditionalGeneration.from_pretrained(tmp_path).eval()
    assert isinstance(model.model.vision_tower, MammogramTower)
    assert isinstance(AutoModel.from_config(config.vision_config), MammogramTower)
    prompt = torch.tensor([[2, *[63] * (CANDIDATES + 1), 5]])
    pixels = torch.rand(1, 3, SIZE, SIZE) * 2 - 1
    out = model(input_ids=prompt, pixel_values=pixels, token_type_ids=(prompt == 63).long())
    assert torch.isfinite(out.logits).all()
    assert config.vision_config.hidden_size > STATED
