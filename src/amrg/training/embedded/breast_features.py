"""Breasts as the language stage sees them: cached image tokens and the findings they show.

The tower sees every chest wall at the left, so a breast's features are those of either side: exams are put
together from any two breasts of one composition, which multiplies what was drawn.
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
    """One breast: tokens float16 [2, tokens, width] for CC and MLO, and what is to be said of it."""

    tokens: npt.NDArray[np.float16]
    composition: Composition
    findings: tuple[Finding, ...]


def features_of(tower: nn.Module, key: str, job: DrawJob) -> npt.NDArray[np.float16]:
    """Image tokens of a shard, not yet normed, float16 [exams, 4, tokens, width]; computed once a tower."""
    path = job.stem.with_suffix(f".{key}.npy")
    if path.is_file():
        kept: npt.NDArray[np.float16] = np.load(path, mmap_mode="r")
        return kept
    shard = load_shard(job)
    found = [_exam_tokens(tower, shard.pictures[i : i + 8]) for i in range(0, len(shard.pictures), 8)]
    features = np.concatenate(found).astype(np.float16)
    partial = path.with_suffix(".partial.npy")
    np.save(partial, features)
    partial.rename(path)
    return features


def _key(tower: nn.Module) -> str:
    """Eight hex digits that stand for a tower's weights, so that no other tower's features are taken for its own."""
    found = 0
    for name, tensor in tower.state_dict().items():
        found = crc32(tensor.contiguous().numpy().tobytes(), crc32(name.encode(), found))
    return f"{found:08x}"


def _exam_tokens(tower: nn.Module, exams: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Layers of a few exams [exams, views, size, size, 3] to image tokens [exams, views, tokens, width]."""
    tokens = image_tokens(tower, with_position(exams.reshape(-1, *exams.shape[2:])))
    return tokens.reshape(*exams.shape[:2], *tokens.shape[1:])


@torch.inference_mode()
def image_tokens(tower: nn.Module, pictures: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Pictures uint8 [views, size, size, 3] to image tokens [views, tokens, width]."""
    pixels = torch.from_numpy(pictures).permute(0, 3, 1, 2).float().div_(127.5).sub_(1)
    with torch.autocast("cpu", torch.bfloat16):
        tokens: npt.NDArray[np.float32] = tower(pixel_values=pixels).last_hidden_state.float().numpy()
    return tokens


def breasts(tower: nn.Module, jobs: Sequence[DrawJob]) -> list[BreastFeatures]:
    """Both breasts of every exam of the shards, as a tower sees them."""
    found = []
    key = _key(tower)
    for job in jobs:
        shard = load_shard(job)
        for truth, tokens in zip(shard.truths, features_of(tower, key, job), strict=True):
            for side in Laterality:
                rows = [i for i, (laterality, _) in enumerate(VIEW_ORDER) if laterality is side]
                findings = tuple(f for f in truth.findings if f.laterality is side)
                assert truth.composition is not None  # a phantom always has one
                found.append(BreastFeatures(tokens[rows], truth.composition, findings))
    return found


def said(findings: Sequence[Finding], laterality: Laterality, views: Sequence[View]) -> list[Finding]:
    """What can be said of a breast from the views at hand, as findings on `laterality`.

    A finding seen in none of them is left out; with one view only, a quadrant is named by the half that view shows.
    Sizes and views are not taught: the marks on the picture tell both.
    """
    seen = [f for f in findings if not f.views or set(f.views) & set(views)]
    half = _HALF.get(views[0], {}) if len(views) == 1 else {}
    return [_as_said(f, laterality, half) for f in seen]


def _as_said(finding: Finding, laterality: Laterality, half: dict[Quadrant, Quadrant]) -> Finding:
    """One finding on a side, its quadrant cut to a half where only one view is there."""
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
    """The report of an exam put together: a category a breast, of its worst finding or 1; advice by the worst."""
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
