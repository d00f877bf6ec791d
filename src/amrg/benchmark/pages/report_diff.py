"""How a draft differs from its reference: word by word to look at, fact by fact to judge."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import StrEnum

from amrg.birads import Category, Finding, Laterality, Report
from amrg.birads.renderer.phrasing import SIDE, region
from amrg.metrics.clinical.agreement import DESCRIPTORS
from amrg.metrics.clinical.categories import by_breast
from amrg.metrics.clinical.location import Fit
from amrg.metrics.clinical.matching import Match, compatible, match_findings, match_left
from amrg.metrics.pairs import Pair

MAX_WORDS = 600
"""Words of a text that are displayed and compared; comparing takes quadratic time."""

_WORD = re.compile(r"\w+(?:[.,'’-]\w+)*")


@dataclass(frozen=True)
class TextSpan:
    """A piece of a text; `marked` where the other text does not have its words."""

    text: str
    marked: bool


def diff_words(reference: str, draft: str) -> tuple[tuple[TextSpan, ...], tuple[TextSpan, ...]]:
    """Both texts in spans, with the words marked that the other lacks. Case, spaces and punctuation are ignored.

    The spans of a text joined are the text, up to `MAX_WORDS` words of it.
    """
    left, right = _words(reference), _words(draft)
    lost, added = set(range(len(left))), set(range(len(right)))
    for block in SequenceMatcher(None, _keys(left), _keys(right), autojunk=False).get_matching_blocks():
        lost -= set(range(block.a, block.a + block.size))
        added -= set(range(block.b, block.b + block.size))
    return tuple(_spans(reference, left, lost)), tuple(_spans(draft, right, added))


def is_cut(text: str) -> bool:
    """Whether a text has more words than are displayed."""
    return sum(1 for _ in _WORD.finditer(text)) > MAX_WORDS


def _words(text: str) -> list[re.Match[str]]:
    return [m for m, _ in zip(_WORD.finditer(text), range(MAX_WORDS), strict=False)]


def _keys(words: Sequence[re.Match[str]]) -> list[str]:
    return [m[0].casefold() for m in words]


def _spans(text: str, words: Sequence[re.Match[str]], marked: set[int]) -> Iterator[TextSpan]:
    """Neighbouring marked words make one span; what is between two of them is never marked."""
    at, i = 0, 0
    while i < len(words):
        if i not in marked:
            i += 1
            continue
        last = i
        while last + 1 in marked:
            last += 1
        if words[i].start() > at:
            yield TextSpan(text[at : words[i].start()], False)
        at = words[last].end()
        yield TextSpan(text[words[i].start() : at], True)
        i = last + 1
    end = words[-1].end() if len(words) == MAX_WORDS and is_cut(text) else len(text)
    if end > at:
        yield TextSpan(text[at:end], False)


class FactError(StrEnum):
    """How a draft is wrong in a fact; the value is displayed."""

    MISSING_FINDING = "missing finding"
    FALSE_FINDING = "false finding"
    LOCATION = "wrong location"
    DESCRIPTOR = "wrong descriptor"
    CATEGORY = "wrong category"
    DENSITY = "wrong density"
    NOT_STATED = "not stated"


@dataclass(frozen=True)
class FactDifference:
    """One fact that differs: what the reference and the draft state, as text; empty where one states nothing."""

    error: FactError
    reference: str
    draft: str


def diff_facts(pair: Pair) -> tuple[FactDifference, ...]:
    """Facts in which a draft differs from its reference, the assessment first; none where the system failed.

    What the reference does not state is never wrong.
    """
    if pair.report is None:
        return ()
    reference, draft = pair.reference, pair.report
    return (*_categories(reference, draft), *_density(reference, draft), *_findings(pair, draft))


def _categories(reference: Report, draft: Report) -> Iterator[FactDifference]:
    """Breast by breast where both reports name the same breasts, else all categories named."""
    sides = by_breast(reference), by_breast(draft)
    if sides[0] and sides[0].keys() == sides[1].keys():
        if sides[0] != sides[1]:
            yield FactDifference(FactError.CATEGORY, _by_side(sides[0]), _by_side(sides[1]))
        return
    stated, drafted = ({a.category for a in r.assessments} for r in (reference, draft))
    if stated and stated != drafted:
        error = FactError.CATEGORY if drafted else FactError.NOT_STATED
        draft_text = _category_text(drafted) if drafted else "no BI-RADS category"
        yield FactDifference(error, _category_text(stated), draft_text)


def _by_side(categories: Mapping[Laterality, Category]) -> str:
    return ", ".join(f"{SIDE[side]} BI-RADS {categories[side]}" for side in Laterality if side in categories)


def _category_text(categories: Iterable[Category]) -> str:
    return f"BI-RADS {', '.join(sorted(categories))}"


def _density(reference: Report, draft: Report) -> Iterator[FactDifference]:
    stated, drafted = reference.composition, draft.composition
    if stated is not None and stated != drafted:
        error = FactError.NOT_STATED if drafted is None else FactError.DENSITY
        draft_text = "no density" if drafted is None else f"density {drafted.upper()}"
        yield FactDifference(error, f"density {stated.upper()}", draft_text)


def _findings(pair: Pair, draft: Report) -> Iterator[FactDifference]:
    """Findings matched as the metrics match them; a pair unmatched on both sides is in the wrong location."""
    matching = match_findings(pair, draft)
    elsewhere, missed, invented = match_left(matching.missed, matching.invented, _same_kind)
    for match in (*matching.matches, *elsewhere):
        yield from _within(match)
    for finding in missed:
        yield FactDifference(FactError.MISSING_FINDING, finding_text(finding), "")
    for finding in invented:
        yield FactDifference(FactError.FALSE_FINDING, "", finding_text(finding))


def _same_kind(reference: Finding, draft: Finding) -> bool:
    return compatible(reference.kind, draft.kind)


def _within(match: Match) -> Iterator[FactDifference]:
    """What differs between two matched findings."""
    stated, drafted = match.reference, match.draft
    if stated.laterality is not drafted.laterality or match.fit is Fit.ELSEWHERE:
        yield FactDifference(FactError.LOCATION, f"{stated.kind}: {_location_text(stated)}", _location_text(drafted))
    elif match.fit is Fit.SILENT:
        yield FactDifference(FactError.NOT_STATED, f"{stated.kind}: {_location_text(stated)}", _location_text(drafted))
    for name in DESCRIPTORS:
        reference, draft = getattr(stated, name), getattr(drafted, name)
        if reference is not None and reference != draft:
            error = FactError.NOT_STATED if draft is None else FactError.DESCRIPTOR
            yield FactDifference(error, f"{stated.kind}, {name}: {reference}", str(draft or f"no {name}"))


def finding_text(finding: Finding) -> str:
    """A finding in one line, as `spiculated mass, left breast, upper outer quadrant`."""
    descriptors = [str(value) for name in DESCRIPTORS if (value := getattr(finding, name)) is not None]
    location = _location_text(finding)
    return " ".join([*descriptors, finding.kind]) + (f", {location}" if location != "no location" else "")


def _location_text(finding: Finding) -> str:
    side = f"{SIDE[finding.laterality]} breast" if finding.laterality is not None else None
    quadrant = region(finding.location.quadrant) if finding.location.quadrant is not None else None
    clock = f"{finding.location.clock} o'clock" if finding.location.clock is not None else None
    return ", ".join(filter(None, (side, quadrant, clock))) or "no location"
