"""What `parse` reads of a text, short enough to compare in a table."""

from __future__ import annotations

from amrg.birads import parse


def assessed(text: str) -> list[str]:
    """The assessment that holds, as `4A` or `R 4A`."""
    return [" ".join([*filter(None, [a.laterality]), a.category]) for a in parse(text).report.assessments]


def others(text: str) -> list[str]:
    """The categories that do not hold, as `prior 4B`."""
    return [f"{o.standing} {o.category}" for o in parse(text).other_categories]


def found(text: str) -> list[str]:
    """The findings by kind and side, as `mass L`."""
    return [" ".join(filter(None, [f.kind, f.laterality])) for f in parse(text).report.findings]


def unread(text: str) -> list[str]:
    """The pieces that were not understood or not used."""
    return [s.text for s in parse(text).unread]


def notes(text: str) -> list[str]:
    """What the reader of a text should know, each with the piece of text."""
    return [f"{n.message} | {n.span.text}" for n in parse(text).notes]
