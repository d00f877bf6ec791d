"""What a text states of the exam itself: its views, and breasts that were removed."""

from __future__ import annotations

import pytest

from amrg.birads import Laterality, Technique, View, parse

RIGHT, LEFT = Laterality.RIGHT, Laterality.LEFT
CC, MLO = View.CC, View.MLO
ALL = {(side, view) for side in Laterality for view in (CC, MLO)}


@pytest.mark.parametrize(
    ("text", "views", "synthetic"),
    [
        ("Bilateral digital mammography, CC and MLO views.", ALL, set()),
        ("CC and MLO views of both breasts were obtained.", ALL, set()),
        ("RCC, LCC, RMLO and LMLO.", ALL, set()),
        ("Standard right CC and MLO views.", {(RIGHT, CC), (RIGHT, MLO)}, set()),
        ("Right CC and MLO, left CC views.", ALL - {(LEFT, MLO)}, set()),
        ("Bilateral CC and MLO views, synthetic 2D.", ALL, ALL),
        ("RCC, LCC, synthetic 2D RMLO, LMLO.", ALL, {(RIGHT, MLO), (LEFT, MLO)}),
        ("CC and MLO views.", set(), set()),
        ("Right spot compression CC view.", set(), set()),
        ("No right CC view.", set(), set()),
    ],
)
def test_views_are_read_where_their_side_is_stated(
    text: str, views: set[tuple[Laterality, View]], synthetic: set[tuple[Laterality, View]]
) -> None:
    expected = Technique(views=tuple(views), synthetic=tuple(synthetic)) if views else None
    assert parse(f"TECHNIQUE: {text}\nFINDINGS: No mass. BI-RADS 1.").report.technique == expected


def test_views_of_a_finding_are_no_technique() -> None:
    assert parse("FINDINGS: Right breast: mass on CC and MLO views. BI-RADS 4.").report.technique is None


@pytest.mark.parametrize(
    ("text", "sides"),
    [
        ("HISTORY: Status post right mastectomy.", (RIGHT,)),
        ("INDICATION: S/p left mastectomy 2015, screening of the right breast.", (LEFT,)),
        ("History of mastectomy on the left.", (LEFT,)),
        ("CLINICAL HISTORY: bilateral mastectomies with reconstruction.", (RIGHT, LEFT)),
        ("FINDINGS: Post mastectomy changes, right.", (RIGHT,)),
        ("Left mammogram. Prior right modified radical mastectomy.", (RIGHT,)),
        ("HISTORY: right partial mastectomy.", ()),
        ("HISTORY: no prior right mastectomy.", ()),
        ("HISTORY: mother with left mastectomy.", ()),
        ("RECOMMENDATION: right mastectomy.", ()),
        ("IMPRESSION: Right mastectomy is planned.", ()),
        ("HISTORY: mastectomy.", ()),
    ],
)
def test_a_breast_that_was_removed_is_read_and_one_that_may_be_is_not(text: str, sides: tuple[Laterality, ...]) -> None:
    assert parse(text).report.mastectomy == sides
