"""How often the guard would refuse a study because it does not look like mammograms."""

from __future__ import annotations

from collections.abc import Sequence

from amrg.metrics.families import Family
from amrg.metrics.metric import SHARE, Metric, ratio
from amrg.metrics.pairs import Pair, stacked

_ABOUT = (
    "share of studies that the guard would refuse as no mammograms, drafted all the same; "
    "low is better on mammograms, high on other pictures"
)


def refusal_metrics(pairs: Sequence[Pair]) -> list[Metric]:
    """The share of refused studies; no metric where no prediction states whether it was refused."""
    if all(pair.refused is None for pair in pairs):
        return []
    terms = stacked((None if pair.refused is None else (float(pair.refused), 1.0) for pair in pairs), 2)
    return [Metric("refused_share", Family.REFUSALS, _ABOUT, terms, ratio, higher_is_better=False, bounds=SHARE)]
