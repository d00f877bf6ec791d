"""Breasts for the language stage: cached image tokens and their findings.

The tower gets every image with the chest wall at the left, so features do not depend on the side: an exam combines any
two breasts of one composition, which multiplies the drawn exams.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from zlib import crc32

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from amrg.birads import (
    Assessment,
    Composition,
    Finding,
    Laterality,
    Location,
    Quadrant,
    Report,
    View,
    usual_recommendation,
    worst_category,
)
from amrg.models.views import with_position
from amrg.training.embedded.phantom_shards import VIEW_ORDER, DrawJob, load_shard

_HALF: dict[View, dict[Quadrant, Quadrant]] = {
    View.CC: {
        Quadrant.UPPER_OUTER: Quadrant.OUTER,
        Quadrant.LOWER_OUTER: Quadrant.OUTER,
        Quadrant.UPPER_INNER: Quadrant.INNER,
        Quadrant.LOWER_INNER: Quadrant.INNER,
    },
    View.MLO: {
        Quadrant.UPPER_OUTER: Quadrant.UPPER,
        Quadrant.UPPER_INNER: Quadrant.UPPER,
        Quadrant.LOWER_OUTER: Quadrant.LOWER,
        Quadrant.LOWER_INNER: Quadrant.LOWER,
    },
}


@dataclass(frozen=True)
class BreastFeatures:
    """One breast: tokens float16 [2, tokens, width] for CC and MLO, composition and findings."""

    tokens: npt.NDArray[np.float16]
    composition: Composition
    findings: tuple[Finding, ...]


def shard_features(tower: nn.Module, key: str, job: DrawJob) -> npt.NDArray[np.float16]:
    """Image tokens of a shard, not yet normed, float16 [exams, 4, tokens, width]; computed once per tower."""
    path = job.stem.with_suffix(f".{key}.npy")
    if path.is_file():
        cached: npt.NDArray[np.float16] = np.load(path, mmap_mode="r")
        return cached
    shard = load_shard(job)
    found = [_exam_tokens(tower, shard.images[i : i + 8]) for i in range(0, len(shard.images), 8)]
    features = np.concatenate(found).astype(np.float16)
    partial = path.with_suffix(".partial.npy")
    np.save(partial, features)
    partial.rename(path)
    return features


def _key(tower: nn.Module) -> str:
    """Eight hexadecimal digits of a tower's weights, so that features of different towers are not confused."""
    found = 0
    for name, tensor in tower.state_dict().items():
        found = crc32(tensor.contiguous().numpy().tobytes(), crc32(name.encode(), found))
    return f"{found:08x}"


def _exam_tokens(tower: nn.Module, exams: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Layers of a few exams [exams, views, size, size, 3] to image tokens [exams, views, tokens, width]."""
    tokens = image_tokens(tower, with_position(exams.reshape(-1, *exams.shape[2:])))
    return tokens.reshape(*exams.shape[:2], *tokens.shape[1:])


@torch.inference_mode()
def image_tokens(tower: nn.Module, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Pictures uint8 [views, size, size, 3] to image tokens [views, tokens, width]."""
    pixels = torch.from_numpy(images).permute(0, 3, 1, 2).float().div_(127.5).sub_(1)
    with torch.autocast("cpu", torch.bfloat16):
        tokens: npt.NDArray[np.float32] = tower(pixel_values=pixels).last_hidden_state.float().numpy()
    return tokens


def breasts(tower: nn.Module, jobs: Sequence[DrawJob]) -> list[BreastFeatures]:
    """Both breasts of every exam of the shards, as encoded by a tower."""
    found = []
    key = _key(tower)
    for job in jobs:
        shard = load_shard(job)
        for truth, tokens in zip(shard.truths, shard_features(tower, key, job), strict=True):
            for side in Laterality:
                rows = [i for i, (laterality, _) in enumerate(VIEW_ORDER) if laterality is side]
                findings = tuple(f for f in truth.findings if f.laterality is side)
                assert truth.composition is not None  # a phantom always has one
                found.append(BreastFeatures(tokens[rows], truth.composition, findings))
    return found


def findings_in_views(findings: Sequence[Finding], laterality: Laterality, views: Sequence[View]) -> list[Finding]:
    """The findings of a breast that the available views show, as findings on `laterality`.

    A finding in none of these views is omitted; with a single view, a quadrant becomes the half that this view shows.
    Sizes and views are not trained.
    """
    visible = [f for f in findings if not f.views or set(f.views) & set(views)]
    half = _HALF.get(views[0], {}) if len(views) == 1 else {}
    return [_stripped(f, laterality, half) for f in visible]


def _stripped(finding: Finding, laterality: Laterality, half: dict[Quadrant, Quadrant]) -> Finding:
    """One finding on a side, without size, views and boxes; its quadrant reduced to a half if there is one view."""
    quadrant = finding.location.quadrant
    location = Location(quadrant=half.get(quadrant, quadrant) if quadrant else None, depth=finding.location.depth)
    update = {
        "laterality": laterality,
        "location": location,
        "size_mm": None,
        "views": (),
        "boxes": (),
        "probability": None,
    }
    return finding.model_copy(update=update)


def report_of(composition: Composition, sides: dict[Laterality, list[Finding]]) -> Report:
    """The report of a combined exam: a category per breast, of its worst finding or 1; advice by the worst."""
    findings = tuple(
        f for side in Laterality for f in sorted(sides.get(side, []), key=lambda f: f.suspicion, reverse=True)
    )
    assessments = tuple(
        Assessment(category=worst_category(sides[side]), laterality=side) for side in Laterality if side in sides
    )
    worst = max((a.category for a in assessments), key=lambda c: c.suspicion)
    return Report(
        composition=composition,
        findings=findings,
        assessments=assessments,
        recommendation=usual_recommendation(worst),
    )
