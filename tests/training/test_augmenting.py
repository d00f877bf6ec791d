"""Varied training views: a lesion stays where its box is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amrg.birads import Kind, View
from amrg.training.tower.augmenting import place_view, random_placement, usual_placement, vary_tone
from amrg.training.tower.labelled_views import SURE, LabelledView, PlacedLesion, Source


def _view(view: View) -> LabelledView:
    image = np.zeros((256, 192, 3), np.uint8)
    image[60:100, 50:110] = 200
    lesion = PlacedLesion((50.0, 60.0, 110.0, 100.0), (Kind.MASS,), attributes={"place": "outer"})
    return LabelledView(image, view, (lesion,), None, None, Source.DRAWN, SURE)


@given(st.integers(0, 10_000), st.sampled_from([View.CC, View.MLO]))
def test_the_lesion_is_in_the_middle_of_its_box(seed: int, projection: View) -> None:
    view = _view(projection)
    placement = random_placement(view, 128, np.random.default_rng(seed))
    placed = place_view(view, placement, 96)
    rows, columns = np.nonzero(placed.image[..., 0] > 100)
    box = placed.lesions[0].box
    assert columns.mean() + 0.5 == pytest.approx((box[0] + box[2]) / 2, abs=0.6)
    assert rows.mean() + 0.5 == pytest.approx((box[1] + box[3]) / 2, abs=0.6)
    assert (placed.lesions[0].attributes["place"] == "inner") is placement.mirrored


def test_the_usual_placement_changes_nothing_but_the_size() -> None:
    view = _view(View.CC)
    placed = place_view(view, usual_placement(view, 256), 192)
    assert np.array_equal(placed.image, view.image)
    assert placed.lesions == view.lesions
    half = place_view(view, usual_placement(view, 128), 96)
    assert half.lesions[0].box == (25.0, 30.0, 55.0, 50.0)


@given(st.integers(0, 10_000))
def test_background_stays_background_in_every_tone(seed: int) -> None:
    image = np.zeros((4, 4, 3), np.uint8)
    image[..., 1] = 128
    varied = vary_tone(image, np.random.default_rng(seed))
    assert np.array_equal(varied, image)
