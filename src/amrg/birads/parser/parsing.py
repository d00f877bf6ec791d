"""`parse`: free narrative to a `Report`, each fact with the span of text it came from, and what was not read."""

from __future__ import annotations

import datetime
from bisect import bisect_right
from dataclasses import dataclass
from enum import StrEnum

from amrg.birads.categories.sites import Sites, find_sites
from amrg.birads.categories.standing import Standing
from amrg.birads.lexicon import Category, Laterality
from amrg.birads.parser.assembling import Assembler
from amrg.birads.parser.directions import with_quadrants
from amrg.birads.parser.exam import ExamReader
from amrg.birads.parser.mentions import Mention, concepts_of, mentions
from amrg.birads.parser.rating import NamedCategory
from amrg.birads.parser.settling import assessments_of, settle
from amrg.birads.parser.studywide import StudyReader
from amrg.birads.parser.unseen import with_unseen
from amrg.birads.report import Finding, Negative, Report
from amrg.birads.structure.addenda import Parts, find_parts
from amrg.birads.structure.modalities import Modality
from amrg.birads.structure.sections import Piece, pieces
from amrg.birads.structure.tables import read_tables
from amrg.birads.text.edits import CleanText
from amrg.birads.text.headings import Section
from amrg.birads.text.language import foreign_language
from amrg.birads.text.normalizing import clean
from amrg.birads.text.phrases import Concept
from amrg.birads.text.tokens import Tokens, tokenize

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
class OtherCategory:
    """A category in the text that is not its assessment: how it is meant, its side, and where it stands."""

    standing: Standing
    category: Category
    laterality: Laterality | None
    span: Span


@dataclass(frozen=True, slots=True)
class Note:
    """Something about the text that its reader should know, in one line, and the piece of text that it is about."""

    message: str
    span: Span


@dataclass(frozen=True, slots=True)
class ParsedReport:
    """A report read from text.

    `facts` say where each value was found, `unread` which pieces were not understood or not used.
    `other_categories` are those that the text names and that do not hold: earlier, conditional, denied, superseded by
    an addendum, of a printed legend, or of an ultrasound or MRI. `notes` say where a text contradicts itself, and what
    in it is of another examination or scale. `marker_placement` is set for a mammogram after a procedure that shows
    a marker, an assessment of its own without a number. `refusal` is the one line that says why nothing was read.
    """

    report: Report
    facts: tuple[Fact, ...]
    unread: tuple[Span, ...]
    other_categories: tuple[OtherCategory, ...] = ()
    marker_placement: Span | None = None
    refusal: str | None = None
    notes: tuple[Note, ...] = ()


WITH_THE_WORDS_OF = "with the words of"
"""In every note on a category whose number and words contradict each other."""

_FINDING_SECTIONS = frozenset({Section.BODY, Section.FINDINGS, Section.IMPRESSION})


def parse(text: str) -> ParsedReport:
    """Read a report's narrative.

    Never raises on any text, and takes time linear in its length. Nothing is made up: what the text does not
    say stays unset, a missing category included. `report.narrative` is the text. A text in another language than
    English is not read at all: `refusal` says so.

    Args:
        text: Narrative in any layout: sentences, lists, markdown, JSON, HTML, HL7.

    Returns:
        The report, its facts with their spans in the text, and the spans that were not understood or not used.

    Raises:
        TypeError: `text` is no `str`.
    """
    if not isinstance(text, str):
        found = type(text).__name__
        raise TypeError(f"text is {found}, expected str: pass the report's narrative, '' where there is none")
    source = clean(text)
    language = foreign_language(source.text)
    if language is not None:
        return _refused(text, f"not English ({language}): not read")
    tokens, sites = find_sites(read_tables(tokenize(source.text)))
    reading = _Reading(source, tokens, find_parts(tokens))
    for piece in pieces(tokens):
        reading.take(piece, with_unseen(tokens, with_quadrants(tokens, mentions(tokens, piece, sites))))
    return reading.result(sites)


def _refused(text: str, reason: str) -> ParsedReport:
    begin, end = len(text) - len(text.lstrip()), len(text.rstrip())
    return ParsedReport(Report(narrative=text), (), (Span(begin, end, text[begin:end]),), refusal=reason)


