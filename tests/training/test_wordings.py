"""What the embedded model is taught to write."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given, settings

from amrg.birads import AnswerForm, Report, parse, read_findings
from amrg.training.embedded.wordings import Wording, instruction, training_text
from tests.birads.strategies import reports


@pytest.mark.parametrize("wording", Wording)
@settings(derandomize=True, deadline=None, max_examples=50)
@given(report=reports())
def test_list_and_narrative_say_the_same(wording: Wording, report: Report) -> None:
    narrative = training_text(report, wording, AnswerForm.NARRATIVE, 1)
    both = read_findings(training_text(report, wording, AnswerForm.FINDINGS_FIRST, 1))
    assert both is not None
    assert both.narrative == narrative
    stated = parse(narrative).report.stated()
    assert stated == report.stated()
    assert both.report.findings == stated.findings


def test_every_wording_and_form_has_an_instruction_of_its_own() -> None:
    asked = [instruction(wording, form) for wording, form in product(Wording, AnswerForm)]
    assert len(set(asked)) == len(asked)
    assert "Report." in asked
