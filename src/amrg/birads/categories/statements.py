"""Assessments in words: the phrases that 21 CFR 900.12(c)(1)(iv) and (v) fix, and their common variants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from amrg.birads.lexicon import Category
from amrg.birads.structure.sections import Piece
from amrg.birads.text.headings import Section
from amrg.birads.text.phrases import Concept
from amrg.birads.text.tokens import Tokens

_IMAGING: dict[Concept, Any] = {}
_PRIORS = {Concept.PRIOR: False}
_ROWS: tuple[tuple[Category | None, dict[Concept, Any], str], ...] = (
    (Category.NEGATIVE, {}, "negative"),
    (Category.BENIGN, {}, "benign"),
    (Category.PROBABLY_BENIGN, {}, "probably benign; probable benign"),
    (Category.SUSPICIOUS, {}, "suspicious; suspicious for malignancy; suspicious of malignancy"),
    (Category.LOW_SUSPICION, {}, "low suspicion; low suspicion for malignancy; low suspicion of malignancy"),
    (Category.MODERATE_SUSPICION, {}, "moderate suspicion; moderate suspicion for malignancy; "
     "moderate suspicion of malignancy"),
    (Category.HIGH_SUSPICION, {}, "high suspicion; high suspicion for malignancy; high suspicion of malignancy"),
    (Category.HIGHLY_SUGGESTIVE, {}, "highly suggestive of malignancy; highly suggestive for malignancy"),
    (Category.KNOWN_MALIGNANCY, {}, "known biopsy proven malignancy; biopsy proven malignancy; known malignancy; "
     "known cancer; known biopsy proven cancer; proven malignancy"),
    (Category.INCOMPLETE, {}, "incomplete; inconclusive"),
    (Category.INCOMPLETE, _IMAGING, "incomplete need additional imaging evaluation; "
     "need additional imaging evaluation; "
     "incomplete needs additional imaging evaluation; needs additional imaging evaluation; "
     "incomplete additional imaging evaluation needed; additional imaging evaluation needed; "
     "incomplete additional imaging needed; incomplete need additional imaging; additional imaging needed; "
     "need additional imaging; incomplete needs additional imaging; incomplete need additional evaluation; "
     "incomplete need additional imaging evaluation and or prior mammograms for comparison; "
     "need additional imaging evaluation and or prior mammograms for comparison"),
    (Category.INCOMPLETE, _PRIORS, "incomplete need prior mammograms for comparison; "
     "need prior mammograms for comparison; "
     "incomplete needs prior mammograms for comparison; needs prior mammograms for comparison; "
     "incomplete prior mammograms needed for comparison; prior mammograms needed for comparison; "
     "incomplete prior mammograms for comparison needed; incomplete need prior mammograms; need prior mammograms; "
     "incomplete need previous mammograms for comparison; incomplete prior mammograms needed; need priors; "
     "incomplete need priors; incomplete need prior studies for comparison; "
     "incomplete need prior mammogram for comparison"),
    (None, {Concept.MARKER: True}, "post procedure mammogram for marker placement; "
     "post procedure mammograms for marker placement; postprocedure mammogram for marker placement; "
     "post procedure mammography for marker placement; post biopsy mammogram for marker placement; marker placement; "
     "post procedure mammogram for clip placement"),
)  # fmt: skip
_PHRASES: dict[tuple[str, ...], dict[Concept, Any]] = {
    tuple(phrase.split()): ({} if category is None else {Concept.CATEGORY: (category,)}) | more
    for category, more, phrases in _ROWS
    for phrase in phrases.split("; ")
}
_MAX_WORDS = max(map(len, _PHRASES))
_FIRST_WORDS = frozenset(words[0] for words in _PHRASES)
_LEADS = frozenset(["birads", "category", "assessment"])
_MARKS = frozenset([":", "-", ",", "(", ")", "/", "=", ";"])
_OPENING_WORDS = (
    "final overall the is of right left rt lt breast breasts side mammogram impression conclusion bilateral both "
    "as for classification code score study exam examination mammographic mammography"
)
_OPENING = _LEADS | _MARKS | frozenset(_OPENING_WORDS.split())  # fmt: skip
_TAIL_WORDS = (
    "finding findings s abnormality abnormalities mammogram mammography mammographic study exam examination "
    "category assessment bilateral bilaterally right left rt lt breast breasts in the both on sides"
)
_TAIL = _MARKS | frozenset(_TAIL_WORDS.split())


@dataclass(frozen=True, slots=True)
class Statement:
    """An assessment in words at tokens `first` to `last` (exclusive), and what it means."""

    means: dict[Concept, Any]
    first: int
    last: int


def find_statement(tokens: Tokens, piece: Piece) -> Statement | None:
    """The assessment that a piece of text states in words and not by its number.

    It counts after the words BI-RADS, category or assessment, and alone in a sentence of the impression.
    """
    words = tokens.words
    labels = [k + 1 for k in range(piece.first, min(piece.last, piece.first + 12)) if words[k] == ":"]
    for first in (piece.first, *labels):  # `Addendum of 3 March: Final assessment: Benign`
        found = _statement(tokens, piece, first)
        if found is not None:
            return found
    return None


def _statement(tokens: Tokens, piece: Piece, first: int) -> Statement | None:
    """The assessment in words that begins at token `first`, but for the words that introduce it."""
    words = tokens.words
    i, lead = first, False
    while i < piece.last and words[i] in _OPENING:
        lead = lead or words[i] in _LEADS
        i += 1
    if not (lead or piece.section is Section.IMPRESSION) or i == piece.last or words[i] not in _FIRST_WORDS:
        return None
    places = [k for k in range(i, min(piece.last, i + 2 * _MAX_WORDS)) if words[k] not in _MARKS]
    for count in range(min(_MAX_WORDS, len(places)), 0, -1):
        means = _PHRASES.get(tuple(words[k] for k in places[:count]))
        if means is None:
            continue
        last = places[count - 1] + 1
        return Statement(means, i, last) if _is_whole(words, last, piece.last, lead or count > 1) else None
    return None


def _is_whole(words: list[str], at: int, last: int, firm: bool) -> bool:
    """Whether nothing but the words for a finding or an examination follows, or an explanation after a mark."""
    k = at
    while k < last and words[k] in _TAIL:
        if firm and words[k] in ("-", "(", ":", ",", ";"):
            return True
        k += 1
    return k == last


def find_gloss(tokens: Tokens, piece: Piece, first: int, last: int) -> tuple[Category, int, int] | None:
    """The category that the words next to a number state, with its tokens: the 4 of `BI-RADS 2: Suspicious`.

    Only a whole phrase counts, which nothing but an explanation follows: `BI-RADS 2, benign calcifications` has none.
    """
    words = tokens.words
    k = last
    while k < piece.last and words[k] in _MARKS:
        k += 1
    if k < piece.last and words[k] in _FIRST_WORDS and (after := _phrase_at(words, k, piece.last)) is not None:
        return after
    if words[first - 1 : first] != ["birads"] and words[first - 1 : first] != ["category"]:
        return None
    k = first - 1
    while k >= piece.first and (words[k] in _LEADS or words[k] in _MARKS):
        k -= 1
    for count in range(min(_MAX_WORDS, k + 1 - piece.first), 0, -1):
        means = _PHRASES.get(tuple(words[k + 1 - count : k + 1]))
        begins = k + 1 - count
        whole = begins == piece.first or words[begins - 1] in (":", "-", "is", "(", "\n")
        if means is not None and Concept.CATEGORY in means and whole:
            return means[Concept.CATEGORY][0], begins, k + 1
    return None


def _phrase_at(words: list[str], first: int, end: int) -> tuple[Category, int, int] | None:
    """The longest phrase for a category at token `first` that is whole."""
    places = [k for k in range(first, min(end, first + 2 * _MAX_WORDS)) if words[k] not in _MARKS]
    for count in range(min(_MAX_WORDS, len(places)), 0, -1):
        means = _PHRASES.get(tuple(words[k] for k in places[:count]))
        if means is None or Concept.CATEGORY not in means:
            continue
        last = places[count - 1] + 1
        return (means[Concept.CATEGORY][0], first, last) if _is_whole(words, last, end, True) else None
    return None
