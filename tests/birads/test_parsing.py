from __future__ import annotations

import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amrg.birads import (
    Category,
    Change,
    Comparison,
    Kind,
    Laterality,
    Margin,
    Morphology,
    Recommendation,
    Style,
    parse,
    render,
)
from tests.birads.readings import unread
from tests.birads.strategies import reports


def categories(text: str) -> list[str]:
    return [a.category.value for a in parse(text).report.assessments]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("BIRADS: 3 and 5", ["3", "5"]),
        ("BIRADS: 3, 4a", ["3", "4A"]),
        ("BIRADS: 2,3", ["2", "3"]),
        ("BI-RADS 4a/4b", ["4A", "4B"]),
        ("BIARDS: 3", ["3"]),
        ("BIRADS-5", ["5"]),
        ("BI-RADS category four", ["4"]),
        ("BIRADS V", ["5"]),
        ("BI-RADS IV B", ["4B"]),
        ("BI-RADS IVa", ["4A"]),
        ("BI-RADS: 4 (suspicious)", ["4"]),
        ("Category: 4B", ["4B"]),
        ("**BI-RADS Category:** 4C", ["4C"]),
        ("Final assessment: BI-RADS category 2 - benign", ["2"]),
        ('{"birads": "4A"}', ["4A"]),
        ("BI-RADS 4 a biopsy is advised", ["4"]),
        ("BI-RADS 3. 6 month follow-up.", ["3"]),
        ("BI-RADS 3, 5 mm mass", ["3"]),
        ("BI-RADS 5th edition.", []),
        ("BI-RADS v2025.", []),
        ("BI-RADS density category C", []),
        ("The mammogram is normal.", []),
        ("BI-RADS 7", []),
        ("BIRADS:", []),
    ],
)
def test_finds_every_category_and_makes_none_up(text: str, expected: list[str]) -> None:
    assert categories(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("(ACR B)", "b"),
        ("parenchyma (ACR-B).", "b"),
        ("ACR density type C", "c"),
        ("Breast density: D", "d"),
        ("Breast Composition: c. Heterogeneously dense", "c"),
        ("The breasts are heterogeneously dense.", "c"),
        ("ACR category A", "a"),
        ("fibro fatty and glandular breast parenchyma", None),
        ("An extremely dense mass.", None),
    ],
)
def test_composition(text: str, expected: str | None) -> None:
    assert parse(text).report.composition == expected


@pytest.mark.parametrize(
    ("text", "found", "denied"),
    [
        ("No abnormal soft opacity or microcalcification.", [], ["mass", "calcifications"]),
        ("No mass, calcifications or distortion is seen.", [], ["mass", "calcifications", "architectural distortion"]),
        ("No mass is seen, calcifications are present.", ["calcifications"], ["mass"]),
        ("No mass. However, there is an asymmetry.", ["asymmetry"], ["mass"]),
        ("Negative for malignancy or mass.", [], ["mass"]),
        ("A mass is not seen.", [], ["mass"]),
        ("Masses: None", [], ["mass"]),
        ("Calcifications: benign vascular calcifications", ["calcifications"], []),
        ("An asymmetry rather than a mass.", ["asymmetry"], []),
        ("A mass without calcifications.", ["mass"], []),
        ("No abnormal calcification is seen within the lesion.", [], []),
        ("No calcification within the left breast.", [], ["calcifications"]),
        ("Dense tissue may obscure small masses.", [], []),
        ("History: palpable lump.\nFindings: No mass.", [], ["mass"]),
        ("Biopsy of the mass is recommended.", [], []),
        ("Skin and nipple appear normal.", [], ["skin thickening", "nipple retraction"]),
        ("Soft opacity suggests benign lesion / intramammary node.", ["mass"], []),
        ("No change in the mass.", ["mass"], []),
        ("The asymmetry is no longer seen.", [], ["asymmetry"]),
    ],
)
def test_scope_of_denials(text: str, found: list[str], denied: list[str]) -> None:
    report = parse(text).report
    assert [f.kind.value for f in report.findings] == found
    assert [n.kind.value for n in report.negatives] == denied


