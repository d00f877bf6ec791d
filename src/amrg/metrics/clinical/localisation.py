"""Whether drafted boxes are where the reference's are: pointing, overlap, and FROC over the finding's probability.

A drafted box and a reference box are compared on the same view of the same breast only. A case counts where its
places are known: at least one reference finding has a box, or the reference has no finding at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.optimize import linear_sum_assignment

from amrg.birads import Kind, Laterality, Report, View, ViewBox
from amrg.metrics.clinical.froc import GRID, RATES, froc_mean, sensitivity_at
from amrg.metrics.clinical.matching import compatible, family_of
from amrg.metrics.families import Family
from amrg.metrics.metric import SHARE, Array, Metric, ratio
from amrg.metrics.pairs import Pair, Terms, of_drafts

_SURE = 1.0
"""A finding without a probability was stated without doubt."""


@dataclass(frozen=True)
class PlacedBox:
    """One box on one view, of a kind, with the probability of its finding."""

    box: ViewBox
    kind: Kind
    probability: float

    @property
    def view(self) -> tuple[Laterality, View]:
        """The view it is on."""
        return self.box.laterality, self.box.view


def localisation_metrics(pairs: Sequence[Pair]) -> list[Metric]:
    """Metrics of places; none where no reference or no draft has a box, FROC only where a box has a probability."""
    drafts = [p.report for p in pairs if p.text is not None and p.report is not None]
    if not any(map(placed_boxes, (p.reference for p in pairs))) or not any(map(placed_boxes, drafts)):
        return []
    made = [
        _pointing(pairs, "pointing_hit_rate_same_kind", "of the same kind", True),
        _pointing(pairs, "pointing_hit_rate_any_kind", "of any kind", False),
        Metric(
            "pointing_precision_any_kind", Family.PLACES, _PRECISION, of_drafts(pairs, _pointed, 2), ratio, bounds=SHARE
        ),
        Metric("box_iou_matched_same_kind", Family.PLACES, _IOU, of_drafts(pairs, _overlaps, 2), ratio, bounds=SHARE),
    ]
    rated = any(f.probability is not None for d in drafts for f in d.findings if f.boxes)
    return made + (_froc_metrics(pairs) if rated else [])


_PRECISION = "share of drafted boxes whose centre is in a reference box of any kind on the same view"
_IOU = (
    "mean intersection over union of reference and drafted boxes of the same kind on the same view that overlap, "
    "matched one to one for the greatest sum; what overlaps nothing does not count"
)


def placed_boxes(report: Report) -> list[PlacedBox]:
    """Every box of every finding."""
    return [
        PlacedBox(box, f.kind, _SURE if f.probability is None else f.probability)
        for f in report.findings
        for box in f.boxes
    ]


def _known_places(pair: Pair) -> list[PlacedBox] | None:
    """The boxes of the reference; None where it has findings and the place of none."""
    reference = placed_boxes(pair.reference)
    return reference if reference or not pair.reference.findings else None


def _by_view(
    reference: Sequence[PlacedBox], drafted: Sequence[PlacedBox]
) -> Iterator[tuple[list[PlacedBox], list[PlacedBox]]]:
    """Reference and drafted boxes of each view that has both."""
    for view in sorted({m.view for m in reference} & {m.view for m in drafted}):
        yield [m for m in reference if m.view == view], [m for m in drafted if m.view == view]


def _pointing(pairs: Sequence[Pair], name: str, what: str, same_kind: bool) -> Metric:
    """Share of reference boxes that the best drafted boxes point into."""
    about = (
        "share of reference boxes that hold the centre of a drafted box, one to one, "
        f"among as many drafted boxes {what} on that view as the reference has, the most probable first"
    )
    terms = of_drafts(pairs, partial(_hits, same_kind), 2)
    return Metric(name, Family.PLACES, about, terms, ratio, bounds=SHARE, has_strict=True)


def _hits(same_kind: bool, pair: Pair, draft: Report) -> Terms:
    reference = _known_places(pair)
    if reference is None:
        return None
    drafted = placed_boxes(draft)
    kinds = {family_of(m.kind) for m in reference}
    groups = [_of_kind(reference, drafted, k) for k in kinds] if same_kind else [(reference, drafted)]
    hit = sum(_one_to_one(there, _best(offered, len(there))) for g in groups for there, offered in _by_view(*g))
    return float(hit), float(len(reference))


def _of_kind(
    reference: Sequence[PlacedBox], drafted: Sequence[PlacedBox], kind: Kind
) -> tuple[list[PlacedBox], list[PlacedBox]]:
    return [m for m in reference if family_of(m.kind) is kind], [m for m in drafted if family_of(m.kind) is kind]


def _best(offered: Sequence[PlacedBox], count: int) -> list[PlacedBox]:
    """The most probable boxes, ties in the order of their places, so that more boxes do not buy more hits."""
    return sorted(offered, key=lambda m: (-m.probability, _edges(m.box)))[:count]


def _one_to_one(reference: Sequence[PlacedBox], drafted: Sequence[PlacedBox]) -> int:
    """How many reference boxes can be given a drafted box of their own whose centre is in them."""
    inside = np.array([[points_into(s.box, t.box) for s in drafted] for t in reference], dtype=float)
    rows, columns = linear_sum_assignment(inside, maximize=True)
    return int(inside[rows, columns].sum())


def _pointed(pair: Pair, draft: Report) -> Terms:
    reference, drafted = _known_places(pair), placed_boxes(draft)
    if reference is None:
        return None
    return float(sum(_is_hit(m, reference) for m in drafted)), float(len(drafted))


def _is_hit(drafted: PlacedBox, reference: Sequence[PlacedBox]) -> bool:
    return any(t.view == drafted.view and points_into(drafted.box, t.box) for t in reference)


def _overlaps(pair: Pair, draft: Report) -> Terms:
    """Sum of intersection over union, and how many boxes are matched with some."""
    reference = _known_places(pair)
    if reference is None:
        return None
    found: list[float] = []
    for there, drafted in _by_view(reference, placed_boxes(draft)):
        shared = np.array([[_shared(t, s) for s in drafted] for t in there])
        rows, columns = linear_sum_assignment(shared, maximize=True)
        found += [float(v) for v in shared[rows, columns] if v > 0]
    return sum(found), float(len(found))


def _shared(reference: PlacedBox, drafted: PlacedBox) -> float:
    return iou(reference.box, drafted.box) if compatible(reference.kind, drafted.kind) else 0.0


def _edges(box: ViewBox) -> tuple[float, float, float, float]:
    return box.left, box.top, box.right, box.bottom


def points_into(drafted: ViewBox, reference: ViewBox) -> bool:
    """Whether the centre of one box is in another, its edges included."""
    x, y = (drafted.left + drafted.right) / 2, (drafted.top + drafted.bottom) / 2
    return reference.left <= x <= reference.right and reference.top <= y <= reference.bottom


def iou(a: ViewBox, b: ViewBox) -> float:
    """Intersection over union of two boxes of one view, 0 to 1."""
    width = min(a.right, b.right) - max(a.left, b.left)
    height = min(a.bottom, b.bottom) - max(a.top, b.top)
    shared = max(width, 0.0) * max(height, 0.0)
    whole = sum((box.right - box.left) * (box.bottom - box.top) for box in (a, b)) - shared
    return shared / whole if whole > 0 else 0.0


def _froc_metrics(pairs: Sequence[Pair]) -> list[Metric]:
    """Sensitivity at fixed numbers of false positives an image, and their mean."""
    terms = of_drafts(pairs, _froc_terms, 2 * len(GRID) + 2)
    about = (
        "share of reference boxes hit by the centre of a drafted box of any kind on the same view; "
        f"{len(GRID)} probability thresholds, straight lines between, one image a view"
    )
    combined = {_froc_name(rate): (about, sensitivity_at(rate)) for rate in RATES}
    rates = ", ".join(f"{rate:g}" for rate in RATES)
    combined["froc_mean_sensitivity"] = f"mean over {rates} false an image; {about}", froc_mean
    return [
        Metric(name, Family.PLACES, how, terms, combine, bounds=SHARE, has_strict=True)
        for name, (how, combine) in combined.items()
    ]


def _froc_name(rate: float) -> str:
    return f"froc_sensitivity_at_{rate:g}_false_an_image".replace(".", "_")


def _froc_terms(pair: Pair, draft: Report) -> Terms:
    """Hits a threshold, false positives a threshold, lesions, images."""
    reference, drafted = _known_places(pair), placed_boxes(draft)
    if reference is None:
        return None
    best = [max((m.probability for m in drafted if _is_hit(m, [t])), default=-1.0) for t in reference]
    false = [m.probability for m in drafted if not _is_hit(m, reference)]
    images = len(set(pair.views) | {m.view for m in (*reference, *drafted)}) or 1
    return [*_at_least(best), *_at_least(false), float(len(reference)), float(images)]


def _at_least(probabilities: Sequence[float]) -> Array:
    """How many reach each threshold of the grid."""
    reached: Array = (np.array(probabilities)[:, None] >= GRID).sum(axis=0, dtype=np.float64)
    return reached
