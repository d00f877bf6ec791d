"""Findings first: what a model is asked to state before it writes, one finding a line, closed words only.

    FINDINGS
    mass; side R; quadrant upper outer; depth posterior; shape irregular; margin spiculated; size 14; category 5
    COMPOSITION c
    CATEGORY R 5, L 1
    REPORT
    ...

Every word is one of the lexicon's, so that a grammar can force the list, and each line can be marked on the images
before a sentence is written. Sizes and distances are in mm.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from amrg.birads.lexicon import (
    Category,
    Certainty,
    Change,
    Composition,
    Density,
    Depth,
    Distribution,
    Kind,
    Laterality,
    Margin,
    Morphology,
    Quadrant,
    Shape,
    View,
)
from amrg.birads.report import Assessment, Finding, Location, Report

FINDINGS, COMPOSITION, CATEGORY, REPORT = "FINDINGS", "COMPOSITION", "CATEGORY", "REPORT"
NONE = "none"

_LOCATION: dict[str, type[StrEnum] | type[int]] = {"quadrant": Quadrant, "clock": int, "depth": Depth, "nipple": int}
_FIELDS: dict[str, type[StrEnum] | type[int]] = {
    "side": Laterality,
    **_LOCATION,
    "shape": Shape,
    "margin": Margin,
    "density": Density,
    "morphology": Morphology,
    "distribution": Distribution,
    "size": int,
    "category": Category,
    "certainty": Certainty,
    "change": Change,
}
_NAMES = {"side": "laterality", "size": "size_mm", "nipple": "nipple_distance_mm"}
_LOOKS = {"benign": True, "suspicious": False}


@dataclass(frozen=True)
class FindingsList:
    """A list as it was read: its facts as a report, the narrative after it, and lines that were not understood."""

    report: Report
    narrative: str
    unread: tuple[str, ...] = ()


def write_findings(report: Report) -> str:
    """The list of a report's findings, composition and categories, up to the line before the narrative."""
    lines = [FINDINGS, *(map(_line, report.findings) if report.findings else [NONE])]
    if report.composition is not None:
        lines.append(f"{COMPOSITION} {report.composition}")
    if report.assessments:
        lines.append(f"{CATEGORY} " + ", ".join(f"{a.laterality or 'study'} {a.category}" for a in report.assessments))
    return "\n".join([*lines, REPORT])


def read_findings(text: str) -> FindingsList | None:
    """A list and the narrative after it, None where the text does not begin with one.

    A word that is none of the lexicon's leaves its line in `unread`, with no fact taken from it: half a finding
    would be another one.
    """
    lines = text.strip().split("\n")
    if lines[0].strip() != FINDINGS:
        return None
    end = next((i for i, line in enumerate(lines) if line.strip() == REPORT), len(lines))
    facts: dict[str, Any] = {"findings": []}
    unread = []
    for line in filter(None, map(str.strip, lines[1:end])):
        try:
            _read_line(line, facts)
        except (ValueError, KeyError):  # of which ValidationError is one
            unread.append(line)
    narrative = "\n".join(lines[end + 1 :])
    return FindingsList(Report(**facts, narrative=narrative), narrative, tuple(unread))


def _line(finding: Finding) -> str:
    return "; ".join([str(finding.kind), *_words(finding)])


def _words(finding: Finding) -> Iterator[str]:
    """The words of a line after the kind, in a fixed order; what is unset is not written."""
    for name in _FIELDS:
        owner = finding.location if name in _LOCATION else finding
        value = getattr(owner, _NAMES.get(name, name))
        if value is not None and value is not Certainty.DEFINITE:
            yield f"{name} {value}"
    if finding.benign_looking is not None:
        yield f"looks {'benign' if finding.benign_looking else 'suspicious'}"
    if finding.multiple:
        yield "multiple"
    if finding.associated:
        yield "with " + ", ".join(finding.associated)
    if finding.views:
        yield "views " + ", ".join(finding.views)


def _read_line(line: str, facts: dict[str, Any]) -> None:
    """Add one line's facts.

    Raises:
        ValueError: a word is none of the lexicon's, or stands where it has no meaning.
    """
    head, _, rest = line.partition(" ")
    if head == COMPOSITION:
        facts["composition"] = Composition(rest)
    elif head == CATEGORY:
        facts["assessments"] = tuple(_assessment(part) for part in rest.split(", "))
    elif line != NONE:
        facts["findings"] = [*facts["findings"], _finding(line)]


def _assessment(part: str) -> Assessment:
    whose, _, category = part.partition(" ")
    return Assessment(category=Category(category), laterality=None if whose == "study" else Laterality(whose))


def _finding(line: str) -> Finding:
    kind, *words = line.split("; ")
    about: dict[str, Any] = {}
    place: dict[str, Any] = {}
    for word in words:
        name, _, value = word.partition(" ")
        if name in _FIELDS:
            owner = place if name in _LOCATION else about
            owner[_NAMES.get(name, name)] = _FIELDS[name](value)
        elif name == "looks":
            about["benign_looking"] = _LOOKS[value]
        elif word == "multiple":
            about["multiple"] = True
        elif name == "with":
            about["associated"] = tuple(Kind(v) for v in value.split(", "))
        elif name == "views":
            about["views"] = tuple(View(v) for v in value.split(", "))
        else:
            raise ValueError(f"{word!r} is no part of a finding")
    return Finding(kind=Kind(kind), location=Location(**place), **about)
