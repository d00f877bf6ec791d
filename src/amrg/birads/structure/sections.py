"""Sections of a report by their headings, and the side that a heading or a line gives to the text under it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from amrg.birads.lexicon import Laterality
from amrg.birads.structure.modalities import (
    Modality,
    dated_modality,
    heading_modality,
    is_of_date,
    label_modality,
    names_another,
    sentence_modality,
    whole_modality,
)
from amrg.birads.text.figures import read_figure
from amrg.birads.text.headings import PHRASES, SPEAKING, Section
from amrg.birads.text.spelling import canonical
from amrg.birads.text.tokens import Segment, Tokens, segments

_HEADINGS = {
    tuple(map(canonical, phrase.split())): section
    for section, phrases in PHRASES.items()
    for phrase in phrases.split("; ")
}
_NOTES = frozenset({("clinical", "note"), ("clinical", "notes")})
_RESULTS = frozenset(["findings", "finding", "impression", "conclusion", "report", "mammogram", "mammography"])
_MAX_WORDS = max(map(len, _HEADINGS))
_SIDES = {"right": Laterality.RIGHT, "left": Laterality.LEFT, "rt": Laterality.RIGHT, "lt": Laterality.LEFT}
_LETTERS = {"r": Laterality.RIGHT, "l": Laterality.LEFT}
_NUMBERS_OF_HEADINGS = frozenset(["2", "3"])  # of 2D and 3D
_SHORT_LIVED = frozenset({Section.INDICATION, Section.TECHNIQUE, Section.COMPARISON, Section.COMPOSITION})


@dataclass(frozen=True, slots=True)
class Piece:
    """Tokens `first` to `last` (exclusive) of one section, and the side they are about where none is stated.

    `modality` is the examination that its heading names, `speaks_of` the one that the sentence itself reports on.
    """

    section: Section
    first: int
    last: int
    side: Laterality | None
    opens_line: bool
    modality: Modality | None = None
    speaks_of: Modality | None = None

    @property
    def is_of_mammogram(self) -> bool:
        """Whether no other examination is described."""
        return (self.speaks_of or self.modality or Modality.MAMMOGRAPHY) is Modality.MAMMOGRAPHY


class _State:
    """The state of the walk through a text."""

    def __init__(self, tokens: Tokens) -> None:
        self.section = Section.BODY
        self.block_side: Laterality | None = None
        self.line_side: Laterality | None = None
        self.filled = False
        self.brief = False  # the section takes one sentence: a clinical note of a text without a heading of results
        self.has_results = any(w in _RESULTS and tokens.words[i + 1 : i + 2] in ([":"], ["\n"])
                               for i, w in enumerate(tokens.words))  # fmt: skip
        self.several = names_another(tokens)  # whether to look for parts about other examinations
        self.whole = whole_modality(tokens) if self.several else None
        self.modality = self.whole
        self._for_findings = False  # the examination holds for one section, else for a part with sections of its own
        self.in_paragraph = False  # it is named where its text begins, and holds for that paragraph
        self._concluded = 0  # parts that had an impression

    def enter(self, section: Section, is_part: bool = False) -> None:
        """A heading of a section, or of a part of the findings such as `Axilla:`."""
        self.section, self.filled, self.brief = section, False, False
        if is_part and section is Section.FINDINGS:
            return
        own = section in (Section.FINDINGS, Section.TECHNIQUE, Section.COMPARISON, Section.COMPOSITION)
        if section is Section.IMPRESSION:
            own = self._concluded > 0
            self._concluded += 1
        if self._for_findings or not own:
            self.leave()

    def leave(self) -> None:
        """The part about an examination ends."""
        self.modality, self._for_findings, self.in_paragraph = self.whole, False, False

    def examine(self, modality: Modality | None, for_findings: bool, in_paragraph: bool) -> None:
        """A heading that names an examination."""
        self.modality = modality or self.whole
        self._for_findings, self.in_paragraph = for_findings or in_paragraph, in_paragraph
        self.section, self.filled = (Section.FINDINGS if for_findings else Section.BODY), False

    @property
    def side(self) -> Laterality | None:
        return self.line_side or self.block_side


def pieces(tokens: Tokens) -> Iterator[Piece]:
    """The text in pieces, each with its section and side."""
    state = _State(tokens)
    for segment in segments(tokens):
        _before(tokens, segment, state)
        first = _side_heading(tokens, segment, state)
        yield from _split(tokens, Segment(first, segment.last, segment.opens_line), state)


def _before(tokens: Tokens, segment: Segment, state: _State) -> None:
    """What ends before a segment: a line's side, composition, and a short section after a blank line."""
    if segment.opens_line:
        state.line_side = None
    if state.filled and state.section is Section.COMPOSITION:  # composition takes one sentence
        state.enter(Section.FINDINGS)
    if state.filled and state.brief:
        state.enter(Section.BODY)
    if segment.after_blank and state.in_paragraph:
        state.leave()
    if segment.after_blank and state.filled and state.section in _SHORT_LIVED:
        state.enter(Section.BODY)
    rates = read_figure(tokens, segment.first + 1, segment.last) is not None  # not the edition used
    if tokens.words[segment.first] == "birads" and (
        state.section in _SHORT_LIVED - {Section.TECHNIQUE} or (state.section is Section.TECHNIQUE and rates)
    ):
        state.enter(Section.BODY)


