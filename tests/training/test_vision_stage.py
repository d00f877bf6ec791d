"""Batches of the tower's training: whatever is done to a picture, its boxes follow and its places keep their names."""

from __future__ import annotations

import numpy as np
import pytest

from amrg.birads import Finding, Kind, Laterality, Location, Quadrant, View
from amrg.training.embedded.phantom_shards import ViewLesion
from amrg.training.embedded.vision_stage import _flip, _Scene, _shift, _zoom

MASS = Finding(kind=Kind.MASS, laterality=Laterality.LEFT, location=Location(quadrant=Quadrant.UPPER_OUTER))
BOX = (96.0, 48.0, 144.0, 120.0)


def _scene(view: View = View.CC) -> _Scene:
    picture = np.zeros((384, 384, 3), np.uint8)
    picture[48:120, 96:144] = 200
    return _Scene(picture, view, (ViewLesion(MASS, BOX),))


def _extent(picture: np.ndarray) -> tuple[int, int, int, int]:
    rows, columns = np.nonzero(picture[..., 0] > 100)
    return int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1


@pytest.mark.parametrize("factor", [0.75, 1.0, 1.25])
def test_boxes_follow_a_zoom(factor: float) -> None:
    zoomed = _zoom(_scene(), factor)
    assert zoomed.image.shape == (384, 384, 3)
    assert _extent(zoomed.image) == pytest.approx(zoomed.lesions[0].box, abs=1.5)


def test_a_cc_view_turned_over_changes_outer_for_inner_and_an_mlo_stays() -> None:
    turned = _flip(_scene())
    assert _extent(turned.image) == turned.lesions[0].box
    assert turned.lesions[0].finding.location.quadrant is Quadrant.UPPER_INNER
    twice = _flip(turned)
    assert (twice.image == _scene().image).all()
    assert twice.lesions == _scene().lesions
    assert _flip(_scene(View.MLO)).lesions == _scene().lesions


def test_a_lesion_shifted_out_of_the_picture_is_not_asked_about() -> None:
    rng = np.random.default_rng(0)
    _, targets = _shift(_scene(), 192, rng)
    assert np.nansum(targets.cells) > 0
    _, targets = _shift(_scene(), 96, rng)
    assert np.nansum(targets.cells) == 0
