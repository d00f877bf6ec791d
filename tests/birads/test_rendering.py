from __future__ import annotations

import pytest
from hypothesis import given, settings

from amrg.birads import (
    WORDINGS,
    Assessment,
    Category,
    Comparison,
    Composition,
    Facility,
    Finding,
    Kind,
    Laterality,
    Location,
    Negative,
    Quadrant,
    Recommendation,
    Report,
    Style,
    Technique,
    View,
    parse,
    render,
    usual_recommendation,
)
from tests.birads.strategies import reports


@settings(max_examples=100)
@given(report=reports())
def test_reads_back_what_it_writes(report: Report) -> None:
    assert_read_back(report)


@pytest.mark.slow  # half a minute
@settings(max_examples=600)
@given(report=reports())
def test_reads_back_what_it_writes_of_many_more(report: Report) -> None:
    assert_read_back(report)


def assert_read_back(report: Report) -> None:
    """In every style and wording: a report costs more to draw than to read back."""
    for style, wording in [(style, i) for style, number in WORDINGS.items() for i in range(number)]:
        text = render(report, style, wording)
        parsed = parse(text)
        assert parsed.report.stated() == report.stated(), (style, wording, text)
        assert not parsed.unread, (style, wording, text, parsed.unread)


@pytest.mark.parametrize("wording", range(WORDINGS[Style.DMID]))
def test_denials_read_back_in_the_order_written(wording: int) -> None:
    kinds = (Kind.NIPPLE_RETRACTION, Kind.SKIN_THICKENING)
    report = Report(negatives=tuple(Negative(kind=kind) for kind in kinds))
    assert parse(render(report, Style.DMID, wording)).report.stated() == report


@settings(derandomize=True, deadline=None, max_examples=100)
@given(report=reports())
def test_wording_fixed_by_law_reads_back(report: Report) -> None:
    for style in (Style.CLINICAL, Style.IMPRESSION_FIRST):
        text = render(report, style, facility=Facility.US)
        parsed = parse(text)
        assert parsed.report.stated() == report.stated(), (style, text)
        assert not parsed.unread, (style, text, parsed.unread)
        assert not parsed.other_categories, style


def test_the_words_that_21_cfr_900_12_fixes() -> None:
    words = {
        "0": "Incomplete: Need additional imaging evaluation",
        "1": "Negative",
        "2": "Benign",
        "3": "Probably Benign",
        "4B": "Suspicious",
        "5": "Highly Suggestive of Malignancy",
        "6": "Known Biopsy-Proven Malignancy",
    }
    for category, word in words.items():
        right = Assessment(category=Category(category), laterality=Laterality.RIGHT)
        report = Report(composition=Composition.C, assessments=(right,))
        text = render(report, facility=Facility.US)
        assert f"Right breast: {word} (BI-RADS {category}).\n" in text
        assert "The breast is heterogeneously dense, which may obscure small masses.\n" in text
        left = Assessment(category=Category.NEGATIVE, laterality=Laterality.LEFT)
        both = report.model_copy(update={"assessments": (right, left), "composition": Composition.D})
        text = render(both, facility=Facility.US)
        assert "The breasts are extremely dense, which lowers the sensitivity of mammography.\n" in text
    priors = Report(comparison=Comparison(available=False), assessments=(Assessment(category=Category.INCOMPLETE),))
    assert "Overall: Incomplete: Need prior mammograms for comparison (BI-RADS 0).\n" in render(
        priors, facility=Facility.US
    )
    for composition, sentence in (
        (Composition.A, "The breasts are almost entirely fatty."),
        (Composition.B, "There are scattered areas of fibroglandular density."),
    ):
        assert f": {sentence}\n" in render(Report(composition=composition), facility=Facility.US)
    with pytest.raises(ValueError, match="dmid has no wording for facility us"):
        render(priors, Style.DMID, facility=Facility.US)


MASS = Finding(
    kind=Kind.MASS,
    laterality=Laterality.LEFT,
    location=Location(quadrant=Quadrant.UPPER_OUTER),
    category=Category.SUSPICIOUS,
    recommendation=Recommendation.BIOPSY,
    probability=0.56,
)
RIGHT, LEFT = Laterality.RIGHT, Laterality.LEFT


