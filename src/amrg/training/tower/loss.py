"""The loss of the tower: every cell against its targets, and the view as a whole."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from amrg.birads import Kind
from amrg.models.embedded.attributes import ATTRIBUTES, COMPOSITIONS, KINDS, PLACES
from amrg.models.embedded.mammogram_tower import MammogramTower, ViewMaps, place_logits
from amrg.training.embedded.devices import autocast_on, moved
from amrg.training.tower.labelled_views import LabelledView, Source, as_pixels
from amrg.training.tower.place_targets import IGNORE, PlaceTargets, place_targets

COMMON = frozenset({Kind.MASS, Kind.CALCIFICATIONS})
WEIGHT_RARE, WEIGHT_BOX, WEIGHT_ATTRIBUTE, WEIGHT_COMPOSITION, WEIGHT_SUSPICION = 0.5, 0.5, 0.25, 0.5, 0.3
NEIGHBOUR = 0.12  # of a stated density, the share of either neighbour: readers draw the lines in different places
PARTS = ("places", "boxes", *ATTRIBUTES, "composition", "suspicion")
LEAST_POSITIVE = 8.0  # cells that count 1: a batch with fewer does not count them for more


@dataclass(frozen=True)
class ViewBatch:
    """Views as tensors: pixels float32 [B, 3, H, W] in -1..1, and their targets; IGNORE or NaN where not known."""

    pixels: Tensor
    places: Tensor
    weights: Tensor
    attributes: dict[str, Tensor]
    boxes: Tensor
    shares: Tensor
    composition: Tensor
    suspicion: Tensor


def collate_views(views: Sequence[LabelledView]) -> ViewBatch:
    """A batch of views of one size."""
    targets = [place_targets(v.lesions, v.image.shape[:2], v.absence) for v in views]
    return ViewBatch(
        as_pixels(np.stack([v.image for v in views])),
        _stack(targets, "places"),
        _stack(targets, "weights"),
        {name: torch.from_numpy(np.stack([t.attributes[name] for t in targets])) for name in ATTRIBUTES},
        _stack(targets, "boxes"),
        _stack(targets, "shares"),
        torch.tensor([composition_target(v) for v in views]),
        torch.tensor([float("nan") if v.suspicion is None else v.suspicion for v in views]),
    )


def composition_target(view: LabelledView) -> list[float]:
    """A share for each composition: all of it for a drawn one, which is known; NaN where none is stated."""
    if view.composition is None:
        return [float("nan")] * len(COMPOSITIONS)
    stated = COMPOSITIONS.index(view.composition)
    neighbour = 0.0 if view.source is Source.DRAWN else NEIGHBOUR
    shares = [neighbour if abs(i - stated) == 1 else 0.0 for i in range(len(COMPOSITIONS))]
    shares[stated] = 1.0 - sum(shares)
    return shares


def _stack(targets: Sequence[PlaceTargets], name: str) -> Tensor:
    return torch.from_numpy(np.stack([getattr(t, name) for t in targets]))


def tower_loss(tower: MammogramTower, batch: ViewBatch) -> tuple[Tensor, Mapping[str, float]]:
    """The sum of all parts, and each of them: NaN for a part that no view of the batch has a target for."""
    batch = moved(batch, tower.device)
    with autocast_on(tower.device):
        found = tower.predict(batch.pixels)
    parts = {
        "places": _places(found, batch),
        **_boxes(found, batch),
        **_attributes(found, batch),
        **_whole(found, batch),
    }
    loss = torch.stack(list(parts.values())).sum()
    return loss, {name: float(parts[name].detach()) if name in parts else math.nan for name in PARTS}


def _places(found: ViewMaps, batch: ViewBatch) -> Tensor:
    """Focal loss (Lin 2017, gamma 2) of every place, per positive cell."""
    logits = place_logits(found).float()
    loss = functional.binary_cross_entropy_with_logits(logits, batch.places, reduction="none")
    wrong = (logits.sigmoid() - batch.places).abs().detach()
    weight = batch.weights * torch.where(batch.places > 0, 1.0, 0.5)
    positive = (batch.places * batch.weights).sum((0, 2, 3)).clamp(min=LEAST_POSITIVE)
    each = (loss * wrong.pow(2) * weight).sum((0, 2, 3)) / positive
    shares = [1.0] * (PLACES - len(KINDS)) + [1.0 if k in COMMON else WEIGHT_RARE for k in KINDS]
    return (each * torch.tensor(shares, device=each.device)).sum()


def _boxes(found: ViewMaps, batch: ViewBatch) -> dict[str, Tensor]:
    """One less the overlap of box and target, in the mean of every lesion's cells."""
    assert found.boxes is not None
    here = ~batch.boxes[:, 0].isnan()
    if not here.any():
        return {}
    predicted = found.boxes.float().permute(0, 2, 3, 1)[here]
    target = batch.boxes.permute(0, 2, 3, 1)[here].clamp(min=0.05)
    shared = torch.minimum(predicted, target)
    inner = (shared[:, 0] + shared[:, 2]) * (shared[:, 1] + shared[:, 3])
    areas = [(edges[:, 0] + edges[:, 2]) * (edges[:, 1] + edges[:, 3]) for edges in (predicted, target)]
    apart = 1 - inner / (areas[0] + areas[1] - inner).clamp(min=1e-4)
    return {"boxes": WEIGHT_BOX * _mean(apart, batch.shares[here])}


def _attributes(found: ViewMaps, batch: ViewBatch) -> dict[str, Tensor]:
    """Cross-entropy of every descriptor where it is known, in the mean of every lesion's cells."""
    assert found.attributes is not None
    parts = {}
    for name, logits in found.attributes.items():
        known = batch.attributes[name] != IGNORE
        if known.any():
            values = logits.float().permute(0, 2, 3, 1)[known]
            loss = functional.cross_entropy(values, batch.attributes[name][known], reduction="none")
            parts[name] = WEIGHT_ATTRIBUTE * _mean(loss, batch.shares[known])
    return parts


def _mean(values: Tensor, shares: Tensor) -> Tensor:
    """The mean over lesions, whatever their sizes, of what their cells have."""
    return (values * shares).sum() / shares.sum()


def _whole(found: ViewMaps, batch: ViewBatch) -> dict[str, Tensor]:
    """Composition and suspicion of the views where they are known."""
    assert found.composition is not None
    assert found.suspicion is not None
    parts = {}
    if (known := ~batch.composition.isnan().any(1)).any():
        loss = functional.cross_entropy(found.composition.float()[known], batch.composition[known])
        parts["composition"] = WEIGHT_COMPOSITION * loss
    if (known := ~batch.suspicion.isnan()).any():
        loss = functional.binary_cross_entropy_with_logits(found.suspicion.float()[known], batch.suspicion[known])
        parts["suspicion"] = WEIGHT_SUSPICION * loss
    return parts
