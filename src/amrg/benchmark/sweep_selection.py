"""What a sweep selects by, case by case: the metric that its trials watched, as `training.validating` defines it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from amrg.birads import Report
from amrg.metrics.metric import Array, Metric
from amrg.metrics.pairs import Pair
from amrg.training.loop.validating import case_terms, values_of
from amrg.training.recipe import Metric as Watched

_ABOUT = {
    Watched.BIRADS: "share of overall categories (numbers) that are right; a draft without one is not right",
    Watched.COMPOSITION: "share of compositions that are right; a draft without one is not right",
    Watched.FINDING_F1: "F1 of findings by kind, side and quadrant, pooled over the cases",
    Watched.CLINICAL: "mean of birads_accuracy, composition_accuracy and finding_f1, of those that are defined",
}


def selection_metric(pairs: Sequence[Pair], watched: Watched) -> Metric:
    """The watched metric over the cases of a trial: the same number as its training found, now with terms a case."""
    terms = np.array([case_terms(p.report or Report(), p.reference) for p in pairs], dtype=np.float64)

    def combine(sums: Array) -> Array:
        return values_of(sums, sums)[watched]

    return Metric(f"selection_{watched.value}", _ABOUT[watched], terms.reshape(len(pairs), 6), combine)
