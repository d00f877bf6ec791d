"""Towers that find candidates, of random weights and for small images."""

from __future__ import annotations

import torch

from amrg.models.embedded.mammogram_tower import MammogramTower, MammogramTowerConfig


def random_tower(size: int) -> MammogramTower:
    """A tower of images of `size` pixels, with the same weights at every call."""
    torch.manual_seed(0)
    made = MammogramTower(MammogramTowerConfig(image_size=size))
    made.eval()
    return made
