"""Teach the vision tower to see: dense targets at every place, before any language."""

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
from amrg.training.embedded.phantom_shards import VIEW_ORDER, SeenLesion, Shard
from amrg.training.embedded.targets import IGNORE, GridTargets, grid_targets

TOKEN = CELL * POOL  # picture pixels a side of an image token


class VisionModel(nn.Module):
    """The tower with its heads: what is trained in this stage."""

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
    """One view to learn from: where its picture is, what lies on it, and how wide the breast reaches."""

    shard: Shard
    exam: int
    view: int
    columns: int

    @property
    def lesions(self) -> tuple[SeenLesion, ...]:
        """Lesions in the picture's pixels."""
        return self.shard.lesions[self.exam][self.view]

    @property
    def composition(self) -> int:
        """Index of the exam's composition."""
        composition = self.shard.truths[self.exam].composition
        assert composition is not None  # a phantom always has one
        return COMPOSITIONS.index(Composition(composition))


def samples(shards: list[Shard]) -> list[ViewSample]:
    """Every view of every shard, with the columns its breast takes, in whole image tokens."""
    found = []
    for shard in shards:
        reach = _columns(shard.pictures)
        found += [ViewSample(shard, e, v, int(reach[e, v])) for e in range(len(shard.truths)) for v in range(4)]
    return found


