"""Free-response ROC from sums that add up: hits and false positives at fixed thresholds, lesions, images."""

from __future__ import annotations

import numpy as np

from amrg.metrics.metric import Array, Combine

GRID: Array = np.linspace(1.0, 0.0, 101)
"""Thresholds of probability, strictest first. Probabilities are resolved to 0.01, so that cases add up."""

RATES = (0.25, 0.5, 1.0, 2.0)
"""False positives an image at which the sensitivity is read."""


def sensitivity_at(rate: float) -> Combine:
    """The combination that reads the curve at one number of false positives an image."""

    def combine(sums: Array) -> Array:
        return _read(*_curve(sums), rate)

    return combine


def froc_mean(sums: Array) -> Array:
    """Mean sensitivity over `RATES`."""
    curve = _curve(sums)
    mean: Array = np.mean([_read(*curve, rate) for rate in RATES], axis=0)
    return mean


def _curve(sums: Array) -> tuple[Array, Array]:
    """False positives an image and sensitivity [..., thresholds + 1], from nothing marked to everything marked."""
    n = len(GRID)
    hits, false = sums[..., :n], sums[..., n : 2 * n]
    lesions, images = sums[..., -2, None], sums[..., -1, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        rates, found = false / images, hits / lesions
    origin = np.zeros((*sums.shape[:-1], 1))
    return np.concatenate([origin, rates], axis=-1), np.concatenate([origin, found], axis=-1)


def _read(rates: Array, found: Array, rate: float) -> Array:
    """The sensitivity at one rate: a straight line between operating points, the last one held beyond the curve."""
    before = np.maximum((rates <= rate).sum(axis=-1, keepdims=True) - 1, 0)
    after = np.minimum(before + 1, rates.shape[-1] - 1)
    x0, x1 = np.take_along_axis(rates, before, -1), np.take_along_axis(rates, after, -1)
    y0, y1 = np.take_along_axis(found, before, -1), np.take_along_axis(found, after, -1)
    share = np.divide(rate - x0, x1 - x0, out=np.zeros_like(x0), where=x1 > x0)
    line: Array = (y0 + share * (y1 - y0))[..., 0]
    return line
