"""Training of the second look: crops are what the tower reads there, norms fold, a batch follows from its step."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from amrg.birads import Kind, View
from amrg.models import ATTRIBUTES
from amrg.models.embedded.mammogram_tower import MammogramTower
from amrg.models.embedded.region_head import CORRECTED, LOCAL, REGION, RegionHead, regions_at, split_correction
from amrg.training.embedded.devices import autocast_on
from amrg.training.embedded.loop import Schedule, StageRun
from amrg.training.regions.examples import (
    Proposals,
    RegionBatches,
    RegionExample,
    RegionPool,
    collate_regions,
    crop_region,
    examples_of,
    read_proposals,
    stored_proposals,
)
from amrg.training.regions.stage import (
    RETAINED,
    NormedRegionHead,
    finest_features,
    region_loss,
    seeded_loss,
    soften,
    train_regions,
)
from amrg.training.tower.labelled_views import SURE, LabelledView, PlacedLesion, Source
from amrg.training.tower.place_targets import IGNORE
from tests.models.towers import random_tower

SIZE = 256
SCHEDULE = Schedule(steps=3, batch_size=8, peak_learning_rate=1e-3, warmup_steps=1)


@pytest.fixture(scope="module")
def tower() -> MammogramTower:
    return random_tower(SIZE)


@pytest.fixture(scope="module")
def view() -> LabelledView:
    """A breast of noise with a mass in its middle."""
    image = np.zeros((SIZE, SIZE, 3), np.uint8)
    image[16:240, :200] = np.random.default_rng(0).integers(20, 250, (224, 200, 3))
    mass = PlacedLesion((80.0, 80.0, 160.0, 160.0), (Kind.MASS,), (), {"shape": "oval", "place": "outer"})
    return LabelledView(image, View.CC, (mass,), None, None, Source.DRAWN, SURE)


def examples(view: LabelledView) -> list[RegionExample]:
    """Of three candidates: in the mass, at the edge of the breast, outside of it."""
    cells = np.array([[14, 14], [14, 24], [3, 2]], np.int16)
    proposals = Proposals(cells, np.zeros((3, CORRECTED), np.float16), np.zeros((3, 96), np.float16))
    return list(examples_of(view, proposals))


@torch.inference_mode()
def test_a_crop_has_the_features_that_the_tower_has_there(tower: MammogramTower, view: LabelledView) -> None:
    batch = collate_regions(2 * examples(view), [crop_region(view.image, cell) for cell in ((14, 14), (18, 12))])
    pixels = torch.from_numpy(view.image).permute(2, 0, 1)[None].float().div(127.5).sub(1)
    expected = regions_at(tower.look(pixels).finest, torch.tensor([[14, 18]]), torch.tensor([[14, 12]]))
    torch.testing.assert_close(finest_features(tower.backbone, batch), expected)


def test_what_is_beyond_a_view_is_0(tower: MammogramTower, view: LabelledView) -> None:
    crop, inside = crop_region(view.image, (0, 31))
    batch = collate_regions(examples(view), [(crop, inside)])
    found = finest_features(tower.backbone, batch)
    assert (found[:, :, : REGION // 2 - 1] == 0).all()
    assert (found[:, :, :, REGION // 2 + 1 :] == 0).all()
    assert inside.sum() == inside[inside.any(1)][:, inside.any(0)].size


def test_examples_are_candidates_in_lesions_with_what_is_known_of_them(view: LabelledView) -> None:
    (mass,) = examples(view)
    assert mass.cell == (14, 14)
    known = {name: ATTRIBUTES[name][i] for name, i in zip(LOCAL, mass.attributes, strict=True) if i != IGNORE}
    assert known == {"shape": "oval"}


def test_a_real_lesion_teaches_no_attribute(tower: MammogramTower, view: LabelledView) -> None:
    (mass,) = examples(view)
    crop = crop_region(view.image, mass.cell)
    head = NormedRegionHead(RegionHead(24, 96)).eval()
    nn.init.ones_(head.head.correction.bias)
    drawn, real = (
        region_loss(head, tower.backbone, collate_regions([mass._replace(drawn=is_drawn)], [crop]))[1]
        for is_drawn in (True, False)
    )
    assert drawn["real"] == 0 < drawn["shape"]
    assert real["shape"] == 0 < real["real"]


def test_a_candidate_is_drawn_by_its_share_of_its_lesion(view: LabelledView) -> None:
    (mass,) = examples(view)
    large = [mass._replace(cell=(0, 0), share=0.25)] * 2
    drawn = RegionPool(1.0, [*large, mass._replace(share=1.0)]).draw(3000, np.random.default_rng(0))
    assert abs(sum(e.share == 1.0 for e in drawn) - 2000) < 5 * (3000 * 2 / 9) ** 0.5


@torch.inference_mode()
def test_proposals_are_the_candidates_of_the_first_look(tower: MammogramTower, view: LabelledView) -> None:
    found = read_proposals(tower, view.image)
    assert found.logits.shape == (len(found.cells), CORRECTED)
    pixels = torch.from_numpy(view.image).permute(2, 0, 1)[None].float().div(127.5).sub(1)
    with autocast_on(tower.device):
        first = tower.look(pixels)  # with all columns: the breast ends less than a block from the edge
    there = first.candidates[0] >= 0
    assert torch.equal(torch.from_numpy(found.cells).long(), torch.stack([first.rows, first.columns], -1)[0, there])
    assert torch.equal(torch.from_numpy(found.features), first.features[0, there].half())
    shape = torch.from_numpy(found.logits)[:, len(ATTRIBUTES["category"]) :][:, : len(ATTRIBUTES["shape"])]
    assert torch.equal(shape, first.found.attributes["shape"][0, there].half())


def test_proposals_are_stored_in_files_of_some_views(
    tower: MammogramTower, view: LabelledView, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("amrg.training.regions.examples.STORED", 2)
    blank = replace(view, image=np.zeros_like(view.image), lesions=())
    views = [view, blank, view]
    computed, stored = (list(stored_proposals(tower, views, tmp_path)) for _ in range(2))
    assert len(list(tmp_path.iterdir())) == 2
    for first, again, one in zip(computed, stored, views, strict=True):
        expected = read_proposals(tower, one.image)
        for name in ("cells", "logits", "features"):
            assert np.array_equal(getattr(first, name), getattr(expected, name))
            assert np.array_equal(getattr(again, name), getattr(expected, name))
    assert len(computed[1].cells) == 0


def test_an_interrupted_training_ends_with_the_same_weights(view: LabelledView, tmp_path: Path) -> None:
    batches = RegionBatches([RegionPool(1.0, examples(view))], SCHEDULE)
    whole, resumed = (random_tower(SIZE) for _ in range(2))
    head = NormedRegionHead(copy.deepcopy(resumed.regions))
    begun = StageRun(head, SCHEDULE, tmp_path / "resumed")
    begun.train(lambda step: seeded_loss(head, resumed.backbone, batches, SCHEDULE, step), until=2)
    train_regions(whole, batches, SCHEDULE, tmp_path / "whole")
    train_regions(resumed, batches, SCHEDULE, tmp_path / "resumed")
    expected = whole.regions.state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in resumed.regions.state_dict().items())


def test_a_batch_follows_from_its_step(view: LabelledView) -> None:
    pool = RegionPool(1.0, examples(view))
    first, again, other = (RegionBatches([pool], SCHEDULE)(step) for step in (5, 5, 6))
    assert torch.equal(first.pixels, again.pixels)
    assert not torch.equal(first.pixels, other.pixels)


@torch.inference_mode()
def test_norms_fold_into_the_convolutions() -> None:
    torch.manual_seed(0)
    normed = NormedRegionHead(RegionHead(24, 96))
    for norm in normed.norms:
        assert isinstance(norm, nn.BatchNorm2d)
        assert norm.running_mean is not None
        assert norm.running_var is not None
        nn.init.uniform_(norm.running_mean, -1, 1)
        nn.init.uniform_(norm.running_var, 0.5, 2)
    nn.init.normal_(normed.head.correction.weight)
    finest, features = torch.rand(1, 24, 64, 64), torch.rand(1, 2, 96)
    rows, columns = torch.tensor([[8, 20]]), torch.tensor([[9, 21]])
    expected = normed.eval()(regions_at(finest, rows, columns), features[0])
    torch.testing.assert_close(normed.folded()(finest, features, rows, columns)[0], expected)


def test_corrections_that_are_too_sure_are_scaled() -> None:
    head = RegionHead(24, 96)
    nn.init.ones_(head.correction.bias)
    soften(head)
    parts = dict(zip(LOCAL, split_correction(head.correction.bias), strict=True))
    assert {name: set(part.tolist()) for name, part in parts.items()} == {n: {RETAINED.get(n, 1.0)} for n in LOCAL}


def test_only_the_second_look_is_trained(tower: MammogramTower, view: LabelledView, tmp_path: Path) -> None:
    before = {name: value.clone() for name, value in tower.state_dict().items()}
    batches = RegionBatches([RegionPool(1.0, examples(view))], SCHEDULE)
    train_regions(tower, batches, SCHEDULE, tmp_path)
    after = tower.state_dict()
    assert before.keys() == after.keys()
    assert {name.split(".")[0] for name in after if not torch.equal(before[name], after[name])} == {"regions"}
    assert tower.regions.correction.weight.any()
    loss, parts = region_loss(NormedRegionHead(tower.regions), tower.backbone, batches(0))
    assert torch.isfinite(loss)
    assert set(parts) == {*LOCAL, "real"}
