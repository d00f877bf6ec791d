"""Dense targets on the tower's cells."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amrg.birads import Kind
from amrg.models.embedded.attributes import ATTRIBUTES, KINDS
from amrg.training.tower.labelled_views import LISTED, SURE, PlacedLesion
from amrg.training.tower.place_targets import IGNORE, LESION, MALIGNANT, TYPICAL, place_targets

MASS = 2 + KINDS.index(Kind.MASS)
CALCIUM = 2 + KINDS.index(Kind.CALCIFICATIONS)


@given(st.floats(0, 200), st.floats(0, 100), st.floats(1, 120), st.floats(1, 120))
def test_every_lesion_in_the_view_has_a_cell_and_its_box_is_exact(left: float, top: float, w: float, h: float) -> None:
    lesion = PlacedLesion((left, top, left + w, top + h), (Kind.MASS,), malignant=True)
    made = place_targets([lesion], (256, 320), SURE)
    if not (left + w / 2 < 320 and top + h / 2 < 256):
        assert not made.places.any()
        return
    rows, columns = np.nonzero(made.places[MASS])
    assert len(rows)
    assert (made.places[LESION] == made.places[MASS]).all()
    assert made.shares.sum() == pytest.approx(1)
    assert made.weights[MASS, rows, columns].sum() == pytest.approx((TYPICAL * len(rows)) ** 0.5)
    edges = made.boxes[:, rows, columns]
    np.testing.assert_allclose((columns + 0.5 - edges[0]) * 8, left, atol=1e-3)
    np.testing.assert_allclose((rows + 0.5 + edges[3]) * 8, top + h, atol=1e-3)


def test_what_nobody_was_asked_to_list_is_hardly_absent() -> None:
    made = place_targets([], (64, 64), LISTED)
    assert made.weights[MASS].min() == 1
    assert made.weights[2 + KINDS.index(Kind.AXILLARY_NODE)].max() == 0
    assert place_targets([], (64, 64), SURE).weights.min() == 1


def test_unsure_kinds_and_unknown_pathology_are_ignored_in_the_box_only() -> None:
    box = (64.0, 64.0, 128.0, 128.0)
    lesion = PlacedLesion(box, (Kind.DISTORTION,), (Kind.MASS,), {"category": "0", "shape": "oval"}, None)
    made = place_targets([lesion], (256, 256), SURE)
    assert made.weights[MASS, 12, 12] == made.weights[MALIGNANT, 12, 12] == 0
    assert made.weights[CALCIUM, 12, 12] == 1
    assert made.weights[MASS, 2, 2] == 1
    assert made.attributes["category"][12, 12] == IGNORE
    assert made.attributes["shape"][12, 12] == ATTRIBUTES["shape"].index("oval")


def test_a_small_lesion_in_a_large_one_keeps_its_own_cells() -> None:
    large = PlacedLesion((0.0, 0.0, 240.0, 240.0), (Kind.MASS,), malignant=False)
    small = PlacedLesion((112.0, 112.0, 128.0, 128.0), (Kind.CALCIFICATIONS,), malignant=True)
    for order in ([large, small], [small, large]):
        made = place_targets(order, (256, 256), SURE)
        assert made.places[CALCIUM, 14, 14] == made.places[MALIGNANT, 14, 14] == 1
        assert made.places[MASS, 14, 14] == 1
        assert made.places[MALIGNANT, 10, 10] == 0
        assert made.boxes[2, 14, 14] * 8 == 128 - 14.5 * 8
