"""Metrics of the tower on real views of patients that it was not trained on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import numpy.typing as npt
import torch
from scipy.stats import mannwhitneyu, spearmanr

from amrg.birads import Kind
from amrg.models.embedded.attributes import COMPOSITIONS, KINDS
from amrg.models.embedded.candidates import CELL
from amrg.models.embedded.mammogram_tower import MammogramTower
from amrg.training.embedded.devices import autocast_on
from amrg.training.tower.film_shards import FilmView
from amrg.training.tower.reading import pixel_batches

SLACK = 4.0  # pixels that a place may be outside of a box


@dataclass(frozen=True)
class Reading:
    """What the tower predicts of one view, as probabilities; `lesion` and `mass` are [rows, columns]."""

    lesion: npt.NDArray[np.float32]
    mass: npt.NDArray[np.float32]
    malignant: float
    composition: npt.NDArray[np.float32]
    cell: float  # pixels of the stored view a side of a cell


@torch.inference_mode()
def read_views(tower: MammogramTower, views: Sequence[FilmView], size: int, batch: int = 8) -> Iterator[Reading]:
    """Every view at `size` rows."""
    remaining = iter(views)
    for pixels in pixel_batches([v.labelled for v in views], size, batch):
        with autocast_on(tower.device):
            found = tower.predict(pixels.to(tower.device))
        assert found.lesion is not None
        assert found.malignant is not None
        assert found.kinds is not None
        assert found.composition is not None
        for i, view in enumerate(islice(remaining, len(pixels))):
            yield Reading(
                found.lesion[i].float().sigmoid().cpu().numpy(),
                found.kinds[i, KINDS.index(Kind.MASS)].float().sigmoid().cpu().numpy(),
                float(found.malignant[i].float().max().sigmoid()),
                found.composition[i].float().softmax(-1).cpu().numpy(),
                CELL * view.labelled.image.shape[0] / size,
            )


def film_metrics(views: Sequence[FilmView], readings: Sequence[Reading]) -> dict[str, float]:
    """Of each part of the collection: the surest cell in a lesion, malignant against benign or normal, density."""
    found: dict[str, float] = {}
    for source in sorted({v.film.source for v in views}):
        part = [(v, r) for v, r in zip(views, readings, strict=True) if v.film.source == source]
        found |= {f"{source}/{name}": value for name, value in _metrics(part)}
    return found


def _metrics(part: Sequence[tuple[FilmView, Reading]]) -> Iterator[tuple[str, float]]:
    marked = [(v, r) for v, r in part if v.labelled.lesions]
    if marked:
        yield "surest lesion cell inside", float(np.mean([_inside(v, r.lesion, r.cell) for v, r in marked]))
        yield "surest mass cell inside", float(np.mean([_inside(v, r.mass, r.cell) for v, r in marked]))
    cancer, other = ([r for v, r in part if _is_malignant(v) is truth] for truth in (True, False))
    yield "malignant AUROC", auroc([r.malignant for r in cancer], [r.malignant for r in other])
    normal = [r for v, r in part if v.film.record.get("outcome") == "normal"]
    abnormal = [r for v, r in part if v.film.record.get("outcome", "normal") != "normal"]
    yield "abnormal AUROC", auroc([float(r.mass.max()) for r in abnormal], [float(r.mass.max()) for r in normal])
    known = [(COMPOSITIONS.index(v.labelled.composition), r.composition) for v, r in part if v.labelled.composition]
    if known:
        reference = [i for i, _ in known]
        yield "density accuracy", float(np.mean([i == int(p.argmax()) for i, p in known]))
        yield "density rank correlation", float(spearmanr(reference, [float(p @ np.arange(4)) for _, p in known])[0])


def auroc(positive: Sequence[float], negative: Sequence[float]) -> float:
    """Area under the ROC curve, ties counted half; NaN where one of the two is empty."""
    if not positive or not negative:
        return float("nan")
    return float(mannwhitneyu(positive, negative).statistic) / (len(positive) * len(negative))


def _inside(view: FilmView, grid: npt.NDArray[np.float32], cell: float) -> bool:
    """Whether the surest cell's middle is in any lesion's box."""
    row, column = np.unravel_index(int(grid.argmax()), grid.shape)
    x, y = (column + 0.5) * cell, (row + 0.5) * cell
    boxes = (lesion.box for lesion in view.labelled.lesions)
    return any(b[0] - SLACK <= x <= b[2] + SLACK and b[1] - SLACK <= y <= b[3] + SLACK for b in boxes)


def _is_malignant(view: FilmView) -> bool | None:
    """Whether the view has cancer; None where that is not known."""
    outcome = view.film.record.get("outcome")
    if outcome is not None:
        return bool(outcome == "malignant")
    known = [lesion.malignant for lesion in view.labelled.lesions if lesion.malignant is not None]
    return any(known) if known else None
