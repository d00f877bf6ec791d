"""What every metric is: a row of terms a case, summed over cases, and one function from sums to the number.

Rows add up, so a bootstrap or a swap between two systems is one matrix product, whatever the metric: a mean, a ratio,
an F1, a kappa from its confusion matrix, corpus BLEU.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from amrg.metrics.families import Family

Array = npt.NDArray[np.float64]
Combine = Callable[[Array], Array]
"""Sums of terms [..., terms] to values [...]; not a number where there is nothing to divide by."""

Bounds = tuple[float, float]
"""Lowest and highest value that a group of cases can have."""

SHARE: Bounds = (0.0, 1.0)


@dataclass(frozen=True)
class Metric:
    """One metric over the cases of a run, in their order.

    `name` says the variant exactly (`rouge_l_f1_stemmed`, `birads_accuracy_7_worst`); `about` says how it was computed
    in one line (tokenizer, rule, hash of the IDF corpus). A row of `terms` [cases, terms] that is not a number stands
    for a case that this metric cannot score: never zero, always counted. `fewest` is how many scored cases it takes
    for the number to mean anything. `bounds` are given for means, shares and ratios over cases that have any; without
    them, equal resamples give no interval. `has_strict`: a draft that states nothing has the worst value, so that there
    is a twin over all cases, named NAME_strict (`strict_twin`).
    """

    name: str
    family: Family
    about: str
    terms: Array
    combine: Combine
    higher_is_better: bool = True
    fewest: int = 1
    bounds: Bounds | None = None
    has_strict: bool = False

    @cached_property
    def scored(self) -> npt.NDArray[np.bool_]:
        """Which cases count [cases]."""
        scored: npt.NDArray[np.bool_] = np.logical_not(np.isnan(self.terms).any(axis=1))
        return scored

    @cached_property
    def value(self) -> float:
        """The number over all scored cases; not a number where they are too few."""
        scored = self.terms[self.scored]
        return float(self.combine(scored.sum(axis=0))) if len(scored) >= self.fewest else float("nan")


def ratio(sums: Array) -> Array:
    """First term over second: means, shares, recalls."""
    with np.errstate(divide="ignore", invalid="ignore"):
        quotient: Array = sums[..., 0] / sums[..., 1]
    return np.where(sums[..., 1] > 0, quotient, np.nan)


def mean_of(values: Array) -> Array:
    """Per-case values [cases] as terms for `ratio`: value and one; not a number stays unscored."""
    return np.stack([values, np.where(np.isnan(values), np.nan, 1.0)], axis=1)


def by_name(metrics: Iterable[Metric]) -> dict[str, Metric]:
    """Metrics by name, in their order.

    Raises:
        ValueError: two have one name.
    """
    listed = list(metrics)
    named = {metric.name: metric for metric in listed}
    if len(named) < len(listed):
        raise ValueError(f"two metrics have one name, of {', '.join(metric.name for metric in listed)}")
    return named
