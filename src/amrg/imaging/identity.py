"""Laterality and view: read from the header in a fixed order, conflicts noted."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from pydicom.dataset import Dataset

from amrg.birads import Laterality, View

# SNOMED CT and SRT codes of CID 4014 "View for Mammography" (PS3.16) that can be a screening projection.
VIEW_CODES: dict[str, View] = {
    "399162004": View.CC,
    "R-10242": View.CC,
    "399368009": View.MLO,
    "R-10226": View.MLO,
    "399260004": View.ML,
    "R-10224": View.ML,
    "399352003": View.LM,
    "R-10228": View.LM,
    "399099002": View.LMO,
    "R-10230": View.LMO,
    "399192008": View.XCCL,
    "R-1024A": View.XCCL,
    "399101009": View.XCCM,
    "R-1024B": View.XCCM,
}
_SIDE = re.compile(r"(?<![A-Z])(?:(RIGHT|R|RT)|(LEFT|L|LT))(?=[^A-Z]|CC|MLO|ML|LM|XCC|$)")
_VIEW = re.compile(r"(?<![A-Z])(?:[RL]|RT|LT|LEFT|RIGHT)?(XCCL|XCCM|CC|LMO|MLO|LM|ML)(?:RT|LT|[RL])?(?![A-Z])")
_SIDE_AFTER = re.compile(r"(?:CC|MLO|ML|LM)(R|L)T?(?![A-Z])")


@dataclass(frozen=True)
class Identity:
    """Laterality and view, None where no source gives them, and notes on sources that disagree."""

    laterality: Laterality | None
    view: View | None
    notes: tuple[str, ...]


def identity(header: Dataset, file_name: str) -> Identity:
    """Laterality and view of a header, by the first source in `SIDES` and `VIEWS` that gives them."""
    sides = [(name, side) for name, read in SIDES if (side := read(header, file_name)) is not None]
    views = [(name, view) for name, read in VIEWS if (view := read(header, file_name)) is not None]
    notes = [*_conflicts("laterality", sides), *_conflicts("view", views)]
    return Identity(sides[0][1] if sides else None, views[0][1] if views else None, tuple(notes))


def merge_identity(found: Identity, laterality: Laterality | None, view: View | None) -> Identity:
    """An identity in which the side and view of a table come first, with a note where the file disagrees."""
    sides = [(name, side) for name, side in (("the table", laterality), ("the file", found.laterality)) if side]
    views = [(name, stated) for name, stated in (("the table", view), ("the file", found.view)) if stated]
    notes = (*found.notes, *_conflicts("laterality", sides), *_conflicts("view", views))
    return Identity(sides[0][1] if sides else None, views[0][1] if views else None, notes)


def side_in(text: str) -> Laterality | None:
    """The side that a free text names: `RCC`, `LEFT_MLO`, `CCRT`; None where it names none or both."""
    upper = text.upper()
    found = {bool(m.group(1)) for m in _SIDE.finditer(upper)}
    found |= {m.group(1) == "R" for m in _SIDE_AFTER.finditer(upper)}
    if len(found) != 1:
        return None
    return Laterality.RIGHT if found.pop() else Laterality.LEFT


def view_in(text: str) -> View | None:
    """The view that a free text names; None where it names none or several."""
    found = {m.group(1) for m in _VIEW.finditer(text.upper())}
    return View(found.pop()) if len(found) == 1 else None


def _text(header: Dataset, keyword: str) -> str:
    value = header.get(keyword)
    return " ".join(str(v) for v in value) if isinstance(value, (list, tuple)) else str(value or "")


def _side(keyword: str) -> Callable[[Dataset, str], Laterality | None]:
    def read(header: Dataset, _: str) -> Laterality | None:
        value = _text(header, keyword).strip().upper()
        return Laterality(value) if value in ("R", "L") else None

    return read


def _coded_view(header: Dataset, _: str) -> View | None:
    """View Code Sequence (0054,0220)."""
    items = header.get("ViewCodeSequence") or []
    return VIEW_CODES.get(str(items[0].get("CodeValue", ""))) if len(items) else None


def _text_view(keyword: str) -> Callable[[Dataset, str], View | None]:
    return lambda header, _: view_in(_text(header, keyword))


def _text_side(keyword: str) -> Callable[[Dataset, str], Laterality | None]:
    return lambda header, _: side_in(_text(header, keyword))


SIDES: tuple[tuple[str, Callable[[Dataset, str], Laterality | None]], ...] = (
    ("ImageLaterality (0020,0062)", _side("ImageLaterality")),
    ("Laterality (0020,0060)", _side("Laterality")),
    ("FrameLaterality (0020,9072)", _side("FrameLaterality")),
    ("SeriesDescription (0008,103E)", _text_side("SeriesDescription")),
    ("file name", lambda _, name: side_in(name)),
)
VIEWS: tuple[tuple[str, Callable[[Dataset, str], View | None]], ...] = (
    ("ViewCodeSequence (0054,0220)", _coded_view),
    ("ViewPosition (0018,5101)", _text_view("ViewPosition")),
    # CBIS-DDSM writes the view where the standard expects directions.
    ("PatientOrientation (0020,0020)", _text_view("PatientOrientation")),
    ("SeriesDescription (0008,103E)", _text_view("SeriesDescription")),
    ("file name", lambda _, name: view_in(name)),
)


def _conflicts(what: str, found: list[tuple[str, Laterality]] | list[tuple[str, View]]) -> list[str]:
    """One note for every later source that disagrees with the first."""
    return [
        f"{what} is {found[0][1]} by {found[0][0]}, but {value} by {name}: the first is used"
        for name, value in found[1:]
        if value != found[0][1]
    ]
