"""Intervals and tests over groups of cases: bootstrap, approximate randomisation, Holm's correction.

Cases of one group (a patient, or reports of the same words) are drawn or swapped together, never apart. Every metric is
a row of terms a case that adds up, so a thousand resamples of all metrics are one matrix product.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from amrg.metrics.intervals import Interval, exact_interval, has_spread, interval
from amrg.metrics.metric import Array, Bounds, Metric

Bools = npt.NDArray[np.bool_]

DRAWS = 1000
SWAPS = 10_000
FEW_GROUPS = 20
"""Below this many groups a percentile interval is too narrow, and the scores say so."""

_CELLS = 10_000_000  # of a draws x groups block: 80 MB


@dataclass(frozen=True)
class Bootstrap:
    """Resamples of whole groups, the same for every metric and every system, so that differences are paired.

    `member` [cases] is the group of each case, `times` [draws, groups] how often a draw holds a group; of several
    seeds, both are of a seed's cases and groups after another's. `groups` is how many different ones there are.
    """

    member: npt.NDArray[np.intp]
    times: npt.NDArray[np.uint16]
    groups: int

    def draw(self, metrics: Sequence[Metric]) -> Array:
        """The value of each metric in each draw [metrics, draws]; not a number where a draw has none."""
        terms = group_sums(stack(metrics), self.member)
        step = max(1, _CELLS // max(1, self.times.shape[1]))
        blocks = [self.times[i : i + step].astype(np.float64) @ terms for i in range(0, len(self.times), step)]
        return unstack(metrics, np.concatenate(blocks))

    def groups_of(self, metric: Metric) -> int:
        """How many different groups the scored cases of a metric are of, with any seed."""
        return int(np.count_nonzero(np.bincount(self.member[metric.scored] % self.groups)))


def bootstrap(groups: Sequence[str], seed: int = 0, draws: int = DRAWS) -> Bootstrap:
    """Draw as many groups as there are, with replacement, `draws` times; `groups` names the group of each case."""
    member = members(groups)
    count = int(member.max()) + 1
    return Bootstrap(member, _times(count, draws, seed), count)


def _times(count: int, draws: int, seed: int) -> npt.NDArray[np.uint16]:
    """How often each of so many is drawn, as many being drawn with replacement [draws, count]."""
    picked = np.random.default_rng(seed).integers(0, count, (draws, count), dtype=np.int32)
    return np.stack([np.bincount(row, minlength=count).astype(np.uint16) for row in picked])


def over_seeds(draws: Bootstrap, seeds: int, seed: int = 0) -> Bootstrap:
    """The same resamples of cases that were drafted by several seeds, the seeds drawn with replacement too.

    For metrics whose rows are those of the first seed, then of the second, and so on. All systems get the same seeds in
    a draw: a seed decides the order of what is learned, and is shared as cases are.
    """
    chosen = _times(seeds, len(draws.times), seed)
    times = (chosen[:, :, None] * draws.times[:, None, :]).reshape(len(draws.times), -1)
    member = np.concatenate([draws.member + one * draws.groups for one in range(seeds)])
    return Bootstrap(member, times, draws.groups)


def members(groups: Sequence[str]) -> npt.NDArray[np.intp]:
    """The number of each case's group [cases], groups numbered by name from 0."""
    return np.unique(np.asarray(groups, dtype=object), return_inverse=True)[1].astype(np.intp)


def stack(metrics: Sequence[Metric]) -> Array:
    """Terms of all metrics side by side [cases, columns], each followed by whether the case is scored.

    Unscored rows are zero in every column: they add nothing, and are not counted.
    """
    columns = []
    for metric in metrics:
        scored = metric.scored[:, None]
        columns += [np.where(scored, metric.terms, 0.0), scored.astype(np.float64)]
    return np.concatenate(columns, axis=1)


def unstack(metrics: Sequence[Metric], sums: Array) -> Array:
    """Values [metrics, ...] from sums of stacked columns [..., columns]; not a number where too few are scored."""
    values, start = [], 0
    for metric in metrics:
        end = start + metric.terms.shape[1]
        with np.errstate(divide="ignore", invalid="ignore"):
            value = metric.combine(sums[..., start:end])
        values.append(np.where(sums[..., end] >= max(1, metric.fewest), value, np.nan))
        start = end + 1
    return np.stack(values)


def group_sums(columns: Array, member: npt.NDArray[np.intp]) -> Array:
    """Columns summed over the cases of each group [groups, columns]."""
    order = np.argsort(member, kind="stable")
    first = np.searchsorted(member[order], np.arange(member.max() + 1))
    summed: Array = np.add.reduceat(columns[order], first, axis=0)
    return summed


def restrict(metric: Metric, keep: Bools) -> Metric:
    """The same metric with all other cases unscored."""
    return metric if keep[metric.scored].all() else replace(metric, terms=np.where(keep[:, None], metric.terms, np.nan))


def on_common_cases(*metrics: Metric) -> tuple[Metric, ...]:
    """One metric of several systems, on the cases that all of them score."""
    common: Bools = np.logical_and.reduce([m.scored for m in metrics])
    return tuple(restrict(m, common) for m in metrics)


def interval_over_groups(
    resampled: Array, draws: Bootstrap, value: float, metrics: Sequence[Metric]
) -> Interval | None:
    """The 95 % interval of a value from its resamples [draws]: of one metric, or of the second of two less the first.

    Where all resamples are the same, their percentiles would claim certainty: then it is the exact one over the groups
    in which every metric has a value, and None where a metric has no bounds.
    """
    between = interval(resampled, draws.groups)
    if between is None or has_spread(between):
        return between
    bounds = _bounds(metrics)
    return None if bounds is None else exact_interval(value, groups_with_value(metrics, draws), bounds)


