"""What the embedded model's image features are taught to say, place by place, and the linear heads that read it.

The language model reads image tokens; these heads read the same features. They teach the tower to see before
any language is learned, and later tell where a drafted finding lies (the marks on the picture).
"""

from __future__ import annotations

from enum import StrEnum

import torch
from torch import Tensor, nn

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


class FindingHeads(nn.Module):
    """Linear heads on the tower's features.

    `cells` reads the tower's fourth stage [B, cells, cell width]; the others read the normed image tokens
    [B, tokens, width], which are exactly what the language model's projector is given.
    """

    def __init__(self, cell_width: int, width: int) -> None:
        super().__init__()
        self.cells = nn.Linear(cell_width, len(KINDS))
        self.kinds = nn.Linear(width, len(KINDS))
        self.attributes = nn.ModuleDict({n: nn.Linear(width, len(v)) for n, v in ATTRIBUTES.items()})
        self.composition = nn.Linear(width, len(COMPOSITIONS))
        for head in (self.cells, self.kinds):
            nn.init.constant_(head.bias, -4.0)  # findings are rare: start from "nothing here"

    def token_attributes(self, tokens: Tensor) -> dict[str, Tensor]:
        """Logits of every attribute: name to [..., values]."""
        return {name: head(tokens) for name, head in self.attributes.items()}


def rms_norm(tokens: Tensor, eps: float = 1e-6) -> Tensor:
    """Root-mean-square norm over the last axis, as `Gemma3MultiModalProjector` takes it before its matrix.

    Its norm's weight is at its start there, zero, which multiplies by one.
    """
    wide = tokens.float()
    return wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + eps)
