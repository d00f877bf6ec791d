"""Density as a number, numbers against their words, other examinations, other scales, words that describe nothing."""

from __future__ import annotations

import pytest

from amrg.birads import parse
from tests.birads.readings import assessed, found, notes, others, unread


@pytest.mark.parametrize(
    ("text", "composition"),
    [
        ("ACR density 3. BI-RADS 2.", "c"),
        ("Breast density: type 2\nBI-RADS 2", "b"),
        ("Density grade IV. No mass. BI-RADS 2", "d"),
        ("BREAST COMPOSITION: ACR TYPE II.\nBIRADS: 2", "b"),
        ("Type III breast parenchyma. BIRADS 2", "c"),
        ("BI-RADS breast density category 3. BI-RADS assessment category 2.", "c"),
        ("Tissue density: BI-RADS type 4. Category 2.", "d"),
        ("The breasts are 50-75 % glandular. BI-RADS 2.", "c"),
        ("The breast is composed of 51% to 75% fibroglandular tissue. BI-RADS 2", "c"),
        ("Breast tissue is less than 25% glandular. BI-RADS 2.", "a"),
        ("Breast composition: >75% glandular. BI-RADS 2", "d"),
        ("Volumetric breast density 12 %. BI-RADS 2", None),
        ("Tabar pattern IV. BI-RADS 2", None),
        ("Type 2 diabetes. BI-RADS 2", None),
        ("Tissue type 3. BI-RADS 2", "c"),
        ("Breast density 3/4. BI-RADS 2", "c"),
        ("ACR composition c (25-50% glandular). BI-RADS 2", "c"),
        ("Density: 12 mm nodule on the left. BI-RADS 2.", None),
        ("High density 3 cm mass in the right breast. BI-RADS 2.", None),
        ("Calcifications throughout the parenchyma (BI-RADS 2).", None),
    ],
)
def test_density_as_a_number_is_composition_and_no_category(text: str, composition: str | None) -> None:
    assert parse(text).report.composition == composition
    assert assessed(text) == ["2"]


@pytest.mark.parametrize(
    ("text", "expected", "words"),
    [
        ("BI-RADS 2: Suspicious.", ["2", "4"], "category 2 with the words of 4 | 2: Suspicious"),
        ("BI-RADS 5 - Benign finding", ["5", "2"], "category 5 with the words of 2 | 5 - Benign"),
        (
            "FINAL ASSESSMENT: Suspicious (BI-RADS 2)",
            ["2", "4"],
            "category 2 with the words of 4 | Suspicious (BI-RADS 2",
        ),
        ("BI-RADS 4C: low suspicion", ["4C", "4A"], "category 4C with the words of 4A | 4C: low suspicion"),
        ("Right breast: BI-RADS 1, suspicious.", ["R 1", "R 4"], "category 1 with the words of 4 | 1, suspicious"),
    ],
)
def test_a_number_that_contradicts_its_words_is_noted_and_both_are_kept(
    text: str, expected: list[str], words: str
) -> None:
    assert assessed(text) == expected
    assert notes(text) == [words]


@pytest.mark.parametrize(
    "text",
    [
        "BI-RADS 4B: suspicious abnormality",
        "BI-RADS 4 (moderate suspicion for malignancy)",
        "BI-RADS 2, benign. No suspicious mass.",
        "BI-RADS 2. Suspicious findings would need biopsy.",
        "BI-RADS 0: Incomplete, need additional imaging evaluation",
        "BI-RADS 1, negative for malignancy",
    ],
)
def test_a_number_and_words_that_agree_are_one_category(text: str) -> None:
    assert len(assessed(text)) == 1
    assert notes(text) == []


