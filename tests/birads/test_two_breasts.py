"""Sentences on both breasts, on several lesions of one kind, and on what is denied of one and found in another."""

from __future__ import annotations

import pytest

from amrg.birads import parse
from tests.birads.readings import assessed, found, others


def denied(text: str) -> list[str]:
    """What is denied, by kind and side, as `mass L`."""
    return [" ".join(filter(None, [n.kind, n.laterality])) for n in parse(text).report.negatives]


@pytest.mark.parametrize(
    ("text", "expected", "negatives"),
    [
        ("In the right breast there is a mass and in the left breast there are calcifications.", "R L", []),
        ("In the left breast, there is a mass, and in the right breast, there are calcifications.", "L R", []),
        ("The right breast shows a mass and the left breast shows grouped calcifications.", "R L", []),
        ("On the right there is a mass, on the left there are benign calcifications. BI-RADS 5.", "R L", []),
        ("At 9 o'clock there is a mass and at 5 o'clock there are calcifications in the left breast.", "L L", []),
        ("At 9:00 in the right breast there is a mass and at 3:00 in the left one there is an asymmetry.", "R L", []),
        ("Right breast is normal, left breast shows an irregular mass.", "L", []),
        ("The left breast shows a spiculated mass, right breast is normal.", "L", []),
        ("While the right breast is normal, the left breast shows a mass.", "L", []),
        ("The left breast shows a mass but the right breast is normal.", "L", []),
        ("Right breast shows no mass while left breast shows an irregular mass.", "L", ["mass R"]),
        ("No mass in right breast, left breast has a 5mm mass.", "L", ["mass R"]),
        ("No mass in the right breast and a 5 mm spiculated mass in the left breast.", "L", ["mass R"]),
        ("No suspicious finding in the right breast, a 5 mm mass in the left breast.", "L", []),
        ("Skin is normal, the left breast shows nipple retraction.", "L", ["skin thickening"]),
        ("Masses in the right breast and in the left breast.", "R L", []),
        ("The right breast mass and left breast calcifications are not seen.", "", ["mass R", "calcifications L"]),
        ("On the left, a mass, and on the right, calcifications.", "L R", []),
        ("In the left breast a 7 mm mass and in the right breast a 5 mm mass.", "L R", []),
        ("In the left breast there is a mass and in the right breast, no mass.", "L", ["mass R"]),
        ("There is a mass in the left breast and the right breast shows calcifications.", "L R", []),
        ("No mass in the right breast and there is a mass in the left breast.", "L", ["mass R"]),
        ("There is no mass in the right breast, and there are calcifications in the left breast.", "L", ["mass R"]),
        ("There is no skin thickening and there are enlarged nodes on the left.", "L", ["skin thickening"]),
        ("There is no mass in the right breast and there is no mass in the left breast.", "", ["mass R", "mass L"]),
        ("There is no evidence of a mass, a distortion or calcifications.", "",
         ["mass", "architectural distortion", "calcifications"]),
    ],
)  # fmt: skip
def test_each_breast_has_what_is_said_of_it(text: str, expected: str, negatives: list[str]) -> None:
    assert [f.laterality for f in parse(text).report.findings] == expected.split()
    assert denied(text) == negatives