@pytest.mark.parametrize(
    ("views", "synthetic", "line"),
    [
        ([(RIGHT, "CC"), (RIGHT, "MLO")], [], "Unilateral right mammography, CC and MLO views"),
        ([(s, v) for s in "LR" for v in ("MLO", "CC")], [], "Bilateral mammography, CC and MLO views"),
        ([(RIGHT, "CC"), (LEFT, "CC"), (LEFT, "ML")], [], "Mammography, right CC view, left CC and ML views"),
        ([(LEFT, "CC")], [(LEFT, "CC")], "Unilateral left mammography, CC view, synthetic 2D"),
        ([(RIGHT, "CC"), (LEFT, "CC")], [(LEFT, "CC")], "Bilateral mammography, CC view, synthetic 2D left CC view"),
    ],
)
def test_the_technique_names_the_views(
    views: list[tuple[str, str]], synthetic: list[tuple[str, str]], line: str
) -> None:
    report = Report(technique=Technique(views=tuple(views), synthetic=tuple(synthetic)))
    assert f"TECHNIQUE: {line}, BI-RADS 5th edition.\n" in render(report)


@pytest.mark.parametrize("facility", [None, Facility.US])
def test_what_is_unconfirmed_is_in_the_impression_and_is_no_finding(facility: Facility | None) -> None:
    zero = Assessment(category=Category.INCOMPLETE, laterality=LEFT)
    unavailable = Comparison(available=False)
    report = Report(
        assessments=(zero,), unconfirmed=(MASS,), recommendation=Recommendation.BIOPSY, comparison=unavailable
    )
    text = render(report, facility=facility)
    impression = text.split("IMPRESSION:\n")[1].splitlines()
    words = "Incomplete: Need additional imaging evaluation (BI-RADS 0)" if facility else "BI-RADS 0"
    assert impression == [
        f"Left breast: {words}.",
        "UNCONFIRMED: Possible mass in the left breast, upper outer quadrant, probability 0.56, "
        "BI-RADS 4 if confirmed; needs additional imaging.",
        "RECOMMENDATION: Biopsy of the possible mass in the left breast, upper outer quadrant.",
    ]
    read = parse(text)
    assert (read.report.findings, read.report.assessments, read.unread, read.other_categories) == ((), (zero,), (), ())


def test_the_recommendation_names_no_lesion_of_a_breast_with_a_milder_category() -> None:
    worst, milder = (Assessment(category=Category(c), laterality=s) for c, s in (("5", RIGHT), ("4", LEFT)))
    report = Report(findings=(MASS,), assessments=(worst, milder), recommendation=Recommendation.BIOPSY)
    assert render(report).endswith("RECOMMENDATION: Biopsy.\n")
    other = MASS.model_copy(update={"laterality": RIGHT, "kind": Kind.DISTORTION})
    both = report.model_copy(update={"findings": (other, MASS)})
    assert render(both).endswith(
        "Biopsy of the architectural distortion in the right breast, upper outer quadrant, "
        "and the mass in the left breast, upper outer quadrant.\n"
    )


@pytest.mark.parametrize(
    ("right", "left", "more"),
    [("5", "3", " Short-interval follow-up of the left breast."), ("5", "2", ""), ("4", "5", ""), ("3", "3", "")],
)
def test_a_drafts_advice_names_what_the_other_breast_needs(right: str, left: str, more: str) -> None:
    assessments = tuple(
        Assessment(category=Category(c), laterality=s) for s, c in zip(Laterality, (right, left), strict=True)
    )
    views = tuple((side, view) for side in Laterality for view in (View.CC, View.MLO))
    worst = max((Category(right), Category(left)), key=lambda c: c.suspicion)
    step = usual_recommendation(worst)
    report = Report(technique=Technique(views=views), assessments=assessments, recommendation=step)
    advice = render(report).splitlines()[-1]
    assert advice.startswith(f"RECOMMENDATION: {str(step).capitalize()} of ")
    assert advice.partition(".")[2] == more
    assert parse(render(report)).report.recommendation is step
    unstated = render(report.model_copy(update={"technique": None}))
    assert unstated.splitlines()[-1] == f"RECOMMENDATION: {str(step).capitalize()}."
