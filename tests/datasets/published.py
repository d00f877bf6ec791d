"""What the tests of importers share: all cases of a folder, and short ways to say what a case should hold."""

from __future__ import annotations

from pathlib import Path

from amrg.birads import Assessment, Category, Laterality, View, ViewBox
from amrg.datasets import Case
from amrg.datasets.importer import Oddity
from amrg.datasets.importers.registry import importer_of

LEFT, RIGHT = Laterality.LEFT, Laterality.RIGHT


def imported(name: str, root: Path) -> tuple[list[Case], list[Oddity]]:
    """All cases and oddities of a folder."""
    importer, oddities = importer_of(name), list[Oddity]()
    found = (importer.case(root, item, oddities.append) for item in importer.items(root, oddities.append))
    return [case for case in found if case is not None], oddities


def found_by_place(oddities: list[Oddity]) -> list[tuple[str, str]]:
    """Where and what was found, in order."""
    return [(oddity.where, oddity.found) for oddity in oddities]


def box(side: Laterality, view: View, *corners: float) -> ViewBox:
    """Left, top, right, bottom on a view."""
    left, top, right, bottom = corners
    return ViewBox(laterality=side, view=view, left=left, top=top, right=right, bottom=bottom)


def judged(right: str | None, left: str | None) -> tuple[Assessment, ...]:
    """Assessments of both breasts."""
    sides = ((RIGHT, right), (LEFT, left))
    return tuple(Assessment(category=Category(value), laterality=side) for side, value in sides if value)
