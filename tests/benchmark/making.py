"""Pairs made by hand, and the values of metrics by name."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from amrg.benchmark import Metric, Pair
from amrg.birads import Laterality, Report, View, parse
from amrg.datasets.case import ReferenceSource
from amrg.metrics.clinical.suite import clinical_metrics

Views = tuple[tuple[Laterality, View], ...]


def made(reference: Report, draft: Report | None, views: Views = (), has_prior: bool = False) -> Pair:
    """A pair of facts; no draft stands for a system that failed."""
    text = None if draft is None else draft.narrative
    source = ReferenceSource.RADIOLOGIST
    return Pair("a", "a", source, reference.narrative, reference, text, draft, views, has_prior)


def written(reference: str, draft: str | None) -> Pair:
    """A pair of texts, both parsed."""
    return made(parse(reference).report, None if draft is None else parse(draft).report)


def values(pairs: Sequence[Pair]) -> dict[str, float]:
    """Every clinical metric's value by its name."""
    return by_name(clinical_metrics(pairs))


def by_name(metrics: Iterable[Metric]) -> dict[str, float]:
    listed = [(m.name, m.value) for m in metrics]
    assert len(dict(listed)) == len(listed), "two metrics have one name"
    return dict(listed)


def value_of(name: str, reference: str, draft: str) -> float | None:
    """One metric of one pair of texts; None where it is unscored."""
    value = values([written(reference, draft)])[name]
    return None if math.isnan(value) else value