def test_misspelt_words_are_read_and_real_words_left_alone() -> None:
    finding = parse("iregular well-defned sof opacity with spiculted margn in the uper outr quadrnt").report.findings[0]
    assert (finding.shape, finding.margin) == ("irregular", Margin.SPICULATED)
    assert parse("bening looking calcifcations").report.findings[0].morphology is Morphology.BENIGN
    assert not parse("A bright module in the other table.").report.findings


def test_several_findings_keep_their_own_words() -> None:
    text = (
        "Right breast: 12 mm oval circumscribed mass at 2 o'clock, 3 cm from the nipple.\n"
        "Left breast: grouped amorphous calcifications in the LIQ, new, and a possible distortion.\n"
    )
    mass, calcium, distortion = parse(text).report.findings
    assert (mass.laterality, mass.size_mm, mass.location.clock) == (Laterality.RIGHT, 12, 2)
    assert mass.location.nipple_distance_mm == 30
    assert (calcium.laterality, calcium.location.quadrant, calcium.change) == ("L", "lower inner", Change.NEW)
    assert (distortion.kind, distortion.certainty) == (Kind.DISTORTION, "possible")


def test_two_places_of_several_alike_are_two_findings() -> None:
    found = parse("Well-defined soft opacities in retroareolar and upper quadrant.").report.findings
    assert [f.location.quadrant for f in found] == ["retroareolar", "upper"]
    one = parse("A large lesion in the entire outer and partial inner quadrant.").report.findings
    assert [f.location.quadrant for f in one] == [None]


def test_an_impression_that_repeats_a_finding_adds_to_it() -> None:
    text = "FINDINGS: Irregular mass in the left breast.\nIMPRESSION: Suspicious mass in the left breast, BI-RADS 4C."
    report = parse(text).report
    (finding,) = report.findings
    assert (finding.benign_looking, finding.category) == (False, Category.HIGH_SUSPICION)
    assert [(a.category, a.laterality) for a in report.assessments] == [("4C", "L")]


def test_comparison_and_advice() -> None:
    report = parse("Comparison: mammogram of 4 March 2021.\nImpression: BI-RADS 3. Follow-up in 6 months.").report
    assert report.comparison is not None
    assert str(report.comparison.prior_date) == "2021-03-04"
    assert report.recommendation is Recommendation.SHORT_INTERVAL
    assert parse("Comparison: None.").report.comparison == Comparison(available=False)
    assert parse("BI-RADS 1. No biopsy needed.").report.recommendation is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("BI-RADS 3. Follow-up diagnostic mammogram in 6 months.", Recommendation.SHORT_INTERVAL),
        ("BI-RADS 3. Six-month follow-up with ultrasound.", Recommendation.SHORT_INTERVAL),
        ("BI-RADS 3. Advise 6-month followup with USG", Recommendation.SHORT_INTERVAL),
        ("BI-RADS 3. Ultrasound in 6 months is recommended.", Recommendation.SHORT_INTERVAL),
        ("BI-RADS 3. 6-month follow-up mammogram and ultrasound recommended.", Recommendation.SHORT_INTERVAL),
        ("BI-RADS 3. Recommend ultrasound now and 6 month follow up.", Recommendation.ADDITIONAL_IMAGING),
        ("BI-RADS 3. Recommend ultrasound and 6 month follow up.", Recommendation.ADDITIONAL_IMAGING),
        ("BI-RADS 0. Recommend ultrasound, the mass is new in 6 months.", Recommendation.ADDITIONAL_IMAGING),
        ("BI-RADS 4. Recommend ultrasound-guided core biopsy and surgical consultation.", Recommendation.BIOPSY),
        ("BI-RADS 4. Surgical referral for biopsy is recommended.", Recommendation.BIOPSY),
        ("BI-RADS 5. Recommend biopsy or surgical excision.", Recommendation.BIOPSY),
        ("BI-RADS 5. Surgical excision versus core biopsy is advised.", Recommendation.BIOPSY),
        ("BI-RADS 5. Recommend biopsy and surgical excision.", Recommendation.SURGICAL),
        ("BI-RADS 5. Surgical consultation is advised.", Recommendation.SURGICAL),
        ("BI-RADS 6. Surgical excision when clinically appropriate.", Recommendation.SURGICAL),
        ("IMPRESSION: BI-RADS 6. Surgical excision when clinically appropriate", Recommendation.SURGICAL),
        ("BI-RADS 1. Routine screening.", Recommendation.ROUTINE),
        ("BI-RADS 1 - routine screening", Recommendation.ROUTINE),
        ("BI-RADS 2. Routine annual follow up", Recommendation.ROUTINE),
        ("BI-RADS 2. Screening mammography in one year", Recommendation.ROUTINE),
        ("BI-RADS 4. Core biopsy.", Recommendation.BIOPSY),
        ("Routine screening mammogram. No mass. BI-RADS 1.", None),
        ("BI-RADS 0. Ultrasound right breast. No abnormality.", None),
        ("BI-RADS 6. Known biopsy-proven malignancy.", None),
        ("BI-RADS 2. Excisional biopsy performed in 2019.", None),
        ("Previously assessed as BI-RADS 4B; biopsy benign. Final assessment: Category 2.", None),
        ("BI-RADS 2. If it grows, surgical excision.", None),
    ],
)
def test_the_step_advised(text: str, expected: Recommendation | None) -> None:
    assert parse(text).report.recommendation is expected