def _side_heading(tokens: Tokens, segment: Segment, state: _State) -> int:
    """Take in a heading such as `Right breast:`; the token after it where it is alone on its line."""
    words = tokens.words
    i = segment.first
    while i < segment.last and not words[i][0].isalnum():
        i += 1
    side = _side_at(words, i) if i < segment.last else None
    if side is None:
        return segment.first
    j = _end_of_side(words, i, segment.last)
    if not segment.opens_line:  # `RIGHT: negative. LEFT: a mass`
        state.line_side = side if words[j : j + 1] == [":"] else state.line_side
        return segment.first
    if j == segment.last or (words[j] == ":" and j + 1 == segment.last):
        state.block_side = side
        return segment.last
    if words[j] == ":":
        state.line_side = side
        if words[j + 1] == "\n":
            state.block_side = state.line_side
    return segment.first


def _side_at(words: list[str], i: int) -> Laterality | None:
    """The side at token `i`; a single letter is one where a breast follows, as in `R breast:`."""
    return _SIDES.get(words[i]) or (_LETTERS.get(words[i]) if words[i + 1 : i + 2] == ["breast"] else None)


def _end_of_side(words: list[str], i: int, last: int) -> int:
    """The token after a side at token `i` and the words that go with it."""
    j = i + 1
    while j < last and words[j] in ("breast", "side", "sided", "mammogram"):
        j += 1
    return j


def _split(tokens: Tokens, segment: Segment, state: _State) -> Iterator[Piece]:
    """One segment cut at the headings inside it."""
    words = tokens.words
    first, last = segment.first, segment.last
    while first < last and not words[first][0].isalnum() and words[first] != "(":
        first += 1
    whole = _HEADINGS.get(tuple(words[first:last])) if last - first <= _MAX_WORDS else None
    if whole is not None and segment.opens_line and " ".join(words[first:last]) not in SPEAKING:
        state.enter(whole)
        state.block_side = None
        return
    if state.several and segment.opens_line and state.section is not Section.ADVICE:
        titled = heading_modality(words[first:last])
        if titled is not None and words[last : last + 1] == ["\n"]:
            state.examine(*titled, in_paragraph=False)
            return
    at = first
    for k in [k for k in range(first, last) if words[k] == ":"]:
        if state.several and _examination_heading(words[at:k], state, words[k + 1 : k + 2] == ["\n"]):
            continue
        found = _heading_before(tokens, at, k)
        if found is None:
            continue
        start, section = found
        if start > at:
            yield _piece(tokens, state, at, start, segment.opens_line)
        state.enter(section, " ".join(words[start:k]) in SPEAKING)
        state.brief = tuple(words[start:k]) in _NOTES and not state.has_results
        if start == first and segment.opens_line:
            state.block_side = None if " ".join(words[start:k]) not in SPEAKING else state.block_side
        at = start if " ".join(words[start:k]) in SPEAKING else k + 1
        side = _side_at(words, at) if at < last else None
        if side is not None and words[_end_of_side(words, at, last) : last][:1] == [":"]:
            state.line_side = side  # `FINDINGS: Right: no mass`
    if at < last:
        yield _piece(tokens, state, at, last, segment.opens_line)
        state.filled = words[last - 1] != ":"


def _piece(tokens: Tokens, state: _State, first: int, last: int, opens_line: bool) -> Piece:
    if not state.several:
        return Piece(state.section, first, last, state.side, opens_line)
    words = tokens.words[first:last]
    label = label_modality(words) if state.section is Section.IMPRESSION else None
    label = label or dated_modality(words)
    return Piece(state.section, first, last, state.side, opens_line, label or state.modality, sentence_modality(words))


def _examination_heading(words: list[str], state: _State, ends_line: bool) -> bool:
    """Whether a heading such as `Targeted ultrasound:` was taken in; its words stay part of what is read."""
    if state.section is Section.ADVICE:
        return False
    dated = state.section not in (Section.COMPARISON, Section.INDICATION) and words[0].isalpha()
    names = [w for w in words if w not in ("(", ")", "\n") and not (dated and is_of_date(w))]
    titled = heading_modality(names)
    of_date = any(is_of_date(w) for w in words if w not in _NUMBERS_OF_HEADINGS)
    if of_date and titled is not None and titled[0] is not Modality.MAMMOGRAPHY and not ends_line:
        return False  # `MRI 05/2023: ...` speaks of another day in that sentence alone
    if titled is None or (state.section is Section.IMPRESSION and not titled[1]):
        return False  # `Ultrasound: BI-RADS 3` in an impression names the examination of one category
    state.examine(*titled, in_paragraph=not ends_line)
    return True


def _heading_before(tokens: Tokens, first: int, colon: int) -> tuple[int, Section] | None:
    """The longest heading that ends at the colon and begins a line, an item or the segment, or None."""
    words = tokens.words
    for start in range(max(first, colon - _MAX_WORDS), colon):
        section = _HEADINGS.get(tuple(words[start:colon]))
        apart = start == first or words[start - 1] in (",", "\n", ")", "-", "/", "&")
        if words[start:colon] == ["note"]:  # it follows a report: `NURSE NOTE:` and a note at the top are no advice
            opens = apart and next(i for i, w in enumerate(words) if w[0].isalnum()) != start
        else:
            opens = apart or _is_capitals(tokens, start)
        if section is not None and opens and not _only_places(words[first:start]):
            return start, section
    return None


def _only_places(words: list[str]) -> bool:
    """Whether all words before are places: `Right breast, axilla: mass` has no heading."""
    return bool(words) and words[0] in _SIDES and all(w in _SIDES or w in ("breast", ",") for w in words)


def _is_capitals(tokens: Tokens, i: int) -> bool:
    """Whether a word is written in capitals."""
    return tokens.text[tokens.starts[i] : tokens.ends[i]].isupper()
