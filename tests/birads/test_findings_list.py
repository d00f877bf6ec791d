"""Findings first: the list that a model states before its narrative."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from amrg.birads import (
    Assessment,
    Category,
    Composition,
    Density,
    Finding,
    Kind,
    Laterality,
    Location,
    Margin,
    Quadrant,
    Report,
    Shape,
    View,
    read_findings,
    write_findings,
)
from tests.birads.strategies import reports

MASS = Finding(
    kind=Kind.MASS,
    laterality=Laterality.RIGHT,
    location=Location(quadrant=Quadrant.UPPER_OUTER, depth="posterior", clock=10, nipple_distance_mm=40),
    shape=Shape.IRREGULAR,
    margin=Margin.SPICULATED,
    density=Density.HIGH,
    size_mm=14,
    associated=(Kind.SKIN_THICKENING, Kind.NIPPLE_RETRACTION),
    views=(View.CC, View.MLO),
    category=Category.HIGHLY_SUGGESTIVE,
)
REPORT = Report(
    composition=Composition.C,
    findings=(MASS,),
    assessments=(Assessment(category="5", laterality="R"), Assessment(category="1", laterality="L")),
)
LIST = """\
FINDINGS LIST
R mass, upper outer, posterior, 10 o'clock, 40 mm from the nipple, irregular, spiculated, high density, 14 mm, \
with skin thickening, with nipple retraction, CC MLO, BI-RADS 5
ACR C
BI-RADS R 5, L 1
REPORT
"""


@settings(derandomize=True, deadline=None, max_examples=150)
@given(report=reports())
def test_a_list_reads_back_exactly(report: Report) -> None:
    found = read_findings(write_findings(report) + "No significant abnormality.\nBI-RADS 1.\n")
    assert found is not None
    assert found.finished
    assert not found.unread
    assert found.narrative == "No significant abnormality.\nBI-RADS 1.\n"
    assert found.report == Report(
        findings=report.stated().findings, composition=report.composition, assessments=report.assessments
    )


def test_a_word_a_fact() -> None:
    assert write_findings(REPORT) == LIST
    assert write_findings(Report(assessments=(Assessment(category="2"),))) == "FINDINGS LIST\nnone\nBI-RADS 2\nREPORT\n"


def test_case_marks_and_labels_of_a_general_model_are_of_no_importance() -> None:
    found = read_findings(
        "**Findings list:**\n- Right mass, upper outer quadrant, posterior depth, irregular shape, spiculated margins\n"
        "* ACR c\n* BIRADS right 5, left 1\n\n## Report\nText."
    )
    assert found is not None
    assert not found.unread
    assert found.narrative == "Text."
    assert found.report.findings[0].margin is Margin.SPICULATED
    assert found.report.assessments == REPORT.assessments


@pytest.mark.parametrize(
    ("line", "unread"),
    [
        ("R mass, starry", "starry (in: R mass, starry)"),
        ("R mass, oval, round", "round (in: R mass, oval, round)"),
        ("R mass, 400 mm", "400 mm (in: R mass, 400 mm)"),
        ("R mass, grouped", "grouped (in: R mass, grouped)"),
        ("R mass, BI-RADS 7", "BI-RADS 7 (in: R mass, BI-RADS 7)"),
        ("R mass, with mass", "with mass (in: R mass, with mass)"),
        ("R mass, CC CC", "CC CC (in: R mass, CC CC)"),
    ],
)
def test_of_a_word_that_is_not_understood_no_fact_is_taken(line: str, unread: str) -> None:
    found = read_findings(f"FINDINGS LIST\n{line}\nREPORT\n")
    assert found is not None
    assert found.unread == (unread,)
    (finding,) = found.report.findings
    assert finding.kind is Kind.MASS
    assert finding == Finding(kind=Kind.MASS, laterality=Laterality.RIGHT, shape=finding.shape)


@pytest.mark.parametrize("line", ["blob", "X mass", "R", "ACR E", "A mass in the right breast."])
def test_a_line_without_a_kind_gives_no_fact(line: str) -> None:
    found = read_findings(f"FINDINGS LIST\n{line}\nL asymmetry\nREPORT\n")
    assert found is not None
    assert found.unread == (line.rstrip("."),)
    assert [f.kind for f in found.report.findings] == [Kind.ASYMMETRY]


def test_what_contradicts_within_the_list_is_not_taken() -> None:
    found = read_findings("FINDINGS LIST\nnone\nACR B\nACR C\nBI-RADS R 2, L 9\nREPORT\n")
    assert found is not None
    assert found.unread == ("ACR C", "L 9 (in: BI-RADS R 2, L 9)")
    assert found.report.composition is Composition.B
    assert found.report.assessments == (Assessment(category="2", laterality="R"),)


def test_a_text_without_a_list_has_none() -> None:
    assert read_findings("FINDINGS: A mass in the right breast.") is None
    assert read_findings("FINDINGS\nA mass in the right breast.") is None
    assert read_findings("") is None


def test_a_list_that_was_cut_off_says_so() -> None:
    found = read_findings("FINDINGS LIST\nR mass\nACR B")
    assert found is not None
    assert not found.finished
    assert found.narrative == ""
    assert len(found.report.findings) == 1


def test_a_list_without_its_last_line_ends_at_an_empty_one() -> None:
    found = read_findings("FINDINGS LIST\nR mass\n\nA mass in the right breast.")
    assert found is not None
    assert found.finished
    assert found.narrative == "A mass in the right breast."
