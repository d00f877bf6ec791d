"""Outlines hang right, and breast coordinates project to the side of the image that their names say."""

from __future__ import annotations

import numpy as np
import pytest

from amrg.birads import Laterality, View
from amrg.phantom.anatomy import coarse_coordinates, draw_breasts
from amrg.phantom.texture import HEIGHT_MM, WIDTH_MM


@pytest.mark.parametrize("seed", range(12))
def test_breasts_lie_on_the_picture(seed: int) -> None:
    for breast in draw_breasts(seed).values():
        for outline in (breast.cc, breast.mlo):
            distance = outline.skin_distance(*coarse_coordinates())
            assert 0.05 < (distance > 0).mean() < 0.75
            assert (distance[:, -1] < 0).all()
            assert 0 < outline.nipple[0] < WIDTH_MM
            assert 0 < outline.nipple[1] < HEIGHT_MM
            near = np.array([outline.nipple[0]], np.float32), np.array([outline.nipple[1]], np.float32)
            assert abs(outline.skin_distance(*near)[0]) < 5


@pytest.mark.parametrize("seed", range(5))
def test_outer_is_up_in_cc_and_upper_is_up_in_mlo(seed: int) -> None:
    breast = draw_breasts(seed)[Laterality.LEFT]
    cc, mlo = breast.cc, breast.mlo
    assert cc.project(40, 20, 0)[1] < cc.project(40, -20, 0)[1]
    assert cc.project(40, 20, 30) == cc.project(40, 20, -30)
    assert mlo.project(40, 0, 20)[1] < mlo.project(40, 0, -20)[1]
    for outline in (cc, mlo):
        assert outline.project(60, 0, 0)[0] < outline.project(20, 0, 0)[0]
        assert outline.project(0, 0, 0) == pytest.approx(outline.nipple)


def test_projection_and_breast_coordinates_are_inverse() -> None:
    outline = draw_breasts(3)[Laterality.RIGHT].outline(View.MLO)
    u, v = outline.project(35, 0, 18)
    behind, above = outline.breast_coordinates(np.array([u], np.float32), np.array([v], np.float32))
    assert behind[0] == pytest.approx(35, abs=1e-3)
    assert above[0] == pytest.approx(18, abs=1e-3)


def test_the_muscle_is_at_the_top_by_the_chest_wall() -> None:
    muscle = draw_breasts(4)[Laterality.LEFT].mlo.pectoral
    assert muscle is not None
    corner, nipple_side = np.array([1, 150], np.float32), np.array([1, 230], np.float32)
    inside = muscle.depth_inside(corner, nipple_side)
    assert inside[0] > 0 > inside[1]


def test_a_dent_draws_the_skin_in_there_and_nowhere_else() -> None:
    outline = draw_breasts(5)[Laterality.LEFT].cc
    at = outline.project(30, 30, 0)
    change = outline.skin_distance(*coarse_coordinates()) - outline.with_dent(at, 7, 8).skin_distance(
        *coarse_coordinates()
    )
    assert change.max() > 4
    assert np.abs(change)[-60:].max() < 0.5
