"""A sweep's trials scored on the drafts that they saved of the validation part. The test part is not read.

Drafts are scored with the benchmark's own metrics, with baselines fitted on the train part. Drafts of all seeds of a
configuration are pooled, and intervals and tests between configurations resample seeds as well as cases.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from amrg import __version__
from amrg.benchmark.baselines.suite import fit_baselines
from amrg.benchmark.references import References, references_of_part
from amrg.benchmark.scoring.compare import to_comparison
from amrg.benchmark.scoring.measure import MetricSuite, open_metrics, pairs_of
from amrg.benchmark.scoring.scoring import describe_data, score_systems
from amrg.benchmark.submissions import match_to_references, read_predictions
from amrg.core.files import write_text
from amrg.datasets import Case, open_dataset
from amrg.experiments.sweep.definition import Definition, Sweep
from amrg.experiments.sweep.scores import Configuration, SweepScores
from amrg.experiments.sweep.table import COLUMNS
from amrg.experiments.sweep.trials import Trial, TrialStatus
from amrg.metrics.display import counted
from amrg.metrics.metric import by_name
from amrg.metrics.prediction import Prediction
from amrg.metrics.scores import MetricScore, Number, SystemScores
from amrg.metrics.skill import Measured
from amrg.metrics.statistics import (
    FEW_GROUPS,
    Bootstrap,
    Difference,
    bootstrap,
    holm,
    over_seeds,
    resampled_difference,
)
from amrg.metrics.strict import STRICT, with_empty_drafts
from amrg.metrics.summaries import finite
from amrg.metrics.validation import watched_metrics
from amrg.training.data.examples import target_text
from amrg.training.outputs.artifacts import PREDICTIONS
from amrg.training.recipe import Recipe

SWEEP_FILE = "sweep.json"
PART = "validation"

Seeds = Mapping[int, Measured]
"""The metrics of each seed of a configuration."""

Resamples = Mapping[int, Bootstrap]
"""Resamples of cases and seeds, by the number of seeds."""


def score_sweep(folder: Path, data: Path, definition: Definition, trials: Sequence[Trial]) -> SweepScores:
    """Score every finished trial of a sweep and write `sweep.json`; pruned and failed ones are listed as such.

    Raises:
        BenchmarkError: drafts are malformed, or of other cases.
        DatasetError: the data set or its split is missing.
        OSError: the folder cannot be written.
    """
    saved = {t.folder: folder / t.folder / PREDICTIONS for t in trials if t.status is TrialStatus.FINISHED and t.folder}
    read = {name: read_predictions(path) for name, path in saved.items() if path.is_file()}
    drafted = {p.key for outputs in read.values() for p in outputs.predictions}
    part = _validation_part(data, definition)
    references = replace(part, cases=tuple(c for c in part.cases if c.key in drafted))
    predictions = {name: match_to_references(references, outputs).predictions for name, outputs in read.items()}
    with open_metrics(references.cases) as measure:
        scorer = _Scorer(references, measure, definition.sweep)
        configurations, baselines = scorer.score(trials, predictions)
    selection = scorer.selection
    max_cases = definition.sweep.recipe.validation.cases
    warnings = _warnings(part, references, configurations, [n for n in saved if n not in predictions], max_cases)
    names = [base.name for base in definition.sweep.bases]
    scores = SweepScores(
        software=f"amrg {__version__}",
        definition=definition,
        data=describe_data(references),
        selection=selection,
        best=scorer.best(configurations),
        best_of={n: b for n in names if (b := scorer.best([c for c in configurations if c.base == n])) is not None},
        configurations=tuple(configurations),
        waiting=tuple(t for t in trials if t.point is None),
        baselines=baselines,
        warnings=tuple(warnings),
    )
    write_text(folder / SWEEP_FILE, [scores.model_dump_json(indent=1)])
    return scores


def _validation_part(data: Path, definition: Definition) -> References:
    """The validation cases, and train cases to fit baselines on, with the target text of the recipe."""
    dataset, recipe = open_dataset(data), definition.sweep.recipe
    part = references_of_part(dataset, dataset.split(definition.split), PART, recipe.seed)
    return replace(part, cases=_with_target_text(part.cases, recipe), training=_with_target_text(part.training, recipe))


def _with_target_text(cases: Sequence[Case], recipe: Recipe) -> tuple[Case, ...]:
    return tuple(case.model_copy(update={"text": target_text(case, recipe)}) for case in cases)


def best_of(configurations: Sequence[Configuration], selection: str, seeds: Sequence[int]) -> str | None:
    """The label of the best by the mean over its seeds, the first of equals; of those alone that were scored with each.

    Where a seed failed, was pruned or was not run, as in a search, or its drafts are on another machine, the mean of
    the others is optimistic.
    """
    complete = [c for c in configurations if c.complete and set(seeds) <= set(c.drafted) and selection in c.spread]
    means = {c.label: c.spread[selection].value for c in complete}
    values = {label: value for label, value in means.items() if value is not None}
    return max(values, key=values.__getitem__) if values else None


@dataclass(frozen=True)
class _Scorer:
    """Measures drafts of the validation part, and configurations against one another."""

    references: References
    measure: MetricSuite
    sweep: Sweep

    @property
    def selection(self) -> str:
        """The name of the selection metric."""
        return self.sweep.recipe.validation.metric.value

    def best(self, configurations: Sequence[Configuration]) -> str | None:
        """The label of the best of some configurations."""
        return best_of(configurations, self.selection, self.sweep.seeds)

    def score(
        self, trials: Sequence[Trial], predictions: Mapping[str, Sequence[Prediction]]
    ) -> tuple[list[Configuration], dict[str, SystemScores]]:
        """Every configuration with its metrics and its difference from the best, and the baselines."""
        groups = group_trials(trials, self.sweep)
        rows = [_configuration(label, members) for label, members in groups.items()]
        if not predictions:
            return rows, {}
        seeds = {label: self._seeds(members, predictions) for label, members in groups.items()}
        cases = bootstrap(self.references.groups, self.sweep.recipe.seed)
        counts = {len(measured) for measured in seeds.values() if measured}
        resamples = {count: over_seeds(cases, count, self.sweep.recipe.seed) for count in counts}
        baselines = fit_baselines(self.references, self.sweep.recipe.seed)
        blind = {name: self._metrics(drafts) for name, drafts in baselines.predictions.items()}
        baseline_scores = score_systems(baselines.predictions, blind, baselines.about, cases)
        metrics = {label: pooled for n in counts for label, pooled in _pool(seeds, blind, n, resamples).items()}
        scored = [
            row.model_copy(update=_measured(metrics[row.label], seeds[row.label])) if row.label in metrics else row
            for row in rows
        ]
        return self._compare_with_best(scored, seeds, resamples), baseline_scores

    def _seeds(self, members: Sequence[Trial], predictions: Mapping[str, Sequence[Prediction]]) -> Seeds:
        """The metrics of each seed of a configuration that saved drafts."""
        return {
            t.point.seed: self._metrics(predictions[t.folder])
            for t in members
            if t.point is not None and t.folder is not None and t.folder in predictions
        }

    def _metrics(self, predictions: Sequence[Prediction]) -> Measured:
        """The selection metric, and those of the table that are available."""
        pairs = pairs_of(self.references.cases, predictions)
        named = by_name(self.measure(pairs))
        chosen = watched_metrics(with_empty_drafts(pairs))[self.sweep.recipe.validation.metric]
        listed = [n for name in COLUMNS for n in (name, f"{name}{STRICT}")]
        return {**{name: named[name] for name in listed if name in named}, chosen.name: chosen}

    def _compare_with_best(
        self, rows: Sequence[Configuration], seeds: Mapping[str, Seeds], resamples: Resamples
    ) -> list[Configuration]:
        """Every other scored configuration minus the best, by the selection metric: over the seeds of both, Holm p."""
        best = self.best(rows)
        others = [row.label for row in rows if seeds[row.label] and row.label != best]
        if best is None or not others:
            return list(rows)
        metric = next(iter(seeds[best].values()))[self.selection]
        moved = [self._difference(seeds[best], seeds[name], resamples) for name in others]
        corrected = holm([m.p for m in moved])
        found = {
            name: to_comparison(metric, best, name, m).model_copy(update={"p_holm": finite(p)})
            for name, m, p in zip(others, moved, corrected, strict=True)
        }
        return [row.model_copy(update={"from_best": found.get(row.label)}) for row in rows]

    def _difference(self, first: Seeds, second: Seeds, resamples: Resamples) -> Difference:
        """The difference in the selection metric, over the seeds that both have; the best has all of them."""
        both = [seed for seed in first if seed in second]
        better, other = (_join([side[seed] for seed in both])[self.selection] for side in (first, second))
        return resampled_difference(better, other, resamples[len(both)])


def _configuration(label: str, members: Sequence[Trial]) -> Configuration:
    """A configuration before it is scored."""
    point = members[0].point
    assert point is not None  # `group_trials` skips trials that have none
    return Configuration(label=label, base=members[0].base, point=point, trials=tuple(members))


def _measured(metrics: dict[str, MetricScore], seeds: Seeds) -> dict[str, Any]:
    """What scoring adds to a configuration."""
    return {"metrics": metrics, "spread": _spreads(seeds), "drafted": tuple(seeds)}


def group_trials(trials: Sequence[Trial], sweep: Sweep) -> dict[str, list[Trial]]:
    """Trials by the label of their configuration, in order; those that have no point yet are skipped."""
    groups: dict[tuple[str, str], list[Trial]] = {}
    for trial in trials:
        if trial.point is not None:
            same = trial.point.model_copy(update={"seed": 0}).model_dump_json()
            groups.setdefault((trial.base, same), []).append(trial)
    return {_label(members[0], sweep): members for members in groups.values()}


def _label(trial: Trial, sweep: Sweep) -> str:
    """`amrg-embedded r8 a16`; of a search with the number of its first trial."""
    assert trial.point is not None
    number = f" trial {trial.number}" if sweep.search is not None else ""
    return f"{trial.base}{number} r{trial.point.rank} a{trial.point.alpha}"


def _pool(
    seeds: Mapping[str, Seeds], blind: Mapping[str, Measured], count: int, resamples: Resamples
) -> dict[str, dict[str, MetricScore]]:
    """Metrics over all drafts of each configuration with so many seeds, with intervals and skill.

    Baselines are the same for every seed.
    """
    measured = {label: _join(list(found.values())) for label, found in seeds.items() if len(found) == count}
    tiled = {name: _join([metrics] * count) for name, metrics in blind.items()}
    scored = score_systems(dict.fromkeys({**measured, **tiled}, ()), {**measured, **tiled}, {}, resamples[count])
    return {label: scored[label].metrics for label in measured}


def _join(seeds: Sequence[Measured]) -> Measured:
    """The metrics of several seeds joined, seed after seed: every case counts once a seed."""
    first = seeds[0]
    return {n: replace(first[n], terms=np.concatenate([seed[n].terms for seed in seeds])) for n in first}


def _spreads(seeds: Seeds) -> dict[str, Number]:
    """Each metric's spread over seeds."""
    measured = list(seeds.values())
    return {name: _spread([seed[name].value for seed in measured]) for name in measured[0]}


