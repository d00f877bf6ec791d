"""No breast that was not seen on CC and MLO is called negative or benign."""

from __future__ import annotations

import itertools

import pytest

from amrg.birads import Assessment, Category, Laterality, Recommendation, Report, View, check
from amrg.generation.completeness import CLEARED, withhold_clearance
from amrg.imaging.study import SCREENING_VIEWS

LEFT, RIGHT = Laterality.LEFT, Laterality.RIGHT
MISSING = [tuple(some) for n in range(5) for some in itertools.combinations(SCREENING_VIEWS, n)]


def report(right: Category, left: Category, advice: Recommendation | None = Recommendation.ROUTINE) -> Report:
    both = (Assessment(category=right, laterality=RIGHT), Assessment(category=left, laterality=LEFT))
    return Report(assessments=both, recommendation=advice)


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
