"""BI-RADS categories and breast density as people write them into tables: `4a`, `BI-RADS 4A`, `IVa`, `4.0`, `ACR C`."""

from __future__ import annotations

import re

from amrg.birads import Category, Composition
from amrg.datasets.tables.cells import CATEGORIES, LETTERS

_LABEL = r"(?:ACR\W*)?(?:BI\W?RADS?\W*)?(?:(?:CATEGORY|CAT|GRADE|TYPE|CLASS)\W*)?(?:ACR\W*)?"
_CATEGORY = re.compile(
    rf"{_LABEL}0?(?P<number>[0-6]|I{{1,3}}|IV|VI?)(?:[.,]0+)?[\s-]?(?P<letter>[ABC])?", re.IGNORECASE
)
_DENSITY = re.compile(rf"{_LABEL}(?:DENSITY\W*)?(?P<letter>[ABCD])", re.IGNORECASE)
_ROMAN = {"I": "1", "II": "2", "III": "3", "IV": "4", "V": "5", "VI": "6"}
CATEGORIES_IN_WORDS = f"one of {', '.join(CATEGORIES)}"
DENSITIES_IN_WORDS = f"one of {', '.join(LETTERS)}"


def read_category(cell: str) -> Category | None:
    """The one category that a cell states; None where it states none, several or another scale's."""
    found = _CATEGORY.fullmatch(cell.strip())
    if found is None:
        return None
    number = found["number"].upper()
    return CATEGORIES.get(_ROMAN.get(number, number) + (found["letter"] or "").upper())


def read_density(cell: str) -> Composition | None:
    """The composition that a cell states by its letter; numbers may be another scale's, or percent."""
    found = _DENSITY.fullmatch(cell.strip())
    return None if found is None else LETTERS[found["letter"].upper()]
