"""Train the vision tower on dense targets at every place, before any language."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

from amrg.birads import Composition, Finding, Quadrant, View
from amrg.models.embedded.attributes import ATTRIBUTES, COMPOSITIONS
from amrg.models.embedded.heads import FindingHeads, rms_norm
from amrg.models.embedded.tower import CELL, POOL
from amrg.models.views import with_position
from amrg.training.embedded.loop import Schedule
from amrg.training.embedded.phantom_shards import VIEW_ORDER, Shard, ViewLesion
from amrg.training.embedded.targets import IGNORE, GridTargets, grid_targets

TOKEN = CELL * POOL  # image pixels per side of an image token


class VisionModel(nn.Module):
    """The tower with its heads, the module of this stage."""

    def __init__(self, tower: nn.Module, widths: Sequence[int]) -> None:
        super().__init__()
        self.tower = tower
        self.heads = FindingHeads(widths[-2], widths[-1])

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Pixels [B, 3, H, W] to cells [B, cells, cell width] and normed image tokens [B, tokens, width]."""
        out = self.tower(pixel_values=pixels, output_hidden_states=True)
        return out.hidden_states[-2].float().flatten(2).transpose(1, 2), rms_norm(out.last_hidden_state)


@dataclass(frozen=True)
class ViewSample:
    """One training view: its image in a shard, its lesions, and the columns that contain breast."""

    shard: Shard
    exam: int
    view: int
    columns: int

    @property
    def lesions(self) -> tuple[ViewLesion, ...]:
        """Lesions, in image pixels."""
        return self.shard.lesions[self.exam][self.view]

    @property
    def composition(self) -> int:
        """Index of the exam's composition."""
        composition = self.shard.truths[self.exam].composition
        assert composition is not None  # a phantom always has one
        return COMPOSITIONS.index(Composition(composition))


def samples(shards: list[Shard]) -> list[ViewSample]:
    """Every view of every shard, with the columns of its breast, rounded up to image tokens."""
    found = []
    for shard in shards:
        reach = _columns(shard.images)
        found += [ViewSample(shard, e, v, int(reach[e, v])) for e in range(len(shard.truths)) for v in range(4)]
    return found


