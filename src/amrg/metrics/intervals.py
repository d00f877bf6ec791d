"""95 % intervals: percentiles of resamples, and Wilson's of a share."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from amrg.metrics.metric import Array

Interval = tuple[float, float]
"""Lower and upper end."""

PERCENTILES = (0.025, 0.975)

_MAX_UNDEFINED = 0.05  # share of the resamples; above it there is no interval
_Z = 1.959963984540054  # the normal distribution's 97.5th percentile


def percentiles(values: Array | Sequence[float]) -> Interval:
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
    return percentiles(defined)


def wilson(right: int, n: int) -> Interval:
    """Wilson's 95 % interval of a share; not a number where `n` is 0."""
    if n == 0:
        return math.nan, math.nan
    share, spread = right / n, _Z * _Z / n
    middle = (share + spread / 2) / (1 + spread)
    half = _Z / (1 + spread) * math.sqrt(share * (1 - share) / n + spread / (4 * n))
    return max(0.0, middle - half), min(1.0, middle + half)
