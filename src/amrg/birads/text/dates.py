"""Dates in a report: day, month and year where they cannot be taken for one another."""

from __future__ import annotations

import datetime
import re

_MONTH_NAMES = "january february march april may june july august september october november december"
MONTHS = _MONTH_NAMES.split()
_MONTH = "|".join(f"{name}|{name[:3]}" for name in MONTHS)
_DATES = (
    re.compile(r"(?P<y>[0-9]{4})[-/.](?P<m>[0-9]{2})[-/.](?P<d>[0-9]{2})(?![0-9])"),
    re.compile(rf"(?P<d>[0-9]{{1,2}})(?:st|nd|rd|th)? (?:of )?(?P<n>{_MONTH})\.?,? (?P<y>[0-9]{{4}})(?![0-9])", re.I),
    re.compile(rf"(?P<d>[0-9]{{1,2}})-(?P<n>{_MONTH})-(?P<y>[0-9]{{4}})(?![0-9])", re.I),
    re.compile(rf"(?P<n>{_MONTH})\.? (?P<d>[0-9]{{1,2}})(?:st|nd|rd|th)?,? (?P<y>[0-9]{{4}})(?![0-9])", re.I),
)
_NUMERIC_DATE = re.compile(r"(?<![0-9/.-])([0-9]{1,2})([/.-])([0-9]{1,2})\2([0-9]{4}|[0-9]{2})(?![0-9]|[/.-][0-9])")
YEAR = re.compile(r"(?:19|20)[0-9]{2}$")
"""A word that is a year."""
_LOOSE_DATE = re.compile(rf"(?:(?:{_MONTH})\.?,? |[0-9]{{1,2}}/)?(?:19|20)[0-9]{{2}}(?![0-9])", re.I)


def month_first(text: str) -> bool | None:
    """Whether dates such as 02/28/2022 put the month first, by those that can be read in one way; None if unknown."""
    found = [(int(m[1]), int(m[3])) for m in _NUMERIC_DATE.finditer(text)]
    day_first = any(12 < a <= 31 and b <= 12 for a, b in found)
    month = any(a <= 12 < b <= 31 for a, b in found)
    return None if day_first == month else month


def is_numeric_date(text: str, at: int) -> bool:
    """Whether a date in figures such as 2/5/2024 begins at a place in a text."""
    return _NUMERIC_DATE.match(text, at) is not None


def read_date(text: str, at: int, month_first: bool | None) -> tuple[datetime.date | None, int] | None:
    """The date at a place in a text, and where it ends.

    None in the date's stead for a month, a year, or figures that can be read in two ways; None where there is none.
    """
    for pattern in _DATES:
        found = pattern.match(text, at)
        if found is not None:
            parts = found.groupdict()
            month = parts.get("m") or str(SHORT_MONTHS[parts["n"].lower()[:3]])
            date = _day(int(parts["y"]), int(month), int(parts["d"]))
            return None if date is None else (date, found.end())
    numeric = _NUMERIC_DATE.match(text, at)
    if numeric is not None and not (numeric[2] == "." and len(numeric[4]) == 2):
        return _read_numeric(numeric, month_first)
    loose = _LOOSE_DATE.match(text, at)
    return None if loose is None else (None, loose.end())


def _read_numeric(found: re.Match[str], month_first: bool | None) -> tuple[datetime.date | None, int] | None:
    """A date in figures, in the order that the text's dates have."""
    a, b, year = int(found[1]), int(found[3]), int(found[4])
    year += 0 if year >= 100 else 2000 if year < 70 else 1900
    if month_first is None and a != b:
        return (None, found.end()) if _day(year, a, b) or _day(year, b, a) else None
    date = _day(year, b, a) if month_first is False else _day(year, a, b)
    return None if date is None else (date, found.end())


def _day(year: int, month: int, day: int) -> datetime.date | None:
    """A date, or None where there is no such day."""
    try:
        return datetime.date(year, month, day)
    except ValueError:
        return None


SHORT_MONTHS = {name[:3]: n for n, name in enumerate(MONTHS, 1)}
