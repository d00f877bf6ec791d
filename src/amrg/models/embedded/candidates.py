"""What the embedded model's tower marks in a view: places with a box and what each of them may be. No torch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from amrg.birads import Kind
from amrg.models.embedded.attributes import KINDS

Edges = tuple[float, float, float, float]
"""Left, top, right and bottom in pixels of the model's image."""
CELL = 8  # image pixels a side of a cell
BACKGROUND = -1 + 8 / 127.5  # pixels of the first channel up to this, in -1..1, are outside the breast
MARGIN, BLOCK = 16, 64  # columns read to the right of the breast, at least; and what the columns read are a multiple of
SAME_PLACE = 0.5  # share of the smaller of two boxes that the other covers, from which both are one place


def columns_read(breast: npt.NDArray[np.bool_]) -> int:
    """How many columns of a view the tower reads; `breast` is bool [H, W], chest wall at the left."""
    columns: int = breast.shape[1]
    last = np.flatnonzero(breast.any(0))
    needed = int(last[-1]) + 1 + MARGIN if len(last) else 0
    return min(columns, max(BLOCK, -(-needed // BLOCK) * BLOCK))


@dataclass(frozen=True)
class Candidate:
    """A place that the tower marks in one view: its box, and probabilities, 0 to 1.

    `kinds` float32 [kinds] are those of every kind, each by itself; `lesion` is that of a finding of any kind, and
    `malignant` that of one that is cancer.
    """

    edges: Edges
    kinds: npt.NDArray[np.float32]
    lesion: float
    malignant: float

    def probability(self, kind: Kind) -> float:
        """The probability that a finding of a kind is here; of an asymmetry, that one of either kind is.

        An asymmetry is what no other view shows: on its own view it looks like a focal one.
        """
        alike = (Kind.ASYMMETRY, Kind.FOCAL_ASYMMETRY) if kind is Kind.ASYMMETRY else (kind,)
        return max(float(self.kinds[KINDS.index(one)]) for one in alike)


def cell_candidate(
    cell: int, places: npt.NDArray[np.float32], box: npt.NDArray[np.float32], grid: tuple[int, int]
) -> Candidate:
    """A cell's candidate, from probabilities [2 + kinds] and distances [4] from its middle, in cells of a grid."""
    rows, columns = grid
    y, x = cell // columns + 0.5, cell % columns + 0.5
    left, top, right, bottom = (float(distance) for distance in box)
    return Candidate(
        (
            CELL * max(0.0, x - left),
            CELL * max(0.0, y - top),
            CELL * min(float(columns), x + right),
            CELL * min(float(rows), y + bottom),
        ),
        places[2:],
        float(places[0]),
        float(places[1]),
    )


def places_of(kind: Kind, candidates: Iterable[Candidate]) -> list[Candidate]:
    """The places of a kind, most probable first: of candidates whose boxes overlap, the most probable."""
    retained: list[Candidate] = []
    for candidate in sorted(candidates, key=lambda c: -c.probability(kind)):
        if all(_shared(candidate.edges, other.edges) < SAME_PLACE for other in retained):
            retained.append(candidate)
    return retained


def _shared(a: Edges, b: Edges) -> float:
    """The share of the smaller of two boxes that the other covers, 0 to 1."""
    width, height = (min(a[i + 2], b[i + 2]) - max(a[i], b[i]) for i in (0, 1))
    smaller = min((x[2] - x[0]) * (x[3] - x[1]) for x in (a, b))
    return max(0.0, width) * max(0.0, height) / smaller if smaller > 0 else 0.0
