"""Training examples of the region head: candidates of framed views, each cropped from its image and varied by itself.

What the maps predict of a candidate is read once per tower and stored; a step then costs the crops alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from amrg.models.embedded.candidates import BACKGROUND, CELL, columns_read
from amrg.models.embedded.mammogram_tower import MammogramTower
from amrg.models.embedded.region_head import FINEST, LOCAL, REGION
from amrg.training.embedded.devices import autocast_on
from amrg.training.embedded.loop import Schedule
from amrg.training.tower.augmenting import vary_tone
from amrg.training.tower.labelled_views import LabelledView, Source, as_pixels
from amrg.training.tower.place_targets import IGNORE, place_targets

EDGE = 4  # finest features around a region that are computed and cut off: convolutions end there
CROP = FINEST * (REGION + 2 * EDGE)  # pixels a side
ABSENT = 127  # pixel value of what is beyond an image: 0 in -1..1, as the first convolution pads
ZOOM, TURN, SHIFT = (0.87, 1.15), 10.0, 4.0  # factor; degrees and pixels to either side
AS_IT_IS = 0.4  # share of crops that are not resampled: resampling takes from the finest detail
NOISE = 0.05  # greatest standard deviation, of a range of 2
MOST = 6  # candidates of a view that are learned from
STORED = 500  # views a file of proposals


@dataclass(frozen=True)
class Proposals:
    """Candidates of one view as the maps show them, best first.

    `cells` int16 [n, 2] are rows and columns, `logits` float16 [n, `CORRECTED`] what a region head corrects, `features`
    float16 [n, width] those of the cells.
    """

    cells: npt.NDArray[np.int16]
    logits: npt.NDArray[np.float16]
    features: npt.NDArray[np.float16]


class RegionExample(NamedTuple):
    """A candidate in a lesion, and what is known of it.

    `attributes` int64 [len(LOCAL)], -100 where not known; `share` is the cell's share of its lesion; `drawn` says
    whether the view is.
    """

    image: npt.NDArray[np.uint8]
    cell: tuple[int, int]
    logits: npt.NDArray[np.float16]
    features: npt.NDArray[np.float16]
    attributes: npt.NDArray[np.int64]
    share: float
    drawn: bool


@dataclass(frozen=True)
class RegionBatch:
    """Crops float32 [n, 3, `CROP`, `CROP`] in -1..1, which of their finest features are inside the view
    [n, 1, side, side], the candidates' features and logits, and the rest as in `RegionExample`."""

    pixels: Tensor
    inside: Tensor
    features: Tensor
    logits: Tensor
    attributes: Tensor
    drawn: Tensor


class RegionPool:
    """Examples of one source, and their share of a batch."""

    def __init__(self, share: float, examples: Iterable[RegionExample]) -> None:
        self.share = share
        self._examples = list(examples)
        self._upto = np.cumsum([example.share for example in self._examples])

    def draw(self, count: int, rng: np.random.Generator) -> list[RegionExample]:
        """Some examples, by their cells' shares of their lesions: diffuse ones do not crowd out groups."""
        drawn = np.searchsorted(self._upto, rng.uniform(0, self._upto[-1], count))
        return [self._examples[i] for i in drawn]


class RegionBatches:
    """The batch of a step, determined by `(seed, step)`."""

    def __init__(self, pools: Sequence[RegionPool], schedule: Schedule) -> None:
        self._pools = pools
        self._schedule = schedule

    def __call__(self, step: int) -> RegionBatch:
        """Examples of all pools by their shares, varied."""
        rng = np.random.default_rng((self._schedule.seed, step))
        shares = np.array([pool.share for pool in self._pools])
        counts = rng.multinomial(self._schedule.batch_size, shares / shares.sum())
        examples = [e for pool, count in zip(self._pools, counts, strict=True) for e in pool.draw(int(count), rng)]
        return collate_regions(examples, [_varied_crop(e, rng) for e in examples])


def collate_regions(
    examples: Sequence[RegionExample], crops: Sequence[tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_]]]
) -> RegionBatch:
    """A batch of examples and their crops, each with the mask of what is inside its view."""
    pixels = as_pixels(np.stack([crop for crop, _ in crops]))
    covered = torch.from_numpy(np.stack([inside for _, inside in crops]))[:, None].float()
    return RegionBatch(
        pixels * covered,
        (torch.nn.functional.avg_pool2d(covered, FINEST) > 0.5).float(),
        torch.from_numpy(np.stack([e.features for e in examples]).astype(np.float32)),
        torch.from_numpy(np.stack([e.logits for e in examples]).astype(np.float32)),
        torch.from_numpy(np.stack([e.attributes for e in examples])),
        torch.tensor([e.drawn for e in examples]),
    )


