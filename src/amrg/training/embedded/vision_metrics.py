"""Metrics of the tower with its heads on held-out views."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from amrg.models.embedded.attributes import ATTRIBUTES, KINDS
from amrg.models.views import with_position
from amrg.training.embedded.vision_stage import ViewSample, VisionModel

THRESHOLD = 0.5


@torch.inference_mode()
def vision_metrics(model: VisionModel, views: Sequence[ViewSample], batch: int = 32) -> dict[str, float]:
    """Composition accuracy, accuracy of the view's worst category, recall and false positives per view."""
    rows = [row for i in range(0, len(views), batch) for row in _rows(model, views[i : i + batch])]
    composition, category, found, true, false = np.array(rows).T
    return {
        "composition": float(composition.mean()),
        "category": float(category.mean()),
        "recall": float(found.sum() / max(1.0, true.sum())),
        "false_alarms": float(false.mean()),
    }


def _rows(model: VisionModel, views: Sequence[ViewSample]) -> list[tuple[float, ...]]:
    images = with_position(np.stack([v.shard.images[v.exam, v.view] for v in views]))
    pixels = torch.from_numpy(images).permute(0, 3, 1, 2).float().div_(127.5).sub_(1)
    with torch.autocast("cpu", torch.bfloat16):
        _, tokens = model(pixels)
    composition = model.heads.composition(tokens.mean(1)).argmax(-1)
    kinds = model.heads.kinds(tokens).sigmoid().numpy()
    categories = model.heads.attributes["category"](tokens).argmax(-1).numpy()
    return [
        (float(composition[i] == view.composition), *_compare(view, kinds[i], categories[i]))
        for i, view in enumerate(views)
    ]


def _compare(view: ViewSample, kinds: np.ndarray, categories: np.ndarray) -> tuple[float, float, float, float]:
    """In one view: worst category correct, kinds found, kinds in truth, false positive kinds."""
    positive = kinds > THRESHOLD
    worst = 1 + int(categories[positive.any(-1)].max(initial=0))
    majors = [f.finding.category.major for f in view.lesions if f.finding.category]
    raised = {KINDS[k] for k in np.flatnonzero(positive.any(0))}
    true = {x.finding.kind for x in view.lesions}
    right = worst == max([*majors, 1])
    return float(right), float(len(raised & true)), float(len(true)), float(len(raised - true))


assert tuple(ATTRIBUTES["category"]) == ("1", "2", "3", "4", "5")
