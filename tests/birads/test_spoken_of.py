"""What a report speaks of and does not state: what has gone, the other side, other days, other examinations."""

from __future__ import annotations

import pytest

from amrg.birads import parse
from tests.birads.readings import assessed, found, others, unread


@pytest.mark.parametrize(
    "text",
    [
        "The mass in the right breast has resolved. BI-RADS 1.",
        "Focal asymmetry of the left breast does not persist on spot compression views. BI-RADS 1.",
        "Previously noted calcifications have disappeared. BI-RADS 2.",
        "The asymmetry effaces with spot compression. BI-RADS 1.",
        "The asymmetry disperses on tomosynthesis. BI-RADS 1.",
        "The previously seen mass in the left breast is no longer visualized. BI-RADS 1.",
    ],
)
def test_what_has_gone_is_no_finding(text: str) -> None:
    assert found(text) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The mass in the right breast has not resolved. BI-RADS 4.", ["mass R"]),
        ("The asymmetry in the left breast does not efface. BI-RADS 4.", ["asymmetry L"]),
        ("The mass in the left breast has partially resolved. BI-RADS 3.", ["mass L"]),
        ("Mass in the right breast, likely a haematoma; follow up until resolved. BI-RADS 3.", ["mass R"]),
        ("Mass in the left breast at the site of a resolved infection. BI-RADS 3.", ["mass L"]),
        ("Axillary lymph node on the left with effaced fatty hilum. BI-RADS 4.", ["axillary lymph node L"]),
        ("A mass and dispersed calcifications in the left breast. BI-RADS 4.", ["mass L", "calcifications L"]),
        ("The mass in the left breast has not completely resolved. BI-RADS 4.", ["mass L"]),
        ("A mass is seen in the left breast; the asymmetry has resolved. BI-RADS 4.", ["mass L"]),
        ("A mass persists in the left breast, and the asymmetry has resolved. BI-RADS 4.", ["mass L"]),
        ("Mass in the left breast, the calcifications in the right breast have resolved. BI-RADS 4.", ["mass L"]),
    ],
)
def test_what_is_still_there_is_a_finding(text: str, expected: list[str]) -> None:
    assert found(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The mass is in the left breast, not the right breast. BI-RADS 4.", ["mass L"]),
        ("The mass is in the LEFT breast, not in the right. BI-RADS 4.", ["mass L"]),
        ("R breast: 8 mm oval mass, UOQ. L breast: no mass. BI-RADS 3 R, 1 L", ["mass R"]),
        ("L UOQ mass, 9 mm. BI-RADS 4.", ["mass L"]),
        ("FINDINGS: Right: no mass. Left: 9 mm mass at 3:00. BI-RADS 4.", ["mass L"]),
    ],
)
def test_a_finding_has_the_side_that_is_meant(text: str, expected: list[str]) -> None:
    assert found(text) == expected


def test_a_side_after_a_heading_is_of_what_is_denied_too() -> None:
    report = parse("FINDINGS: Right: Scattered fibroglandular densities. No suspicious mass. Left: a mass.").report
    assert [(n.kind, n.laterality) for n in report.negatives] == [("mass", "R")]


@pytest.mark.parametrize(
    ("text", "size", "distance"),
    [
        ("Mass 5 cm deep to the nipple, right breast, 12 mm. BI-RADS 4.", 12, 50),
        ("Mass at 4 cm from the right nipple, 8 mm. BI-RADS 4.", 8, 40),
        ("Mass 3 cm behind the nipple. BI-RADS 4.", None, 30),
        ("8 mm mass 2 cm below the skin in the left breast. BI-RADS 4.", 8, None),
        ("Mass 1.5 cm anterior to the pectoral muscle in the left breast. BI-RADS 4.", None, None),
        ("Mass in the left breast, increased from 6 mm to 11 mm. BI-RADS 4A.", 11, None),
        ("Right mass was 9 mm in 2022, now 14 mm. BI-RADS 4A.", 14, None),
        ("Left mass, previously 6 mm, now 8 mm. BI-RADS 4A.", 8, None),
        ("Mass of 8 mm (previously 6 mm), left. BI-RADS 4A.", 8, None),
    ],
)
def test_a_length_is_the_size_of_today_or_a_distance_or_unread(
    text: str, size: int | None, distance: int | None
) -> None:
    (finding,) = parse(text).report.findings
    assert (finding.size_mm, finding.location.nipple_distance_mm if finding.location else None) == (size, distance)


def test_a_length_that_is_no_size_is_unread() -> None:
    assert {"2", "below"} <= set(unread("8 mm mass 2 cm below the skin in the left breast. BI-RADS 4."))