def crop_region(
    image: npt.NDArray[np.uint8], cell: tuple[int, int], side: int = CROP
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_]]:
    """A square of an image [H, W, 3] about the middle of a cell, `side` a multiple of 8, and what of it is inside."""
    top, left = (CELL * at + CELL // 2 - side // 2 for at in cell)
    rows, columns = image.shape[:2]
    to = (slice(max(0, -top), min(side, rows - top)), slice(max(0, -left), min(side, columns - left)))
    crop, inside = np.full((side, side, 3), ABSENT, np.uint8), np.zeros((side, side), np.bool_)
    crop[to] = image[top + to[0].start : top + to[0].stop, left + to[1].start : left + to[1].stop]
    inside[to] = True
    return crop, inside


def _varied_crop(
    example: RegionExample, rng: np.random.Generator
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_]]:
    """A crop in another tone, mirrored either way, mostly zoomed, turned and shifted."""
    wide, inside = crop_region(example.image, example.cell, CROP + CELL * 4)
    wide = vary_tone(wide, rng)
    noise = rng.normal(0, 127.5 * rng.uniform(0, NOISE), wide.shape)
    wide = np.where(inside[..., None], np.rint(np.clip(wide + noise, 0, 255)), wide).astype(np.uint8)
    zoom, angle, across, down = (
        (1.0, 0.0, 0.0, 0.0)
        if rng.random() < AS_IT_IS
        else (rng.uniform(*ZOOM), math.radians(rng.uniform(-TURN, TURN)), *rng.uniform(-SHIFT, SHIFT, 2))
    )
    c, s, middle = math.cos(angle) / zoom, math.sin(angle) / zoom, len(wide) / 2
    x, y = middle + across - c * CROP / 2 + s * CROP / 2, middle + down - s * CROP / 2 - c * CROP / 2
    flips = tuple(slice(None, None, int(step)) for step in rng.choice((-1, 1), 2))

    def placed(array: npt.NDArray[np.uint8], how: Image.Resampling) -> npt.NDArray[np.uint8]:
        found = Image.fromarray(array).transform((CROP, CROP), Image.Transform.AFFINE, (c, -s, x, s, c, y), how)
        return np.ascontiguousarray(np.asarray(found)[flips])

    covered = placed(inside.astype(np.uint8), Image.Resampling.NEAREST) > 0
    return placed(wide, Image.Resampling.BILINEAR), covered


def examples_of(view: LabelledView, proposals: Proposals) -> Iterator[RegionExample]:
    """The surest candidates of a view that are in lesions; of drawn ones, in those of which something is known."""
    targets = place_targets(view.lesions, view.image.shape[:2], view.absence)
    image = view.image[:, : _columns(view.image)]
    drawn = view.source is Source.DRAWN
    cells = [(int(row), int(column)) for row, column in proposals.cells]
    for i in [i for i, cell in enumerate(cells) if targets.shares[cell] > 0][:MOST]:
        attributes = np.array([targets.attributes[name][cells[i]] for name in LOCAL])
        if not drawn or (attributes != IGNORE).any():
            yield RegionExample(
                image,
                cells[i],
                proposals.logits[i],
                proposals.features[i],
                attributes,
                float(targets.shares[cells[i]]),
                drawn,
            )


def stored_proposals(tower: MammogramTower, views: Sequence[LabelledView], folder: Path) -> Iterator[Proposals]:
    """Candidates of every view, from the files of a folder where they exist."""
    for start in range(0, len(views), STORED):
        path = folder / f"{start:06d}.npz"
        if not path.is_file():
            _write_proposals([read_proposals(tower, view.image) for view in views[start : start + STORED]], path)
        stored = np.load(path)
        ends = np.cumsum(stored["counts"])[:-1]
        parts = (np.split(stored[name], ends) for name in ("cells", "logits", "features"))
        yield from (Proposals(*one) for one in zip(*parts, strict=True))


def _write_proposals(found: Sequence[Proposals], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial.npz")
    np.savez(
        partial,
        counts=np.array([len(one.cells) for one in found]),
        cells=np.concatenate([one.cells for one in found]),
        logits=np.concatenate([one.logits for one in found]),
        features=np.concatenate([one.features for one in found]),
    )
    partial.rename(path)


def _columns(image: npt.NDArray[np.uint8]) -> int:
    """How many columns of a framed view the tower reads."""
    return columns_read(image[..., 0] / 127.5 - 1 > BACKGROUND)


@torch.inference_mode()
def read_proposals(tower: MammogramTower, image: npt.NDArray[np.uint8]) -> Proposals:
    """Candidates of a framed view, uint8 [H, W, 3], before the second look at them."""
    pixels = as_pixels(np.array(image[None, :, : _columns(image)])).to(tower.device)
    with autocast_on(tower.device):
        first = tower.look(pixels)
    logits = torch.cat([first.found.attributes[name] for name in LOCAL], -1)
    there = first.candidates[0] >= 0
    cells = torch.stack([first.rows, first.columns], -1)
    return Proposals(
        cells[0, there].cpu().numpy().astype(np.int16),
        logits[0, there].float().cpu().numpy().astype(np.float16),
        first.features[0, there].float().cpu().numpy().astype(np.float16),
    )
