"""The card's figures on pairs made by hand: what is right counts, what is wrong does, what is unscored is said."""

from __future__ import annotations

import pytest

from amrg.benchmark.model_card import Pair, blank_figures, figures
from amrg.birads import Assessment, Category, Composition, Finding, Kind, Laterality, Location, Quadrant, Report

MASS = Finding(kind=Kind.MASS, laterality=Laterality.LEFT, location=Location(quadrant=Quadrant.UPPER_OUTER))
ELSEWHERE = MASS.model_copy(update={"location": Location(quadrant=Quadrant.LOWER_INNER)})


def _report(category: Category | None, *findings: Finding) -> Report:
    assessments = () if category is None else (Assessment(category=category, laterality=Laterality.LEFT),)
    return Report(composition=Composition.B, findings=findings, assessments=assessments)


def _pairs(truth: Report, drafted: Report, count: int = 4) -> list[Pair]:
    return [Pair(seed, truth, drafted, refused=False) for seed in range(count)]


def _values(pairs: list[Pair]) -> dict[str, float]:
    normal = Pair(99, _report(Category.NEGATIVE), _report(Category.NEGATIVE), refused=True)
    return {f.name: f.value for f in figures([*pairs, normal], "a test")}


def test_a_perfect_draft() -> None:
    truth = _report(Category.SUSPICIOUS, MASS)
    found = _values(_pairs(truth, truth))
    assert found["birads_accuracy"] == found["density_accuracy"] == found["finding_f1"] == 1.0
    assert found["invented_findings_an_exam"] == found["unscored"] == 0.0
    assert found["refused_by_guard"] == pytest.approx(1 / 5)


def test_a_finding_in_the_wrong_quadrant_is_misplaced_and_no_agreement() -> None:
    found = _values(_pairs(_report(Category.SUSPICIOUS, MASS), _report(Category.SUSPICIOUS, ELSEWHERE)))
    assert found["finding_f1"] == 0.0
    assert found["misplaced_findings_an_exam"] == pytest.approx(4 / 5)
    assert found["invented_findings_an_exam"] == 0.0
    assert found["birads_accuracy"] == 1.0


def test_a_finding_of_a_kind_that_is_not_there_is_invented() -> None:
    other = MASS.model_copy(update={"kind": Kind.DISTORTION})
    found = _values(_pairs(_report(Category.SUSPICIOUS, MASS), _report(Category.SUSPICIOUS, MASS, other)))
    assert found["invented_findings_an_exam"] == pytest.approx(4 / 5)
    assert found["misplaced_findings_an_exam"] == 0.0


def test_four_a_and_four_b_are_one_category_here_and_three_is_another() -> None:
    truth = _report(Category.LOW_SUSPICION, MASS)
    assert _values(_pairs(truth, _report(Category.MODERATE_SUSPICION, MASS)))["birads_accuracy"] == 1.0
    wrong = _values(_pairs(truth, _report(Category.PROBABLY_BENIGN, MASS)))
    assert wrong["birads_accuracy"] == pytest.approx(1 / 5)
    assert wrong["abnormal_sensitivity"] == 1.0


def test_a_draft_without_a_category_is_unscored_and_never_a_zero() -> None:
    pairs = [
        *_pairs(_report(Category.SUSPICIOUS, MASS), _report(None, MASS)),
        *_pairs(_report(Category.SUSPICIOUS, MASS), _report(Category.SUSPICIOUS, MASS)),
    ]
    found = {
        f.name: f
        for f in figures([*pairs, Pair(99, _report(Category.NEGATIVE), _report(Category.NEGATIVE), False)], "x")
    }
    assert found["unscored"].value == 4
    assert (found["birads_accuracy"].value, found["birads_accuracy"].n) == (1.0, 5)


def test_blanked_pictures_stand_beside_the_majority() -> None:
    pairs = _pairs(_report(Category.SUSPICIOUS, MASS), _report(Category.SUSPICIOUS, MASS), 3)
    pairs += _pairs(_report(Category.NEGATIVE), _report(Category.NEGATIVE), 1)
    found = {f.name: f.value for f in blank_figures(_report(Category.NEGATIVE), pairs, "a test")}
    assert (found["blank_birads_accuracy"], found["majority_birads_share"]) == (0.25, 0.75)
