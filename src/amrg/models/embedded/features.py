"""One pass of the embedded model's tower over a study, and what it marks there."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from amrg.models.embedded.candidates import Candidate
from amrg.models.embedded.mammogram_tower import CELL, MammogramTowerOutput


def run_tower(tower: nn.Module, pixels: Tensor) -> MammogramTowerOutput:
    """One pass over pixels [views, 3, size, size]."""
    out: MammogramTowerOutput = tower(pixel_values=pixels)
    return out


def read_candidates(out: MammogramTowerOutput) -> tuple[tuple[Candidate, ...], ...]:
    """The candidates of every view, best first, with the box that each of them predicts, cut to the image."""
    assert out.maps is not None
    assert out.candidates is not None
    maps = out.maps
    assert maps.lesion is not None
    assert maps.malignant is not None
    assert maps.kinds is not None
    assert maps.boxes is not None
    rows, columns = maps.lesion.shape[1:]
    logits = torch.cat([maps.lesion[:, None], maps.malignant[:, None], maps.kinds], 1)
    places, boxes = (grid.float().cpu().flatten(2).transpose(1, 2).numpy() for grid in (logits.sigmoid(), maps.boxes))
    return tuple(
        tuple(_candidate(int(c), places[view, c], boxes[view, c], (rows, columns)) for c in cells if c >= 0)
        for view, cells in enumerate(out.candidates.tolist())
    )


def _candidate(
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


def read_suspicion(out: MammogramTowerOutput) -> float:
    """How suspicious a study is, 0 to 1: the greatest of its views'."""
    assert out.maps is not None
    assert out.maps.suspicion is not None
    return float(out.maps.suspicion.float().sigmoid().max())