class _Reading:
    """A text being read, piece after piece."""

    def __init__(self, source: CleanText, tokens: Tokens, parts: Parts) -> None:
        self._source = source
        self._tokens = tokens
        self._parts = parts
        self._assembler = Assembler(tokens)
        self._study = StudyReader(tokens)
        self._exam = ExamReader(tokens)
        self._pieces: list[tuple[Piece, list[Mention]]] = []
        self._marker: Mention | None = None

    def take(self, piece: Piece, found: list[Mention]) -> None:
        """Read one piece."""
        if piece.section is Section.UNCONFIRMED:  # what a draft is not sure of is no part of its report
            return
        if not piece.is_of_mammogram:
            self._assembler.take_categories(piece, found)
            self._pieces.append((piece, found))
            return
        self._study.take(piece, found)
        self._exam.take(piece, found)
        before = len(self._assembler.ratings.categories)
        if piece.section in _FINDING_SECTIONS:
            self._assembler.take(piece, found)
        else:
            self._assembler.take_categories(piece, found)
        self._assembler.ratings.note_topic(self._tokens, piece, found, before)
        self._marker = self._marker or next((m for m in found if Concept.MARKER in m.means), None)
        self._pieces.append((piece, found))

    def result(self, sites: Sites) -> ParsedReport:
        """Put the parts together."""
        held, others = settle(self._assembler.ratings, self._assembler.drafts, self._parts)
        others += [(Standing.LEGEND, NamedCategory(c, None, begin, end)) for c, begin, end in sites.legend]
        findings: list[Finding] = []
        found: list[Fact] = []
        for draft in self._assembler.drafts:
            for finding, slots in draft.findings():
                found += [self._fact(f"findings[{len(findings)}].{path}", *slot) for path, slot in slots]
                findings.append(finding)
        assessments = assessments_of(held, findings, self._assembler.drafts)
        unused = [(a.begin, a.end) for a in self._study.settle_advice(assessments)]
        facts = [self._fact(path, *slot) for path, slot in self._study.facts()] + found
        facts += [self._fact(path, *slot) for path, slot in self._exam.facts()]
        negatives, denied = self._negatives()
        facts += denied
        for i, (assessment, span) in enumerate(assessments.items()):
            facts.append(self._fact(f"assessments[{i}].category", assessment.category, *span))
        report = Report(
            findings=tuple(findings),
            negatives=negatives,
            assessments=tuple(assessments),
            comparison=self._study.comparison,
            mastectomy=tuple(self._exam.mastectomy),
            technique=self._exam.technique,
            narrative=self._source.source,
            **{name: slot[0] for name, slot in self._study.values.items()},
        )
        spoken = sorted(others, key=lambda other: other[1].begin)
        return ParsedReport(
            report,
            tuple(facts),
            self._unread(facts, unused, sites.foreign),
            tuple(OtherCategory(why, n.category, n.side, self._span(n.begin, n.end)) for why, n in spoken),
            None if self._marker is None else self._span(*self._assembler.span(self._marker)),
            notes=self._notes(sites),
        )

    def _notes(self, sites: Sites) -> tuple[Note, ...]:
        """What a reader should know, in the order of the text."""
        made = [
            (
                min(number.begin, words.begin),
                max(number.end, words.end),
                f"category {number.category} {WITH_THE_WORDS_OF} {words.category}",
            )
            for number, words in self._assembler.ratings.contradictions
        ]
        made += [(begin, end, "not BI-RADS: not read as a category") for begin, end in sites.foreign]
        made += self._examinations()
        return tuple(Note(message, self._span(begin, end)) for begin, end, message in sorted(made))

    def _examinations(self) -> list[tuple[int, int, str]]:
        """A note for each examination whose findings are not the mammogram's, where it begins."""
        made: dict[Modality, tuple[int, int, str]] = {}
        for piece, _ in self._pieces:
            modality = piece.speaks_of or piece.modality
            if modality is not None and not piece.is_of_mammogram and modality not in made:
                begin, end = self._tokens.starts[piece.first], self._tokens.ends[piece.last - 1]
                made[modality] = (begin, end, f"{modality}: findings not read as those of a mammogram")
        return list(made.values())

    def _span(self, start: int, end: int) -> Span:
        """A span of the plain text as one of the text as it came."""
        start, end = self._source.original(start, end)
        return Span(start, end, self._source.source[start:end])

    def _fact(self, path: str, value: Value, start: int, end: int) -> Fact:
        return Fact(path, value, self._span(start, end))

    def _negatives(self) -> tuple[tuple[Negative, ...], list[Fact]]:
        """What is denied, each once; a denial for both breasts has no side."""
        made: dict[Negative, Fact] = {}
        found = self._assembler.kinds_found()
        for denial in self._assembler.denials:
            if denial.of_others and denial.is_of_found(found):
                continue
            side = denial.sides[0] if denial.sides and len(denial.sides) == 1 else None
            negative = Negative(kind=denial.kind, laterality=side)
            if negative not in made:
                made[negative] = self._fact(f"negatives[{len(made)}].kind", denial.kind, denial.begin, denial.end)
        return tuple(made), list(made.values())

    def _unread(
        self, facts: list[Fact], unused: list[tuple[int, int]], foreign: tuple[tuple[int, int], ...]
    ) -> tuple[Span, ...]:
        """What was not understood, and what was but has no place in the report, in the order of the text."""
        stated = _merged([(fact.span.start, fact.span.end) for fact in facts])
        values = {fact.span.text.lower() for fact in facts}
        spans = [*unused, *foreign]
        for piece, mentioned in self._pieces:
            whole = piece.is_of_mammogram
            found = mentioned if whole else [m for m in mentioned if Concept.CATEGORY in m.means]
            spans += _not_understood(self._tokens, piece, found)
            finds = _is_of_finding(piece, mentioned)
            for mention in found:
                placed = finds and Concept.PLACE in mention.means
                if placed or (not _MAY_BE_UNUSED.isdisjoint(mention.means) and is_unused(piece, mention)):
                    begin, end = self._assembler.span(mention)
                    original = self._source.original(begin, end)
                    used = _is_within(original[0], stated) or self._source.source[slice(*original)].lower() in values
                    if not used or Concept.WHEN in mention.means:
                        spans.append((begin, end))
        return tuple(self._span(start, end) for start, end in _merged(spans))


