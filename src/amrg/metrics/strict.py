"""Every case counts: the twin of a metric that skips cases, and which of the two a reader is given first.

A metric skips a case without a draft, and one whose draft was not read or does not name what the metric looks at.
Alone, its number could be perfect over the few cases that a system cared to answer. Its twin, NAME_strict, counts those
cases as the worst there is. Wherever both stand, the twin leads where they differ.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from amrg.birads import Report
from amrg.metrics.families import main_metrics
from amrg.metrics.metric import Metric
from amrg.metrics.pairs import Pair, drafted
from amrg.metrics.scores import MetricScore

STRICT = "_strict"
"""What the name of a twin ends in."""

EVERY_CASE = (
    f"{STRICT}: every case counts, one without a draft that was read, or whose draft names none, as wrong; the metric "
    "without it skips those cases"
)
"""The note below a table that has both."""

Measured = Mapping[str, MetricScore]
"""The metrics of one system by name."""


def strict_twin(metric: Metric) -> Metric:
    """The twin of a metric that was measured on pairs `with_empty_drafts`."""
    about = f"{metric.about}; a case without a draft that was read counts as a draft that states nothing"
    return replace(metric, name=f"{metric.name}{STRICT}", about=about, has_strict=False)


def with_empty_drafts(pairs: Sequence[Pair]) -> list[Pair]:
    """The same pairs; where there is no draft that was read, one that states nothing."""
    return [p if drafted(p) is not None else replace(p, text=p.text or "", report=Report()) for p in pairs]


def leading(name: str, *systems: Measured) -> str:
    """The twin of a metric where the metric skips a case that the twin counts, for any of the systems; else it."""
    twin = f"{name}{STRICT}"
    return twin if any(twin in m and name in m and m[twin].n != m[name].n for m in systems) else name


def figures(names: Iterable[str], *systems: Measured) -> list[str]:
    """Some metrics in their order, each after its twin where they differ; a twin that says the same is omitted."""
    return list(dict.fromkeys(n for name in plain_names(names) for n in (leading(name, *systems), name)))


def plain_names(names: Iterable[str]) -> list[str]:
    """Names without the twins of others of them."""
    given = list(names)
    return [n for n in given if not (n.endswith(STRICT) and n.removesuffix(STRICT) in given)]


def headings(columns: Mapping[str, str], *systems: Measured) -> dict[str, str]:
    """The `figures` of a table whose columns have headings of their own, by metric."""
    names = figures((name for name in columns if any(name in measured for measured in systems)), *systems)

    def heading(name: str) -> str:
        if name not in columns:
            return f"{columns[name.removesuffix(STRICT)]}, every case"
        return f"{columns[name]}, cases read" if f"{name}{STRICT}" in names else columns[name]

    return {name: heading(name) for name in names}


def leading_metrics(*systems: Measured) -> list[str]:
    """The main metrics that every system has, each or its twin."""
    return [leading(name, *systems) for name in main_metrics(set.intersection(*map(set, systems)))]
