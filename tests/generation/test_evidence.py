"""What a draft may keep: findings shown surely, each once; categories and advice follow what stays."""

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
)
from amrg.generation.evidence import SURE, without_repeats, without_unshown

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
    )


def written(left: Category, *findings: Finding) -> Report:
    advice = Recommendation.BIOPSY if left.major >= 4 else Recommendation.ROUTINE
    both = (Assessment(category=Category.BENIGN, laterality=RIGHT), Assessment(category=left, laterality=LEFT))
    return Report(findings=findings, assessments=both, recommendation=advice)


def test_what_is_said_twice_and_shown_once_is_left_out_with_a_line() -> None:
    first, again = mass(Category.LOW_SUSPICION, 0.9), mass(Category.LOW_SUSPICION, None, boxes=0)
    worse = again.model_copy(update={"category": Category.HIGH_SUSPICION})
    own = mass(Category.LOW_SUSPICION, 0.8)
    for second, kept in ((again, 1), (worse, 2), (own, 2)):
        report, lines = without_repeats(written(Category.LOW_SUSPICION, first, second))
        assert (len(report.findings), len(lines)) == (kept, 2 - kept)


def test_a_finding_that_is_shown_surely_stays_as_written() -> None:
    report = written(Category.LOW_SUSPICION, mass(Category.LOW_SUSPICION, SURE))
    assert without_unshown(report) == (report, ())


def test_a_category_falls_with_the_finding_that_bore_it_and_advice_follows() -> None:
    unsure, nowhere = mass(Category.LOW_SUSPICION, SURE - 0.01), mass(Category.LOW_SUSPICION, None, boxes=0)
    for finding, how in ((unsure, "0.59"), (nowhere, "nowhere")):
        report, (line, change) = without_unshown(written(Category.LOW_SUSPICION, finding))
        assert report.findings == ()
        assert [a.category for a in report.assessments] == [Category.BENIGN, Category.NEGATIVE]
        assert report.recommendation is Recommendation.ROUTINE
        assert how in line
        assert "left breast, category 1 without what was left out, 4A as the model wrote it" in change
        assert check(report) == ()


def test_a_category_stays_where_another_finding_bears_it_or_none_did() -> None:
    unsure, sure = mass(Category.LOW_SUSPICION, 0.3), mass(Category.LOW_SUSPICION, 0.9)
    borne, lines = without_unshown(written(Category.LOW_SUSPICION, sure, unsure))
    assert (borne.findings, borne.worst, len(lines)) == ((sure,), Category.LOW_SUSPICION, 1)
    apart, lines = without_unshown(written(Category.HIGH_SUSPICION, unsure))
    assert (apart.worst, len(lines)) == (Category.HIGH_SUSPICION, 1)


def test_a_lesser_finding_that_stays_gives_the_category() -> None:
    lesser = mass(Category.PROBABLY_BENIGN, 0.9)
    report, _ = without_unshown(written(Category.HIGH_SUSPICION, mass(Category.HIGH_SUSPICION, 0.2), lesser))
    assert report.worst is Category.PROBABLY_BENIGN
    assert report.recommendation is Recommendation.SHORT_INTERVAL