_SAYS_WHERE = frozenset({Concept.CLOCK, Concept.DISTANCE, Concept.SIZE, Concept.DATE, Concept.WHEN})
_DESCRIBES = frozenset({Concept.SHAPE, Concept.MARGIN, Concept.DENSITY, Concept.MORPHOLOGY, Concept.DISTRIBUTION})
_MAY_BE_UNUSED = _SAYS_WHERE | _DESCRIBES | {Concept.KIND}
_CLEARS = frozenset({Concept.NOT, Concept.NOT_BEFORE, Concept.NORMAL})
_OTHERWISE = frozenset({Concept.STRUCTURE, Concept.COMPOSITION, Concept.KIND, Concept.FILL, Concept.NORMAL})


def is_unused(piece: Piece, mention: Mention) -> bool:
    """Whether a mention that became no fact says what or where a finding is, how large, or when a prior study was."""
    means = mention.means.keys()
    if piece.section in (Section.INDICATION, Section.TECHNIQUE):
        return piece.section is Section.TECHNIQUE and Concept.KIND in means
    if piece.section is Section.COMPARISON:
        return bool(means & {Concept.DATE, Concept.WHEN})
    if means & _SAYS_WHERE:
        return True
    return piece.section is not Section.COMPOSITION and bool(means & _DESCRIBES and not means & _OTHERWISE)


def _is_of_finding(piece: Piece, mentioned: list[Mention]) -> bool:
    """Whether a piece states that something is there, and denies nothing: each of its places is then of a finding."""
    concepts = concepts_of(mentioned)
    return piece.section in _FINDING_SECTIONS and Concept.KIND in concepts and concepts.isdisjoint(_CLEARS)


def _merged(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans in their order, each once."""
    made: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if made and start < made[-1][1]:
            made[-1] = (made[-1][0], max(made[-1][1], end))
        else:
            made.append((start, end))
    return made


def _is_within(place: int, spans: list[tuple[int, int]]) -> bool:
    """Whether a character is in one of some spans, which are in order and apart."""
    at = bisect_right(spans, place, key=lambda span: span[0])
    return at > 0 and place < spans[at - 1][1]


def _counts(word: str, piece: Piece) -> bool:
    """Whether a token that nothing covers is worth naming; a digit alone numbers an item."""
    return word[0].isalnum() and (len(word) > 1 or (word.isdecimal() and piece.last - piece.first > 1))


def _not_understood(tokens: Tokens, piece: Piece, found: list[Mention]) -> list[tuple[int, int]]:
    """Runs of words in a piece that no mention covers."""
    runs: list[list[int]] = []
    at = piece.first
    for first, last in [*((m.first, m.last) for m in found), (piece.last, piece.last)]:
        apart = True
        for i in range(at, first):
            if _counts(tokens.words[i], piece):
                runs[len(runs) - (not apart) :] = [[i if apart else runs[-1][0], i]]
                apart = False
            elif tokens.starts[i] == tokens.ends[i]:  # a mark between the name and the value of a table
                apart = True
        at = last
    return [(tokens.starts[a], tokens.ends[b]) for a, b in runs]
