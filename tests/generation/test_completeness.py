"""No breast that was not seen on CC and MLO is called negative or benign."""

from __future__ import annotations

import itertools

import pytest

from amrg.birads import (
    Assessment,
    Category,
    CategoryChange,
    Finding,
    Kind,
    Laterality,
    Recommendation,
    RemovalReason,
    RemovedFinding,
    Report,
    View,
    check,
    render,
    usual_recommendation,
)
from amrg.generation.completeness import CLEARED, rate_every_breast, state_unconfirmed, withhold_clearance
from amrg.generation.evidence import Supported
from amrg.imaging.study import SCREENING_VIEWS

LEFT, RIGHT = Laterality.LEFT, Laterality.RIGHT
BOTH = (RIGHT, LEFT)
MISSING = [tuple(some) for n in range(5) for some in itertools.combinations(SCREENING_VIEWS, n)]


def report(right: Category, left: Category, advice: Recommendation | None = Recommendation.ROUTINE) -> Report:
    both = (Assessment(category=right, laterality=RIGHT), Assessment(category=left, laterality=LEFT))
    return Report(assessments=both, recommendation=advice)


def test_a_breast_without_a_category_has_that_of_its_findings_or_0() -> None:
    mass = Finding(kind=Kind.MASS, laterality=LEFT, category=Category.SUSPICIOUS)
    right = Assessment(category=Category.BENIGN, laterality=RIGHT)
    named = Report(findings=(mass,), assessments=(right,), recommendation=Recommendation.ROUTINE)
    done = rate_every_breast(named, BOTH)
    assert done.report.assessments == (right, Assessment(category=Category.SUSPICIOUS, laterality=LEFT))
    assert (done.report.recommendation, done.unrated) == (Recommendation.BIOPSY, ())
    silent = rate_every_breast(named.model_copy(update={"findings": ()}), BOTH)
    assert silent.report.assessments == (right, Assessment(category=Category.INCOMPLETE, laterality=LEFT))
    assert (silent.report.recommendation, silent.unrated) == (Recommendation.ADDITIONAL_IMAGING, (LEFT,))


def test_what_is_rated_stays() -> None:
    overall = Report(assessments=(Assessment(category=Category.BENIGN),))
    for before in (Report(), overall, report(Category.NEGATIVE, Category.SUSPICIOUS)):
        assert rate_every_breast(before, BOTH).report == before
    one = Report(assessments=(Assessment(category=Category.BENIGN, laterality=RIGHT),))
    assert rate_every_breast(one, (RIGHT,)).report == one


@pytest.mark.parametrize("missing", MISSING)
def test_a_breast_is_cleared_only_where_it_was_seen_in_full(missing: tuple[tuple[Laterality, View], ...]) -> None:
    lacking = {side for side, _ in missing}
    for right, left in itertools.product(Category, repeat=2):
        before = report(right, left)
        done = withhold_clearance(before, missing)
        for old, new in zip(before.assessments, done.report.assessments, strict=True):
            raised = old.category in CLEARED and old.laterality in lacking
            assert new.category is (Category.INCOMPLETE if raised else old.category)
            noted = [i for i in done.incomplete if i.laterality is old.laterality]
            assert [i.before for i in noted] == ([old.category] if raised else [])
            assert all(i.missing_views == tuple(v for v in missing if v[0] is old.laterality) for i in noted)
        if not done.incomplete:
            assert done.report == before


def test_a_category_of_the_whole_study_is_not_cleared_where_either_breast_lacks_a_view() -> None:
    overall = Report(assessments=(Assessment(category=Category.BENIGN),), recommendation=Recommendation.ROUTINE)
    done = withhold_clearance(overall, ((LEFT, View.MLO),))
    assert [a.category for a in done.report.assessments] == [Category.INCOMPLETE]
    assert [i.laterality for i in done.incomplete] == [None]


@pytest.mark.parametrize(
    ("right", "advice", "expected"),
    [
        (Category.NEGATIVE, Recommendation.ROUTINE, Recommendation.ADDITIONAL_IMAGING),
        (Category.PROBABLY_BENIGN, Recommendation.SHORT_INTERVAL, Recommendation.ADDITIONAL_IMAGING),
        (Category.HIGH_SUSPICION, Recommendation.BIOPSY, Recommendation.BIOPSY),
        (Category.NEGATIVE, None, None),
    ],
)
def test_the_recommendation_follows_the_worst_category(
    right: Category, advice: Recommendation | None, expected: Recommendation | None
) -> None:
    done = withhold_clearance(report(right, Category.NEGATIVE, advice), ((LEFT, View.CC),))
    assert done.report.recommendation is expected
    assert [v for v in check(done.report) if v.rule == "advice-against-category"] == []


@pytest.mark.parametrize(
    ("before", "stay", "after"),
    [
        ("3", "1", "0"),
        ("4C", "2", "0"),
        ("4B", "3", "0"),
        ("0", "1", "0"),
        ("2", "1", "1"),
        ("5", "4A", "4A"),
    ],
)
def test_a_removed_finding_that_asks_for_more_than_screening_clears_no_breast(
    before: str, stay: str, after: str
) -> None:
    removed = Finding(kind=Kind.MASS, laterality=RIGHT, category=Category(before), probability=0.56)
    lowered = CategoryChange(laterality=RIGHT, before=removed.category, after=Category(stay))
    supported = Supported(
        report(Category(stay), Category.NEGATIVE, usual_recommendation(Category(stay))),
        (RemovedFinding(finding=removed, reason=RemovalReason.LOW_CONFIDENCE, probability=0.56, threshold=0.6),),
        (lowered,),
    )
    done = state_unconfirmed(supported)
    assert [a.category for a in done.report.assessments] == [Category(after), Category.NEGATIVE]
    assert [c.after for c in done.category_changes] == [Category(after)]
    assert done.report.unconfirmed == (removed,)
    assert done.report.recommendation is usual_recommendation(Category(after))
    needs = "" if before == "2" else "; needs additional imaging"
    line = f"UNCONFIRMED: Possible mass in the right breast, probability 0.56, BI-RADS {before} if confirmed{needs}.\n"
    assert line in render(done.report)


def test_a_removal_that_changed_no_category_is_not_in_the_impression() -> None:
    gone = Finding(kind=Kind.MASS, laterality=RIGHT, category=Category.BENIGN)
    removed = RemovedFinding(finding=gone, reason=RemovalReason.NOT_LOCATED, threshold=0.6)
    supported = Supported(report(Category.BENIGN, Category.NEGATIVE), (removed,))
    assert state_unconfirmed(supported) == supported
