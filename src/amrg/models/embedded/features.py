"""One pass of the embedded model's tower over a study, and what it marks there."""

from __future__ import annotations

from torch import Tensor, nn

from amrg.models.embedded.candidates import Candidate, cell_candidate
from amrg.models.embedded.mammogram_tower import MammogramTowerOutput


def run_tower(tower: nn.Module, pixels: Tensor) -> MammogramTowerOutput:
    """One pass over pixels [views, 3, size, size]."""
    out: MammogramTowerOutput = tower(pixel_values=pixels)
    return out


def read_candidates(out: MammogramTowerOutput) -> tuple[tuple[Candidate, ...], ...]:
    """The candidates of every view, best first, with the box that each of them predicts, cut to the image."""
    assert out.maps is not None
    assert out.maps.lesion is not None
    assert out.candidates is not None
    assert out.found is not None
    grid = out.maps.lesion.shape[1:]
    places, boxes = (values.float().cpu().numpy() for values in (out.found.places.sigmoid(), out.found.boxes))
    return tuple(
        tuple(
            cell_candidate(cell, places[view, i], boxes[view, i], (grid[0], grid[1]))
            for i, cell in enumerate(cells)
            if cell >= 0
        )
        for view, cells in enumerate(out.candidates.tolist())
    )


def read_suspicion(out: MammogramTowerOutput) -> float:
    """How suspicious a study is, 0 to 1: the greatest of its views'."""
    assert out.maps is not None
    assert out.maps.suspicion is not None
    return float(out.maps.suspicion.float().sigmoid().max())