def test_words_of_an_advice_are_read() -> None:
    for text in (
        "BI-RADS 3. Follow-up diagnostic mammogram in 6 months.",
        "BI-RADS 6. Surgical excision when clinically appropriate.",
    ):
        assert parse(text).unread == ()


def test_an_advice_is_no_indication() -> None:
    assert parse("BI-RADS 1. Routine screening mammogram.").report.indication is None


def test_categories_of_findings_stand_where_no_other_is_named() -> None:
    report = parse("A mass in the left breast (BI-RADS 3). A mass in the right breast (BI-RADS 5).").report
    assert [(a.category, a.laterality) for a in report.assessments] == [("3", "L"), ("5", "R")]


def test_sides_between_categories_and_in_headings_of_a_line() -> None:
    report = parse("RIGHT: negative. LEFT: global asymmetry; skin thickening. BI-RADS 0 left, BI-RADS 1 right.").report
    assert [(f.kind.value, f.laterality) for f in report.findings] == [
        ("global asymmetry", "L"),
        ("skin thickening", "L"),
    ]
    assert [(a.category, a.laterality) for a in report.assessments] == [("0", "L"), ("1", "R")]
    report = parse("Right breast BI-RADS 2 left breast BI-RADS 4.").report
    assert [(a.category, a.laterality) for a in report.assessments] == [("2", "R"), ("4", "L")]


@pytest.mark.parametrize(("text", "found"), [(None, "NoneType"), (b"BI-RADS 2", "bytes"), (2, "int")])
def test_what_is_no_text_is_refused_by_its_type(text: object, found: str) -> None:
    with pytest.raises(TypeError, match=f"^text is {found}, expected str: "):
        parse(text)  # type: ignore[arg-type]


def test_unread_names_what_was_not_understood() -> None:
    text = "A mass with postoperative staple pins."
    assert [s.text for s in parse(text).unread] == ["postoperative staple pins"]
    assert [text[s.start : s.end] for s in parse(text).unread] == ["postoperative staple pins"]


