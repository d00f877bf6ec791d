"""Views as the tower reads them when it is not trained: each in its usual place, a batch at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from zlib import crc32

from torch import Tensor

from amrg.models.embedded.mammogram_tower import MammogramTower, MammogramTowerOutput
from amrg.training.embedded.devices import autocast_on
from amrg.training.tower.augmenting import place_view, usual_placement
from amrg.training.tower.film_shards import COLUMNS
from amrg.training.tower.labelled_views import LabelledView
from amrg.training.tower.loss import collate_views


def pixel_batches(views: Sequence[LabelledView], size: int, batch: int = 8) -> Iterator[Tensor]:
    """Pixels [up to `batch`, 3, size, columns] in -1..1 of all views, in order."""
    columns = round(COLUMNS * size)
    for start in range(0, len(views), batch):
        placed = [place_view(v, usual_placement(v, size), columns) for v in views[start : start + batch]]
        yield collate_views(placed).pixels


def read_batches(tower: MammogramTower, views: Sequence[LabelledView], size: int) -> Iterator[MammogramTowerOutput]:
    """What the tower makes of all views, a batch at a time."""
    for pixels in pixel_batches(views, size):
        with autocast_on(tower.device):
            out: MammogramTowerOutput = tower(pixels.to(tower.device))
        yield out


def tower_key(tower: MammogramTower) -> str:
    """Eight hexadecimal digits of a tower's weights, so that what different towers read is not confused."""
    found = 0
    for name, tensor in tower.state_dict().items():
        found = crc32(tensor.cpu().contiguous().numpy().tobytes(), crc32(name.encode(), found))
    return f"{found:08x}"
