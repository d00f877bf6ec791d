"""What a model wrote, in either form, as facts: the list counts, and the narrative is held against it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from amrg.birads import (
    AnswerForm,
    Composition,
    Kind,
    Laterality,
    Report,
    Style,
    check,
    parse,
    read_answer,
    render,
    write_answer,
)
from tests.birads.strategies import reports

LIST = "FINDINGS LIST\nR mass, upper outer, spiculated, BI-RADS 5\nACR C\nBI-RADS R 5, L 1\nREPORT\n"
NARRATIVE = (
    "Breast composition: ACR C. Spiculated mass in the upper outer quadrant of the right breast (BI-RADS 5). "
    "Right breast: BI-RADS 5. Left breast: BI-RADS 1. Biopsy is recommended."
)


@settings(derandomize=True, deadline=None, max_examples=100)
@given(report=reports())
def test_both_forms_give_the_same_facts(report: Report) -> None:
    for form in AnswerForm:
        answer = read_answer(write_answer(report, render(report, Style.CLINICAL), form))
        assert answer.report.stated() == report.stated()
        assert answer.differences == ()
        assert (answer.listed is None) == (form is AnswerForm.NARRATIVE)


def test_the_narrative_alone_is_parsed() -> None:
    answer = read_answer(NARRATIVE)
    assert (answer.report, answer.listed, answer.differences) == (parse(NARRATIVE).report, None, ())


def test_the_narrative_gives_what_the_list_does_not_name() -> None:
    answer = read_answer(f"FINDINGS LIST\nR mass\nREPORT\n{NARRATIVE}")
    told = parse(NARRATIVE).report
    assert answer.report.composition is Composition.C
    assert answer.report.assessments == told.assessments
    assert answer.report.recommendation is told.recommendation
    assert answer.report.findings[0].margin is None
    assert answer.differences == ()


@pytest.mark.parametrize(
    ("before", "after", "differences"),
    [
        ("ACR C. ", "ACR B. ", ["composition is c in the list and b in the narrative"]),
        ("Left breast: BI-RADS 1", "Left breast: BI-RADS 2", ["left breast category is 1 in the list and 2"]),
        ("Spiculated", "Indistinct", ["mass, right breast: margin is spiculated in the list and indistinct"]),
        ("upper outer", "lower outer", ["mass, right breast: quadrant is upper outer in the list and lower outer"]),
        ("mass", "asymmetry", ["mass, right breast: only in the list", "asymmetry, right breast: only in the narra"]),
        ("(BI-RADS 5)", "", []),
    ],
)
def test_what_differs_is_named_and_the_list_counts(before: str, after: str, differences: list[str]) -> None:
    answer = read_answer(LIST + NARRATIVE.replace(before, after))
    assert len(answer.differences) == len(differences)
    assert all(line.startswith(start) for line, start in zip(answer.differences, differences, strict=True))
    assert answer.report.findings == read_answer(LIST).report.findings
    assert answer.report.narrative == LIST + NARRATIVE.replace(before, after)


def test_a_breast_that_the_list_does_not_rate_has_the_category_of_the_narrative() -> None:
    answer = read_answer(LIST.replace(", L 1", "") + NARRATIVE)
    assert {a.laterality: str(a.category) for a in answer.report.assessments} == {
        Laterality.RIGHT: "5",
        Laterality.LEFT: "1",
    }
    assert answer.differences == ()
    overall = read_answer(LIST.replace("BI-RADS R 5, L 1", "BI-RADS 5") + NARRATIVE)
    assert [(a.laterality, str(a.category)) for a in overall.report.assessments] == [(None, "5")]


def test_each_finding_of_a_kind_is_held_against_that_which_it_contradicts_least() -> None:
    narrative = "Oval mass in the right breast, lower inner quadrant. Spiculated mass in the right breast, upper half."
    listed = "FINDINGS LIST\nR mass, upper, spiculated\nR mass, lower inner, oval\nREPORT\n"
    assert read_answer(listed + narrative).differences == ()


def test_no_rule_takes_the_list_for_the_narrative() -> None:
    report = read_answer(LIST.replace("ACR C", "ACR B") + NARRATIVE).report
    assert [v.rule for v in check(report)] == ["composition-against-narrative"]
    assert [f.kind for f in report.findings] == [Kind.MASS]
