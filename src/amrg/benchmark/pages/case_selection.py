"""The cases on the page: where the system did worst and best, by a rule that the page states."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from amrg.metrics.families import Family
from amrg.metrics.scores import CaseScores, MetricScore

CASES_PER_SIDE = 5
"""Cases on either side."""


@dataclass(frozen=True)
class CaseSelection:
    """The worst and the best cases, worst and best first, with their scores, and the rule that picked them."""

    rule: str
    worst: tuple[tuple[CaseScores, float], ...]
    best: tuple[tuple[CaseScores, float], ...]


def select_cases(
    cases: Sequence[CaseScores], metrics: Mapping[str, MetricScore], lengths: Mapping[str, int]
) -> CaseSelection | None:
    """Up to `CASES_PER_SIDE` cases a side, one a group, none on both sides; None where no case has a score of its own.

    Args:
        cases: All cases of the run.
        metrics: The tested system's metrics, for their directions.
        lengths: Characters of each reference: of equal cases the longer comes first.
    """
    rule, scored = _scored(cases, metrics)
    if not scored:
        return None
    ranked = sorted(scored, key=lambda pair: (pair[1], -lengths.get(pair[0].key, 0), pair[0].key))
    worst = _one_a_group(ranked, min(CASES_PER_SIDE, (len(scored) + 1) // 2), set())
    selected = {case.group for case, _ in worst}
    reverse_ranked = sorted(scored, key=lambda pair: (-pair[1], -lengths.get(pair[0].key, 0), pair[0].key))
    return CaseSelection(rule, worst, _one_a_group(reverse_ranked, CASES_PER_SIDE, selected))


def _one_a_group(
    ranked: Sequence[tuple[CaseScores, float]], count: int, selected: set[str]
) -> tuple[tuple[CaseScores, float], ...]:
    """The first `count` cases of groups not selected yet."""
    first: dict[str, tuple[CaseScores, float]] = {}
    for case, value in ranked:
        if case.group not in selected:
            first.setdefault(case.group, (case, value))
    return tuple(list(first.values())[:count])


def _scored(
    cases: Sequence[CaseScores], metrics: Mapping[str, MetricScore]
) -> tuple[str, list[tuple[CaseScores, float]]]:
    """The rule as text, and every case that has a score by it."""
    tail = "; of equal cases the one with the longer reference; one case a group"
    green = next((n for n, m in metrics.items() if m.family is Family.GREEN and m.higher_is_better), None)
    by_green = [(c, v) for c in cases if green is not None and (v := c.values.get(green)) is not None]
    if by_green:
        return f"by {green}{tail}", by_green
    names = sorted({n for c in cases for n, v in c.values.items() if v is not None and n in metrics})
    if not names:
        return "", []
    ranks = np.stack([_shares([c.values.get(n) for c in cases], metrics[n].higher_is_better) for n in names])
    known = ~np.isnan(ranks).all(axis=0)
    means = np.nanmean(ranks[:, known], axis=0)
    counted = f"by the mean rank (0 worst, 1 best of the run) over {len(names)} metrics that score single cases{tail}"
    return counted, [(c, float(v)) for c, v in zip(np.array(cases, object)[known], means, strict=True)]


def _shares(values: Sequence[float | None], higher: bool) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Rank of each value among those there are, 0 worst to 1 best; not a number where there is none."""
    given = np.array([np.nan if v is None else v for v in values], np.float64) * (1 if higher else -1)
    ranks = rankdata(given, nan_policy="omit")
    count = int((~np.isnan(given)).sum())
    shares: np.ndarray[tuple[int], np.dtype[np.float64]] = (ranks - 1) / (count - 1) if count > 1 else ranks * 0 + 0.5
    return shares
