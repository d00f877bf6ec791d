"""Prior studies that a text speaks of in passing, and what it compares with them."""

from __future__ import annotations

import pytest

from amrg.birads import check, parse
from tests.birads.readings import assessed, others


@pytest.mark.parametrize(
    "text",
    [
        "Prior mammogram: 01/05/2022. Mass right breast stable. BI-RADS 2.",
        "Outside priors obtained. Mass in the right breast unchanged since 2019. BI-RADS 2.",
        "Mass in the right breast unchanged since 2019. BI-RADS 2.",
        "Previous mammogram dated 12 May 2022 reviewed. Mass in the right breast is stable. BI-RADS 2.",
        "Mass in the right breast, larger than on the prior study. BI-RADS 4.",
    ],
)
def test_a_report_that_compared_is_not_accused(text: str) -> None:
    report = parse(text).report
    assert report.comparison is not None
    assert report.comparison.available
    assert "change-without-prior" not in [v.rule for v in check(report)]


@pytest.mark.parametrize(
    "text",
    [
        "Mass in the right breast is stable. BI-RADS 2.",
        "Prior mammogram of 2020 is not available. Mass in the right breast is stable. BI-RADS 2.",
        "Outside priors requested. Mass in the right breast is stable. BI-RADS 2.",
        "Once priors are available, BI-RADS 2 may be assigned. Mass in the right breast is stable. BI-RADS 0.",
        "Prior lumpectomy in 2020. Mass in the right breast is stable. BI-RADS 2.",
    ],
)
def test_a_change_without_a_prior_is(text: str) -> None:
    assert "change-without-prior" in [v.rule for v in check(parse(text).report)]


def test_probably_benign_is_no_morphology() -> None:
    (judged,) = parse("Calcifications, probably benign, in the left breast. BI-RADS 3.").report.findings
    assert judged.morphology is None
    (looking,) = parse("Benign calcifications in the left breast. BI-RADS 2.").report.findings
    assert looking.morphology == "typically benign"
    (mass,) = parse("Mass in the left breast, probably benign. BI-RADS 3.").report.findings
    assert mass.benign_looking
    assert check(parse("Calcifications, probably benign").report) == ()


@pytest.mark.parametrize(
    ("text", "expected", "other"),
    [
        ("BI-RADS 1 mammographically; overall BI-RADS 4", ["4"], ["superseded 1"]),
        ("Mammogram: BI-RADS 2, overall BI-RADS 4.", ["4"], ["superseded 2"]),
        ("Overall mammographic assessment: BI-RADS 2.", ["2"], []),
        ("Mammogram: right BI-RADS 1, left BI-RADS 4. Overall BI-RADS 4.", ["R 1", "L 4", "4"], []),
        ("Mammogram: BI-RADS 1. Ultrasound: BI-RADS 4. Overall: BI-RADS 4.", ["1"], ["ultrasound 4", "combined 4"]),
    ],
)
def test_an_overall_category_is_the_assessment(text: str, expected: list[str], other: list[str]) -> None:
    assert assessed(text) == expected
    assert others(text) == other