def _columns(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    """Columns up to the last with breast, rounded up to a token: [exams, 4]."""
    bright: npt.NDArray[np.bool_] = np.any(images[..., ::8, :, 0] > 8, axis=-2)
    last = bright.shape[-1] - bright[..., ::-1].argmax(-1)
    rounded: npt.NDArray[np.int64] = -(-last // TOKEN) * TOKEN
    return np.minimum(np.maximum(rounded, TOKEN), bright.shape[-1])


class Batches:
    """Draws batches of similar width with random augmentation, determined by `(seed, step)` only.

    Images are cropped after the last column with breast, which saves a third of the time, but to no fewer than
    `columns`. They are shifted, and their tone is varied; if `zoom` is a range, they are also scaled within it, and
    some CC views are flipped, outer for inner.
    """

    def __init__(
        self,
        pools: list[tuple[float, list[ViewSample]]],
        schedule: Schedule,
        zoom: tuple[float, float] | None = None,
        columns: int = 0,
    ) -> None:
        self._pools = pools
        self._batch = schedule.batch_size
        self._seed = schedule.seed
        self._zoom = zoom
        self._columns = columns

    def __call__(self, step: int) -> tuple[Tensor, list[GridTargets], Tensor]:
        """Pixels [B, 3, H, W] in -1..1, targets, composition [B]."""
        rng = np.random.default_rng((self._seed, step))
        chosen = self._similar_width(rng)
        scenes = [_scene(s) for s in chosen]
        width = max(s.columns for s in chosen)
        if self._zoom is not None:
            factor = float(rng.uniform(*self._zoom))
            scenes = [_zoom(_flip(s) if rng.random() < 0.5 else s, factor) for s in scenes]
            width = min(scenes[0].image.shape[0], -(-round(width * factor) // TOKEN) * TOKEN)
        width = max(width, self._columns)
        parts = [_shift(s, width, rng) for s in scenes]
        pixels = torch.from_numpy(np.stack([p for p, _ in parts])).permute(0, 3, 1, 2).float().div_(127.5).sub_(1)
        return _jitter(pixels, rng), [t for _, t in parts], torch.tensor([s.composition for s in chosen])

    def _similar_width(self, rng: np.random.Generator) -> list[ViewSample]:
        """A batch of similar width, from a random sample of eight times its size."""
        sample_size = self._batch * 8
        drawn: list[ViewSample] = []
        for share, pool in self._pools:
            drawn += [pool[i] for i in rng.integers(0, len(pool), round(share * sample_size))]
        drawn.sort(key=lambda s: s.columns)
        start = int(rng.integers(0, 8)) * self._batch
        return drawn[start : start + self._batch]


@dataclass(frozen=True)
class _Scene:
    """An image uint8 [size, size, 3] during augmentation, with its lesions in image pixels."""

    image: npt.NDArray[np.uint8]
    view: View
    lesions: tuple[ViewLesion, ...]


def _scene(sample: ViewSample) -> _Scene:
    image = sample.shard.images[sample.exam, sample.view]
    return _Scene(image, VIEW_ORDER[sample.view][1], sample.lesions)


def _flip(scene: _Scene) -> _Scene:
    """A CC view flipped vertically: outer becomes inner. Other views are unchanged."""
    if scene.view is not View.CC:
        return scene
    size = len(scene.image)
    lesions = tuple(
        ViewLesion(_other_half(x.finding), (x.box[0], size - x.box[3], x.box[2], size - x.box[1]))
        for x in scene.lesions
    )
    return _Scene(scene.image[::-1], scene.view, lesions)


def _other_half(finding: Finding) -> Finding:
    """The finding with outer and inner exchanged."""
    quadrant = finding.location.quadrant
    if quadrant is None or not {"outer", "inner"} & set(quadrant.split()):
        return finding
    swapped = {"outer": "inner", "inner": "outer"}
    other = Quadrant(" ".join(swapped.get(word, word) for word in quadrant.split()))
    return finding.model_copy(update={"location": finding.location.model_copy(update={"quadrant": other})})


def _zoom(scene: _Scene, factor: float) -> _Scene:
    """Scaled about the middle of the chest wall, in a frame of the same size."""
    size = len(scene.image)
    side = round(size * factor)
    resized = np.asarray(Image.fromarray(scene.image).resize((side, side), Image.Resampling.BILINEAR))
    off = (size - side) // 2  # rows above the image; negative if it is cropped
    image = np.zeros_like(scene.image)
    extent = min(side, size)
    image[max(0, off) : max(0, off) + extent, :extent] = resized[max(0, -off) : max(0, -off) + extent, :extent]
    scale = side / size
    lesions = tuple(
        ViewLesion(x.finding, (x.box[0] * scale, x.box[1] * scale + off, x.box[2] * scale, x.box[3] * scale + off))
        for x in scene.lesions
    )
    return _Scene(image, scene.view, lesions)


def _shift(scene: _Scene, width: int, rng: np.random.Generator) -> tuple[npt.NDArray[np.uint8], GridTargets]:
    """An image cropped to `width` columns and shifted up or down and to the chest wall, with matching targets."""
    size = len(scene.image)
    down, left = int(rng.integers(-16, 17)), int(rng.integers(0, 13))
    moved = np.zeros((size, width, 3), np.uint8)
    top, low = max(0, down), min(size, size + down)
    extent = min(width, size - left)
    moved[top:low, :extent] = scene.image[top - down : low - down, left : left + extent]
    lesions = tuple(
        ViewLesion(x.finding, (x.box[0] - left, x.box[1] + down, x.box[2] - left, x.box[3] + down))
        for x in scene.lesions
    )
    inside = tuple(x for x in lesions if _centre_is_in(x.box, size, width))
    return with_position(moved), grid_targets(inside, scene.view, (size, width), CELL, POOL)


def _centre_is_in(box: tuple[float, float, float, float], rows: int, columns: int) -> bool:
    """Whether the centre of a box is inside the image; other lesions have no target."""
    return 0 <= box[1] + box[3] < 2 * rows and 0 <= box[0] + box[2] < 2 * columns


def _jitter(pixels: Tensor, rng: np.random.Generator) -> Tensor:
    """Random tone, contrast and noise, as from other detectors."""
    bank = _noise_bank()
    for image in pixels:
        gamma, gain, strength = rng.uniform((0.75, 0.85, 0.0), (1.33, 1.1, 0.06))
        levels = (torch.arange(256) / 255) ** float(gamma) * float(gain)
        tone = levels.clamp_(0, 1).mul_(2).sub_(1)
        image[0] = tone[image[0].add(1).mul_(127.5).round_().long()]
        start = int(rng.integers(0, len(bank) - image.numel()))
        image.add_(bank[start : start + image.numel()].view_as(image), alpha=float(strength))
    return pixels


@lru_cache(maxsize=1)
def _noise_bank() -> Tensor:
    """Gaussian noise, sampled once; every image uses a part of it, because new samples cost half a step."""
    return torch.from_numpy(np.random.default_rng(0).standard_normal(4_000_000, np.float32))


def vision_loss(
    model: VisionModel, pixels: Tensor, targets: list[GridTargets], composition: Tensor
) -> tuple[Tensor, Mapping[str, float]]:
    """The sum of the heads' losses: kinds per cell, kinds and attributes per token, composition per image."""
    with torch.autocast("cpu", torch.bfloat16):
        cells, tokens = model(pixels)
    heads = model.heads
    parts = {
        "cells": _focal(heads.cells(cells), np.stack([t.cells for t in targets])),
        "tokens": _focal(heads.kinds(tokens), np.stack([t.tokens for t in targets])),
        "composition": functional.cross_entropy(heads.composition(tokens.mean(1)), composition),
    }
    for name, logits in heads.token_attributes(tokens).items():
        values = torch.from_numpy(np.stack([t.attributes[name] for t in targets])).flatten()
        labelled = values != IGNORE
        if labelled.any():
            parts[name] = functional.cross_entropy(logits.flatten(0, 1)[labelled], values[labelled])
    loss = torch.stack([WEIGHTS.get(k, 0.4) * v for k, v in parts.items()]).sum()
    logged = ("cells", "tokens", "composition", *ATTRIBUTES)
    return loss, {k: float(parts[k].detach()) if k in parts else float("nan") for k in logged}


WEIGHTS = {"cells": 1.0, "tokens": 1.0, "composition": 0.5, "category": 1.0}


def _focal(logits: Tensor, targets: npt.NDArray[np.float32]) -> Tensor:
    """Focal loss (Lin 2017, gamma 2) over targets that are not NaN, per positive place."""
    target = torch.from_numpy(targets)
    labelled = ~target.isnan()
    target = target.nan_to_num(0.0)
    loss = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    wrong = (logits.sigmoid() - target).abs().detach()
    weight = torch.where(target > 0, 1.0, 0.5)
    return (loss * wrong.pow(2) * weight * labelled).sum() / target.sum().clamp(min=8.0)