def _bounds(metrics: Sequence[Metric]) -> Bounds | None:
    """Of one metric its own, of a difference what one less the other can be."""
    given = [metric.bounds for metric in metrics if metric.bounds is not None]
    if len(given) < len(metrics):
        return None
    return given[0] if len(given) == 1 else (given[1][0] - given[0][1], given[1][1] - given[0][0])


def groups_with_value(metrics: Sequence[Metric], draws: Bootstrap) -> int:
    """How many different groups have a value of their own in every metric, with any seed.

    Of a sensitivity, those are the groups with a positive case. What takes several cases, such as kappa, no group need
    have alone: there every group with a scored case counts.
    """
    sums = group_sums(stack(metrics), draws.member)
    alone = unstack([m if m.fewest == 1 else replace(m, fewest=1, combine=_any) for m in metrics], sums)
    return len(set((np.flatnonzero(np.isfinite(alone).all(axis=0)) % draws.groups).tolist()))


def _any(sums: Array) -> Array:
    """A value for any sums."""
    return np.ones(sums.shape[:-1])


@dataclass(frozen=True)
class Difference:
    """How far one metric moves from a first system to a second, over the `n` cases that both score.

    `groups` are those that have a value of their own of both (`groups_with_value`). `p` is two-sided. Not a number, or
    no interval, where there is none.
    """

    name: str
    n: int
    groups: int
    first: float
    second: float
    between: Interval | None
    p: float

    @property
    def difference(self) -> float:
        """Second less first."""
        return self.second - self.first


def differences(first: Sequence[Metric], second: Sequence[Metric], draws: Bootstrap, seed: int = 0) -> list[Difference]:
    """The same metrics of two systems over the same cases, paired by case; p by approximate randomisation."""
    pairs = [on_common_cases(a, b) for a, b in zip(first, second, strict=True)]
    if not pairs:
        return []
    before, after = [a for a, _ in pairs], [b for _, b in pairs]
    moved = draws.draw(after) - draws.draw(before)
    p = randomisation(before, after, draws.member, seed)
    return [
        _difference(a, b, _between(a, b, m, draws), draws, float(q))
        for a, b, m, q in zip(before, after, moved, p, strict=True)
    ]


def _difference(before: Metric, after: Metric, between: Interval | None, draws: Bootstrap, p: float) -> Difference:
    """A difference of two metrics on the same cases."""
    n, groups = int(before.scored.sum()), groups_with_value([before, after], draws)
    return Difference(before.name, n, groups, before.value, after.value, between, p)


def _between(before: Metric, after: Metric, moved: Array, draws: Bootstrap) -> Interval | None:
    return interval_over_groups(moved, draws, after.value - before.value, [before, after])


def resampled_difference(first: Metric, second: Metric, draws: Bootstrap) -> Difference:
    """One metric of two systems, paired by case and, of several seeds, by seed; p from the very draws of the interval.

    p is twice the smaller share of draws on either side of zero, (count + 1) / (draws + 1): where seeds are drawn
    too, swapping outputs case by case would take the variance of seeds for a difference between systems.
    """
    before, after = on_common_cases(first, second)
    moved = (draws.draw([after]) - draws.draw([before]))[0]
    defined = moved[np.isfinite(moved)]
    fewer = min(int((defined <= 0).sum()), int((defined >= 0).sum()))
    tested = interval(moved, draws.groups) is not None
    p = min(1.0, 2 * (fewer + 1) / (len(defined) + 1)) if tested else float("nan")
    return _difference(before, after, _between(before, after, moved, draws), draws, p)


def randomisation(
    first: Sequence[Metric],
    second: Sequence[Metric],
    member: npt.NDArray[np.intp],
    seed: int = 0,
    swaps: int = SWAPS,
) -> Array:
    """Two-sided p [metrics] that two systems are one: each group's outputs are swapped with probability a half.

    (count + 1) / (swaps + 1), count the swaps whose difference is at least the one observed. Both sides must be
    scored on the same cases (`on_common_cases`). Not a number where the metric has no value.
    """
    a, b = (group_sums(stack(side), member) for side in (first, second))
    total_a, total_b = a.sum(axis=0), b.sum(axis=0)
    observed = np.abs(unstack(second, total_b) - unstack(first, total_a))
    count = np.zeros(len(first))
    for swapped in _coins(len(a), swaps, seed):
        moved = swapped @ (b - a)
        gap = np.abs(unstack(second, total_b - moved) - unstack(first, total_a + moved))
        # Rounding must not break ties; a swap without a value counts for the null.
        count += (~(gap < observed[:, None] - 1e-12 * np.maximum(1.0, observed[:, None]))).sum(axis=1)
    return np.where(np.isfinite(observed), (count + 1) / (swaps + 1), np.nan)


def _coins(groups: int, swaps: int, seed: int) -> Iterator[Array]:
    """Blocks of zeros and ones [swaps of the block, groups]."""
    rng, step = np.random.default_rng(seed), max(1, _CELLS // groups)
    for start in range(0, swaps, step):
        yield rng.integers(0, 2, (min(step, swaps - start), groups), dtype=np.uint8).astype(np.float64)


def holm(p: Sequence[float]) -> list[float]:
    """Holm's step-down correction for testing several hypotheses together; what is not a number stays out of it."""
    tested = [i for i in np.argsort(np.asarray(p, dtype=np.float64), kind="stable") if np.isfinite(p[i])]
    corrected, highest = [float("nan")] * len(p), 0.0
    for rank, i in enumerate(tested):
        highest = max(highest, min(1.0, (len(tested) - rank) * p[i]))
        corrected[i] = highest
    return corrected