def test_places_stay_with_their_finding() -> None:
    mass, calcifications = parse(
        "In the right UOQ there is a mass and in the left UIQ there are calcifications."
    ).report.findings
    assert (mass.location.quadrant, calcifications.location.quadrant) == ("upper outer", "upper inner")
    mass, calcifications = parse("At 9:00 there is a mass and at 5:00 there are calcifications.").report.findings
    assert (mass.location.clock, calcifications.location.clock) == (9, 5)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("There is a 10 mm mass in the right upper outer quadrant and a 12 mm mass in the left lower inner quadrant.",
         ["R upper outer 10", "L lower inner 12"]),
        ("A 10 mm mass in the upper outer right breast and a 12 mm mass in the lower inner left breast.",
         ["R upper outer 10", "L lower inner 12"]),
        ("In the upper outer left breast a 7 mm mass, and in the lower inner right breast a 5 mm mass.",
         ["L upper outer 7", "R lower inner 5"]),
        ("In the left breast, a 7 mm mass at 2 o'clock and in the right breast, a 5 mm mass at 9 o'clock.",
         ["L 2 7", "R 9 5"]),
        ("At 2 o'clock in the left breast a 7 mm mass and at 9 o'clock in the right breast a 5 mm mass.",
         ["L 2 7", "R 9 5"]),
        ("Mass in the left breast, upper outer quadrant, 14 mm and calcifications in the left breast, central, 3 mm.",
         ["L upper outer 14", "L central 3"]),
        ("A mass in the left breast, upper outer quadrant, 14 mm & a mass in the right breast, 3 mm.",
         ["L upper outer 14", "R 3"]),
    ],
)  # fmt: skip
def test_what_stands_before_and_describes_the_first_of_two_findings(text: str, expected: list[str]) -> None:
    findings = parse(text).report.findings
    stated = [(f.laterality, f.location.quadrant, f.location.clock, f.size_mm) for f in findings]
    assert [" ".join(str(value) for value in values if value is not None) for values in stated] == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The mass in the left breast is stable and a new mass is seen in the right breast.", ["L stable", "R new"]),
        ("The left breast mass is stable. The right breast mass is larger.", ["L stable", "R larger"]),
        ("The left breast mass is stable and the right breast mass is larger.", ["L stable", "R larger"]),
        ("The left breast asymmetry is stable. The right breast asymmetry is larger.", ["L stable", "R larger"]),
        ("The mass at 2:00 in the left breast is stable. The mass at 6:00 is larger.", ["L stable", "L larger"]),
        ("The mass in the right breast is larger. The mass is spiculated.", ["R larger"]),
        ("A mass in the left breast was not seen on prior mammograms.", ["L new"]),
        ("A 9 mm mass in the right breast, not seen in 2021.", ["R new"]),
        ("An irregular mass in the right breast, not present previously, measures 9 mm.", ["R new"]),
        ("A mass in the right breast, absent on the prior study of 2021.", ["R new"]),
    ],
)
def test_two_lesions_of_one_kind_are_two_and_what_was_not_seen_before_is_new(text: str, expected: list[str]) -> None:
    assert [f"{f.laterality} {f.change}" for f in parse(text).report.findings] == expected


@pytest.mark.parametrize(
    ("text", "expected", "negatives"),
    [
        ("No interval growth of the left breast mass.", ["mass L"], []),
        ("There are no features of malignancy in the oval mass of the left breast.", ["mass L"], []),
        ("No calcification in the left breast mass.", ["mass L"], []),
        ("There is no associated distortion with the right breast mass.", ["mass R"], []),
        ("No evidence of the previously seen mass.", [], ["mass"]),
        ("No mammographic abnormality in the region of the palpable mass.", [], ["mass"]),
        ("No suspicious mass, benign vascular calcifications in the left breast.", ["calcifications L"], ["mass"]),
        ("No mass or distortion, few benign calcifications seen.", ["calcifications"],
         ["mass", "architectural distortion"]),
        ("No suspicious mass, clustered microcalcifications or distortion.", [],
         ["mass", "calcifications", "architectural distortion"]),
        ("There is a mass in the left breast. No other mass in the left breast.", ["mass L"], []),
        ("There is a mass in the left breast. No other mass in the right breast.", ["mass L"], ["mass R"]),
        ("No suspicious mass in the right breast other than the mass at 10 o'clock.", ["mass R"], []),
        ("The asymmetry seen on the CC view is not seen on the MLO view.", ["asymmetry"], []),
        ("A mass is not seen on the CC or MLO view.", [], ["mass"]),
        ("A mass could not be identified.", [], ["mass"]),
        ("The asymmetry in the right breast effaces.", [], ["asymmetry R"]),
        ("Axillary nodes are unremarkable.", [], ["axillary lymph node"]),
        ("No abnormality of the axillary lymph nodes.", [], ["axillary lymph node"]),
        ("Enlarged axillary lymph nodes. Skin normal.", ["axillary lymph node"], ["skin thickening"]),
        ("The mass in the left breast corresponds to a simple cyst.", ["mass L"], []),
        ("Patient reports a palpable mass in the right breast.", [], []),
        ("Focal density at right UOQ.", ["focal asymmetry R"], []),
    ],
)  # fmt: skip
def test_what_is_denied_and_what_is_there(text: str, expected: list[str], negatives: list[str]) -> None:
    assert found(text) == expected
    assert denied(text) == negatives


