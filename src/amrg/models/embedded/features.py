"""The image features of the embedded model's tower, and what the guard measures of them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from amrg.models.embedded.guard import Array

TEXTURE_STAGES = 2
EPSILON = 1e-3  # added before the logarithm, so that a feature that never shows stays finite


def run_tower(tower: nn.Module, pixels: Tensor) -> tuple[Tensor, ...]:
    """One pass over pixels [views, 3, size, size]: every stage's features [views, channels, rows, columns].

    The last stage's are [views, tokens, width], as the projector takes them.
    """
    out = tower(pixel_values=pixels, output_hidden_states=True, return_dict=True)
    return (*out.hidden_states[:-1], out.last_hidden_state)


@torch.inference_mode()
def extract_features(tower: nn.Module, images: npt.NDArray[np.uint8]) -> tuple[tuple[Tensor, ...], Tensor]:
    """Every stage's features of images uint8 [views, size, size, 3], on the CPU, and the pixels in -1..1."""
    pixels = torch.from_numpy(images).permute(0, 3, 1, 2).float().div(127.5).sub(1)
    device = next(tower.parameters()).device
    return tuple(stage.float().cpu() for stage in run_tower(tower, pixels.to(device))), pixels


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
