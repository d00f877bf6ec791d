"""`parse`: free narrative to a `Report`, each fact with the span of text it came from, and what was not read."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from enum import StrEnum

from amrg.birads.parser.assembling import Assembler
from amrg.birads.parser.directions import with_quadrants
from amrg.birads.parser.headings import Section
from amrg.birads.parser.mentions import Mention, mentions
from amrg.birads.parser.sections import Piece, pieces
from amrg.birads.parser.studywide import StudyReader
from amrg.birads.parser.tokens import Tokens, tokenize
from amrg.birads.report import Assessment, Finding, Negative, Report

Value = StrEnum | int | bool | datetime.date


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of the text read: characters `start` to `end` (exclusive)."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Fact:
    """One value read: its path in the report, such as `findings[0].margin`, and the text it came from."""

    path: str
    value: Value
    span: Span


@dataclass(frozen=True, slots=True)
class ParsedReport:
    """A report read from text: the report, where each fact was found, and the pieces that were not understood."""

    report: Report
    facts: tuple[Fact, ...]
    unread: tuple[Span, ...]


_FINDING_SECTIONS = frozenset({Section.BODY, Section.FINDINGS, Section.IMPRESSION})


def parse(text: str) -> ParsedReport:
    """Read a report's narrative.

    Never raises on any text, and takes time linear in its length. Nothing is made up: what the text does not
    say stays unset, a missing category included. `report.narrative` is the text.

    Args:
        text: Narrative in any layout: sentences, lists, markdown, JSON.

    Returns:
        The report, its facts with their spans, and the spans that were not understood.
    """
    tokens = tokenize(text)
    assembler, study = Assembler(tokens), StudyReader(tokens)
    unread: list[Span] = []
    for piece in pieces(tokens):
        found = with_quadrants(tokens, mentions(tokens, piece.first, piece.last))
        study.take(piece, found)
        if piece.section in _FINDING_SECTIONS:
            assembler.take(piece, found)
        unread += _unread_spans(tokens, piece, found)
    return _result(text, assembler, study, unread)


def read_report(text: str) -> Report:
    """The report that `parse` reads, without facts and spans: small enough to pass between processes."""
    return parse(text).report


def _result(text: str, assembler: Assembler, study: StudyReader, unread: list[Span]) -> ParsedReport:
    """Put the parts together."""
    facts = [_fact(text, path, *slot) for path, slot in study.facts()]
    findings: list[Finding] = []
    for draft in assembler.drafts:
        for finding, slots in draft.findings():
            facts += [_fact(text, f"findings[{len(findings)}].{path}", *slot) for path, slot in slots]
            findings.append(finding)
    negatives, denied = _negatives(text, assembler)
    assessments, assessed = _assessments(text, assembler, findings, facts)
    report = Report(
        findings=tuple(findings),
        negatives=negatives,
        assessments=assessments,
        comparison=study.comparison,
        narrative=text,
        **{name: slot[0] for name, slot in study.values.items()},
    )
    return ParsedReport(report, (*facts, *denied, *assessed), tuple(unread))


def _fact(text: str, path: str, value: Value, start: int, end: int) -> Fact:
    return Fact(path, value, Span(start, end, text[start:end]))


def _negatives(text: str, assembler: Assembler) -> tuple[tuple[Negative, ...], list[Fact]]:
    """What is denied, each once; a denial for both breasts has no side."""
    made: dict[Negative, Fact] = {}
    for denial in assembler.denials:
        side = denial.sides[0] if denial.sides and len(denial.sides) == 1 else None
        negative = Negative(kind=denial.kind, laterality=side)
        if negative not in made:
            made[negative] = _fact(text, f"negatives[{len(made)}].kind", denial.kind, denial.begin, denial.end)
    return tuple(made), list(made.values())


def _assessments(
    text: str, assembler: Assembler, findings: list[Finding], facts: list[Fact]
) -> tuple[tuple[Assessment, ...], list[Fact]]:
    """The categories named for breast or study; where there are none, those of the findings."""
    made: dict[Assessment, tuple[int, int]] = {}
    for category, side, begin, end in assembler.categories:
        made.setdefault(Assessment(category=category, laterality=side), (begin, end))
    if not made:
        spans = {f.path: f.span for f in facts}
        for i, finding in enumerate(findings):
            span = spans.get(f"findings[{i}].category")
            if finding.category is not None and span is not None:
                assessment = Assessment(category=finding.category, laterality=finding.laterality)
                made.setdefault(assessment, (span.start, span.end))
    assessed = [
        _fact(text, f"assessments[{i}].category", a.category, *span) for i, (a, span) in enumerate(made.items())
    ]
    return tuple(made), assessed


def _unread_spans(tokens: Tokens, piece: Piece, found: list[Mention]) -> list[Span]:
    """Runs of words in a piece that no mention covers."""
    runs: list[list[int]] = []
    at = piece.first
    for first, last in [*((m.first, m.last) for m in found), (piece.last, piece.last)]:
        run = [i for i in range(at, first) if tokens.words[i][0].isalnum() and len(tokens.words[i]) > 1]
        if run:
            runs.append([run[0], run[-1]])
        at = last
    spans = [(tokens.starts[a], tokens.ends[b]) for a, b in runs]
    return [Span(start, end, tokens.text[start:end]) for start, end in spans]
