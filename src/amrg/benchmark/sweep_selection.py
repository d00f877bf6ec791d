"""What a sweep selects by, case by case: the metric that its trials watched, as `training.validating` defines it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from amrg.benchmark.metric import Array, Combine, Metric, ratio
from amrg.benchmark.pairs import Pair
from amrg.birads import Report
from amrg.birads.agreement import Count, placed
from amrg.training.recipe import Metric as Watched
from amrg.training.validating import overall_category

_CATEGORY, _COMPOSITION, _FINDINGS = slice(0, 2), slice(2, 4), slice(4, 7)
_ABOUT = {
    Watched.BIRADS: "share of overall categories (numbers) that are right; a draft without one is not right",
    Watched.COMPOSITION: "share of compositions that are right; a draft without one is not right",
    Watched.FINDING_F1: "F1 of findings by kind, side and quadrant, pooled over the cases",
    Watched.CLINICAL: "mean of birads_accuracy, composition_accuracy and finding_f1, of those that are defined",
}


def selection_metric(pairs: Sequence[Pair], watched: Watched) -> Metric:
    """The watched metric over the cases of a trial: the same number as its training found, now with terms a case."""
    terms = np.array([_terms(p.reference, p.report or Report()) for p in pairs], dtype=np.float64)
    return Metric(f"selection_{watched.value}", _ABOUT[watched], terms.reshape(len(pairs), 7), _COMBINE[watched])


def _terms(reference: Report, draft: Report) -> tuple[float, ...]:
    """Category right and asked, composition right and asked, findings right, invented and missed."""
    found = Count()
    found.add(map(placed, draft.findings), map(placed, reference.findings))
    category, composition = overall_category(reference), reference.composition
    return (
        float(category is not None and overall_category(draft) == category),
        float(category is not None),
        float(composition is not None and draft.composition == composition),
        float(composition is not None),
        *map(float, (found.right, found.invented, found.missed)),
    )


def _f1(sums: Array) -> Array:
    right, wrong = 2 * sums[..., 0], sums[..., 1] + sums[..., 2]
    return ratio(np.stack([right, right + wrong], axis=-1))


def _clinical(sums: Array) -> Array:
    parts = np.stack([_COMBINE[w](sums) for w in (Watched.BIRADS, Watched.COMPOSITION, Watched.FINDING_F1)])
    defined = ~np.isnan(parts)
    return ratio(np.stack([np.where(defined, parts, 0.0).sum(axis=0), defined.sum(axis=0).astype(np.float64)], axis=-1))


_COMBINE: dict[Watched, Combine] = {
    Watched.BIRADS: lambda sums: ratio(sums[..., _CATEGORY]),
    Watched.COMPOSITION: lambda sums: ratio(sums[..., _COMPOSITION]),
    Watched.FINDING_F1: lambda sums: _f1(sums[..., _FINDINGS]),
    Watched.CLINICAL: _clinical,
}
