"""What blind baselines score on a data set's split, before any model is trained."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from amrg.benchmark.baselines.suite import ROLES, fit_baselines
from amrg.benchmark.references import References, references_of_part
from amrg.benchmark.scoring.measure import NO_EXTRAS, OptionalMetrics, open_metrics, pairs_of
from amrg.datasets.splits.rules import make_split, rules_for
from amrg.datasets.store import Dataset
from amrg.metrics.display import with_interval
from amrg.metrics.intervals import percentiles
from amrg.metrics.metric import Metric, by_name
from amrg.metrics.scores import Number, Role
from amrg.metrics.statistics import bootstrap
from amrg.metrics.summaries import metric_scores

TABLE_METRICS = (
    "rouge_l_f1_stemmed",
    "meteor_nltk",
    "meteor_1_5_jar",
    "cider_d_ptb",
    "birads_accuracy_7_worst_strict",
    "density_accuracy_strict",
    "finding_f1_by_lesion",
    "mammogreen_score",
)
"""Metrics in the table, those of them that could be computed. Of categories over every case: baselines never fail."""

Values = Mapping[str, Mapping[str, Number]]
"""Baseline, metric, number."""


@dataclass(frozen=True)
class BlindScores:
    """Scores of the baselines on the test part of a split, made with one seed or with several.

    With one, intervals are of the bootstrap over groups; with several, `value` is the mean over the splits, and `low`
    and `high` are their percentiles 2.5 and 97.5.
    """

    split: str
    seeds: int
    n: int
    values: Values


def blind_scores(
    dataset: Dataset, split: str, seeds: Sequence[int], extras: OptionalMetrics = NO_EXTRAS
) -> BlindScores:
    """Make a split with each seed, and score all baselines on its test part.

    A rule without a seed is used once.

    Raises:
        DatasetError: no such rule for this data set.
        BenchmarkError: the split has no train or no test part, or an optional metric is not available.
    """
    seeded = any(rule.name == split and rule.seeded for rule in rules_for(dataset.info.name))
    found: list[Values] = []
    n = 0
    for seed in seeds if seeded else seeds[:1]:
        made = make_split(dataset, split, seed if seeded else None)
        references = references_of_part(dataset, made, "test", seed)
        found.append(_values(references, seed, extras))
        n = len(references.cases)
    return BlindScores(split, len(found), n, found[0] if len(found) == 1 else _spread(found))


def _values(references: References, seed: int, extras: OptionalMetrics) -> Values:
    """Every baseline's metrics on one part, without the references themselves."""
    resamples = bootstrap(references.groups, seed)
    with open_metrics(references.cases, extras) as measure:
        return {
            name: metric_scores(_table_metrics(measure(pairs_of(references.cases, predictions))), resamples)
            for name, predictions in fit_baselines(references, seed).predictions.items()
            if ROLES[name] is not Role.PERFECT
        }


def _table_metrics(metrics: Sequence[Metric]) -> list[Metric]:
    """The metrics of the table, in its order."""
    named = by_name(metrics)
    return [named[name] for name in TABLE_METRICS if name in named]


def _spread(found: Sequence[Values]) -> Values:
    """Mean over splits and percentiles over splits, baseline by baseline and metric by metric."""
    return {
        name: {metric: _over([one[name][metric].value for one in found]) for metric in metrics}
        for name, metrics in found[0].items()
    }


def _over(values: Sequence[float | None]) -> Number:
    """Mean and percentiles of one number over splits; none where any split has none."""
    known = [v for v in values if v is not None]
    if len(known) < len(values):
        return Number(value=None)
    low, high = percentiles(known)
    return Number(value=float(np.mean(known)), low=low, high=high)


def as_markdown(scores: Sequence[BlindScores]) -> Iterator[str]:
    """The lines of a table: a row a split and baseline."""
    metrics = [m for m in TABLE_METRICS if any(m in of for r in scores for of in r.values.values())]
    yield f"| split, test cases | baseline | {' | '.join(metrics)} |"
    yield "|---|---|" + "---|" * len(metrics)
    for one in scores:
        times = f", {one.seeds} seeds" if one.seeds > 1 else ""
        for name, of in one.values.items():
            cells = [with_interval(of[m]) if m in of else "" for m in metrics]
            yield f"| {one.split}, {one.n}{times} | {name} | {' | '.join(cells)} |"
