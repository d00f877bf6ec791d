"""The texts that the embedded model is trained to write, and the instruction that requests each of them."""

from __future__ import annotations

from enum import StrEnum

from amrg.birads import AnswerForm, Report, Style, render, write_answer


class Wording(StrEnum):
    """How the narrative of a training text is worded."""

    CLINICAL = "clinical"
    IMPRESSION_FIRST = "impression-first"
    DMID = "dmid"
    CESM = "cesm"


_INSTRUCTIONS = {
    Wording.CLINICAL: "Report.",
    Wording.IMPRESSION_FIRST: "Report, impression first.",
    Wording.DMID: "Report, DMID.",
    Wording.CESM: "Report, CESM.",
}


def instruction(wording: Wording, answer: AnswerForm) -> str:
    """The instruction that requests a wording, findings first or not."""
    requested = _INSTRUCTIONS[wording]
    return f"Findings list. {requested}" if answer is AnswerForm.FINDINGS_FIRST else requested


def training_text(report: Report, wording: Wording, answer: AnswerForm, variant: int = 0) -> str:
    """The target text of a report: what `instruction(wording, answer)` requests.

    `variant` chooses among the ways that a wording has to say the same (any number, 0 the plainest). All facts that the
    report has are written, its sizes, indication and views too.
    """
    return write_answer(report, render(report, Style(wording.value), variant), answer)
