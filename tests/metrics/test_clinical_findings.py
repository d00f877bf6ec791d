"""Findings matched one to one: what is the same, what is elsewhere, and what holds whatever the reports say."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amrg.birads import Finding, Kind, Laterality, Location, Margin, Quadrant, Report, Shape, View
from amrg.metrics.clinical.location import Fit, fit
from amrg.metrics.clinical.matching import match_findings
from tests.benchmark.making import made, value_of, values, written
from tests.birads.strategies import reports

LEFT, RIGHT = Laterality.LEFT, Laterality.RIGHT
MASS = Finding(kind=Kind.MASS, laterality=LEFT)


def _at(quadrant: str | None = None, clock: int | None = None) -> Location:
    return Location(quadrant=None if quadrant is None else Quadrant(quadrant), clock=clock)


def _report(*findings: Finding) -> Report:
    return Report(findings=findings)


@pytest.mark.parametrize(
    ("reference", "draft", "expected"),
    [
        (_at(), _at(), Fit.NOT_STATED),
        (_at("upper outer"), _at(), Fit.SILENT),
        (_at(), _at("upper"), Fit.FINER),
        (_at("upper outer"), _at("upper outer"), Fit.SAME),
        (_at("upper outer"), _at("upper"), Fit.BROADER),
        (_at("outer"), _at("upper outer"), Fit.FINER),
        (_at("upper"), _at("outer"), Fit.ELSEWHERE),
        (_at("upper outer"), _at("upper inner"), Fit.ELSEWHERE),
        (_at("central"), _at("retroareolar"), Fit.SAME),
        (_at("upper outer"), _at(clock=2), Fit.FINER),
        (_at("upper outer"), _at(clock=8), Fit.ELSEWHERE),
        (_at(clock=2), _at("upper outer"), Fit.BROADER),
        (_at(clock=2), _at("lower outer"), Fit.ELSEWHERE),
        (_at(clock=12), _at(clock=1), Fit.SAME),
        (_at(clock=12), _at(clock=3), Fit.ELSEWHERE),
        (_at("upper outer"), _at("upper outer", 2), Fit.FINER),
        (_at("upper outer", 2), _at("upper outer", 6), Fit.ELSEWHERE),
    ],
)
def test_places_of_the_left_breast(reference: Location, draft: Location, expected: Fit) -> None:
    assert fit(reference, draft, LEFT) is expected


def test_outer_is_at_nine_on_the_right_and_at_three_on_the_left() -> None:
    assert fit(_at(clock=10), _at("outer"), RIGHT) is Fit.BROADER
    assert fit(_at(clock=10), _at("outer"), LEFT) is Fit.ELSEWHERE


def test_the_side_is_exact_and_known_from_a_study_of_one_breast() -> None:
    right, unsaid = (MASS.model_copy(update={"laterality": side}) for side in (RIGHT, None))
    assert values([made(_report(MASS), _report(right))])["finding_f1_by_lesion"] == 0.0
    assert values([made(_report(MASS), _report(unsaid))])["finding_f1_by_lesion"] == 0.0
    of_left = ((LEFT, View.CC), (LEFT, View.MLO))
    assert values([made(_report(unsaid), _report(MASS), of_left)])["finding_f1_by_lesion"] == 1.0
    assert values([made(_report(unsaid), _report(right), of_left)])["finding_f1_by_lesion"] == 0.0


def test_counts_are_micro_over_cases() -> None:
    node = Finding(kind=Kind.AXILLARY_NODE, laterality=LEFT)
    found = values(
        [
            made(_report(MASS, node), _report(MASS)),
            made(_report(), _report(MASS)),
            made(_report(MASS), None),
        ]
    )
    parts = [found[f"finding_{part}_by_lesion"] for part in ("precision", "recall", "f1")]
    assert parts == [1 / 2, 1 / 2, 1 / 2]
    assert (found["finding_mass_precision_by_lesion"], found["finding_mass_recall_by_lesion"]) == (1 / 2, 1.0)
    assert found["finding_lymph_node_recall_by_lesion"] == 0.0
    assert "finding_distortion_f1_by_lesion" not in found
    assert (found["hallucinated_findings_a_report"], found["omitted_findings_a_report"]) == (1 / 2, 1 / 2)


def test_location_and_descriptors_are_scored_apart() -> None:
    stated = {"location": _at("upper outer"), "shape": Shape.OVAL, "margin": Margin.CIRCUMSCRIBED}
    reference = MASS.model_copy(update=stated)
    elsewhere = MASS.model_copy(update={**stated, "location": _at("lower inner"), "margin": Margin.OBSCURED})
    found = values([made(_report(reference), _report(elsewhere))])
    assert (found["finding_f1_by_lesion"], found["finding_f1_by_lesion_with_location"]) == (1.0, 0.0)
    assert (found["finding_location_accuracy"], found["finding_descriptor_accuracy"]) == (0.0, 0.5)
    silent = values([made(_report(reference), _report(MASS))])
    assert (silent["finding_location_accuracy"], silent["finding_descriptor_accuracy"]) == (0.0, 0.0)


def test_of_two_masses_each_finds_its_own_place() -> None:
    first, second = (MASS.model_copy(update={"location": _at(q)}) for q in ("upper outer", "lower inner"))
    found = values([made(_report(first, second), _report(second, first))])
    assert found["finding_location_accuracy"] == found["finding_f1_by_lesion_with_location"] == 1.0


def test_asymmetries_are_one_kind_and_a_mass_is_another() -> None:
    focal, plain = (Finding(kind=k, laterality=LEFT) for k in (Kind.FOCAL_ASYMMETRY, Kind.ASYMMETRY))
    assert values([made(_report(focal), _report(plain))])["finding_asymmetry_f1_by_lesion"] == 1.0
    assert values([made(_report(focal), _report(MASS))])["finding_f1_by_lesion"] == 0.0


def test_a_feature_is_the_same_alone_and_with_a_mass() -> None:
    thick = Finding(kind=Kind.SKIN_THICKENING, laterality=LEFT)
    together = MASS.model_copy(update={"associated": (Kind.SKIN_THICKENING,)})
    assert values([made(_report(together), _report(MASS, thick))])["finding_f1_by_lesion"] == 1.0
    assert values([made(_report(together), _report(MASS))])["finding_recall_by_lesion"] == 0.5


def test_several_masses_named_together_are_those_named_one_by_one() -> None:
    several = MASS.model_copy(update={"multiple": True})
    assert values([made(_report(several), _report(MASS, MASS, MASS))])["finding_f1_by_lesion"] == 1.0
    assert values([made(_report(MASS, MASS), _report(several))])["finding_f1_by_lesion"] == 1.0
    assert values([made(_report(MASS), _report(MASS, MASS))])["finding_f1_by_lesion"] == 2 / 3


def test_a_negation_flip_is_caught() -> None:
    """The two texts share all words but one; text metrics call them alike."""
    stated = "ACR B. There is a spiculated mass in the left breast. BIRADS: 4c."
    denied = "ACR B. There is no spiculated mass in the left breast. BIRADS: 4c."
    assert value_of("finding_f1_by_lesion", stated, stated) == value_of("mammogreen_score", stated, stated) == 1.0
    assert value_of("finding_f1_by_lesion", stated, denied) == value_of("finding_f1_by_lesion", denied, stated) == 0.0
    assert value_of("mammogreen_score", stated, denied) == value_of("mammogreen_score", denied, stated) == 0.0
    both = values([written(stated, denied), written(denied, stated)])
    assert (both["mammogreen_missing_findings"], both["mammogreen_false_findings"]) == (0.5, 0.5)


_RIGHT_ONLY = ("accuracy", "f1", "precision", "recall", "sensitivity", "specificity", "score", "kappa", "mean")


@settings(max_examples=60, deadline=None)
@given(st.lists(reports(), min_size=1, max_size=3))
def test_a_perfect_copy_is_perfect(drawn: list[Report]) -> None:
    for name, value in values([made(r, r) for r in drawn]).items():
        of_the_draft = "contradictions" not in name and "_majority_share" not in name
        if of_the_draft and not math.isnan(value):
            assert value == float(any(word in name for word in _RIGHT_ONLY)), name


@settings(max_examples=60, deadline=None)
@given(reports(), reports(), st.randoms(use_true_random=False))
def test_the_order_of_findings_does_not_matter(reference: Report, draft: Report, order: random.Random) -> None:
    def shuffled(report: Report) -> Report:
        found = list(report.findings)
        order.shuffle(found)
        return report.model_copy(update={"findings": tuple(found)})

    before, after = values([made(reference, draft)]), values([made(shuffled(reference), shuffled(draft))])
    assert str(before) == str(after)


def test_the_order_does_not_matter_where_two_matchings_are_as_good() -> None:
    """Matched one way both masses are contradicted, the other way one is; both ways are as similar."""

    def mass(shape: Shape | None, margin: Margin | None) -> Finding:
        return MASS.model_copy(update={"shape": shape, "margin": margin})

    reference = (mass(Shape.OVAL, Margin.CIRCUMSCRIBED), mass(None, Margin.SPICULATED))
    draft = (mass(Shape.ROUND, None), mass(Shape.IRREGULAR, Margin.OBSCURED))
    orders = [(a, b) for a in (reference, reference[::-1]) for b in (draft, draft[::-1])]
    assert len({str(values([made(_report(*a), _report(*b))])) for a, b in orders}) == 1


@settings(max_examples=60, deadline=None)
@given(reports(), reports())
def test_matches_are_as_many_both_ways(a: Report, b: Report) -> None:
    there, back = match_findings(made(a, b), b), match_findings(made(b, a), a)
    assert len(there.matches) == len(back.matches)
    assert (len(there.missed), len(there.invented)) == (len(back.invented), len(back.missed))
