"""Findings first: the list that a model states before its narrative, one finding a line, in words of the lexicon.

    FINDINGS LIST
    R mass, upper outer, posterior, irregular, spiculated, high density, 14 mm, CC MLO, BI-RADS 5
    L calcifications, retroareolar, grouped, amorphous, with skin thickening, BI-RADS 4B
    ACR C
    BI-RADS R 5, L 4B
    REPORT

A word says by itself which field it fills, so that no field is named, and a line takes about one token a fact. After
the findings (`none` where there are none) come the composition and the categories, `BI-RADS 2` for the whole study.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from amrg.birads.lexicon import (
    DESCRIPTORS,
    Category,
    Certainty,
    Change,
    Composition,
    Depth,
    Kind,
    Laterality,
    Quadrant,
    View,
)
from amrg.birads.report import Assessment, Finding, Location, Report
from amrg.birads.validity import ASSOCIABLE, SINGLE

BEGIN, END, NONE = "FINDINGS LIST", "REPORT", "none"

_LOOKS = {True: "benign-looking", False: "suspicious"}
_MULTIPLE = "multiple"
_COMPANION = "with "
_BEFORE, _AFTER = string.whitespace + "*#>-", string.whitespace + "*#:."
"""Marks of lists, headings and sentences around a line."""
_LABEL = re.compile(r" (?:quadrant|half|region|depth|shape|margins?|distribution|views?)$")
_NUMBERS = {
    "size_mm": re.compile(r"(\d+) mm"),
    "nipple_distance_mm": re.compile(r"(\d+) mm from the nipple"),
    "clock": re.compile(r"(\d+) o'clock"),
}
_COMPOSITION = re.compile(r"acr ([a-d])")
_CATEGORY = re.compile(r"bi-?rads (.+)")

_Value = tuple[str, Any]
_OF_ANY: dict[str, _Value] = {
    **{value.value: ("quadrant", value) for value in Quadrant},
    **{value.value: ("depth", value) for value in Depth},
    **{value.value: ("change", value) for value in Change},
    **{word: ("benign_looking", value) for value, word in _LOOKS.items()},
    Certainty.POSSIBLE.value: ("certainty", Certainty.POSSIBLE),
    _MULTIPLE: ("multiple", True),
}
_OF_KIND: dict[Kind, dict[str, _Value]] = {
    kind: {
        word.value: (field, word) for field, (words, kinds) in DESCRIPTORS.items() if kind in kinds for word in words
    }
    for kind in Kind
}
_SIDES = {"r": Laterality.RIGHT, "right": Laterality.RIGHT, "l": Laterality.LEFT, "left": Laterality.LEFT}
_PLACE = frozenset(Location.model_fields)


@dataclass(frozen=True)
class FindingsList:
    """A list as it was read.

    `report` has findings, composition (None where the list names none) and assessments (empty where it names none), and
    no other facts. `narrative` is the text from character `start` on, after the list. `unread` are the lines, and the
    words of lines, that were not understood: of such a word no fact is taken. `finished` is False where the text ends
    within the list.
    """

    report: Report
    narrative: str
    start: int
    unread: tuple[str, ...] = ()
    finished: bool = True


def write_findings(report: Report) -> str:
    """The list of a report's findings, composition and assessments, with the line that ends it and its line break.

    `read_findings(write_findings(r))` gives them back exactly for every report without `flaws`, as `stated`.
    """
    lines = [BEGIN, *(map(_line, report.findings) if report.findings else [NONE])]
    if report.composition is not None:
        lines.append(f"ACR {report.composition.upper()}")
    if report.assessments:
        lines.append("BI-RADS " + ", ".join(map(_assessment, report.assessments)))
    return "\n".join([*lines, END]) + "\n"


def read_findings(text: str) -> FindingsList | None:
    """The list that a text begins with and the narrative after it; None where it begins with none.

    Upper and lower case, list marks and markdown around a line are of no importance. A list without its last line ends
    at an empty line.
    """
    lines = text.splitlines(keepends=True)
    first = next((i for i, line in enumerate(lines) if _bare(line)), len(lines))
    if first == len(lines) or _bare(lines[first]).upper() != BEGIN:
        return None
    listed = [_bare(line) for line in lines[first + 1 :]]
    ends = [i for i, line in enumerate(listed) if line.upper() == END]
    ends = ends or [i for i, line in enumerate(listed) if not line]
    end = ends[0] if ends else len(listed)
    facts: dict[str, Any] = {"findings": ()}
    unread = tuple(fault for line in listed[:end] if line for fault in _take(line, facts))
    start = sum(map(len, lines[: first + 1 + end + 1]))
    return FindingsList(Report(**facts), text[start:], start, unread, bool(ends))


def narrative_of(text: str) -> str:
    """What a model wrote without the list that it may begin with."""
    found = read_findings(text)
    return text if found is None else found.narrative


def _line(finding: Finding) -> str:
    """A finding in words, each of one field, in a fixed order."""
    side = "" if finding.laterality is None else f"{finding.laterality} "
    place = finding.location
    described = (finding.shape, finding.margin, finding.density, finding.distribution, finding.morphology)
    words = [
        f"{side}{finding.kind}",
        *([_MULTIPLE] if finding.multiple else []),
        *([finding.certainty] if finding.certainty is Certainty.POSSIBLE else []),
        *(word for word in (place.quadrant, place.depth) if word is not None),
        *([] if place.clock is None else [f"{place.clock} o'clock"]),
        *([] if place.nipple_distance_mm is None else [f"{place.nipple_distance_mm} mm from the nipple"]),
        *(word for word in described if word is not None),
        *([] if finding.benign_looking is None else [_LOOKS[finding.benign_looking]]),
        *([] if finding.size_mm is None else [f"{finding.size_mm} mm"]),
        *(f"{_COMPANION}{kind}" for kind in finding.associated),
        *([] if finding.change is None else [finding.change]),
        *([" ".join(finding.views)] if finding.views else []),
        *([] if finding.category is None else [f"BI-RADS {finding.category}"]),
    ]
    return ", ".join(words)


def _assessment(value: Assessment) -> str:
    return f"{value.category}" if value.laterality is None else f"{value.laterality} {value.category}"


def _bare(line: str) -> str:
    """A line without the marks around it."""
    return line.lstrip(_BEFORE).rstrip(_AFTER)


def _take(line: str, facts: dict[str, Any]) -> Iterator[str]:
    """Add a line's facts; what is not understood of it."""
    if line.lower() == NONE:
        return
    if match := _COMPOSITION.fullmatch(line.lower()):
        if "composition" in facts:
            yield line
        facts.setdefault("composition", Composition(match[1]))
    elif match := _CATEGORY.fullmatch(line.lower()):
        yield from _take_categories(line, line[match.start(1) :], facts)
    else:
        yield from _take_finding(line, facts)


