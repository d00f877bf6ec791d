"""Metrics as they are stored: value, 95 % interval, how many cases were scored and how many could not be."""

from __future__ import annotations

import math
from collections.abc import Sequence

from amrg.metrics.intervals import Interval
from amrg.metrics.metric import Metric
from amrg.metrics.scores import Ends, MetricScore
from amrg.metrics.statistics import Bootstrap, interval_over_groups


def metric_scores(metrics: Sequence[Metric], draws: Bootstrap) -> dict[str, MetricScore]:
    """The scores of one system's metrics by name; `draws` are of the same cases."""
    if not metrics:
        return {}
    resampled = draws.draw(metrics)
    return {
        m.name: _score(m, draws.groups_of(m), interval_over_groups(row, draws, m.value, [m]))
        for m, row in zip(metrics, resampled, strict=True)
    }


def _score(metric: Metric, groups: int, between: Interval | None) -> MetricScore:
    scored, value = int(metric.scored.sum()), finite(metric.value)
    return MetricScore(
        value=value,
        **ends_of(between if value is not None else None),
        n=scored,
        groups=groups,
        unscored=len(metric.terms) - scored,
        family=metric.family,
        about=metric.about,
        higher_is_better=metric.higher_is_better,
    )


def ends_of(between: Interval | None) -> Ends:
    """An interval as a `Number` has it."""
    if between is None:
        return {"low": None, "high": None, "method": None}
    return {"low": between.low, "high": between.high, "method": between.method}


def finite(value: float) -> float | None:
    """A number as JSON has it: None where it is none."""
    return float(value) if math.isfinite(value) else None
