"""The page's charts from the scores: which rows, in which colour, under which title."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from markupsafe import Markup

from amrg.benchmark.pages.plots import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    VERMILLION,
    Line,
    Row,
    confusion_matrix,
    forest,
    skill_bars,
)
from amrg.metrics.display import counted
from amrg.metrics.families import families
from amrg.metrics.scores import Confusion, MetricScore, Number, Scores, SystemScores
from amrg.metrics.strict import leading, leading_metrics, plain_names

MAX_SUBGROUPS = 12
"""Values of a field that are plotted: those with most cases."""

MAX_BARS = 18
"""Maximum number of bars in a chart."""

_STYLES = {"blanked": (VERMILLION, "s"), "shuffled": (ORANGE, "D"), "mirrored": (GREEN, "^")}
_CONFUSIONS = {
    "birads": "BI-RADS category, 4A to 4C as 4",
    "birads_4abc": "BI-RADS category with 4A to 4C",
    "density": "Breast density",
}


@dataclass(frozen=True)
class Chart:
    """A chart with its title and a note."""

    title: str
    svg: Markup
    note: str = ""


@dataclass(frozen=True)
class ChartCounts:
    """A confusion matrix as chart and as counts; labels that neither references nor drafts have are omitted."""

    chart: Chart
    confusion: Confusion


def skill_charts(system: SystemScores) -> Iterator[Chart]:
    """Skill of all metrics that have one, a chart a family, several where there are too many bars."""
    led = [leading(name, system.metrics) for name in plain_names(system.metrics)]
    skills = {n: s for n in led if (s := system.metrics[n].skill) is not None and s.value is not None}
    for family, names in families({n: system.metrics[n] for n in skills}).items():
        rows = [Row(name, skills[name], _skill_colour(skills[name])) for name in names]
        parts = -(-len(rows) // MAX_BARS)
        for part in range(parts):
            bars = rows[part * len(rows) // parts : (part + 1) * len(rows) // parts]
            title = f"{family.value}, {part + 1} of {parts}" if parts > 1 else family.value
            yield Chart(title, skill_bars(_slug("skill", title), bars))


def _skill_colour(skill: Number) -> str:
    """Blue where the interval is above zero, vermillion where below, grey where it contains zero or is missing."""
    if skill.low is None or skill.high is None:
        return GREY
    return BLUE if skill.low > 0 else VERMILLION if skill.high < 0 else GREY


def perturbation_charts(scores: Scores, system: SystemScores) -> Iterator[Chart]:
    """Each main metric on the unchanged and the perturbed images; a line marks the best blind baseline."""
    for name in leading_metrics(system.metrics):
        unchanged = system.metrics[name]
        perturbed = {how: p.metrics[name] for how, p in scores.perturbed.items() if name in p.metrics}
        if not perturbed:
            continue
        rows = [Row(f"unchanged, n {unchanged.n}", unchanged, BLACK)]
        rows += [Row(f"{how}, n {m.n}", m, *_STYLES.get(how, (GREY, "o"))) for how, m in perturbed.items()]
        yield Chart(
            name,
            forest(_slug("perturbed", name), name, rows, _blind_line(name, unchanged, scores)),
            _direction(unchanged),
        )


def _blind_line(name: str, score: MetricScore, scores: Scores) -> Line | None:
    """The best blind baseline's value."""
    if score.skill is None or score.skill.blind not in scores.systems:
        return None
    blind = scores.systems[score.skill.blind].metrics.get(name)
    if blind is None or blind.value is None:
        return None
    return Line(f"best blind ({score.skill.blind})", blind.value)


def _direction(metric: MetricScore) -> str:
    return "" if metric.higher_is_better else "lower is better"


def confusion_charts(scores: Scores) -> Iterator[ChartCounts]:
    """The confusion matrices that are not empty."""
    for name, confusion in scores.confusions.items():
        named = _named_only(confusion)
        if named.labels:
            title = _CONFUSIONS.get(name, name)
            count = sum(map(sum, named.counts))
            chart = Chart(title, confusion_matrix(_slug("confusion", name), title, named), counted(count, "case"))
            yield ChartCounts(chart, named)


def _named_only(confusion: Confusion) -> Confusion:
    """Without the labels that neither references nor drafts have."""
    width = len(confusion.labels)
    present = [i for i in range(width) if any(confusion.counts[i]) or any(row[i] for row in confusion.counts)]
    return Confusion(
        labels=tuple(confusion.labels[i] for i in present),
        counts=tuple(tuple(confusion.counts[i][j] for j in (*present, width)) for i in present),
    )


def subgroup_charts(scores: Scores, system: SystemScores) -> dict[str, list[Chart]]:
    """Each main metric by the values of each field, where they differ; a line marks the value over all cases."""
    found = {
        field: list(_by_value(field, groups, system)) for field, groups in scores.subgroups.items() if len(groups) > 1
    }
    return {field: charts for field, charts in found.items() if charts}


def _by_value(field: str, groups: Mapping[str, SystemScores], system: SystemScores) -> Iterator[Chart]:
    largest = _largest(groups)
    omitted = len(groups) - len(largest)
    for name in leading_metrics(system.metrics):
        metrics = {value: groups[value].metrics[name] for value in largest if name in groups[value].metrics}
        if len({m.value for m in metrics.values()} - {None}) < 2:  # such as kappa by category: zero in each
            continue
        rows = [Row(f"{value}, n {m.n}", m) for value, m in metrics.items()]
        overall = system.metrics[name].value
        line = Line("all cases", overall) if overall is not None else None
        note = f"{counted(omitted, 'smaller subgroup')} not plotted" if omitted else ""
        notes = "; ".join(filter(None, (_direction(system.metrics[name]), note)))
        yield Chart(name, forest(_slug("subgroup", field, name), f"{name} by {field}", rows, line), notes)


def _largest(groups: Mapping[str, SystemScores]) -> list[str]:
    """The values with most cases, in the order given."""
    largest = set(sorted(groups, key=lambda value: -groups[value].n)[:MAX_SUBGROUPS])
    return [value for value in groups if value in largest]


def _slug(*parts: str) -> str:
    """An id for HTML: letters, digits and hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", " ".join(parts).lower()).strip("-")
