"""95 % intervals: percentiles of resamples, Clopper-Pearson's where no resample differs, and Wilson's of a share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from amrg.metrics.metric import Array, Bounds

Ends = tuple[float, float]
"""Lower and upper end."""


class Method(StrEnum):
    """How an interval was made."""

    PERCENTILES = "bootstrap percentiles"
    EXACT = "Clopper-Pearson over groups"


@dataclass(frozen=True)
class Interval:
    """A 95 % interval and its method."""

    low: float
    high: float
    method: Method = Method.PERCENTILES


PERCENTILES = (0.025, 0.975)

_MAX_UNDEFINED = 0.05  # share of the resamples; above it there is no interval
_SAME = 1e-9  # resamples that differ by no more, differ by rounding alone
_Z = 1.959963984540054  # the normal distribution's 97.5th percentile


def percentiles(values: Array | Sequence[float]) -> Ends:
    """Percentiles 2.5 and 97.5 of some values, straight lines between neighbours; one of them at least."""
    low, high = np.quantile(values, PERCENTILES)
    return float(low), float(high)


def interval(draws: Array, groups: int) -> Interval | None:
    """Percentile 95 % interval of one metric's resamples, drawn from so many different groups.

    None with one group, or where over 5 % of the resamples have no value.
    """
    defined = draws[np.isfinite(draws)]
    if groups < 2 or len(defined) < (1 - _MAX_UNDEFINED) * len(draws):
        return None
    return Interval(*percentiles(defined))


def has_spread(between: Interval) -> bool:
    """Whether the ends differ by more than rounding; an interval of no width would claim certainty."""
    return between.high - between.low > _SAME * max(1.0, abs(between.high))


def exact_interval(value: float, groups: int, bounds: Bounds) -> Interval | None:
    """The 95 % interval of a mean over groups that all have the same value: Clopper and Pearson (1934).

    With 0 of `groups` different, at most a share u = 1 - 0.025 ** (1 / groups) of all groups is, and those may have any
    value within `bounds`. Of a share of exactly 1 it is [1 - u, 1], of exactly 0 it is [0, u]. None with one group.
    """
    if groups < 2:
        return None
    different = 1 - PERCENTILES[0] ** (1 / groups)
    low, high = ((1 - different) * value + different * bound for bound in bounds)
    return Interval(min(low, value), max(high, value), Method.EXACT)


def wilson(right: int, n: int) -> Ends:
    """Wilson's 95 % interval of a share; not a number where `n` is 0."""
    if n == 0:
        return math.nan, math.nan
    share, spread = right / n, _Z * _Z / n
    middle = (share + spread / 2) / (1 + spread)
    half = _Z / (1 + spread) * math.sqrt(share * (1 - share) / n + spread / (4 * n))
    return max(0.0, middle - half), min(1.0, middle + half)
