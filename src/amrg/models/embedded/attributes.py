"""What image features are trained to name, place by place: kinds, compositions, attributes of a finding. No torch."""

from __future__ import annotations

from enum import StrEnum

from amrg.birads import (
    Category,
    Composition,
    Density,
    Depth,
    Distribution,
    Finding,
    Kind,
    Margin,
    Morphology,
    Quadrant,
    Shape,
    View,
)

KINDS: tuple[Kind, ...] = tuple(Kind)
PLACES = 2 + len(KINDS)  # what a place may be: a lesion of any kind, a malignant one, one of each kind
COMPOSITIONS: tuple[Composition, ...] = tuple(Composition)


class Place(StrEnum):
    """Where in the breast, as far as one view can tell."""

    OUTER = "outer"
    INNER = "inner"
    UPPER = "upper"
    LOWER = "lower"
    BEHIND_NIPPLE = "behind nipple"
    AXILLARY = "axillary"


_MAJORS = ("1", "2", "3", "4", "5")
ATTRIBUTES: dict[str, tuple[str, ...]] = {
    "category": _MAJORS,
    "shape": tuple(Shape),
    "margin": tuple(Margin),
    "density": tuple(Density),
    "morphology": tuple(Morphology),
    "distribution": tuple(Distribution),
    "place": tuple(Place),
    "depth": tuple(Depth),
}
_BEHIND = {Quadrant.CENTRAL, Quadrant.RETROAREOLAR}
_AXILLARY = {Quadrant.AXILLA, Quadrant.AXILLARY_TAIL}


def place_in_view(quadrant: Quadrant, view: View) -> Place | None:
    """The part of a quadrant that a view shows: CC tells outer from inner, MLO upper from lower."""
    if quadrant in _BEHIND:
        return Place.BEHIND_NIPPLE
    if quadrant in _AXILLARY:
        return Place.AXILLARY
    words = set(quadrant.value.split())
    wanted = ("outer", "inner") if view is View.CC else ("upper", "lower")
    found = words.intersection(wanted)
    return Place(found.pop()) if found else None


def attribute_values(finding: Finding, view: View) -> dict[str, str]:
    """What the features at a finding's place should say of it, in one view."""
    category: Category | None = finding.category
    place = place_in_view(finding.location.quadrant, view) if finding.location.quadrant else None
    values: dict[str, str | None] = {
        "category": str(category.major) if category else None,
        "shape": finding.shape,
        "margin": finding.margin,
        "density": finding.density,
        "morphology": finding.morphology,
        "distribution": finding.distribution,
        "place": place,
        "depth": finding.location.depth,
    }
    return {name: str(value) for name, value in values.items() if value is not None}
