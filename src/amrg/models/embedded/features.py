"""One pass of the embedded model's tower over a study: what it marks, and what the guard measures of it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from amrg.models.embedded.candidates import Candidate
from amrg.models.embedded.guard import Array
from amrg.models.embedded.mammogram_tower import CELL, MammogramTowerOutput

TEXTURE_STAGES = 2
EPSILON = 1e-3  # added before the logarithm, so that a feature that never shows stays finite


def run_tower(tower: nn.Module, pixels: Tensor) -> MammogramTowerOutput:
    """One pass over pixels [views, 3, size, size], feature maps included."""
    out: MammogramTowerOutput = tower(pixel_values=pixels, output_hidden_states=True)
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


@torch.inference_mode()
def extract_features(tower: nn.Module, images: npt.NDArray[np.uint8]) -> tuple[tuple[Tensor, ...], Tensor]:
    """Feature maps of images uint8 [views, size, size, 3], from fine to coarse, on the CPU, and pixels in -1..1."""
    pixels = torch.from_numpy(images).permute(0, 3, 1, 2).float().div(127.5).sub(1)
    device = next(tower.parameters()).device
    return feature_maps(run_tower(tower, pixels.to(device))), pixels


def feature_maps(out: MammogramTowerOutput) -> tuple[Tensor, ...]:
    """Feature maps float32 [views, channels, rows, columns] on the CPU, from fine to coarse."""
    assert out.hidden_states is not None
    return tuple(stage.float().cpu() for stage in out.hidden_states)


def view_statistics(stages: tuple[Tensor, ...], pixels: Tensor) -> Array:
    """Logarithms of mean and deviation of the early stages' features over the breast, [views, features].

    `stages` are the tower's hidden states, [views, channels, rows, columns], from the first on.
    """
    breast = (pixels[:, :1] > -1 + 16 / 127.5).float()
    found = []
    for stage in stages[:TEXTURE_STAGES]:
        weight = torch.nn.functional.adaptive_avg_pool2d(breast, (stage.shape[2], stage.shape[3]))
        total = weight.sum((2, 3)).clamp(min=1.0)
        mean = (stage * weight).sum((2, 3)) / total
        spread = (((stage - mean[:, :, None, None]) ** 2 * weight).sum((2, 3)) / total).sqrt()
        found += [mean, spread]
    statistics: Array = (torch.cat(found, 1).abs() + EPSILON).log().double().numpy()
    return statistics
