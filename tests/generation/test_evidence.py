"""What a draft states: findings that the features locate, each once; categories and advice follow what stays."""

from __future__ import annotations

from amrg.birads import (
    Assessment,
    Category,
    Finding,
    Kind,
    Laterality,
    Location,
    Quadrant,
    Recommendation,
    Report,
    View,
    ViewBox,
    check,
    render,
)
from amrg.generation.completeness import state_unconfirmed
from amrg.generation.evidence import THRESHOLDS, Supported, remove_duplicates, remove_low_confidence

LEFT, RIGHT = Laterality.LEFT, Laterality.RIGHT
BOX = ViewBox(laterality=LEFT, view=View.CC, left=0, top=0, right=9, bottom=9)


def mass(category: Category, probability: float | None, side: Laterality = LEFT, boxes: int = 1) -> Finding:
    return Finding(
        kind=Kind.MASS,
        laterality=side,
        location=Location(quadrant=Quadrant.UPPER_OUTER),
        category=category,
        probability=probability,
        boxes=(BOX,) * boxes,
        views=(View.CC,) if boxes else (),  # the only view there is
    )


def drafted(left: Category, *findings: Finding) -> Report:
    advice = Recommendation.BIOPSY if left.major >= 4 else Recommendation.ROUTINE
    both = (Assessment(category=Category.BENIGN, laterality=RIGHT), Assessment(category=left, laterality=LEFT))
    return Report(findings=findings, assessments=both, recommendation=advice)


def test_a_duplicate_without_a_separate_location_is_removed() -> None:
    first, again = mass(Category.LOW_SUSPICION, 0.9), mass(Category.LOW_SUSPICION, None, boxes=0)
    worse = again.model_copy(update={"category": Category.HIGH_SUSPICION})
    separate = mass(Category.LOW_SUSPICION, 0.8)
    for second, stay in ((again, 1), (worse, 2), (separate, 2)):
        done = remove_duplicates(drafted(Category.LOW_SUSPICION, first, second))
        assert (len(done.report.findings), len(done.removed)) == (stay, 2 - stay)
        for removed in done.removed:
            assert removed.line == (
                "Removed, duplicate: mass, left breast, upper outer quadrant (no separate location)."
            )


def test_a_finding_at_the_threshold_stays_as_drafted() -> None:
    report = drafted(Category.LOW_SUSPICION, mass(Category.LOW_SUSPICION, THRESHOLDS.one_view))
    assert remove_low_confidence(report) == Supported(report)


def test_a_category_is_lowered_with_the_finding_it_came_from_and_the_recommendation_follows() -> None:
    unsure, nowhere = (
        mass(Category.LOW_SUSPICION, THRESHOLDS.one_view - 0.01),
        mass(Category.LOW_SUSPICION, None, boxes=0),
    )
    for finding, line in (
        (unsure, "Removed, low confidence (0.49, threshold 0.50): mass, left breast, upper outer quadrant."),
        (nowhere, "Removed, not located on any view: mass, left breast, upper outer quadrant."),
    ):
        done = remove_low_confidence(drafted(Category.LOW_SUSPICION, finding))
        assert done.report.findings == ()
        assert [a.category for a in done.report.assessments] == [Category.BENIGN, Category.NEGATIVE]
        assert done.report.recommendation is Recommendation.ROUTINE
        assert [removed.line for removed in done.removed] == [line]
        assert [c.line for c in done.category_changes] == ["Left breast category lowered from 4A to 1 after removal."]
        assert check(done.report) == ()


def test_a_mass_that_a_view_does_not_show_must_be_more_probable_and_an_asymmetry_need_not() -> None:
    finding = mass(Category.LOW_SUSPICION, THRESHOLDS.some_view - 0.01).model_copy(update={"views": ()})
    done = remove_low_confidence(drafted(Category.LOW_SUSPICION, finding))
    assert [removed.line for removed in done.removed] == [
        "Removed, not on every view (0.69, threshold 0.70): mass, left breast, upper outer quadrant."
    ]
    for changed in ({"probability": THRESHOLDS.some_view}, {"kind": Kind.ASYMMETRY}, {"views": (View.CC,)}):
        report = drafted(Category.LOW_SUSPICION, finding.model_copy(update=changed))
        assert remove_low_confidence(report) == Supported(report)


def test_a_mass_that_two_views_show_may_be_less_probable() -> None:
    finding = mass(Category.LOW_SUSPICION, THRESHOLDS.every_view).model_copy(update={"views": (View.CC, View.MLO)})
    report = drafted(Category.LOW_SUSPICION, finding)
    assert remove_low_confidence(report) == Supported(report)
    alone = drafted(Category.LOW_SUSPICION, finding.model_copy(update={"views": (View.CC,)}))
    assert len(remove_low_confidence(alone).removed) == 1


def test_a_category_stays_where_another_finding_supports_it_or_none_did() -> None:
    unsure, sure = mass(Category.LOW_SUSPICION, 0.3), mass(Category.LOW_SUSPICION, 0.9)
    supported = remove_low_confidence(drafted(Category.LOW_SUSPICION, sure, unsure))
    assert (supported.report.findings, supported.report.worst) == ((sure,), Category.LOW_SUSPICION)
    apart = remove_low_confidence(drafted(Category.HIGH_SUSPICION, unsure))
    assert apart.report.worst is Category.HIGH_SUSPICION
    for done in (supported, apart):
        assert (len(done.removed), done.category_changes) == (1, ())


def test_a_finding_without_a_category_of_its_own_is_what_its_breast_is_rated_for() -> None:
    unrated = mass(Category.SUSPICIOUS, None, boxes=0).model_copy(update={"category": None})
    done = state_unconfirmed(remove_low_confidence(drafted(Category.SUSPICIOUS, unrated)))
    assert [str(a.category) for a in done.report.assessments] == ["2", "0"]
    assert [f.category for f in done.report.unconfirmed] == [Category.SUSPICIOUS]
    assert "UNCONFIRMED: Possible mass in the left breast" in render(done.report)
    located = mass(Category.SUSPICIOUS, 0.9, boxes=2).model_copy(update={"category": None})
    stays = remove_low_confidence(drafted(Category.SUSPICIOUS, unrated, located))
    assert stays.report.findings == (located,)
    assert not stays.category_changes


def test_a_finding_without_a_side_was_looked_for_nowhere() -> None:
    report = drafted(
        Category.SUSPICIOUS, mass(Category.SUSPICIOUS, None, boxes=0).model_copy(update={"laterality": None})
    )
    assert remove_low_confidence(report) == Supported(report)


def test_a_lesser_finding_that_stays_gives_the_category() -> None:
    lesser = mass(Category.PROBABLY_BENIGN, 0.9)
    done = remove_low_confidence(drafted(Category.HIGH_SUSPICION, mass(Category.HIGH_SUSPICION, 0.2), lesser))
    assert done.report.worst is Category.PROBABLY_BENIGN
    assert done.report.recommendation is Recommendation.SHORT_INTERVAL
