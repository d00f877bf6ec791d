"""Every rule by its name: a report that breaks it, and what does not."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from amrg.birads import (
    RULES,
    Assessment,
    Category,
    Finding,
    Kind,
    Laterality,
    Location,
    Report,
    View,
    ViewBox,
    check,
    parse,
    usual_recommendation,
)
from tests.birads.strategies import reports

SOUND = (
    "COMPARISON: Prior study of 2021-03-04.\n"
    "BREAST COMPOSITION: ACR B.\n"
    "FINDINGS:\n"
    "Left breast, upper outer quadrant, 2 o'clock: irregular spiculated mass, larger than before (BI-RADS 5).\n"
    "Right breast: benign vascular calcifications (BI-RADS 2).\n"
    "No architectural distortion in the right breast.\n"
    "IMPRESSION:\nRight breast: BI-RADS 2.\nLeft breast: BI-RADS 5.\nRECOMMENDATION: Biopsy."
)
BROKEN = [
    ("category-below-finding", "Left breast: BI-RADS 5.", "Left breast: BI-RADS 3."),
    ("category-above-findings", "Right breast: BI-RADS 2.", "Right breast: BI-RADS 4B."),
    ("negative-with-findings", "Left breast: BI-RADS 5.", "Left breast: BI-RADS 1."),
    ("suspicious-called-benign", "before (BI-RADS 5)", "before (BI-RADS 2)"),
    ("benign-called-suspicious", "calcifications (BI-RADS 2)", "calcifications (BI-RADS 4C)"),
    ("clock-against-quadrant", "2 o'clock", "8 o'clock"),
    ("change-without-prior", "COMPARISON: Prior study of 2021-03-04.\n", ""),
    ("advice-against-category", "RECOMMENDATION: Biopsy", "RECOMMENDATION: Routine screening"),
    ("negative-against-finding", "No architectural distortion in the right", "No mass in the left"),
    ("shape-against-margin", "irregular spiculated", "oval spiculated"),
    ("quadrant-against-view", "larger than before", "on MLO view, larger than before"),
]


def broken(report: Report, **known: object) -> set[str]:
    return {v.rule for v in check(report, **known)}  # type: ignore[arg-type]


def test_a_sound_report_breaks_no_rule() -> None:
    report = parse(SOUND).report
    views = [(side, view) for side in Laterality for view in (View.CC, View.MLO)]
    assert check(report, views, has_prior=True) == ()


@pytest.mark.parametrize(("rule", "found", "put"), BROKEN, ids=[rule for rule, *_ in BROKEN])
def test_one_change_breaks_its_rule(rule: str, found: str, put: str) -> None:
    assert found in SOUND
    assert rule in broken(parse(SOUND.replace(found, put)).report)


def test_rules_that_need_the_study_or_the_narrative() -> None:
    report = parse(SOUND).report
    assert broken(report, has_prior=False) == {"comparison-without-prior"}
    assert broken(report, views=[(Laterality.RIGHT, View.CC)]) == {"side-against-view"}
    assert broken(report.model_copy(update={"composition": "d"})) >= {"composition-against-narrative"}
    milder = tuple(a for a in report.assessments if a.laterality is Laterality.RIGHT)
    assert broken(report.model_copy(update={"assessments": milder})) >= {"category-against-narrative"}
    odd = report.findings[1].model_copy(update={"margin": "spiculated"})
    assert "descriptor-of-another-kind" in broken(report.model_copy(update={"findings": (odd,)}))


@pytest.mark.parametrize(
    ("text", "path", "what"),
    [
        ("Right breast: spiculated mass. BI-RADS 2.", "findings[0]", "spiculated mass is called 2"),
        ("Fine linear branching calcifications. BI-RADS 2.", "findings[0]", "fine linear branching calcifications is"),
        ("Irregular mass (BI-RADS 2).", "findings[0].category", "irregular mass is called 2"),
        ("Right breast: indistinct oval mass. BI-RADS 2.", "findings[0]", "indistinct mass is called 2"),
        ("Right breast: microlobulated mass. BI-RADS 3.", "findings[0]", "microlobulated mass is called 3"),
        ("Amorphous calcifications (BI-RADS 3).", "findings[0].category", "amorphous calcifications is called 3"),
    ],
)
def test_what_is_suspicious_is_not_benign_by_its_own_category_or_its_breasts(text: str, path: str, what: str) -> None:
    (found,) = [v for v in check(parse(text).report) if v.rule == "suspicious-called-benign"]
    assert found.path == path
    assert what in found.message
    assert found.message.endswith("expected 4 or 5")


@pytest.mark.parametrize(
    "text",
    [
        "Right breast: irregular mass.\nIMPRESSION: Right breast: BI-RADS 4. Left breast: BI-RADS 2.",
        "Irregular mass.\nIMPRESSION: Right breast: BI-RADS 4. Left breast: BI-RADS 2.",
        "Right breast: irregular mass (BI-RADS 4).\nIMPRESSION: Right breast: BI-RADS 2.",  # category-below-finding
        "Right breast: spiculated mass. BI-RADS 0.",
        "Right breast: spiculated mass.",
        "Right breast: irregular fat-containing mass. BI-RADS 2.",
        "Right breast: obscured mass. BI-RADS 3.",
        "Right breast: oval circumscribed mass. BI-RADS 2.",
    ],
)
def test_what_no_category_calls_benign_breaks_no_such_rule(text: str) -> None:
    assert "suspicious-called-benign" not in broken(parse(text).report)


def test_an_irregular_mass_that_is_well_defined_is_no_contradiction() -> None:
    """One DMID report in twenty has one."""
    assert check(parse("Right breast: irregular circumscribed mass (BI-RADS 4).").report) == ()


def placed(side: Laterality, view: View, over: float, behind: float, **place: object) -> Report:
    box = ViewBox(
        laterality=side, view=view, left=0, top=0, right=9, bottom=9, off_nipple_line=over, behind_nipple=behind
    )
    return Report(findings=(Finding(kind=Kind.MASS, laterality=side, location=Location(**place), boxes=(box,)),))


@pytest.mark.parametrize(
    ("view", "over", "behind", "place", "message"),
    [
        (
            View.CC,
            0.2,
            0.5,
            {"quadrant": "lower inner"},
            "said to be lower inner, its box on RCC is on the outer side of",
        ),
        (View.CC, -0.2, 0.5, {"quadrant": "outer"}, "its box on RCC is on the inner side of the nipple line"),
        (View.MLO, 0.5, 0.5, {"quadrant": "lower inner"}, "its box on RMLO is above the nipple line"),
        (View.ML, 0.2, 0.5, {"quadrant": "lower"}, "its box on RML is above the nipple line"),
        (View.MLO, -0.2, 0.5, {"quadrant": "axilla"}, "its box on RMLO is below the nipple line"),
        (View.CC, -0.2, 0.5, {"clock": 9}, "said to be at 9 o'clock, its box on RCC is on the inner side of"),
        (View.MLO, 0.9, 0.9, {"clock": 6}, "said to be at 6 o'clock, its box on RMLO is above"),
        (View.CC, 0.6, 0.5, {"quadrant": "central"}, "its box on RCC is far on the outer side of the nipple line"),
        (
            View.CC,
            0.0,
            0.2,
            {"depth": "posterior"},
            "its box on RCC is 20% of the way from the nipple to the chest wall",
        ),
    ],
)
def test_a_place_that_its_box_contradicts_is_named(
    view: View, over: float, behind: float, place: dict[str, object], message: str
) -> None:
    (found,) = [
        v for v in check(placed(Laterality.RIGHT, view, over, behind, **place)) if v.rule == "place-against-box"
    ]
    assert message in found.message
    assert found.path == "findings[0].boxes[0]"


@pytest.mark.parametrize(
    ("view", "over", "behind", "place"),
    [
        (View.CC, 0.05, 0.5, {"quadrant": "inner"}),  # on the nipple line
        (View.MLO, 0.2, 0.6, {"quadrant": "lower"}),  # where the oblique line may be above it
        (View.CC, 0.5, 0.5, {"quadrant": "upper"}),  # not told from above
        (View.SIO, 0.5, 0.5, {"quadrant": "lower"}),
        (View.CC, 0.25, 0.2, {"quadrant": "retroareolar"}),
        (View.CC, 0.3, 0.45, {"clock": 9, "depth": "anterior"}),
    ],
)
def test_a_place_that_its_box_does_not_contradict_is_left(
    view: View, over: float, behind: float, place: dict[str, object]
) -> None:
    assert "place-against-box" not in broken(placed(Laterality.RIGHT, view, over, behind, **place))


def test_a_finding_that_asks_for_more_imaging_is_not_below_category_3() -> None:
    report = parse("Left breast: 9 mm mass (BI-RADS 0).\nIMPRESSION:\nLeft breast: BI-RADS 4.").report
    assert report.findings[0].category is Category.INCOMPLETE
    assert broken(report) == set()


def test_a_breast_that_was_removed_is_not_examined() -> None:
    text = SOUND.replace("COMPARISON", "HISTORY: Status post right mastectomy.\nCOMPARISON")
    messages = [v.message for v in check(parse(text).report) if v.rule == "breast-removed"]
    assert messages == [
        "found in side R, which was removed by mastectomy",
        "category for side R, which was removed by mastectomy",
    ]
    left = parse("HISTORY: Status post right mastectomy.\nTECHNIQUE: Left CC and MLO views.\nLeft: BI-RADS 1.").report
    assert check(left) == ()
    assert broken(left, views=[(Laterality.RIGHT, View.CC)]) == {"breast-removed"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("BI-RADS 2: Suspicious.", "category 2 with the words of 4 in the narrative"),
        ("IMPRESSION: Right breast: Benign (BI-RADS 4).", "category 4 with the words of 2 in the narrative"),
        ("BI-RADS 2: Benign. BI-RADS 4: not benign.", None),
        ("The breasts are heterogeneously dense (ACR B).", "the narrative says heterogeneously dense, but B"),
        ("BREAST COMPOSITION: extremely dense, type b", "the narrative says extremely dense, but b"),
        ("Breast density: 2 (ACR C).", "the narrative says 2, but C"),
        ("Heterogeneously dense (c), ACR 3. BI-RADS 1.", None),
        ("Heterogeneously dense tissue, BI-RADS 4.", None),
        ("Within the heterogeneously dense tissue there is a mass of high density 2 cm in size.", None),
        ("Within the extremely dense tissue there is a mass of high density 2 x 3cm.", None),
        ("Heterogeneously dense, ACR density 2, mass of 3 cm.", "the narrative says Heterogeneously dense, but 2"),
        ("Tissue of heterogeneous density a mass is seen in. ACR B. Extremely dense, BI-RADS D.", None),
        ("Extremely dense, previously ACR C.", None),
        ("a. almost entirely fatty (b) scattered fibroglandular (c) heterogeneously dense (d) extremely dense", None),
    ],
)
def test_a_number_and_its_words_mean_the_same(text: str, message: str | None) -> None:
    rules = {"category-against-words", "composition-against-words"}
    assert [v.message for v in check(parse(text).report) if v.rule in rules] == ([] if message is None else [message])


def test_every_rule_is_broken_here() -> None:
    here = {rule for rule, *_ in BROKEN} | {
        "comparison-without-prior",
        "side-against-view",
        "place-against-box",
        "category-against-words",
        "composition-against-words",
        "breast-removed",
        "composition-against-narrative",
        "category-against-narrative",
        "descriptor-of-another-kind",
    }
    assert here == RULES.keys()


@settings(derandomize=True, deadline=None, max_examples=100)
@given(report=reports())
def test_never_raises_and_says_where(report: Report) -> None:
    for violation in check(report):
        assert violation.rule in RULES
        assert violation.message
        assert violation.path


@pytest.mark.parametrize("category", list(Category))
def test_the_usual_advice_goes_with_its_category(category: Category) -> None:
    report = Report(assessments=(Assessment(category=category),), recommendation=usual_recommendation(category))
    assert "advice-against-category" not in {v.rule for v in check(report)}
