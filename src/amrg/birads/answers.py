"""The form of a model's answer: findings first, then the narrative, or the narrative alone; and how either is read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from amrg.birads.findings_list import FindingsList, read_findings, write_findings
from amrg.birads.lexicon import Quadrant
from amrg.birads.parser.parsing import ParsedReport, parse
from amrg.birads.placement import clock_faces
from amrg.birads.renderer.phrasing import SIDE, noun
from amrg.birads.report import Finding, Location, Report, with_other_breasts

_ONE_VALUE = ("shape", "margin", "density", "morphology", "distribution", "size_mm", "category", "change")


class AnswerForm(StrEnum):
    """What a model's answer consists of. `NARRATIVE` is the form of AMRG (arXiv 2508.09225)."""

    FINDINGS_FIRST = "findings-first"
    NARRATIVE = "narrative"


@dataclass(frozen=True)
class Answer:
    """A model's text as it was read.

    `report` has all its facts and the whole text as narrative. `parsed` is what its narrative gives, and `listed` the
    list that it begins with, None where it begins with none.
    """

    report: Report
    parsed: ParsedReport
    listed: FindingsList | None = None

    @property
    def narrative(self) -> str:
        """The text without its list."""
        return self.parsed.report.narrative

    @property
    def differences(self) -> tuple[str, ...]:
        """Where list and narrative contradict each other, a line each; empty without a list or a narrative."""
        if self.listed is None or not self.narrative.strip():
            return ()
        return tuple(differences(self.listed.report, self.parsed.report, "list"))


def write_answer(report: Report, narrative: str, form: AnswerForm) -> str:
    """The answer that a model should give: the list of a report's facts where they come first, and the narrative."""
    return write_findings(report) + narrative if form is AnswerForm.FINDINGS_FIRST else narrative


def read_answer(text: str) -> Answer:
    """Read what a model wrote, in either form.

    A list that the text begins with outweighs the narrative: the findings are those of the list, and so are the
    composition and the category of a breast where it names them. All else is read from the narrative.
    """
    listed = read_findings(text)
    if listed is None:
        parsed = parse(text)
        return Answer(parsed.report, parsed)
    parsed = parse(listed.narrative)
    facts = {
        "findings": listed.report.findings,
        "composition": listed.report.composition or parsed.report.composition,
        "assessments": with_other_breasts(listed.report.assessments, parsed.report.assessments),
        "narrative": text,
    }
    return Answer(parsed.report.model_copy(update=facts), parsed, listed)


def answered_report(text: str) -> Report:
    """The facts of what a model wrote, without spans: small enough to pass between processes."""
    return read_answer(text).report


def differences(facts: Report, stated: Report, name: str) -> Iterator[str]:
    """Facts of which a list (of this name) and a narrative give different values, then findings that only one has."""
    if facts.composition is not None and stated.composition not in (None, facts.composition):
        yield f"composition is {facts.composition} in the {name} and {stated.composition} in the narrative"
    if facts.recommendation is not None and stated.recommendation not in (None, facts.recommendation):
        yield f"recommendation is {facts.recommendation} in the {name} and {stated.recommendation} in the narrative"
    yield from _categories_apart(facts, stated, name)
    matched, only_listed, only_narrated = _match(facts.findings, stated.findings)
    for finding, other in matched:
        for field, value in _contradictions(finding, other):
            yield f"{_named(finding)}: {field} is {value[0]} in the {name} and {value[1]} in the narrative"
    yield from (f"{_named(finding)}: only in the {name}" for finding in only_listed)
    yield from (f"{_named(finding)}: only in the narrative" for finding in only_narrated)


def _categories_apart(facts: Report, stated: Report, name: str) -> Iterator[str]:
    """Categories of a breast that differ; of the whole study, against the worst."""
    listed = {a.laterality: a.category for a in facts.assessments}
    for side, category in {a.laterality: a.category for a in stated.assessments}.items():
        there = listed.get(side, facts.worst if side is None else listed.get(None))
        whose = "overall" if side is None else f"{SIDE[side]} breast"
        if there is not None and there is not category:
            yield f"{whose} category is {there} in the {name} and {category} in the narrative"


def _match(
    listed: Sequence[Finding], stated: Sequence[Finding]
) -> tuple[list[tuple[Finding, Finding]], list[Finding], list[Finding]]:
    """Findings of one kind and side in pairs, those that contradict each other least first; and the others."""
    pairs = sorted(
        (len(list(_contradictions(a, b))), i, j)
        for i, a in enumerate(listed)
        for j, b in enumerate(stated)
        if a.kind is b.kind and (a.laterality is b.laterality or None in (a.laterality, b.laterality))
    )
    taken: dict[int, int] = {}
    for _, i, j in pairs:
        if i not in taken and j not in taken.values():
            taken[i] = j
    matched = [(listed[i], stated[j]) for i, j in sorted(taken.items())]
    only_listed = [finding for i, finding in enumerate(listed) if i not in taken]
    return matched, only_listed, [finding for j, finding in enumerate(stated) if j not in taken.values()]


def _contradictions(finding: Finding, other: Finding) -> Iterator[tuple[str, tuple[object, object]]]:
    """The fields that both findings have and that differ."""
    at, other_at = finding.location, other.location
    places = [(name, (getattr(at, name), getattr(other_at, name))) for name in Location.model_fields]
    others = [(name, (getattr(finding, name), getattr(other, name))) for name in _ONE_VALUE]
    for name, (value, other_value) in (*places, *others):
        if value is not None and other_value is not None and value != other_value:
            yield name.replace("_mm", "").replace("_", " "), (value, other_value)
    if at.quadrant is not None and other_at.quadrant is None and not _is_in(at.quadrant, other_at.clock, finding):
        yield "place", (at.quadrant, f"{other_at.clock} o'clock")
    if at.quadrant is None and other_at.quadrant is not None and not _is_in(other_at.quadrant, at.clock, finding):
        yield "place", (f"{at.clock} o'clock", other_at.quadrant)


def _is_in(quadrant: Quadrant, clock: int | None, finding: Finding) -> bool:
    """Whether a clock face may be in a quadrant of the finding's breast."""
    faces = clock_faces(quadrant, finding.laterality)
    return clock is None or not faces or clock in faces


def _named(finding: Finding) -> str:
    """`mass, right breast`."""
    return noun(finding) + ("" if finding.laterality is None else f", {SIDE[finding.laterality]} breast")
