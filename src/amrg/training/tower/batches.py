"""Batches for the tower: drawn and real views, mixed by share, varied; determined by `(seed, step)`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from amrg.models.embedded.attributes import COMPOSITIONS
from amrg.training.embedded.loop import Schedule
from amrg.training.embedded.phantom_shards import VIEW_ORDER, Shard
from amrg.training.tower.augmenting import place_view, random_placement, vary_tone
from amrg.training.tower.film_shards import COLUMNS
from amrg.training.tower.labelled_views import (
    SURE,
    LabelledView,
    Source,
    drawn_lesion,
    drawn_suspicion,
)
from amrg.training.tower.loss import ViewBatch, collate_views

NOISE = 0.05  # greatest standard deviation, of a range of 2
STEP = 32  # pixels: the tower's coarsest
WIDTH = 5 / 8  # columns of a training image over its rows: wider breasts lose their edge


@dataclass(frozen=True)
class Pool:
    """Views drawn from with equal chance, and the pool's share of a batch."""

    share: float
    views: Sequence[LabelledView]


def drawn_views(shard: Shard) -> list[LabelledView]:
    """Every view of a shard of phantoms."""
    return [_drawn(shard, exam, view) for exam in range(len(shard.truths)) for view in range(len(VIEW_ORDER))]


def _drawn(shard: Shard, exam: int, number: int) -> LabelledView:
    lesions, (_, view) = shard.lesions[exam][number], VIEW_ORDER[number]
    composition = shard.truths[exam].composition
    assert composition in COMPOSITIONS  # a phantom always has one
    image = shard.images[exam, number]
    return LabelledView(
        image[:, : round(COLUMNS * image.shape[1])],
        view,
        tuple(drawn_lesion(lesion, view) for lesion in lesions),
        composition,
        drawn_suspicion(lesions),
        Source.DRAWN,
        SURE,
    )


class TowerBatches:
    """The batch of a step, `size` rows high."""

    def __init__(self, pools: Sequence[Pool], schedule: Schedule, size: int) -> None:
        self._pools = pools
        self._schedule = schedule
        self._size = size
        self._columns = -(-round(WIDTH * size) // STEP) * STEP

    def __call__(self, step: int) -> ViewBatch:
        """Views of all pools by their shares, varied."""
        rng = np.random.default_rng((self._schedule.seed, step))
        shares = np.array([pool.share for pool in self._pools])
        chosen = rng.choice(len(self._pools), self._schedule.batch_size, p=shares / shares.sum())
        batch = collate_views([self._view(self._pools[i].views, rng) for i in chosen])
        strength = torch.from_numpy(rng.uniform(0, NOISE, len(chosen)).astype(np.float32))
        noise = torch.randn(batch.pixels.shape, generator=torch.Generator().manual_seed(step))
        batch.pixels.add_(noise * strength[:, None, None, None])
        return batch

    def _view(self, views: Sequence[LabelledView], rng: np.random.Generator) -> LabelledView:
        view = views[int(rng.integers(len(views)))]
        placed = place_view(view, random_placement(view, self._size, rng), self._columns)
        return replace(placed, image=vary_tone(placed.image, rng))
