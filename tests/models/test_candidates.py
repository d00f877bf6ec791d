"""Candidates: each with the box of its own cell, in pixels; of those that overlap one is a place."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from amrg.birads import Kind
from amrg.models import KINDS
from amrg.models.embedded.attributes import PLACES
from amrg.models.embedded.candidates import BLOCK, CELL, MARGIN, Candidate, Edges, columns_read, places_of
from amrg.models.embedded.features import read_candidates, read_suspicion
from amrg.models.embedded.mammogram_tower import MammogramTowerOutput, ViewMaps
from amrg.models.embedded.region_head import PlaceLogits

ROWS, COLUMNS = 4, 6


def logit(probability: float) -> float:
    return float(np.log(probability / (1 - probability)))


def output() -> MammogramTowerOutput:
    """Two views: of the first, a mass at row 1 and column 2 and a place at the last cell; of the second, nothing."""
    places = torch.full((2, 3, PLACES), -9.0)
    places[0, :, 1] = logit(0.2)  # malignant
    places[0, 0, 2 + KINDS.index(Kind.MASS)] = logit(0.9)
    places[0, 0, 0], places[0, 1, 0] = logit(0.7), logit(0.4)
    boxes = torch.full((2, 3, 4), 50.0)
    boxes[0, 0] = torch.tensor([0.5, 1.0, 2.0, 1.25])
    maps = ViewMaps(lesion=torch.zeros(2, ROWS, COLUMNS), suspicion=torch.tensor([logit(0.3), logit(0.8)]))
    candidates = torch.tensor([[8, 23, -1], [-1, -1, -1]])
    return MammogramTowerOutput(maps=maps, candidates=candidates, found=PlaceLogits(places, {}, boxes))


def test_a_candidate_has_the_box_that_its_cell_predicts_in_pixels_and_within_the_image() -> None:
    (first, second), nothing = read_candidates(output())
    assert nothing == ()
    assert first.edges == (2.0 * CELL, 0.5 * CELL, 4.5 * CELL, 2.75 * CELL)
    assert second.edges == (0.0, 0.0, COLUMNS * CELL, ROWS * CELL)
    assert [first.lesion, first.malignant] == pytest.approx([0.7, 0.2])
    assert first.kinds.shape == (len(KINDS),)
    assert first.kinds[KINDS.index(Kind.MASS)] == pytest.approx(0.9)


def test_an_exam_is_as_suspicious_as_the_most_suspicious_of_its_views() -> None:
    assert read_suspicion(output()) == pytest.approx(0.8)


def place(edges: Edges, **probabilities: float) -> Candidate:
    kinds = [probabilities.get(kind.name.lower(), 0.0) for kind in KINDS]
    return Candidate(edges, np.array(kinds, np.float32), max(kinds), 0.0)


def test_of_places_that_overlap_the_most_probable_of_the_kind_is_one() -> None:
    within = place((12, 12, 16, 16), mass=0.9)
    around = place((10, 10, 20, 20), mass=0.5, calcifications=0.8)
    beside = place((19, 10, 29, 20), mass=0.6)
    assert places_of(Kind.MASS, [around, within, beside]) == [within, beside]
    assert places_of(Kind.CALCIFICATIONS, [within, beside, around])[0] == around


def test_on_one_view_an_asymmetry_looks_like_a_focal_one() -> None:
    soft = place((10, 10, 20, 20), focal_asymmetry=0.7, asymmetry=0.1, mass=0.2)
    assert soft.probability(Kind.ASYMMETRY) == soft.probability(Kind.FOCAL_ASYMMETRY) == pytest.approx(0.7)
    assert place((0, 0, 8, 8), asymmetry=0.6).probability(Kind.FOCAL_ASYMMETRY) == 0.0


@given(st.integers(0, 512), st.sampled_from([128, 320, 512]))
def test_the_columns_read_hold_the_breast_and_a_margin(last: int, width: int) -> None:
    breast = np.zeros((4, width), np.bool_)
    breast[1, :last] = True
    read = columns_read(breast)
    assert read == width or (read % BLOCK == 0 and read < width)
    assert read >= min(width, last + MARGIN if last else BLOCK)
