"""Lesions lie where their names say, in both views, and occur as often as the population says."""

from __future__ import annotations

from collections import Counter

import pytest

from amrg.birads import Depth, Kind, Laterality, Quadrant, View
from amrg.phantom import CLASSES, RICH, SCREENING, Population, category_of
from amrg.phantom.anatomy import Breast, draw_breasts
from amrg.phantom.planning import Plan, plan_lesions

OUTER = {Quadrant.UPPER_OUTER, Quadrant.LOWER_OUTER}
UPPER = {Quadrant.UPPER_OUTER, Quadrant.UPPER_INNER}
THIRDS = (Depth.ANTERIOR, Depth.MIDDLE, Depth.POSTERIOR)


def plans(count: int, population: Population) -> list[tuple[dict[Laterality, Breast], tuple[Plan, ...]]]:
    exams = []
    for seed in range(count):
        breasts = draw_breasts(seed)
        exams.append((breasts, plan_lesions(seed, breasts, population)))
    return exams


@pytest.fixture(scope="module")
def rich() -> list[tuple[dict[Laterality, Breast], tuple[Plan, ...]]]:
    return plans(200, RICH)


def test_quadrants_are_on_the_right_side_of_the_nipple_line(
    rich: list[tuple[dict[Laterality, Breast], tuple[Plan, ...]]],
) -> None:
    checked = 0
    for breasts, lesions in rich:
        for plan in lesions:
            quadrant = plan.finding.location.quadrant
            if quadrant not in OUTER | UPPER | {Quadrant.LOWER_INNER}:
                continue
            rho, outer, up = plan.place
            mlo, cc = breasts[plan.side].mlo, breasts[plan.side].cc
            # the nipple line at the same depth
            lateral = cc.project(rho, 0, 0)[1] - cc.project(rho, outer, up)[1]
            above = mlo.project(rho, 0, 0)[1] - mlo.project(rho, outer, up)[1]
            assert (lateral > 5) == (quadrant in OUTER)
            assert (above > 5) == (quadrant in UPPER)
            assert abs(lateral) > 5 < abs(above)
            checked += 1
    assert checked > 300


def test_depths_are_thirds_behind_the_nipple(
    rich: list[tuple[dict[Laterality, Breast], tuple[Plan, ...]]],
) -> None:
    for breasts, lesions in rich:
        for plan in lesions:
            if plan.finding.location.depth is not None:
                third = plan.place[0] / breasts[plan.side].depth_mm * 3
                assert plan.finding.location.depth is THIRDS[int(third)]
                assert 0.1 < third % 1 < 0.9


def test_every_class_turns_up(rich: list[tuple[dict[Laterality, Breast], tuple[Plan, ...]]]) -> None:
    def key(finding: object) -> tuple[object, ...]:
        return tuple(getattr(finding, n) for n in ("kind", "shape", "margin", "morphology", "distribution"))

    counts = Counter(key(p.finding) for _, lesions in rich for p in lesions)
    missing = {key(c.finding) for c in CLASSES} - set(counts)
    assert not missing


def test_right_comes_before_left_and_the_worst_first(
    rich: list[tuple[dict[Laterality, Breast], tuple[Plan, ...]]],
) -> None:
    for _, lesions in rich:
        order = [(p.side is Laterality.LEFT, -category_of(p.finding).suspicion) for p in lesions]
        assert order == sorted(order)


def test_an_asymmetry_is_in_one_view_and_all_else_in_two_but_the_axilla(
    rich: list[tuple[dict[Laterality, Breast], tuple[Plan, ...]]],
) -> None:
    for _, lesions in rich:
        for plan in lesions:
            views = plan.finding.views
            expected = 1 if plan.finding.kind in {Kind.ASYMMETRY, Kind.AXILLARY_NODE} else 2
            assert len(views) == expected
            assert plan.finding.kind is not Kind.AXILLARY_NODE or views == (View.MLO,)


def test_screening_is_as_common_as_the_population_says() -> None:
    worst = Counter(
        max((category_of(p.finding).major for p in lesions), default=1) for _, lesions in plans(600, SCREENING)
    )
    share = {k: n / 600 for k, n in worst.items()}
    assert 0.26 < share[1] < 0.38
    assert 0.13 < share[2] < 0.24
    assert 0.10 < share[3] < 0.21
    assert 0.15 < share[4] < 0.28
    assert 0.09 < share[5] < 0.20
