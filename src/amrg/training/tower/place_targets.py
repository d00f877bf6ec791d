"""Dense targets of one view on the tower's cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from amrg.birads import Kind
from amrg.models.embedded.attributes import ATTRIBUTES, KINDS, PLACES
from amrg.models.embedded.candidates import CELL
from amrg.training.tower.films import Box
from amrg.training.tower.labelled_views import PlacedLesion

IGNORE = -100
LESION, MALIGNANT = 0, 1  # places before those of the kinds
CORE, RIM = 0.55, 1.15  # shares of a box: inside the first a cell is in the lesion, outside the second it is not
TYPICAL = 9  # cells of a lesion whose cells count 1 each
ANY_ABSENT = 0.7  # how far a lesion of any kind, or a malignant one, is absent where none is listed


@dataclass(frozen=True)
class PlaceTargets:
    """Targets of one view on [rows, columns] cells.

    `places` float32 [2 + kinds, rows, columns] in 0..1 with `weights` of the same shape, 0 to ignore; `attributes` name
    to int64 [rows, columns], -100 to ignore; `boxes` float32 [4, rows, columns], distances to left, top, right, bottom
    in cells, NaN outside lesions. Diffuse calcifications have up to a hundred times the cells of a group: in `places` a
    lesion counts by the root of its cells; `shares` float32 [rows, columns] is a cell's share of its lesion, 0 outside.
    """

    places: npt.NDArray[np.float32]
    weights: npt.NDArray[np.float32]
    attributes: dict[str, npt.NDArray[np.int64]]
    boxes: npt.NDArray[np.float32]
    shares: npt.NDArray[np.float32]


def place_targets(
    lesions: Sequence[PlacedLesion], shape: tuple[int, int], absence: Mapping[Kind, float]
) -> PlaceTargets:
    """Targets of a view of `shape` (rows, columns) pixels; a small lesion takes cells from a large one around it."""
    rows, columns = shape[0] // CELL, shape[1] // CELL
    absent = np.array([absence[kind] for kind in KINDS], np.float32)
    any_absent = ANY_ABSENT if absent.min() < absent.max() else float(absent.min())  # all is listed, or nothing
    absent = np.concatenate([[any_absent] * 2, absent], dtype=np.float32)
    made = PlaceTargets(
        np.zeros((PLACES, rows, columns), np.float32),
        np.broadcast_to(absent[:, None, None], (PLACES, rows, columns)).copy(),
        {name: np.full((rows, columns), IGNORE, np.int64) for name in ATTRIBUTES},
        np.full((4, rows, columns), np.nan, np.float32),
        np.zeros((rows, columns), np.float32),
    )
    for lesion in sorted(lesions, key=lambda x: -_area(x.box)):
        _mark(made, lesion)
    return made


def _mark(made: PlaceTargets, lesion: PlacedLesion) -> None:
    """Write one lesion; nothing where its centre is outside the view."""
    left, top, right, bottom = (edge / CELL for edge in lesion.box)
    rows, columns = made.boxes.shape[1:]
    if not (0 <= left + right < 2 * columns and 0 <= top + bottom < 2 * rows):
        return
    rim = (_cells(top, bottom, RIM, rows), _cells(left, right, RIM, columns))
    core = (_cells(top, bottom, CORE, rows), _cells(left, right, CORE, columns))
    y, x = np.mgrid[core] + 0.5
    counts = (TYPICAL / x.size) ** 0.5
    present = [LESION, *(2 + KINDS.index(kind) for kind in lesion.kinds)]
    for place in {*present, MALIGNANT, *(2 + KINDS.index(kind) for kind in lesion.unsure)}:
        around = (place, *rim)
        made.weights[around] = np.where(made.places[around] > 0, made.weights[around], 0)
    for place in present:
        made.places[(place, *core)], made.weights[(place, *core)] = 1, counts
    if lesion.malignant is not None:
        made.places[(MALIGNANT, *core)], made.weights[(MALIGNANT, *core)] = float(lesion.malignant), counts
    for name, value in lesion.attributes.items():
        if value in ATTRIBUTES[name]:  # category 0 is none of them
            made.attributes[name][core] = ATTRIBUTES[name].index(value)
    made.boxes[(slice(None), *core)] = np.stack([x - left, y - top, right - x, bottom - y])
    made.shares[core] = 1 / x.size


def _cells(low: float, high: float, share: float, count: int) -> slice:
    """The cells of the middle `share` of a span; at least the one in the middle."""
    middle, half = (low + high) / 2, (high - low) / 2 * share
    first, last = min(round(middle - half), int(middle)), max(round(middle + half), int(middle) + 1)
    return slice(max(0, first), min(count, last))


def _area(box: Box) -> float:
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])