def _take_categories(line: str, named: str, facts: dict[str, Any]) -> Iterator[str]:
    """The categories of the breasts, or of the study."""
    for part in named.split(","):
        *side, category = part.split() or [""]
        try:
            laterality = _SIDES[" ".join(side).lower()] if side else None
            found = Assessment(category=Category(category.upper()), laterality=laterality)
        except (KeyError, ValueError):
            yield _word(part, line)
            continue
        facts["assessments"] = (*facts.get("assessments", ()), found)


def _take_finding(line: str, facts: dict[str, Any]) -> Iterator[str]:
    """A finding; without a kind there is none."""
    head, *words = (word.strip() for word in line.split(","))
    side, _, rest = head.lower().partition(" ")
    name = rest if side in _SIDES else head.lower()
    if name not in tuple(Kind):
        yield line
        return
    kind = Kind(name)
    fields: dict[str, Any] = {"kind": kind, "laterality": _SIDES.get(side)}
    for word in words:
        try:
            _set(fields, *_read_word(word.lower(), kind))
        except ValueError:
            yield _word(word, line)
    place = {name: fields.pop(name) for name in tuple(fields) if name in _PLACE}
    facts["findings"] = (*facts["findings"], Finding(location=Location(**place), **fields))


def _read_word(word: str, kind: Kind) -> _Value:
    """The field that a word fills, and its value.

    Raises:
        ValueError: it is no word of the lexicon, or none for this kind.
    """
    known: Mapping[str, _Value] = _OF_ANY | _OF_KIND[kind]
    found = known.get(word) or known.get(_LABEL.sub("", word))
    if found is not None:
        if found == ("multiple", True) and kind in SINGLE:
            raise ValueError(word)
        return found
    for name, pattern in _NUMBERS.items():
        if match := pattern.fullmatch(word):
            return name, _in_range(name, int(match[1]))
    if match := _CATEGORY.fullmatch(word):
        return "category", Category(match[1].upper())
    if word.startswith(_COMPANION):
        return "associated", (_companion(word.removeprefix(_COMPANION), kind),)
    return "views", tuple(View(view.upper()) for view in _LABEL.sub("", word).split())


def _in_range(name: str, number: int) -> int:
    """A number that its field can have.

    Raises:
        ValueError: it cannot.
    """
    try:
        if name in _PLACE:
            Location.model_validate({name: number})
        else:
            Finding.model_validate({"kind": Kind.MASS, name: number})
    except ValidationError as error:
        raise ValueError(number) from error
    return number


def _companion(word: str, kind: Kind) -> Kind:
    companion = Kind(word)
    if companion is kind or companion not in ASSOCIABLE:
        raise ValueError(word)
    return companion


def _set(fields: dict[str, Any], name: str, value: Any) -> None:
    """Set a field that is not set; companions and views add up.

    Raises:
        ValueError: it is set already.
    """
    before = fields.get(name, ())
    if name in ("associated", "views"):
        if len({*before, *value}) < len(before) + len(value):
            raise ValueError(name)
        fields[name] = (*before, *value)
    elif name in fields:
        raise ValueError(name)
    else:
        fields[name] = value


def _word(word: str, line: str) -> str:
    """A word with the line that it stands in."""
    return f"{word.strip()} (in: {line})"
