"""One pass of the embedded model's tower over a study, and what it marks there."""

from __future__ import annotations

import torch
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
        tuple(cell_candidate(int(c), places[view, c], boxes[view, c], (rows, columns)) for c in cells if c >= 0)
        for view, cells in enumerate(out.candidates.tolist())
    )


def read_suspicion(out: MammogramTowerOutput) -> float:
    """How suspicious a study is, 0 to 1: the greatest of its views'."""
    assert out.maps is not None
    assert out.maps.suspicion is not None
    return float(out.maps.suspicion.float().sigmoid().max())