@pytest.mark.parametrize(
    ("text", "expected", "apart"),
    [
        ("MRI 05/2023: BI-RADS 5 right. Mammogram: BI-RADS 4C right.", ["R 4C"], ["MRI 5"]),
        ("MRI 05/2023: BI-RADS 5 right. Mammography today: BI-RADS 4C right, 1 left.", ["R 4C", "L 1"], ["MRI 5"]),
        ("MRI: BI-RADS 5. Today's mammogram: BI-RADS 2.", ["2"], ["MRI 5"]),
        (
            "Ultrasound 3/4/2024: simple cyst right breast, BI-RADS 2. Mass in the left breast. BI-RADS 4.",
            ["4"],
            ["ultrasound 2"],
        ),
        ("US (12 May 2023): BI-RADS 4A. Mammography: BI-RADS 2.", ["2"], ["ultrasound 4A"]),
        ("Ultrasound of 3/4/2024 BI-RADS 3. Mammography BI-RADS 2", ["2"], ["ultrasound 3"]),
        ("Biopsy of a BI-RADS 4 lesion in 2021 was benign. BI-RADS 2.", ["2"], ["prior 4"]),
        ("Patient declined biopsy of BI-RADS 4 lesion in 2021. BI-RADS 3.", ["3"], ["prior 4"]),
    ],
)
def test_a_category_of_another_examination_or_day_is_apart(text: str, expected: list[str], apart: list[str]) -> None:
    assert (assessed(text), others(text)) == (expected, apart)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("RIGHT: NEGATIVE (1)  LEFT: SUSPICIOUS (4)", ["R 1", "L 4"]),
        ("Left breast: benign (2). Right breast: highly suggestive of malignancy (5).", ["L 2", "R 5"]),
        ("BIRADS 4 (A: low suspicion)", ["4A"]),
        ("BI-RADS 4 (B, moderate suspicion)", ["4B"]),
        ("RIGHT: two masses (5 and 7 mm)  LEFT: cyst (4)", []),
    ],
)
def test_a_category_after_its_words_is_read(text: str, expected: list[str]) -> None:
    assert assessed(text) == expected


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("FINDINGS: Almost entirely fatty. Benign calcifications. BI-RADS 2.", "a"),
        ("Heterogeneously dense. No mass. BI-RADS 1.", "c"),
        ("UNILATERAL RIGHT MAMMOGRAM. Extremely dense. BI-RADS 1.", "d"),
        ("Mass in the left breast. Extremely dense mass. BI-RADS 4.", None),
        ("Density B/C. BI-RADS 1.", None),
        ("Heterogeneously dense (ACR C-D).", "c"),  # the words state it, the letters are two
        ("BREAST COMPOSITION: b to c.", None),
        ("ACR type C-BIRADS 2.", "c"),
    ],
)
def test_a_sentence_of_composition_alone_is_composition(text: str, letter: str | None) -> None:
    assert parse(text).report.composition == letter


def test_a_view_in_which_a_finding_is_not_seen_is_none_of_its_views() -> None:
    for text in ("Asymmetry on the left MLO view. Not confirmed on CC.", "Asymmetry on MLO without a correlate on CC."):
        assert [f.views for f in parse(text).report.findings] == [("MLO",)]


def test_findings_under_the_heading_of_technique_are_unread_and_the_category_holds() -> None:
    text = "Views: MLO and CC. Asymmetry on the left CC view. BI-RADS 0."
    assert (found(text), unread(text), assessed(text)) == ([], ["Asymmetry"], ["0"])
    assert assessed("TECHNIQUE: CC and MLO. BI-RADS 5th edition.\nBI-RADS 2.") == ["2"]


def test_with_may_be_written_short() -> None:
    (finding,) = parse("15 mm mass UOQ w/ microcalcs. BI-RADS 4.").report.findings
    assert finding.location is not None
    assert (finding.location.quadrant, finding.associated) == ("upper outer", ("calcifications",))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("CLINICAL NOTE: pain. Right breast mass, irregular. BIRADS-4", ["mass R"]),
        ("RADIOLOGIST NOTE: Right breast mass, irregular. BIRADS-4", ["mass R"]),
        ("Note: Right breast mass, irregular. BIRADS-4", ["mass R"]),
        ("CLINICAL NOTE: pain. Palpable lump on the left. FINDINGS: Mass in the right breast. BI-RADS 4.", ["mass R"]),
        ("Mass in the right breast. BI-RADS 4. NOTE: a mass in the left breast may be missed.", ["mass R"]),
        ("Status post left lumpectomy with stable architectural distortion in the upper outer quadrant. BI-RADS 2.",
         ["architectural distortion L"]),
        ("Status post lumpectomy, stable distortion in the left breast. BI-RADS 2.", ["architectural distortion L"]),
        ("Status post excision of a mass with skin thickening. BI-RADS 2.", []),
        ("History of left breast mass with calcifications. BI-RADS 1.", []),
        ("45 year old woman, status post lumpectomy, presents with a palpable mass. BI-RADS 2.", []),
        ("45 year old woman with a palpable mass, status post surgery. BI-RADS 2.", []),
    ],
)  # fmt: skip
def test_a_note_and_an_operation_hide_no_finding(text: str, expected: list[str]) -> None:
    assert found(text) == expected
