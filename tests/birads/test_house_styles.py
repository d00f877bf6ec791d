"""Reports of many houses: what a careful radiologist reads in them, the assessment by side first."""

from __future__ import annotations

import pytest

from amrg.birads import parse
from tests.birads.readings import assessed, found, others

FORMS = [
    ("BIRADS-IVb", "4B"),
    ("BI-RADS 4 (b)", "4B"),
    ("BI-RADS 4.a", "4A"),
    ("BI-RADS 4, subcategory b", "4B"),
    ("BIRADS score of 2", "2"),
    ("BI-RADS 2/6", "2"),
    ("BI-RADS 2 out of 6", "2"),
    ("BI-RADS: 4A/4B", "4A 4B"),
    ("BI-RADS 4A vs 4B", "4A 4B"),
    ("BIRADS 4-5", "4 5"),
    ("BI-RADS 0/incomplete", "0"),
    ("BI-RADS (Breast Imaging Reporting and Data System) 4", "4"),
    ("BI-RADS 4 2/5/2024", "4"),
    ("BI-RADS 2, 3 surgical clips noted", "2"),
    ("Assessment 2 of 2: BI-RADS 3", "3"),
    ("BI-RADS: \u2610 0 \u2610 1 \u2612 2 \u2610 3 \u2610 4", "2"),
    ("BI-RADS: 0 [ ] 1 [ ] 2 [x] 3 [ ] 4 [ ]", "2"),
    ("BI-RADS must be 0-6. Category 2.", "2"),
    ("BI-RADS category: N/A", ""),
    ("No BI-RADS category can be assigned.", ""),
]


@pytest.mark.parametrize(("text", "expected"), FORMS)
def test_a_category_is_read_in_the_form_of_any_house(text: str, expected: str) -> None:
    assert assessed(text) == expected.split()


SIDES = [
    ("R: BI-RADS 1; L: BI-RADS 2", ["R 1", "L 2"]),
    ("BI-RADS right breast: 4B, left breast: 2, overall: 4B", ["R 4B", "L 2", "4B"]),
    ("Right breast: BI-RADS 1. Left breast: 12 mm mass, BI-RADS 4.", ["R 1", "L 4"]),
    ("BI-RADS 4 calcifications in the left breast.", ["L 4"]),
    ("IMPRESSION: Left breast mass, BI-RADS 4. Right breast BI-RADS 1.", ["L 4", "R 1"]),
    ("BI-RADS 2 cyst right breast, BI-RADS 4 mass left breast.", ["R 2", "L 4"]),
    ("BIRADS 3 lesion in left breast & BIRADS 2 in right breast", ["R 2", "L 3"]),
    ("Features favor BIRADS 3/ BIRADS 4a lesion", ["3", "4A"]),
]


@pytest.mark.parametrize(("text", "expected"), SIDES)
def test_no_breast_loses_its_category_or_gets_the_others(text: str, expected: list[str]) -> None:
    assert assessed(text) == expected


APART = [
    ("BI-RADS 3 -> 2", ["2"], ["prior 3"]),
    ("BI-RADS 3 \u2192 BI-RADS 2", ["2"], ["prior 3"]),
    ("Outside interpretation: BI-RADS 2. Second opinion: BI-RADS 4.", ["4"], ["prior 2"]),
    ("The mammogram from 2021 was BI-RADS 2; the current one is BI-RADS 4A.", ["4A"], ["prior 2"]),
    ("Your mammogram of 3 March 2024 was BI-RADS 2.", ["2"], []),
    ("BI-RADS 3. Any change would raise this to BI-RADS 4.", ["3"], ["conditional 4"]),
]


@pytest.mark.parametrize(("text", "expected", "apart"), APART)
def test_a_category_that_does_not_hold_is_apart(text: str, expected: list[str], apart: list[str]) -> None:
    assert assessed(text) == expected
    assert others(text) == apart


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A 12 mm mass at 10 o'clock (BI-RADS 3) and an 8 mm mass at 2 o'clock (BI-RADS 4B).", [(10, 12), (2, 8)]),
        (
            "There are two masses in the right breast: a 12 mm oval mass at 10 o'clock and a 8 mm mass at 2 o'clock.",
            [(10, 12), (2, 8)],
        ),
        ("Lesion 1: 12 mm mass at 10 o'clock. Lesion 2: 8 mm mass at 2 o'clock.", [(10, 12), (2, 8)]),
    ],
)
def test_each_of_several_findings_keeps_its_place(text: str, expected: list[tuple[int, int]]) -> None:
    assert [(f.location.clock, f.size_mm) for f in parse(text).report.findings] == expected


def test_a_category_after_a_finding_under_the_heading_of_an_impression_is_the_findings() -> None:
    (mass,) = parse("CONCLUSION: Left breast mass, BI-RADS 4.").report.findings
    assert mass.category == "4"


def test_text_without_punctuation_has_its_assessment() -> None:
    text = (
        "there are scattered fibroglandular densities there is a stable oval mass in the right breast no suspicious "
        "calcifications impression benign findings bi-rads 2 recommend annual screening mammogram"
    )
    assert assessed(text) == ["2"]
    assert found(text) == ["mass R"]


def test_a_report_of_mammogram_and_ultrasound_has_the_findings_of_the_mammogram() -> None:
    text = (
        "MAMMOGRAM FINDINGS:\nIrregular mass in the left breast at 2 o'clock, 18 mm.\nULTRASOUND FINDINGS:\n"
        "Targeted ultrasound shows a mass of 17 mm.\nAxilla: two abnormal nodes.\nIMPRESSION:\nBI-RADS 4C"
    )
    assert found(text) == ["mass L"]
    assert assessed(text) == ["4C"]
