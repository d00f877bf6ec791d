"""Whether a drafted place fits the reference's: the same, broader, finer than the reference, or another place."""

from __future__ import annotations

from enum import Enum

from amrg.birads import Laterality, Location, Quadrant
from amrg.birads.placement import clock_faces


class Fit(Enum):
    """How a drafted quadrant or clock face stands to the reference's."""

    NOT_STATED = "neither names a place"
    SAME = "the same place"
    BROADER = "the draft's place holds the reference's"
    SILENT = "the reference names a place, the draft none"
    FINER = "the draft is more specific than the reference"
    ELSEWHERE = "two different places"


_CORNERS = (Quadrant.UPPER_OUTER, Quadrant.UPPER_INNER, Quadrant.LOWER_OUTER, Quadrant.LOWER_INNER)
_CELLS: dict[Quadrant, frozenset[str]] = {
    **{q: frozenset({q.value}) for q in _CORNERS},
    **{
        half: frozenset(q.value for q in _CORNERS if half.value in q.value)
        for half in (Quadrant.UPPER, Quadrant.LOWER, Quadrant.OUTER, Quadrant.INNER)
    },
    Quadrant.CENTRAL: frozenset({"central"}),
    Quadrant.RETROAREOLAR: frozenset({"central"}),  # one place under two names
    Quadrant.AXILLARY_TAIL: frozenset({"axillary tail"}),
    Quadrant.AXILLA: frozenset({"axilla"}),
}
"""The parts of a breast that a place covers."""


def fit(reference: Location, draft: Location, side: Laterality | None) -> Fit:
    """How the draft's quadrant or clock face stands to the reference's; depth and distance are compared elsewhere.

    A clock face is finer than the quadrant that holds it. Two clock faces agree within an hour. Central and
    retroareolar are one place; no clock face contradicts them.
    """
    if not _named(draft):
        return Fit.SILENT if _named(reference) else Fit.NOT_STATED
    if not _named(reference):
        return Fit.FINER
    found = [f for f in (_quadrants(reference, draft), _clocks(reference, draft, side)) if f is not None]
    return max(found, key=_SEVERITY.index)


_SEVERITY = (Fit.SAME, Fit.BROADER, Fit.FINER, Fit.ELSEWHERE)


def _named(place: Location) -> bool:
    return place.quadrant is not None or place.clock is not None


def _quadrants(reference: Location, draft: Location) -> Fit | None:
    """Quadrant against quadrant; None where one of them has none."""
    if reference.quadrant is None or draft.quadrant is None:
        return None
    expected, drafted = _CELLS[reference.quadrant], _CELLS[draft.quadrant]
    if expected == drafted:
        return Fit.SAME
    if expected < drafted:
        return Fit.BROADER
    return Fit.FINER if drafted < expected else Fit.ELSEWHERE


def _clocks(reference: Location, draft: Location, side: Laterality | None) -> Fit | None:
    """Clock face against clock face or quadrant; None where neither has one, or where quadrants alone decide."""
    if reference.clock is not None and draft.clock is not None:
        apart = abs(reference.clock - draft.clock)
        return Fit.SAME if min(apart, 12 - apart) <= 1 else Fit.ELSEWHERE
    if draft.clock is not None and reference.quadrant is not None:
        return Fit.FINER if _holds(reference.quadrant, draft.clock, side) else Fit.ELSEWHERE
    if reference.clock is not None and draft.quadrant is not None:
        return Fit.BROADER if _holds(draft.quadrant, reference.clock, side) else Fit.ELSEWHERE
    return None


def _holds(quadrant: Quadrant, clock: int, side: Laterality | None) -> bool:
    """Whether a clock face can lie in a quadrant; anywhere can be central."""
    hours = clock_faces(quadrant, side)
    return not hours or clock in hours