def _columns(pictures: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    """Columns up to the last that holds breast, rounded up to a token: [exams, 4]."""
    bright: npt.NDArray[np.bool_] = np.any(pictures[..., ::8, :, 0] > 8, axis=-2)
    last = bright.shape[-1] - bright[..., ::-1].argmax(-1)
    rounded: npt.NDArray[np.int64] = -(-last // TOKEN) * TOKEN
    return np.minimum(np.maximum(rounded, TOKEN), bright.shape[-1])


class Batches:
    """Draws batches of like width, varied at random, from `(seed, step)` alone.

    Pictures are cut after the last column that holds breast, which saves a third of the time, but to no fewer than
    `columns`. They are shifted and toned; where `zoom` is a range, also enlarged or shrunk within it, and CC views
    turned over now and then, outer for inner.
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
        chosen = self._like_width(rng)
        scenes = [_scene(s) for s in chosen]
        width = max(s.columns for s in chosen)
        if self._zoom is not None:
            factor = float(rng.uniform(*self._zoom))
            scenes = [_zoomed(_turned(s) if rng.random() < 0.5 else s, factor) for s in scenes]
            width = min(scenes[0].picture.shape[0], -(-round(width * factor) // TOKEN) * TOKEN)
        width = max(width, self._columns)
        parts = [_shifted(s, width, rng) for s in scenes]
        pixels = torch.from_numpy(np.stack([p for p, _ in parts])).permute(0, 3, 1, 2).float().div_(127.5).sub_(1)
        return _toned(pixels, rng), [t for _, t in parts], torch.tensor([s.composition for s in chosen])

    def _like_width(self, rng: np.random.Generator) -> list[ViewSample]:
        """Eight times the batch at random, of which a run of like width is kept."""
        wanted = self._batch * 8
        drawn: list[ViewSample] = []
        for share, pool in self._pools:
            drawn += [pool[i] for i in rng.integers(0, len(pool), round(share * wanted))]
        drawn.sort(key=lambda s: s.columns)
        start = int(rng.integers(0, 8)) * self._batch
        return drawn[start : start + self._batch]


@dataclass(frozen=True)
class _Scene:
    """A picture uint8 [size, size, 3] on its way to a batch, with its lesions in its pixels."""

    picture: npt.NDArray[np.uint8]
    view: View
    lesions: tuple[SeenLesion, ...]


def _scene(sample: ViewSample) -> _Scene:
    picture = sample.shard.pictures[sample.exam, sample.view]
    return _Scene(picture, VIEW_ORDER[sample.view][1], sample.lesions)


def _turned(scene: _Scene) -> _Scene:
    """A CC view upside down: what lay outer lies inner. Other views stay, for nothing else looks the same turned."""
    if scene.view is not View.CC:
        return scene
    size = len(scene.picture)
    lesions = tuple(
        SeenLesion(_other_half(x.finding), (x.box[0], size - x.box[3], x.box[2], size - x.box[1]))
        for x in scene.lesions
    )
    return _Scene(scene.picture[::-1], scene.view, lesions)


def _other_half(finding: Finding) -> Finding:
    """The finding with outer and inner changed over."""
    quadrant = finding.location.quadrant
    if quadrant is None or not {"outer", "inner"} & set(quadrant.split()):
        return finding
    swapped = {"outer": "inner", "inner": "outer"}
    there = Quadrant(" ".join(swapped.get(word, word) for word in quadrant.split()))
    return finding.model_copy(update={"location": finding.location.model_copy(update={"quadrant": there})})


def _zoomed(scene: _Scene, factor: float) -> _Scene:
    """Enlarged or shrunk about the middle of the chest wall, in a frame of the same size."""
    size = len(scene.picture)
    side = round(size * factor)
    resized = np.asarray(Image.fromarray(scene.picture).resize((side, side), Image.Resampling.BILINEAR))
    off = (size - side) // 2  # rows above the picture; negative where it is cut
    picture = np.zeros_like(scene.picture)
    kept = min(side, size)
    picture[max(0, off) : max(0, off) + kept, :kept] = resized[max(0, -off) : max(0, -off) + kept, :kept]
    scale = side / size
    lesions = tuple(
        SeenLesion(x.finding, (x.box[0] * scale, x.box[1] * scale + off, x.box[2] * scale, x.box[3] * scale + off))
        for x in scene.lesions
    )
    return _Scene(picture, scene.view, lesions)


def _shifted(scene: _Scene, width: int, rng: np.random.Generator) -> tuple[npt.NDArray[np.uint8], GridTargets]:
    """One picture cut to `width` columns, moved up or down and under the chest wall, with targets that follow."""
    size = len(scene.picture)
    down, left = int(rng.integers(-16, 17)), int(rng.integers(0, 13))
    moved = np.zeros((size, width, 3), np.uint8)
    top, low = max(0, down), min(size, size + down)
    kept = min(width, size - left)
    moved[top:low, :kept] = scene.picture[top - down : low - down, left : left + kept]
    lesions = tuple(
        SeenLesion(x.finding, (x.box[0] - left, x.box[1] + down, x.box[2] - left, x.box[3] + down))
        for x in scene.lesions
    )
    there = tuple(x for x in lesions if _middle_is_in(x.box, size, width))
    return with_position(moved), grid_targets(there, scene.view, (size, width), CELL, POOL)


def _middle_is_in(box: tuple[float, float, float, float], rows: int, columns: int) -> bool:
    """Whether the middle of a box lies in a picture: a lesion that was cut away is not asked about."""
    return 0 <= box[1] + box[3] < 2 * rows and 0 <= box[0] + box[2] < 2 * columns


def _toned(pixels: Tensor, rng: np.random.Generator) -> Tensor:
    """Tone, contrast and noise as other detectors would have them."""
    bank = _noise_bank()
    for picture in pixels:
        gamma, gain, strength = rng.uniform((0.75, 0.85, 0.0), (1.33, 1.1, 0.06))
        levels = (torch.arange(256) / 255) ** float(gamma) * float(gain)
        tone = levels.clamp_(0, 1).mul_(2).sub_(1)
        picture[0] = tone[picture[0].add(1).mul_(127.5).round_().long()]
        start = int(rng.integers(0, len(bank) - picture.numel()))
        picture.add_(bank[start : start + picture.numel()].view_as(picture), alpha=float(strength))
    return pixels


@lru_cache(maxsize=1)
def _noise_bank() -> Tensor:
    """Gaussian noise drawn once, of which every picture takes a stretch: drawing it anew costs half a step."""
    return torch.from_numpy(np.random.default_rng(0).standard_normal(4_000_000, np.float32))


def vision_loss(
    seer: VisionModel, pixels: Tensor, targets: list[GridTargets], composition: Tensor
) -> tuple[Tensor, Mapping[str, float]]:
    """The sum of what the heads get wrong: kinds a cell, kinds and attributes a token, composition a picture."""
    with torch.autocast("cpu", torch.bfloat16):
        cells, tokens = seer(pixels)
    heads = seer.heads
    parts = {
        "cells": _focal(heads.cells(cells), np.stack([t.cells for t in targets])),
        "tokens": _focal(heads.kinds(tokens), np.stack([t.tokens for t in targets])),
        "composition": functional.cross_entropy(heads.composition(tokens.mean(1)), composition),
    }
    for name, logits in heads.token_attributes(tokens).items():
        wanted = torch.from_numpy(np.stack([t.attributes[name] for t in targets])).flatten()
        asked = wanted != IGNORE
        if asked.any():
            parts[name] = functional.cross_entropy(logits.flatten(0, 1)[asked], wanted[asked])
    loss = torch.stack([WEIGHTS.get(k, 0.4) * v for k, v in parts.items()]).sum()
    shown = ("cells", "tokens", "composition", *ATTRIBUTES)
    return loss, {k: float(parts[k].detach()) if k in parts else float("nan") for k in shown}


WEIGHTS = {"cells": 1.0, "tokens": 1.0, "composition": 0.5, "category": 1.0}


def _focal(logits: Tensor, wanted: npt.NDArray[np.float32]) -> Tensor:
    """Focal loss (Lin 2017, gamma 2) over what is asked (NaN is not), a positive place."""
    target = torch.from_numpy(wanted)
    asked = ~target.isnan()
    target = target.nan_to_num(0.0)
    loss = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    wrong = (logits.sigmoid() - target).abs().detach()
    weight = torch.where(target > 0, 1.0, 0.5)
    return (loss * wrong.pow(2) * weight * asked).sum() / target.sum().clamp(min=8.0)
