"""A draft of a text that begins with a findings list: the list counts, and what differs is stated."""

from __future__ import annotations

import pytest

from amrg.birads import Draft, Kind, Margin, render
from amrg.generation import draft_report
from amrg.generation.engines.fixed import FixedEngine
from amrg.imaging import Study, read_studies
from amrg.phantom import Size, draw_exam, write_exam

LIST = "FINDINGS LIST\nL mass, upper outer, irregular, spiculated, BI-RADS 5\nACR B\nBI-RADS R 1, L 5\nREPORT\n"
NARRATIVE = (
    "BREAST COMPOSITION: ACR B.\nFINDINGS:\nLeft breast, upper outer quadrant: irregular spiculated mass (BI-RADS 5).\n"
    "IMPRESSION:\nRight breast: BI-RADS 1.\nLeft breast: BI-RADS 5.\nRECOMMENDATION: Biopsy."
)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    folder = tmp_path_factory.mktemp("exam")
    write_exam(draw_exam(1_000_002, Size.SMALL), folder)
    (read,) = read_studies(folder).studies
    return read


def draft(study: Study, text: str) -> Draft:
    return draft_report(study, FixedEngine((text,)))


def test_list_and_narrative_that_agree_are_drafted_as_the_narrative_alone(study: Study) -> None:
    both, alone = draft(study, LIST + NARRATIVE), draft(study, NARRATIVE)
    assert both.problems == alone.problems == ()
    assert both.text == alone.text == render(both.report)
    assert both.model_text == both.report.narrative == LIST + NARRATIVE


def test_the_list_counts_and_the_difference_is_stated(study: Study) -> None:
    made = draft(study, LIST + NARRATIVE.replace("spiculated", "indistinct").replace("ACR B", "ACR C"))
    assert made.report.findings[0].margin is Margin.SPICULATED
    assert made.problems == (
        "Findings list and narrative differ, the list counts: composition is b in the list and c in the narrative.",
        "Findings list and narrative differ, the list counts: mass, left breast: margin is spiculated in the list and "
        "indistinct in the narrative.",
    )
    assert "spiculated" in made.text
    assert "indistinct" not in made.text


def test_what_was_not_understood_in_the_list_is_stated(study: Study) -> None:
    made = draft(study, LIST.replace("ACR B", "R blob, round\nACR B").replace("irregular", "starry") + NARRATIVE)
    assert made.problems == (
        "Not understood in the model's findings list: "
        '"starry (in: L mass, upper outer, starry, spiculated, BI-RADS 5)"',
        'Not understood in the model\'s findings list: "R blob, round"',
    )
    assert [finding.kind for finding in made.report.findings] == [Kind.MASS]


def test_an_answer_that_was_cut_off_is_incomplete(study: Study) -> None:
    for text, problem in (
        (LIST.removesuffix("REPORT\n"), "Incomplete: the model's text ends within its findings list."),
        (LIST, "Incomplete: the model wrote no narrative after its findings list."),
    ):
        made = draft(study, text)
        assert made.problems == (problem,)
        assert made.report.findings[0].kind is Kind.MASS
