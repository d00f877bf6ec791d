"""The texts that the embedded model is trained to write, and the instruction that requests each of them."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from enum import StrEnum
from pathlib import Path

from amrg.birads import AnswerForm, Finding, Kind, Morphology, Negative, Report, Style, render, write_answer
from amrg.birads.renderer.dmid import render_dmid
from amrg.models.embedded.architecture import SETTINGS

DMID_REPORTS = "dmid/reports.jsonl"
"""DMID's reports below the folder of shared data."""

SENTENCES = "Sentences, DMID."
"""The instruction that requests some of DMID's sentences, of no image."""

_SENTENCE = re.compile(r"\S.*?(?:(?<=[.:])\s+|\n\s*|$)", re.DOTALL)
_SKIN_AND_NIPPLE = "skin and nipple appear normal."
_NORMAL_IN_DMID = (
    "skin and nipple appear normal.",
    "skin, nipple, and pectoral muscle appear normal.",
    "skin, nipple and pectoral muscles appear normal.",
)
_DENIED_IN_DMID = (
    Kind.MASS,
    Kind.CALCIFICATIONS,
    Kind.SKIN_THICKENING,
    Kind.NIPPLE_RETRACTION,
    Kind.AXILLARY_NODE,
)


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
    """The instruction that requests a wording, findings first or not: `ModelSettings.full_instruction` for these."""
    requested = _INSTRUCTIONS[wording]
    return f"{SETTINGS.list_instruction} {requested}" if answer is AnswerForm.FINDINGS_FIRST else requested


def training_text(report: Report, wording: Wording, answer: AnswerForm, variant: int = 0) -> str:
    """The target text of a report: what `instruction(wording, answer)` requests.

    `variant` chooses among the ways that a wording has to say the same (any number, 0 the plainest). Sizes are not
    written in mm: a model that takes no spacing cannot measure them, and a draft has them from its boxes. In DMID's
    wording they follow as words (small, large), and normal skin and nipple may be stated together with the pectoral
    muscle, as its radiologists do. All other facts are those of the report: `as_dmid_states` adds what DMID states of
    every exam.
    """
    unsized = without_sizes(report)
    if wording is Wording.DMID:
        narrative = _with_muscle(render_dmid(report, variant, millimetres=False), variant)
    else:
        narrative = render(unsized, Style(wording.value), variant)
    return write_answer(unsized, narrative, answer)


def without_sizes(report: Report) -> Report:
    """A report as a model that takes no spacing can state it."""
    findings = tuple(finding.model_copy(update={"size_mm": None}) for finding in report.findings)
    return report.model_copy(update={"findings": findings})


def as_dmid_states(report: Report) -> Report:
    """A report of an exam whose findings are all known, with what DMID's reports state of every exam.

    Of masses, calcifications, axillary nodes, skin and nipple it denies what is nowhere among the findings, and each
    finding with a category looks benign (up to 3) or suspicious (from 4 on).
    """
    there = {kind for f in report.findings for kind in (f.kind, *f.associated)}
    denied = {negative.kind for negative in report.negatives}
    negatives = [Negative(kind=kind) for kind in _DENIED_IN_DMID if kind not in there | denied]
    findings = tuple(map(_with_looks, report.findings))
    return report.model_copy(update={"findings": findings, "negatives": (*report.negatives, *negatives)})


def dmid_texts(shared: Path) -> Iterator[str]:
    """DMID's reports as published, read in place from the folder of shared data; none where they are not there."""
    path = shared / DMID_REPORTS
    if path.is_file():
        for line in path.read_text(encoding="utf-8").splitlines():
            yield str(json.loads(line)["text"]).replace("\r\n", "\n")


def shared_sentences(texts: Iterable[str]) -> list[str]:
    """Sentences and headings that at least two of the texts have, as often as they are there.

    Each as written, with the white space after it.
    """
    found = [_SENTENCE.findall(text) for text in texts]
    reports = Counter(sentence for text in found for sentence in {s.strip() for s in text})
    return [s for text in found for s in text if reports[s.strip()] > 1]


def _with_muscle(narrative: str, variant: int) -> str:
    """Normal skin and nipple in one of DMID's ways."""
    normal = _NORMAL_IN_DMID[variant % len(_NORMAL_IN_DMID)]
    return narrative.replace(_SKIN_AND_NIPPLE.capitalize(), normal.capitalize())


def _with_looks(finding: Finding) -> Finding:
    """A finding that looks as its category says, where that contradicts nothing."""
    major = None if finding.category is None else finding.category.major
    if finding.benign_looking is not None or major in (None, 0, 1, 6):
        return finding
    benign = major in (2, 3)
    unnamed = finding.kind is Kind.CALCIFICATIONS and finding.morphology is None
    if (benign and unnamed) or (not benign and finding.morphology is Morphology.BENIGN):
        return finding
    return finding.model_copy(update={"benign_looking": benign})