@pytest.mark.parametrize(
    ("text", "benign"),
    [
        ("The mass in the right breast does not look suspicious.", True),
        ("The left breast mass is not malignant appearing.", True),
        ("Spiculated mass in the left breast is not typical for a benign lesion.", False),
        ("There are no features of malignancy in the oval mass.", None),
    ],
)
def test_not_suspicious_is_not_suspicious(text: str, benign: bool | None) -> None:
    (mass,) = parse(text).report.findings
    assert mass.benign_looking is benign


@pytest.mark.parametrize(
    ("text", "millimetres"),
    [
        ("Mass 2 cm x 15 mm.", 20),
        ("Mass 8 mm x 1 cm.", 10),
        ("Mass 2 x 3 cm.", 30),
        ("Enlarged lymph node with cortical thickening of 5 mm.", None),
        ("Ill-defined density measuring 3 cm in the right breast.", 30),
    ],
)
def test_sizes_have_their_own_units(text: str, millimetres: int | None) -> None:
    (finding,) = parse(text).report.findings
    assert finding.size_mm == millimetres


@pytest.mark.parametrize(
    ("text", "held", "other"),
    [
        ("LEFT BREAST: 12 mm mass at 2:00. RIGHT BREAST: No abnormality. BI-RADS 5.", ["5"], []),
        ("Left breast: normal. Right breast: normal. BI-RADS 1.", ["1"], []),
        ("RIGHT BREAST: mass. BI-RADS 4. LEFT BREAST: normal. BI-RADS 1.", ["R 4", "L 1"], []),
        ("RIGHT BREAST: Normal.\nLEFT BREAST: Spiculated mass. BI-RADS 5.", ["L 5"], []),
        ("Right breast: benign calcifications. BI-RADS 2.\nLeft breast: mass.", ["R 2"], []),
        ("Right breast mass. BI-RADS 2.\nADDENDUM: BI-RADS category should have been 4A.", ["4A"], ["superseded 2"]),
        ("ADDENDUM: Assessment should read BI-RADS 4A.\nREPORT: Mass. BI-RADS 2.", ["4A"], ["superseded 2"]),
        ("Biopsy in 2022 (BI-RADS 4) was benign. BI-RADS 2.", ["2"], ["prior 4"]),
        ("BI-RADS category was 4A; biopsy benign. Now BI-RADS 2.", ["2"], ["prior 4A"]),
        ("Mammogram 05/2022 BI-RADS 3. Current BI-RADS 2.", ["2"], ["prior 3"]),
        ("Recalled from screening (BI-RADS 0). BI-RADS 1.", ["1"], ["prior 0"]),
        ("Had this been new, BI-RADS 4 would have been given. BI-RADS 3.", ["3"], ["conditional 4"]),
        ("This was given BI-RADS 0 at screening on 3 March 2024. Final: BI-RADS 2.", ["2"], ["prior 0"]),
        ("The right breast was BI-RADS 2. The left breast was BI-RADS 4.", ["R 2", "L 4"], []),
        ("New mass since 2021 (BI-RADS 4).", ["4"], []),
    ],
)
def test_which_category_holds(text: str, held: list[str], other: list[str]) -> None:
    assert assessed(text) == held
    assert others(text) == other


