"""Operating points: the threshold with the greatest F, and what folding it into the head leaves unchanged."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from amrg.birads import Composition, Kind, View
from amrg.models.embedded.attributes import KINDS
from amrg.training.tower.labelled_views import SURE, LabelledView, PlacedLesion, Source
from amrg.training.tower.operating_points import Scored, score_place, set_operating_points
from tests.models.towers import random_tower

SIDE = 128
MASS = 2 + KINDS.index(Kind.MASS)


def _view(lesions: tuple[PlacedLesion, ...]) -> LabelledView:
    image = np.zeros((SIDE, SIDE * 3 // 4, 3), np.uint8)
    image[:, : SIDE // 2] = 120
    return LabelledView(image, View.CC, lesions, Composition.B, 0.0, Source.FILM, SURE)


def test_the_threshold_lies_where_f_is_greatest() -> None:
    logits = np.array([3.0, 2.0, 1.0, 0.0, -1.0, -2.0], np.float32)
    found = np.array([True, True, False, True, False, False])
    assert Scored(logits, found, lesions=5).threshold(beta=1.0) == -0.5  # 3 of 4 named are right, 3 of 5 found
    assert Scored(logits, found, lesions=5).threshold(beta=0.1) == 1.5  # nothing invented
    assert Scored(logits, found, lesions=4).threshold() is None  # too few to choose by


def test_only_the_best_candidate_of_a_lesion_counts_and_unsure_ones_do_not() -> None:
    sure = PlacedLesion((0, 0, 20, 20), (Kind.MASS,))
    unsure = PlacedLesion((20, 40, 40, 60), (), (Kind.MASS,))
    values = np.zeros((4, 2 + len(KINDS)), np.float32)
    values[:, MASS] = (1, 2, 5, 0)
    middles = np.array([[4.0, 4], [12, 12], [28, 52], [36, 12]])  # two in the mass, one in the unsure lesion, one free
    scored = score_place([(values, middles)], [_view((sure, unsure))], MASS, SIDE)
    assert scored.lesions == 1
    assert sorted(zip(scored.logits.tolist(), scored.found.tolist(), strict=True)) == [(0.0, False), (2.0, True)]


def test_folding_a_threshold_moves_the_place_and_not_the_suspicion() -> None:
    tower = random_tower(SIDE)
    lesion = PlacedLesion((8, 8, 40, 40), (Kind.MASS,))
    views = [_view((lesion,)) for _ in range(5)]
    pixels = torch.full((1, 3, SIDE, SIDE), 0.2)
    with torch.inference_mode():
        before = tower.predict(pixels)
    points = set_operating_points(tower, views, SIDE)
    with torch.inference_mode():
        after = tower.predict(pixels)
    assert set(points) == {"lesion", "mass"}
    assert before.kinds is not None
    assert after.kinds is not None
    assert before.suspicion is not None
    assert after.suspicion is not None
    moved = before.kinds[:, KINDS.index(Kind.MASS)] - after.kinds[:, KINDS.index(Kind.MASS)]
    torch.testing.assert_close(moved, torch.full_like(moved, points["mass"]))
    assert float(after.suspicion) == pytest.approx(float(before.suspicion), abs=1e-4)
