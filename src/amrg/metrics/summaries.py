"""Metrics as they are stored: value, 95 % interval, how many cases were scored and how many could not be."""

from __future__ import annotations

import math
from collections.abc import Sequence

from amrg.metrics.intervals import Interval, interval
from amrg.metrics.metric import Metric
from amrg.metrics.scores import MetricScore
from amrg.metrics.statistics import Bootstrap


def metric_scores(metrics: Sequence[Metric], draws: Bootstrap) -> dict[str, MetricScore]:
    """The scores of one system's metrics by name; `draws` are of the same cases."""
    if not metrics:
        return {}
    resampled = draws.draw(metrics)
    return {m.name: _score(m, interval(row, draws.groups)) for m, row in zip(metrics, resampled, strict=True)}


def _score(metric: Metric, between: Interval | None) -> MetricScore:
    scored, value = int(metric.scored.sum()), finite(metric.value)
    low, high = between if between is not None and value is not None else (None, None)
    return MetricScore(
        value=value,
        low=low,
        high=high,
        n=scored,
        unscored=len(metric.terms) - scored,
        family=metric.family,
        about=metric.about,
        higher_is_better=metric.higher_is_better,
    )


def finite(value: float) -> float | None:
    """A number as JSON has it: None where it is none."""
    return float(value) if math.isfinite(value) else None