@pytest.mark.parametrize(
    ("text", "quadrant", "left_over"),
    [
        ("Mass in the upper and outer quadrant of the left breast.", "upper outer", []),
        ("Mass in the left breast, outer and lower quadrants.", "lower outer", []),
        ("Mass in the upper outer and upper inner quadrants.", "upper", []),
        ("Mass in the upper and lower quadrant.", None, ["upper", "lower"]),
        ("Mass in the upper-lower left breast.", None, ["upper-lower"]),
        ("Mass in the central quadrant, retroareolar.", "retroareolar", ["central"]),
        ("No mass. Axilla: no abnormal nodes. The retroareolar region is normal.", None, []),
    ],
)
def test_a_place_is_read_or_named_as_unread(text: str, quadrant: str | None, left_over: list[str]) -> None:
    places = [f.location.quadrant for f in parse(text).report.findings]
    assert places == [quadrant] * len(places)
    assert unread(text) == left_over


@settings(derandomize=True, deadline=None, max_examples=60)
@given(report=reports(), style=st.sampled_from(Style), wording=st.integers(0, 2))
def test_every_fact_has_its_value_and_span(report: object, style: Style, wording: int) -> None:
    text = render(report, style, wording)  # type: ignore[arg-type]
    parsed = parse(text)
    for fact in parsed.facts:
        assert text[fact.span.start : fact.span.end] == fact.span.text
        assert fact.span.text
        value: object = parsed.report
        for part in fact.path.replace("]", "").replace("[", ".").split("."):
            value = value[int(part)] if part.isdigit() else getattr(value, part)  # type: ignore[index]
        assert value == fact.value


WORDS = st.sampled_from(
    [
        "no",
        "mass",
        "masses",
        "calcifications",
        "in",
        "the",
        "left",
        "right",
        "breast",
        "BI-RADS",
        "4a",
        "4",
        "and",
        ",",
        ".",
        ":",
        ";",
        "(",
        ")",
        "-",
        "\n",
        "with",
        "without",
        "lesion",
        "upper",
        "outer",
        "quadrant",
        "suggests",
        "benign",
        "o'clock",
        "12",
        "mm",
        "x",
        "cm",
        "FINDINGS:",
        "IMPRESSION:",
        "{",
        "}",
        '"',
        "skin",
        "nipple",
        "normal",
        "acr",
        "b",
    ]
)


@settings(derandomize=True, deadline=None, max_examples=300)
@given(text=st.text(max_size=300) | st.lists(WORDS, max_size=80).map(" ".join))
def test_never_raises(text: str) -> None:
    parsed = parse(text)
    assert parse(text) == parsed
    assert parsed.report.narrative == text


PATTERNS = {
    "mass ": 10_000,
    "no ": 15_000,
    "(": 50_000,
    "upper outer ": 5_000,
    "9": 50_000,
    "BI-RADS 4a, ": 5_000,
    "a": 50_000,
    "mass\n": 10_000,
    "a : b ": 10_000,
    "with spiculated margin and ": 2_000,
    "BI-RADS ": 10_000,
    "right: 1 ": 5_000,
    "ADDENDUM: BI-RADS 2. ": 2_000,
    "1 negative ": 5_000,
    "&amp;": 20_000,
    "\u0412I ": 20_000,
    " ": 50_000,
    "| Right | Left |\n": 3_000,
    "| BI-RADS | x |\n": 3_000,
    "50-75 % ": 6_000,
    "Ultrasound: BI-RADS 3. ": 2_000,
    "BI-RADS 2: suspicious / ": 2_000,
    "BI-RADS 3 -> ": 4_000,
    "right M4 ": 6_000,
    "{\\rtf1 {\\*": 5_000,
    "OBX|1|TX|a|b|c\n": 3_000,
    "0 [ ] ": 8_000,
}
"""Text to how often it is repeated: long enough that quadratic work would take minutes."""


def calls(text: str) -> int:
    """Calls, Python's and C's, of one parse: work that no clock has a part in."""
    count = 0

    def counted(frame: object, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(counted)
    try:
        parse(text)
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("pattern", PATTERNS)
def test_work_grows_with_the_length_of_a_text_and_not_faster(pattern: str) -> None:
    times = PATTERNS[pattern] // 20
    assert calls(pattern * 2 * times) < 2.5 * calls(pattern * times)
    parse(pattern * PATTERNS[pattern])  # regular expressions make no calls of their own: it has to end
