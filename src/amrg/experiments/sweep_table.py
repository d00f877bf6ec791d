"""The table of a sweep: backbone, rank, scaling, trainable parameters, text metrics, BI-RADS accuracy, skill, cost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from amrg.benchmark.pages.table import Table
from amrg.experiments.sweep_scores import Configuration, SweepScores
from amrg.experiments.trials import TrialStatus
from amrg.metrics.display import counted, number, p_value, with_interval
from amrg.metrics.scores import MetricScore

COLUMNS = {
    "rouge_l_f1_stemmed": "ROUGE-L",
    "meteor_nltk": "METEOR (nltk)",
    "meteor_1_5_jar": "METEOR 1.5",
    "cider_d_ptb": "CIDEr-D",
    "birads_accuracy_7_worst": "BI-RADS accuracy",
}
"""Metrics of the table, those of them that could be computed, under their column's name."""

_GIB = 2**30


def sweep_table(scores: SweepScores) -> Table:
    """Every configuration with a row; what its seeds came to stands in the last columns."""
    metrics = [name for name in COLUMNS if any(name in c.metrics for c in scores.configurations)]
    drawn = _drawn(scores)
    header = (
        *("backbone", "rank", "alpha", *drawn, "trainable", words(scores.selection)),
        *(COLUMNS[m] for m in metrics),
        *("skill", "from the best", "minutes", "peak GiB", "state"),
    )
    rows = tuple(
        (*_settings(c, drawn), *_cells(scores, c, metrics), *_cost(c), state_of(c)) for c in scores.configurations
    )
    return Table(header, rows, tuple(_notes(scores, metrics)))


def words(name: str) -> str:
    """A metric's name as a heading: `clinical mean (selects)`."""
    return f"{name.replace('_', ' ')} (selects)"


def _drawn(scores: SweepScores) -> list[str]:
    """What a search drew beside rank and scaling."""
    names = ("learning_rate", "dropout", "use_dora", "use_rslora")
    return [n for n in names if any(getattr(c.point, n) is not None for c in scores.configurations)]


def _settings(of: Configuration, drawn: Sequence[str]) -> tuple[str, ...]:
    found = [getattr(of.point, name) for name in drawn]
    told = ["" if v is None else "yes" if v is True else "no" if v is False else f"{v:.2g}" for v in found]
    trainable = next((t.trainable for t in of.trials if t.trainable is not None), None)
    return (of.base, str(of.point.rank), str(of.point.alpha), *told, "" if trainable is None else f"{trainable:,}")


def _cells(scores: SweepScores, of: Configuration, metrics: Sequence[str]) -> tuple[str, ...]:
    """The metric that selects with its spread over seeds, the others with their intervals, skill, difference."""
    chosen = of.metrics.get(scores.selection)
    if chosen is None:
        return ("",) * (len(metrics) + 3)
    spread = of.spread[scores.selection]
    seeds = f"; seeds {number(spread.low)} to {number(spread.high)}" if spread.low is not None else ""
    values = [_cell(of.metrics[m]) if m in of.metrics else "no value" for m in metrics]
    skill = with_interval(chosen.skill) if chosen.skill is not None else "no value"
    return (with_interval(chosen) + seeds, *values, skill, _difference(scores, of))


def _cell(of: MetricScore) -> str:
    """A value with its interval, and n where no seed's draft of a case could be scored."""
    return with_interval(of) + (f" (n {of.n})" if of.unscored and of.n else "")


def _difference(scores: SweepScores, of: Configuration) -> str:
    """How far from the best, and whether that is more than chance."""
    if of.label == scores.best:
        return "the best"
    moved = of.from_best
    if moved is None:
        return ""
    told = "" if is_told_apart(of) else ", not told apart"
    return f"{with_interval(moved, signed=True)}, {p_value(moved.p_holm) or 'no p'}{told}"


def is_told_apart(of: Configuration) -> bool:
    """Whether a configuration differs from the best beyond chance: its interval leaves out 0, and Holm's p is small."""
    moved = of.from_best
    if moved is None or moved.low is None or moved.high is None or moved.p_holm is None:
        return False
    return moved.low * moved.high > 0 and moved.p_holm < 0.05


def _cost(of: Configuration) -> tuple[str, str]:
    """Minutes a seed, and the most memory of any."""
    seconds = [t.seconds for t in of.trials if t.seconds is not None]
    most = max((t.peak_bytes for t in of.trials if t.peak_bytes is not None), default=None)
    minutes = f"{sum(seconds) / len(seconds) / 60:.1f}" if seconds else ""
    return minutes, "" if most is None else f"{most / _GIB:.2f}"


def state_of(of: Configuration) -> str:
    """What its seeds came to."""
    counts = {state.value: of.count(state) for state in TrialStatus if of.count(state)}
    if len(of.trials) == 1:
        (trial,) = of.trials
        return f"pruned at step {trial.steps}" if trial.state is TrialStatus.PRUNED else trial.state.value
    return ", ".join(f"{n} {name}" for name, n in counts.items())


def _of_seeds(scores: SweepScores) -> Iterator[str]:
    """How far intervals that draw so few seeds can be trusted (the bootstrap's variance of a mean lacks 1 / seeds)."""
    seeds = len(scores.definition.sweep.seeds)
    if seeds > 1:
        yield f"{seeds} seeds: what seeds add to the variance is taken for {(seeds - 1) / seeds:.0%} of what it is"


def _notes(scores: SweepScores, metrics: Sequence[str]) -> Iterator[str]:
    """What the reader of the table must know."""
    data = scores.data
    yield (
        f"selected on the validation part alone, {counted(data.n, 'case')} in {counted(data.groups, 'group')} of "
        f"{data.name}, split {data.split}; the test part was not opened"
    )
    yield (
        "the best was chosen on these very cases: its value here flatters it, and only the test part says what it "
        "reaches"
    )
    yield "in square brackets, 95 % intervals by a bootstrap that draws whole groups, and seeds where there are several"
    yield from _of_seeds(scores)
    yield "n stands beside a value where fewer drafts, one a case and seed, are scored"
    yield (
        f"from the best: {words(scores.selection).removesuffix(' (selects)')} less that of {scores.best or 'none'}, "
        "paired by case and seed; p from the same draws, Holm's correction over all rows; not told apart: the interval "
        "holds 0 or p is 0.05 or more"
    )
    yield "skill: (value - blind) / (perfect - blind) of the metric that selects; blind learned from the train part"
    if metrics and "meteor_nltk" not in metrics:
        yield "METEOR is left out: WordNet is not installed here"
    yield "minutes are those of one seed, training and validation; peak memory of a CPU run is the whole process's"
