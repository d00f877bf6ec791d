"""Systems compared on the same cases: differences, paired intervals, tests corrected for multiple comparisons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path

from amrg.benchmark.references import References, load_references
from amrg.benchmark.scoring.measure import NO_EXTRAS, OptionalMetrics, open_metrics, pairs_of
from amrg.benchmark.scoring.read_run import distinct_names, read_scores, refuse_changed
from amrg.benchmark.submissions import Outputs, match_to_references, read_predictions
from amrg.metrics.errors import BenchmarkError
from amrg.metrics.families import main_metrics
from amrg.metrics.metric import Metric, by_name
from amrg.metrics.scores import Number, Scores
from amrg.metrics.statistics import Difference, bootstrap, differences, holm
from amrg.metrics.strict import figures
from amrg.metrics.summaries import ends_of, finite

ALL = "all"
"""Selects every metric that both systems have."""


class MetricComparison(Number):
    """One metric of two systems over the `n` cases that both score: `value` is `second` minus `first`.

    `groups` are those that have a value of their own of both: of a sensitivity, those with a positive case.
    `p` is of approximate randomisation, two-sided; `p_holm` is corrected for all tests of the comparison.
    """

    metric: str
    first: str
    second: str
    n: int
    groups: int
    first_value: float | None
    second_value: float | None
    p: float | None
    p_holm: float | None
    higher_is_better: bool


@dataclass(frozen=True)
class ScoredRun:
    """A scored run: its unique name, its scores and its matched predictions."""

    name: str
    scores: Scores
    references: References
    outputs: Outputs


def read_runs(folders: Sequence[Path]) -> list[ScoredRun]:
    """Run folders to compare. A run is named after its system, or after its folder where two have the same name.

    Raises:
        BenchmarkError: fewer than two, a folder is no scored run, or they were scored on different data.
    """
    if len(folders) < 2:
        raise BenchmarkError(f"found {len(folders)} run, expected two or more: a system is compared with another")
    resolved = [folder.resolve() for folder in folders]
    if len(set(resolved)) < len(resolved):
        raise BenchmarkError(f"the same run is given twice: {', '.join(map(str, folders))}; give each once")
    runs = [_read(folder) for folder in folders]
    for folder, run in zip(folders[1:], runs[1:], strict=True):
        _refuse_other_data(folders[0], runs[0], folder, run)
    named = distinct_names(folders, [run.name for run in runs])
    return [ScoredRun(name, run.scores, run.references, run.outputs) for name, run in zip(named, runs, strict=True)]


def _read(folder: Path) -> ScoredRun:
    scores = read_scores(folder)
    data = scores.data
    references = References(data.name, load_references(folder), data.split, data.part)
    outputs = match_to_references(references, read_predictions(folder))
    refuse_changed(folder, scores, references, outputs)
    return ScoredRun(scores.system, scores, references, outputs)


def _refuse_other_data(first: Path, one: ScoredRun, second: Path, other: ScoredRun) -> None:
    """Runs can be compared on the same cases only."""
    for field in ("split", "part", "n", "hash"):
        found, expected = getattr(other.scores.data, field), getattr(one.scores.data, field)
        if found != expected:
            same = {case.key: case for case in one.references.cases} == {c.key: c for c in other.references.cases}
            order = ": the same cases in another order" if same else ""
            raise BenchmarkError(
                f"{second}: scored on data {_stated(field, found)}, and {first} on data {_stated(field, expected)}"
                f"{order}; score both on the same references"
            )


def _stated(field: str, value: object) -> str:
    """`of split 'clean'`, `without a split`."""
    return f"without a {field}" if value is None else f"of {field} {value!r}"


def compare(
    runs: Sequence[ScoredRun], metrics: Sequence[str] = (), seed: int = 0, extras: OptionalMetrics = NO_EXTRAS
) -> list[MetricComparison]:
    """Every run against the first, metric by metric, with Holm's correction over all of these tests.

    Texts rendered from labels are compared where every run was scored by them, or on request.
    `metrics` are names, `ALL` for every metric; without any, the main metrics. The twin of a metric comes first where
    it says something else.

    Raises:
        BenchmarkError: a metric that the runs do not have.
    """
    references = runs[0].references
    by_labels = extras.label_texts or all(run.scores.scored_with and run.scores.scored_with.label_texts for run in runs)
    with open_metrics(references.cases, replace(extras, label_texts=bool(by_labels))) as measure:
        measured = [by_name(measure(pairs_of(references.cases, run.outputs.predictions))) for run in runs]
    selected = select_metrics(metrics, [name for name in measured[0] if all(name in m for m in measured)])
    names = figures(selected, *(run.scores.systems[run.scores.system].metrics for run in runs))
    resamples = bootstrap(references.groups, seed)
    found = []
    for run, other in zip(runs[1:], measured[1:], strict=True):
        first, second = ([m[name] for name in names] for m in (measured[0], other))
        moved = differences(first, second, resamples, seed)
        found += [to_comparison(metric, runs[0].name, run.name, d) for metric, d in zip(first, moved, strict=True)]
    corrected = holm([float("nan") if c.p is None else c.p for c in found])
    return [c.model_copy(update={"p_holm": finite(p)}) for c, p in zip(found, corrected, strict=True)]


def to_comparison(metric: Metric, first: str, second: str, moved: Difference) -> MetricComparison:
    """A difference with the names of its metric and systems; `p_holm` is set later."""
    return MetricComparison(
        metric=metric.name,
        first=first,
        second=second,
        n=moved.n,
        groups=moved.groups,
        first_value=finite(moved.first),
        second_value=finite(moved.second),
        value=finite(moved.difference),
        **ends_of(moved.between),
        p=finite(moved.p),
        p_holm=None,
        higher_is_better=metric.higher_is_better,
    )


def select_metrics(requested: Sequence[str], available: Sequence[str]) -> list[str]:
    """The requested ones of the available metrics: all, some by name, or the main ones.

    Raises:
        BenchmarkError: one is not available; names the most similar ones.
    """
    if ALL in requested:
        return list(available)
    for name in requested:
        if name not in available:
            near = get_close_matches(name, available, 3, 0.3)
            raise BenchmarkError(f"no metric {name!r}; did you mean {', '.join(near) or ', '.join(available[:3])}?")
    return list(dict.fromkeys(requested)) or main_metrics(available) or list(available)
