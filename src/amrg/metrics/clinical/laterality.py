"""Right for left: what a report states of the mirrored study, in facts and in text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TypeVar

from amrg.birads import (
    WORDINGS,
    Assessment,
    Finding,
    Laterality,
    Location,
    Negative,
    Report,
    Technique,
    View,
    ViewBox,
    render,
)

Sided = TypeVar("Sided", Finding, Negative, Assessment)

OTHER = {Laterality.RIGHT: Laterality.LEFT, Laterality.LEFT: Laterality.RIGHT}
_WORDS = {"right": "left", "rt": "lt", "rcc": "lcc", "rmlo": "lmlo", "r": "l"}
_SWAPPED = _WORDS | {b: a for a, b in _WORDS.items()}
_LETTER = r"(?-i:[RL])(?!')|[rl](?=\s*:|\s+(?:breast|[ul][oi]q)\b)"  # a small letter only before what it is a side of
_SIDE = re.compile(  # the words that `parse` takes for a side
    rf"\b(?:{'|'.join(word for word in _SWAPPED if len(word) > 1)}|{_LETTER})\b", re.IGNORECASE
)
_HOUR = r"\b(?:1[0-2]|0?[1-9])"
_OF_CLOCK = r"\s*(?:(?::\s*00\s*)?o\W?\s?clock\b|clock\b|:\s*00\b)"
_CLOCK = re.compile(
    rf"{_HOUR}(?={_OF_CLOCK})"
    rf"|(?<!rads )(?<!rads: ){_HOUR}(?=(?:-|\s+(?:and|or|to)\s+|\s*&\s*){_HOUR}{_OF_CLOCK})"  # `10 and 2 o'clock`
    rf"|(?<=\bat ){_HOUR}(?=\s*,[\s\d,]*(?:(?:and|&)\s*)?{_HOUR}{_OF_CLOCK})",  # elsewhere a comma parts a category
    re.IGNORECASE,
)


def other_side(laterality: Laterality | None) -> Laterality | None:
    """The other breast; no side stays none."""
    return None if laterality is None else OTHER[laterality]


def swap_sides(report: Report) -> Report:
    """The report with right and left exchanged: views, findings, denials, assessments, boxes, clock faces, narrative.

    Quadrants, inner and outer, are the patient's own and stay. A box changes its breast and keeps its pixels:
    `unmirror` brings what was found on a mirrored image back to them.
    """
    negatives = [n.model_copy(update={"laterality": other_side(n.laterality)}) for n in report.negatives]
    assessments = [a.model_copy(update={"laterality": other_side(a.laterality)}) for a in report.assessments]
    return report.model_copy(
        update={
            "mastectomy": tuple(side for side in Laterality if OTHER[side] in report.mastectomy),
            "technique": None if report.technique is None else _swapped_technique(report.technique),
            "unconfirmed": tuple(map(_swapped_finding, report.unconfirmed)),
            "findings": _listed_as(report.findings, [_swapped_finding(f) for f in report.findings]),
            "negatives": _listed_as(report.negatives, negatives),
            "assessments": _listed_as(report.assessments, assessments),
            "narrative": swap_words(report.narrative),
        }
    )


def _swapped_technique(technique: Technique) -> Technique:
    return Technique(
        views=tuple((OTHER[side], view) for side, view in technique.views),
        synthetic=tuple((OTHER[side], view) for side, view in technique.synthetic),
    )


def _listed_as(before: Sequence[Sided], after: Sequence[Sided]) -> tuple[Sided, ...]:
    """What was swapped, listed one breast after the other where it was so before, and in the same order of breasts."""
    for first in Laterality:
        rank = {first: 0, OTHER[first]: 1, None: 2}
        ranks = [rank[value.laterality] for value in before]
        if ranks == sorted(ranks):
            return tuple(sorted(after, key=lambda value: rank[value.laterality]))
    return tuple(after)


def _swapped_finding(finding: Finding) -> Finding:
    return finding.model_copy(
        update={
            "laterality": other_side(finding.laterality),
            "location": _swapped_place(finding.location),
            "boxes": tuple(b.model_copy(update={"laterality": OTHER[b.laterality]}) for b in finding.boxes),
        }
    )


def _swapped_place(place: Location) -> Location:
    """A clock face is read on the breast as one looks at it: 2 o'clock on one side is 10 o'clock on the other."""
    return place if place.clock is None else place.model_copy(update={"clock": _mirrored_hour(place.clock)})


def _mirrored_hour(hour: int) -> int:
    return 12 - hour or 12


def swap_text(text: str, report: Report) -> str:
    """A reference text as it would be of the mirrored study.

    Where the text is the rendering of `report`, that of the swapped report in the same style and wording, so that
    sides come in the order in which amrg writes them; else the text itself with its words for sides exchanged.
    """
    for style, wording in ((style, i) for style, number in WORDINGS.items() for i in range(number)):
        if render(report, style, wording) == text:
            return render(swap_sides(report), style, wording)
    return swap_words(text)


def swap_words(text: str) -> str:
    """Right for left, and clock faces mirrored, in prose; everything else byte for byte."""
    turned = _SIDE.sub(lambda m: _like(m[0], _SWAPPED[m[0].lower()]), text)
    return _CLOCK.sub(lambda m: str(_mirrored_hour(int(m[0]))), turned)


def _like(written: str, word: str) -> str:
    """A word in the capitals of another."""
    if written.isupper():
        return word.upper()
    return word.capitalize() if written[0].isupper() else word


def unmirror(report: Report, columns: dict[tuple[Laterality, View], int]) -> Report:
    """Boxes found on mirrored images, back in the pixels of the unchanged images; `columns`: their widths."""

    def back(box: ViewBox) -> ViewBox:
        width = columns[box.laterality, box.view]
        return box.model_copy(update={"left": width - box.right, "right": width - box.left})

    return report.model_copy(
        update={
            "findings": tuple(
                f.model_copy(update={"boxes": tuple(back(b) for b in f.boxes)}) if f.boxes else f
                for f in report.findings
            )
        }
    )


def sides_of(report: Report) -> Sequence[tuple[str, str, Laterality]]:
    """What a report states of one breast: findings, with their kind, and categories, in a fixed order."""
    found = [("finding", str(f.kind), f.laterality) for f in report.findings]
    found += [("category", str(a.category), a.laterality) for a in report.assessments]
    return sorted((what, name, side) for what, name, side in found if side is not None)
