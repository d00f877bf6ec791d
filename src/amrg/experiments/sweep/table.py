"""The table of a sweep: backbone, rank, scaling, trainable parameters, text metrics, BI-RADS accuracy, skill, cost."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from amrg.benchmark.pages.table import Table
from amrg.experiments.sweep.scores import Configuration, SweepScores
from amrg.experiments.sweep.trials import TrialStatus
from amrg.metrics.display import counted, number, p_value, with_interval
from amrg.metrics.scores import MetricScore
from amrg.metrics.strict import STRICT, headings

COLUMNS = {
    "rouge_l_f1_stemmed": "ROUGE-L",
    "meteor_nltk": "METEOR (nltk)",
    "meteor_1_5_jar": "METEOR 1.5",
    "cider_d_ptb": "CIDEr-D",
    "birads_accuracy_7_worst": "BI-RADS accuracy",
}
"""Metrics of the table, those of them that could be computed, under their column's name."""

KEYS, COST = ("backbone", "rank", "alpha"), ("trainable", "minutes", "peak GiB", "status")
"""Columns that name a configuration, and those of its cost; a page has the latter in a table of their own."""

_GIB = 2**30


def build_sweep_table(scores: SweepScores) -> Table:
    """A row a configuration; the last columns have cost and status of its trials."""
    metrics = columns(scores)
    searched = _searched(scores)
    header = (
        *(*KEYS, *searched, COST[0], selection_heading(scores.selection)),
        *metrics.values(),
        *("skill", "difference from best", *COST[1:]),
    )
    rows = tuple(
        (*_settings(c, searched), *_cells(scores, c, metrics), *_cost(c), status_text(c)) for c in scores.configurations
    )
    return Table(header, rows, tuple(_notes(scores, metrics)))


def columns(scores: SweepScores) -> dict[str, str]:
    """The metrics of the table, by name, and their headings."""
    return headings(COLUMNS, *(c.metrics for c in scores.configurations if c.metrics))


def selection_heading(name: str) -> str:
    """The selection metric as a column heading: `clinical mean (selects)`."""
    return f"{selection_name(name)} (selects)"


def selection_name(name: str) -> str:
    """The selection metric as text: `clinical mean`."""
    return name.replace("_", " ")


def _searched(scores: SweepScores) -> list[str]:
    """What a search sampled besides rank and scaling."""
    names = ("learning_rate", "dropout", "use_dora", "use_rslora")
    return [n for n in names if any(getattr(c.point, n) is not None for c in scores.configurations)]


def _settings(of: Configuration, searched: Sequence[str]) -> tuple[str, ...]:
    values = [getattr(of.point, name) for name in searched]
    cells = ["" if v is None else "yes" if v is True else "no" if v is False else f"{v:.2g}" for v in values]
    trainable = next((t.trainable for t in of.trials if t.trainable is not None), None)
    return (of.base, str(of.point.rank), str(of.point.alpha), *cells, "" if trainable is None else f"{trainable:,}")


def _cells(scores: SweepScores, of: Configuration, metrics: Iterable[str]) -> tuple[str, ...]:
    """The selection metric with its spread over seeds, the others with their intervals, skill, difference."""
    selected = of.metrics.get(scores.selection)
    if selected is None:
        return ("",) * (len(list(metrics)) + 3)
    spread = of.spread[scores.selection]
    seeds = f"; seeds {number(spread.low)} to {number(spread.high)}" if spread.low is not None else ""
    values = [_cell(of.metrics[m]) if m in of.metrics else "no value" for m in metrics]
    skill = with_interval(selected.skill) if selected.skill is not None else "no value"
    return (with_interval(selected) + seeds, *values, skill, _difference(scores, of))


def _cell(of: MetricScore) -> str:
    """A value with its interval, and n where some drafts could not be scored."""
    return with_interval(of) + (f" (n {of.n})" if of.unscored and of.n else "")


def split_cell(cell: str) -> list[str]:
    """A cell's value, then what follows it (interval, seeds, p, n), for lines of their own."""
    return re.split(r" (?=\[)|; |(?<=\]), |, (?=not )| (?=\(n )", cell)


def _difference(scores: SweepScores, of: Configuration) -> str:
    """The difference from the best, and whether it is distinguishable from none."""
    if of.label == scores.best:
        return "the best"
    difference = of.from_best
    if difference is None:
        return ""
    note = "" if is_distinguishable(of) else ", not distinguishable"
    return f"{with_interval(difference, signed=True)}, {p_value(difference.p_holm) or 'no p'}{note}"


def is_distinguishable(of: Configuration) -> bool:
    """Whether a configuration differs from the best: the interval excludes 0, and p after Holm is below 0.05."""
    difference = of.from_best
    if difference is None or difference.low is None or difference.high is None or difference.p_holm is None:
        return False
    return difference.low * difference.high > 0 and difference.p_holm < 0.05


def _cost(of: Configuration) -> tuple[str, str]:
    """Minutes a seed, and the highest peak memory of any."""
    seconds = [t.seconds for t in of.trials if t.seconds is not None]
    peak = max((t.peak_bytes for t in of.trials if t.peak_bytes is not None), default=None)
    minutes = f"{sum(seconds) / len(seconds) / 60:.1f}" if seconds else ""
    return minutes, "" if peak is None else f"{peak / _GIB:.2f}"


def status_text(of: Configuration) -> str:
    """How many of its trials have which status."""
    counts = {status.value: of.count(status) for status in TrialStatus if of.count(status)}
    if len(of.trials) == 1:
        (trial,) = of.trials
        return f"pruned at step {trial.steps}" if trial.status is TrialStatus.PRUNED else trial.status.value
    return ", ".join(f"{n} {name}" for name, n in counts.items())


def _of_seeds(scores: SweepScores) -> Iterator[str]:
    """How far intervals over so few seeds can be trusted (the bootstrap's variance of a mean lacks 1 / seeds)."""
    seeds = len(scores.definition.sweep.seeds)
    if seeds > 1:
        yield f"{seeds} seeds: the bootstrap estimates {(seeds - 1) / seeds:.0%} of the variance between seeds"


def _notes(scores: SweepScores, metrics: Mapping[str, str]) -> Iterator[str]:
    """What the reader of the table must know."""
    data = scores.data
    yield (
        f"selected on the validation part alone, {counted(data.n, 'case')} in {counted(data.groups, 'group')} of "
        f"{data.name}, split {data.split}; the test part was not opened"
    )
    yield (
        "the best was selected on these same cases, so its value here is optimistic; only the test part gives an "
        "unbiased one"
    )
    yield "in square brackets, 95 % intervals by a bootstrap over whole groups, and over seeds where there are several"
    yield from _of_seeds(scores)
    yield "n is given with a value where fewer drafts (one a case and seed) are scored"
    if any(name.endswith(STRICT) for name in metrics):
        yield "every case: one without a draft that was read, or whose draft names none, counts as wrong"
    yield (
        f"difference from best: {selection_name(scores.selection)} minus that of {scores.best or 'none'}, paired by "
        "case and seed; p from the same resamples, Holm's correction over all rows; not distinguishable: the interval "
        "contains 0 or p is 0.05 or more"
    )
    yield "skill: (value - blind) / (perfect - blind) of the selection metric; baselines are fitted on the train part"
    if metrics and "meteor_nltk" not in metrics:
        yield "METEOR is skipped: WordNet is not installed"
    yield "minutes are of one seed, training and validation; peak memory of a CPU run is that of the process"