EXAMINATIONS = [
    ("Mammography BI-RADS 2. Ultrasound BI-RADS 4A.", ["2"], ["ultrasound 4A"]),
    ("USG BIRADS 4a, mammo BIRADS 3", ["3"], ["ultrasound 4A"]),
    ("BI-RADS (US): 3; BI-RADS (MG): 2", ["2"], ["ultrasound 3"]),
    ("BI-RADS 2 on mammography and BI-RADS 4A on ultrasound", ["2"], ["ultrasound 4A"]),
    ("MAMMOGRAM: Negative, BI-RADS 1.\nMRI: Enhancing mass left breast 2 o'clock. BI-RADS 4.", ["1"], ["MRI 4"]),
    (
        "Mammographic category: BI-RADS 0\nSonographic category: BI-RADS 4A\nOverall: BI-RADS 4A",
        ["0"],
        ["ultrasound 4A", "combined 4A"],
    ),
    ("EXAM: Breast ultrasound.\nFINDINGS: Hypoechoic mass.\nIMPRESSION: BI-RADS 5.", [], ["ultrasound 5"]),
    ("CEM: BI-RADS 4. Mammogram: BI-RADS 2.", ["2"], ["contrast-enhanced mammography 4"]),
    ("Mammogram and ultrasound: BI-RADS 4A.", ["4A"], []),
    ("EXAM: Diagnostic mammogram and ultrasound.\nIMPRESSION: BI-RADS 4B.", ["4B"], []),
    ("BI-RADS 0, ultrasound recommended.", ["0"], []),
    ("After ultrasound, BI-RADS 2.", ["2"], []),
    ("Sono-mammography BIRADS 2, X-ray mammography BIRADS 4", ["4"], ["ultrasound 2"]),
    ("BI-RADS: MG 2, US 3, MRI 4", ["2"], ["ultrasound 3", "MRI 4"]),
    (
        "| | Right | Left |\n|---|---|---|\n| Mammogram | BI-RADS 2 | BI-RADS 4 |\n"
        "| Ultrasound | BI-RADS 1 | BI-RADS 4B |",
        ["R 2", "L 4"],
        ["ultrasound 1", "ultrasound 4B"],
    ),
    ("MAMMOGRAM\nBI-RADS 0\n\nLEFT BREAST ULTRASOUND\nBI-RADS 3", ["0"], ["ultrasound 3"]),
    ("RECOMMENDATION:\nUltrasound of the left breast\n\nBI-RADS 0", ["0"], []),
    ("Thank you for allowing us to participate. BI-RADS 2", ["2"], []),
    ("MR: 0012345\n\nBI-RADS 4", ["4"], []),
    ("COMPARISON: Ultrasound 3/4/2022, MRI 2020.\nIMPRESSION: BI-RADS 4", ["4"], []),
]


@pytest.mark.parametrize(("text", "expected", "apart"), EXAMINATIONS)
def test_a_category_of_another_examination_is_not_the_mammograms(
    text: str, expected: list[str], apart: list[str]
) -> None:
    assert assessed(text) == expected
    assert others(text) == apart


def test_findings_of_another_examination_are_not_the_mammograms() -> None:
    text = (
        "MAMMOGRAM FINDINGS: Oval mass in the right breast.\n"
        "ULTRASOUND FINDINGS: Hypoechoic mass in the left breast at 9 o'clock.\nIMPRESSION: BI-RADS 4A."
    )
    assert found(text) == ["mass R"]
    assert assessed(text) == ["4A"]
    assert unread(text) == ["ULTRASOUND FINDINGS: Hypoechoic mass in the left breast at 9 o'clock"]
    (note,) = notes(text)
    assert note.startswith("ultrasound: findings not read as those of a mammogram | ")


SCALES = [
    ("TI-RADS category 4 nodule in the thyroid. BI-RADS 2.", ["2"], "category 4"),
    ("Risk category 3. BI-RADS 2.", ["2"], "category 3"),
    ("Category 3 - Indeterminate findings", [], "Category 3"),
    ("RANZCR imaging category 4.", [], "category 4"),
    ("Mammogram: M2 (benign)", [], "M2"),
    ("Mammographic opinion: right R1, left R1", [], "R1"),
    ("CONCLUSION: Left breast M5, normal right breast.", [], "M5"),
]


@pytest.mark.parametrize(("text", "expected", "code"), SCALES)
def test_a_category_of_another_scale_is_noted_and_unread(text: str, expected: list[str], code: str) -> None:
    assert assessed(text) == expected
    assert f"not BI-RADS: not read as a category | {code}" in notes(text)
    assert any(code in piece for piece in unread(text))


def test_words_that_describe_nothing_are_unread() -> None:
    assert unread("Spiculated margins are seen. BI-RADS 4.") == ["Spiculated"]
    assert unread("An oval, circumscribed area. BI-RADS 2") == ["oval", "circumscribed"]
    assert unread("A spiculated mass in the left breast. BI-RADS 5") == []


@pytest.mark.parametrize(
    "text",
    [
        "Status post right mastectomy. BI-RADS 2.",
        "Right breast: surgically absent. Left breast: BI-RADS 2.",
        "Bilateral mastectomies with implant reconstruction. BI-RADS 2.",
        "Post mastectomy changes on the right with surgical clips. BI-RADS 2.",
    ],
)
def test_a_breast_removed_is_no_finding(text: str) -> None:
    assert found(text) == []
