"""The form of a model's answer: findings first, then the narrative, or the narrative alone."""

from __future__ import annotations

from enum import StrEnum

from amrg.birads.findings_list import write_findings
from amrg.birads.report import Report


class AnswerForm(StrEnum):
    """What a model's answer consists of. `NARRATIVE` is the form of AMRG (arXiv 2508.09225)."""

    FINDINGS_FIRST = "findings-first"
    NARRATIVE = "narrative"


def write_answer(report: Report, narrative: str, form: AnswerForm) -> str:
    """The answer that a model should give: the list of a report's facts where they come first, and the narrative."""
    return write_findings(report) + narrative if form is AnswerForm.FINDINGS_FIRST else narrative
