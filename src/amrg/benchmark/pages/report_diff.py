"""What a draft says otherwise than its reference: word by word for the eye, fact by fact for the judgement."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import StrEnum

from amrg.birads import Category, Finding, Laterality, Report
from amrg.birads.renderer.phrasing import SIDE
from amrg.metrics.agreement import DESCRIPTORS
from amrg.metrics.clinical.categories import by_breast
from amrg.metrics.clinical.location import Fit
from amrg.metrics.clinical.matching import Match, compatible, match_findings, match_left
from amrg.metrics.pairs import Pair

MOST_WORDS = 600
"""Words of a text that are shown and compared; finding the differences takes time with their square."""

_WORD = re.compile(r"\w+(?:[.,'’-]\w+)*")


@dataclass(frozen=True)
class TextSpan:
    """A piece of a text; `marked` where the other text does not have its words."""

    text: str
    marked: bool


def diff_words(reference: str, draft: str) -> tuple[tuple[TextSpan, ...], tuple[TextSpan, ...]]:
    """Both texts in runs, the words marked that the other lacks. Case, spaces and punctuation make no difference.

    The runs of a text put together are the text, up to `MOST_WORDS` words of it.
    """
    left, right = _words(reference), _words(draft)
    lost, added = set(range(len(left))), set(range(len(right)))
    for block in SequenceMatcher(None, _keys(left), _keys(right), autojunk=False).get_matching_blocks():
        lost -= set(range(block.a, block.a + block.size))
        added -= set(range(block.b, block.b + block.size))
    return tuple(_runs(reference, left, lost)), tuple(_runs(draft, right, added))


def is_cut(text: str) -> bool:
    """Whether a text has more words than are shown."""
    return sum(1 for _ in _WORD.finditer(text)) > MOST_WORDS


def _words(text: str) -> list[re.Match[str]]:
    return [m for m, _ in zip(_WORD.finditer(text), range(MOST_WORDS), strict=False)]


def _keys(words: Sequence[re.Match[str]]) -> list[str]:
    return [m[0].casefold() for m in words]


def _runs(text: str, words: Sequence[re.Match[str]], marked: set[int]) -> Iterator[TextSpan]:
    """Neighbouring marked words make one run; what stands between runs is never marked."""
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
    end = words[-1].end() if len(words) == MOST_WORDS and is_cut(text) else len(text)
    if end > at:
        yield TextSpan(text[at:end], False)


class Wrong(StrEnum):
    """How a draft is wrong in a fact; the value is what a reader sees."""

    MISSING_FINDING = "missing finding"
    FALSE_FINDING = "false finding"
    PLACE = "wrong place"
    DESCRIPTOR = "wrong description"
    CATEGORY = "wrong category"
    DENSITY = "wrong density"
    NOT_SAID = "not said"


@dataclass(frozen=True)
class FactDifference:
    """One fact that differs: what the reference says, what the draft says, in words; empty where it says nothing."""

    wrong: Wrong
    reference: str
    draft: str


def diff_facts(pair: Pair) -> tuple[FactDifference, ...]:
    """Facts in which a draft differs from its reference, the assessment first; none where the system failed.

    What the reference leaves open is not wrong.
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
            yield FactDifference(Wrong.CATEGORY, _by_side(sides[0]), _by_side(sides[1]))
        return
    true, said = ({a.category for a in r.assessments} for r in (reference, draft))
    if true and true != said:
        wrong = Wrong.CATEGORY if said else Wrong.NOT_SAID
        yield FactDifference(wrong, _category_words(true), _category_words(said) if said else "no BI-RADS category")


def _by_side(categories: Mapping[Laterality, Category]) -> str:
    return ", ".join(f"{SIDE[side]} BI-RADS {categories[side]}" for side in Laterality if side in categories)


def _category_words(categories: Iterable[Category]) -> str:
    return f"BI-RADS {', '.join(sorted(categories))}"


def _density(reference: Report, draft: Report) -> Iterator[FactDifference]:
    true, said = reference.composition, draft.composition
    if true is not None and true != said:
        wrong, words = (Wrong.NOT_SAID, "no density") if said is None else (Wrong.DENSITY, f"density {said.upper()}")
        yield FactDifference(wrong, f"density {true.upper()}", words)


def _findings(pair: Pair, draft: Report) -> Iterator[FactDifference]:
    """Findings matched as the metrics match them; one that is left over on both sides is in the wrong breast."""
    matching = match_findings(pair, draft)
    elsewhere, missed, invented = match_left(matching.missed, matching.invented, _same_kind)
    for match in (*matching.matches, *elsewhere):
        yield from _within(match)
    for finding in missed:
        yield FactDifference(Wrong.MISSING_FINDING, finding_words(finding), "")
    for finding in invented:
        yield FactDifference(Wrong.FALSE_FINDING, "", finding_words(finding))


def _same_kind(reference: Finding, draft: Finding) -> bool:
    return compatible(reference.kind, draft.kind)


def _within(match: Match) -> Iterator[FactDifference]:
    """What differs between two findings that go together."""
    true, said = match.reference, match.draft
    if true.laterality is not said.laterality or match.fit is Fit.ELSEWHERE:
        yield FactDifference(Wrong.PLACE, f"{true.kind}: {_place_words(true)}", _place_words(said))
    elif match.fit is Fit.SILENT:
        yield FactDifference(Wrong.NOT_SAID, f"{true.kind}: {_place_words(true)}", _place_words(said))
    for name in DESCRIPTORS:
        wanted, got = getattr(true, name), getattr(said, name)
        if wanted is not None and wanted != got:
            wrong = Wrong.NOT_SAID if got is None else Wrong.DESCRIPTOR
            yield FactDifference(wrong, f"{true.kind}, {name}: {wanted}", str(got or f"no {name}"))


def finding_words(finding: Finding) -> str:
    """A finding in one line: descriptors, kind, side and quadrant."""
    told = [str(value) for name in DESCRIPTORS if (value := getattr(finding, name)) is not None]
    place = _place_words(finding)
    return " ".join([*told, finding.kind]) + (f", {place}" if place != "no place" else "")


def _place_words(finding: Finding) -> str:
    side = SIDE[finding.laterality] if finding.laterality is not None else None
    clock = f"{finding.location.clock} o'clock" if finding.location.clock is not None else None
    return " ".join(w for w in (side, finding.location.quadrant, clock) if w) or "no place"
