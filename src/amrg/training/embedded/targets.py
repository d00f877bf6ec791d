"""Dense targets: the findings of one image as arrays on the tower's grids."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from amrg.birads import View
from amrg.models.embedded.attributes import ATTRIBUTES, KINDS, attribute_values
from amrg.training.embedded.phantom_shards import ViewLesion

IGNORE = -100


@dataclass(frozen=True)
class GridTargets:
    """Targets of one image.

    `cells` float32 [cells, kinds]: whether the finding covers the cell: 1, 0, or NaN to ignore.
    `tokens` the same on the pooled grid. `attributes` name to int64 [tokens], -100 for no target.
    """

    cells: npt.NDArray[np.float32]
    tokens: npt.NDArray[np.float32]
    attributes: dict[str, npt.NDArray[np.int64]]


def grid_targets(
    lesions: tuple[ViewLesion, ...], view: View, size: tuple[int, int], cell: int, pool: int
) -> GridTargets:
    """The lesions of one image of `size` (rows, columns) on cells of `cell` pixels and tokens of `pool` cells."""
    token = cell * pool
    cells = np.zeros((size[0] // cell * (size[1] // cell), len(KINDS)), np.float32)
    tokens = np.zeros((size[0] // token * (size[1] // token), len(KINDS)), np.float32)
    attributes = {name: np.full(len(tokens), IGNORE, np.int64) for name in ATTRIBUTES}
    for lesion in sorted(lesions, key=lambda x: -area(x.box)):  # small ones last: they take a shared token
        kind = KINDS.index(lesion.finding.kind)
        _mark(cells[:, kind], _cover(lesion.box, size, cell))
        positive = _mark(tokens[:, kind], _cover(lesion.box, size, token))
        for name, value in attribute_values(lesion.finding, view).items():
            attributes[name][positive] = ATTRIBUTES[name].index(value)
    return GridTargets(cells, tokens, attributes)


def area(box: tuple[float, float, float, float]) -> float:
    """Area of a box in square pixels."""
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])


def _cover(box: tuple[float, float, float, float], size: tuple[int, int], step: int) -> npt.NDArray[np.float32]:
    """The overlap of each grid square of `step` pixels with a box, over the smaller area of the two."""
    down = _overlap(box[1], box[3], size[0] // step, step)
    across = _overlap(box[0], box[2], size[1] // step, step)
    smaller = max(1e-6, min(area(box), float(step**2)))
    return np.outer(down, across).ravel() / np.float32(smaller)


def _overlap(low: float, high: float, count: int, step: int) -> npt.NDArray[np.float32]:
    """Length that the span low..high shares with each of `count` steps."""
    edge = np.arange(count + 1, dtype=np.float32) * step
    shared: npt.NDArray[np.float32] = np.minimum(edge[1:], high) - np.maximum(edge[:-1], low)
    return np.maximum(shared, 0)


def _mark(column: npt.NDArray[np.float32], cover: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    """Write one lesion into one kind's column in place; returns where it is positive.

    Squares with at least half of the possible overlap are positive, and always the one with the most; others with
    little overlap are ignored.
    """
    positive = cover >= 0.5
    positive[int(cover.argmax())] = True
    column[(cover > 0.02) & (column == 0)] = np.nan
    column[positive] = 1.0
    return positive
