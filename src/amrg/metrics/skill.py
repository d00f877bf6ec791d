"""Skill: how much of the way from the best blind baseline to perfect a system goes, metric by metric.

skill = (value - blind) / (perfect - blind): 1 where perfect, 0 where no better than the best report written without the
image, below 0 where worse. The same formula serves errors, where lower is better. Value, blind and perfect are taken
on the cases that all three score, and resampled together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from amrg.metrics.intervals import Interval, Method, has_spread, interval
from amrg.metrics.metric import Array, Metric
from amrg.metrics.statistics import Bootstrap, groups_with_value, interval_over_groups, on_common_cases
from amrg.metrics.strict import STRICT

_LEAST_ROOM = 1e-9  # perfect must be better than blind by more than rounding


@dataclass(frozen=True)
class MetricSkill:
    """Skill of one metric, over `groups` that have a value of it in all three.

    `value` is None where perfect is no better than blind, so that there is nothing to gain.
    """

    blind: str
    value: float | None
    between: Interval | None
    groups: int


Measured = Mapping[str, Metric]
"""The metrics of one system by name."""


def best_blind(candidates: Measured) -> str | None:
    """The baseline with the best value of one metric, in its direction; the first named of equals, None of none.

    `candidates` holds that metric of each baseline, by the baseline's name.
    """
    values = {name: metric.value for name, metric in candidates.items() if np.isfinite(metric.value)}
    if not values:
        return None
    better = max if next(iter(candidates.values())).higher_is_better else min
    return better(values, key=values.__getitem__)


def skills(
    system: Measured, blind: Mapping[str, Measured], perfect: Measured, draws: Bootstrap
) -> dict[str, MetricSkill]:
    """Skill of every metric of one system that perfect and a blind baseline have too.

    `blind` holds the metrics of every blind baseline, `perfect` those of the references scored against themselves, all
    over the cases of `draws` in the same order.
    """
    best = {name: best_blind(_over_all_cases(name, blind)) for name in system}
    trios = {
        name: on_common_cases(system[name], blind[baseline][name], perfect[name])
        for name, baseline in best.items()
        if baseline is not None and name in perfect
    }
    if not trios:
        return {}
    resampled = [draws.draw(side) for side in zip(*trios.values(), strict=True)]
    return {
        name: _metric_skill(best[name] or "", trio, [side[row] for side in resampled], draws)
        for row, (name, trio) in enumerate(trios.items())
    }


def _over_all_cases(name: str, blind: Mapping[str, Measured]) -> dict[str, Metric]:
    """A metric of every baseline by which the best is chosen: over all cases where that is measured.

    A baseline that names a fact in six of sixty cases may be right in all six, and is no better guess for that.
    One that names it in none cannot be compared with.
    """
    return {
        baseline: metrics.get(f"{name}{STRICT}", metrics[name])
        for baseline, metrics in blind.items()
        if name in metrics and np.isfinite(metrics[name].value)
    }


def _metric_skill(blind: str, trio: Sequence[Metric], resampled: Sequence[Array], draws: Bootstrap) -> MetricSkill:
    """Skill from value, blind and perfect, and from their draws."""
    sign = 1.0 if trio[0].higher_is_better else -1.0
    groups = groups_with_value(trio, draws)
    point = float(_skill(sign, *(np.float64(metric.value) for metric in trio)))
    if not np.isfinite(point):
        return MetricSkill(blind, None, None, groups)
    between = interval(_skill(sign, *resampled), draws.groups)
    if between is not None and not has_spread(between):
        between = _skill_without_spread(sign, trio, resampled[0], draws)
    return MetricSkill(blind, point, between, groups)


def _skill_without_spread(sign: float, trio: Sequence[Metric], drawn: Array, draws: Bootstrap) -> Interval | None:
    """Where no resample's skill differs, as of a perfect system: that of the ends of the value's own exact interval."""
    value = interval_over_groups(drawn, draws, trio[0].value, trio[:1])
    if value is None or value.method is not Method.EXACT:
        return None
    blind, perfect = (np.float64(metric.value) for metric in trio[1:])
    low, high = sorted(float(_skill(sign, np.float64(end), blind, perfect)) for end in (value.low, value.high))
    return Interval(low, high, value.method)


def _skill(sign: float, value: Array | np.float64, blind: Array | np.float64, perfect: Array | np.float64) -> Array:
    """The formula; not a number where perfect is not better than blind."""
    room = perfect - blind
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(sign * room > _LEAST_ROOM, (value - blind) / room, np.nan)