@pytest.mark.parametrize(
    ("text", "composition", "held"),
    [
        ("Parenchymal density: ACR BI-RADS 3. Assessment: BI-RADS 2.", "c", ["2"]),
        ("Parenchymal pattern: ACR BI-RADS 3 density. Assessment BI-RADS 2.", "c", ["2"]),
        ("ACR BI-RADS 3.", None, ["3"]),
        ("Scattered fibroglandular densities are present.", "b", []),
        ("Extremely dense, which lowers the sensitivity of mammography.", "d", []),
        ("Breast density: fatty.", "a", []),
        ("Breast composition: fibro fatty (ACR B).", "b", []),
    ],
)
def test_density_is_no_assessment(text: str, composition: str | None, held: list[str]) -> None:
    assert parse(text).report.composition == composition
    assert assessed(text) == held


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Right axilla: oval circumscribed axillary lymph node.", ["axillary lymph node oval circumscribed"]),
        ("Round intramammary lymph node, circumscribed.", ["intramammary lymph node round circumscribed"]),
        ("An irregular mass and a lymph node, with spiculated margins.",
         ["mass irregular spiculated", "axillary lymph node None None"]),
        ("Irregular mass with axillary lymph nodes. Margins are spiculated.", ["mass irregular spiculated"]),
    ],
)  # fmt: skip
def test_lymph_nodes_have_shape_and_margin_but_not_those_of_a_mass(text: str, expected: list[str]) -> None:
    assert [f"{f.kind} {f.shape} {f.margin}" for f in parse(text).report.findings] == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Two masses in the right breast are benign; those in the left breast are suspicious.",
         [("mass", "R", True), ("mass", "L", False)]),
        ("Calcifications in the left breast are benign. Those on the right are suspicious.",
         [("calcifications", "L", True), ("calcifications", "R", False)]),
        ("Masses in the right breast. Masses in the left breast. Those in the right breast are benign.",
         [("mass", "R", True), ("mass", "L", None)]),
        ("Masses in the right breast. Those in the right breast are new.", [("mass", "R", None)]),
    ],
)  # fmt: skip
def test_those_in_the_other_breast_are_findings_of_their_own(
    text: str, expected: list[tuple[str, str, bool | None]]
) -> None:
    assert [(f.kind, f.laterality, f.benign_looking) for f in parse(text).report.findings] == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Right breast spiculated mass. BI-RADS 5. Left breast is normal. BI-RADS 1.", ["R 5", "L 1"]),
        ("Impression: Suspicious mass in the left breast. BI-RADS 4. Benign right breast. BI-RADS 2.", ["L 4", "R 2"]),
        ("Mass in the left breast. Spiculated margins. BI-RADS 5. No mass on the right. BI-RADS 1.", ["L 5", "R 1"]),
        ("Right breast mass. BI-RADS 4. Right breast cyst. BI-RADS 2. Left breast is normal. BI-RADS 1.",
         ["R 4", "R 2", "L 1"]),
        ("Both breasts are heterogeneously dense. Right breast mass. BI-RADS 4A. Biopsy of the right breast mass is "
         "recommended. Left breast cyst. BI-RADS 2. Routine screening of the left breast.", ["R 4A", "L 2"]),
        ("Right breast mass. BI-RADS 4. Left breast is normal. BI-RADS 1. Overall BI-RADS 4.", ["R 4", "L 1", "4"]),
        ("FINDINGS: Right breast mass. BI-RADS 4. Left breast cyst. BI-RADS 2. IMPRESSION: BI-RADS 4.",
         ["R 4", "L 2", "4"]),
        ("Right breast mass, BI-RADS 5. Left breast is normal. BI-RADS 1.", ["L 1", "R 5"]),
    ],
)  # fmt: skip
def test_a_category_in_a_sentence_of_its_own_is_of_the_breast_before_it(text: str, expected: list[str]) -> None:
    assert assessed(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Mass in the left breast. Calcifications in the right breast. Overall BI-RADS 4.", ["4"]),
        ("Mass in the left breast. The right breast is normal. Final assessment: BI-RADS 4.", ["4"]),
        ("Mass in the left breast. The right breast is normal. BI-RADS 4.", ["4"]),
        ("Mass in the left breast. BI-RADS 4. The right breast is normal. Overall BI-RADS 4.", ["4"]),
        ("Mass in the left breast. BI-RADS 4. The right breast is normal. BI-RADS 4.", ["4"]),
        ("Mass in the left breast. BI-RADS 4. Calcifications in both breasts. BI-RADS 2.", ["4", "2"]),
        ("Mass in the left breast (BI-RADS 4). Cyst in the right breast. BI-RADS 4.", ["4"]),
        ("Left breast cyst, BI-RADS 2. Right breast mass, BI-RADS 4. BI-RADS 4.", ["4"]),
        ("Mass in the left breast. BI-RADS 4. No other mass. BI-RADS 1.", ["4", "1"]),
        ("BI-RADS 5. Right breast spiculated mass. BI-RADS 1. Left breast is normal.", ["5", "1"]),
    ],
)
def test_a_category_that_may_be_the_study_s_has_no_side(text: str, expected: list[str]) -> None:
    assert assessed(text) == expected
