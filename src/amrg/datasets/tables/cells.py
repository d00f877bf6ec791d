"""Cells of one row to terms and numbers: what cannot be read is passed to `odd`, never replaced by a default."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from amrg.birads import Category, Composition, Laterality, View
from amrg.datasets.importer import Odd, Oddity
from amrg.datasets.tables.grouping import WHERE, Row

T = TypeVar("T")

SIDES: Mapping[str, Laterality] = {
    "L": Laterality.LEFT,
    "LEFT": Laterality.LEFT,
    "R": Laterality.RIGHT,
    "RIGHT": Laterality.RIGHT,
}
_NOT_IMPORTED = {View.XCC, View.FB, View.SIO, View.ISO}  # rare projections: cases of data sets leave them out
VIEWS: Mapping[str, View] = {view.value: view for view in View if view not in _NOT_IMPORTED}
CATEGORIES: Mapping[str, Category] = {category.value: category for category in Category}
LETTERS: Mapping[str, Composition] = dict(zip("ABCD", Composition, strict=True))
NUMERALS: Mapping[str, Composition] = dict(zip("1234", Composition, strict=True))
DENSITY_ORDER = list(Composition)
_EMPTY = frozenset({"", "N/A", "NA", "NAN", "NONE", "NULL", "_", "#N/A", "N.A.", "<NA>", "-", "--"})


def stated(cell: str) -> str:
    """A cell without the space around it; empty for N/A and the like."""
    stripped = cell.strip()
    return "" if stripped.upper() in _EMPTY else stripped


@dataclass(frozen=True)
class Cells:
    """One row and where oddities go."""

    row: Row
    odd: Odd

    def text(self, column: str) -> str:
        """A cell without the space around it; empty for N/A and the like."""
        return stated(self.row.get(column, ""))

    def term(self, column: str, terms: Mapping[str, T]) -> T | None:
        """The term of a cell, by its upper-case text; None where empty, and unknown ones are odd."""
        cell = self.text(column)
        if cell.upper() in terms:
            return terms[cell.upper()]
        if cell:
            self.report(column, cell, f"one of {', '.join(terms)}")
        return None

    def number(self, column: str) -> float | None:
        """A finite number; None where empty, and what is no number is odd."""
        cell = self.text(column)
        if not cell:
            return None
        try:
            value = float(cell)
        except ValueError:
            value = math.nan
        if math.isfinite(value):
            return value
        self.report(column, cell, "a number")
        return None

    def report(self, column: str, found: str, expected: str, missing_image: bool = False) -> None:
        """Record an oddity in a column; `missing_image`: the image that it names is not there."""
        where = f"{self.row.get(WHERE, '')}, {column}".lstrip(", ")
        self.odd(Oddity(where=where, found=found, expected=expected, missing_image=missing_image))


def without_repeats(odd: Odd) -> Odd:
    """An `odd` that records each oddity once: one cell may be read several times."""
    noted: set[Oddity] = set()

    def note(oddity: Oddity) -> None:
        if oddity not in noted:
            noted.add(oddity)
            odd(oddity)

    return note


def agreed_value(found: Iterable[tuple[str, T | None]], rank: Callable[[T], float], where: str, odd: Odd) -> T | None:
    """The value that all sources give; where they contradict each other the highest by `rank`, and that is odd.

    `found` is pairs of source and value; None is no value.
    """
    values = [(source, value) for source, value in found if value is not None]
    if not values:
        return None
    if len({value for _, value in values}) > 1:
        stated = ", ".join(f"{value} by {source}" for source, value in values)
        odd(Oddity(where=where, found=f"{stated}; the highest is taken", expected="one value"))
    return max((value for _, value in values), key=rank)


def suspicion(category: Category) -> float:
    """Rank of a category."""
    return category.suspicion


def density(composition: Composition) -> float:
    """Rank of a composition: the denser, the higher."""
    return DENSITY_ORDER.index(composition)


def plain_number(cell: str) -> str:
    """An identifier that a spreadsheet wrote as a number: `12.0` is `12`."""
    return cell.strip().removesuffix(".0")