def _spread(values: Sequence[float]) -> Number:
    """Mean, lowest and highest over seeds; the last two where there are several."""
    if not np.isfinite(values).all():
        return Number(value=None)
    if len(values) == 1:
        return Number(value=values[0])
    return Number(value=float(np.mean(values)), low=min(values), high=max(values))


def _why_fewer(n: int, max_cases: int) -> str:
    """Why trials drafted only `n` validation cases, of at most `max_cases` by the recipe."""
    if n == max_cases:
        return "the recipe validates on no more"
    return "images or texts of the others cannot be read; the `skipped` of a trial's training.json says why"


def _warnings(
    part: References,
    references: References,
    configurations: Sequence[Configuration],
    elsewhere: Sequence[str],
    max_cases: int,
) -> Iterator[str]:
    """What a reader of the numbers must know; the recipe validates on at most `max_cases` cases."""
    yield from (*references.leaks, *references.warnings)
    n, groups = len(references.cases), len(set(references.groups))
    if n < len(part.cases):
        yield f"drafts are of {n} of the {len(part.cases)} validation cases: {_why_fewer(n, max_cases)}"
    if len(configurations) > 1 and max((c.count(TrialStatus.FINISHED) for c in configurations), default=0) == 1:
        yield (
            "one seed each: differences are between single runs; to compare ranks and scalings use several seeds, "
            "such as --seeds 0,1,2"
        )
    if 0 < groups < FEW_GROUPS:
        yield f"{counted(groups, 'group')} only: intervals over so few groups are too narrow"
    if elsewhere:
        yield (
            f"{counted(len(elsewhere), 'finished trial')} have no drafts in this folder ({', '.join(elsewhere[:3])}): "
            "copy their folders here from the machine that ran them"
        )
    incomplete = [c.label for c in configurations if c.count(TrialStatus.FINISHED) and not c.complete]
    if incomplete:
        yield (
            f"not selectable, since a seed was pruned, failed or is not finished: {', '.join(incomplete)}; the mean of "
            "the finished seeds is optimistic"
        )
