"""A sweep's trials scored on the drafts that they left of the validation part. The test part is not looked at.

Drafts are scored with the benchmark's own metrics, beside baselines that learned from the train part. Drafts of all
seeds of a configuration are pooled, and intervals and tests between configurations draw seeds as well as cases.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from amrg import __version__
from amrg.benchmark.baselines.suite import fit_baselines
from amrg.benchmark.references import References, references_of_part
from amrg.benchmark.scoring.blind import SHOWN
from amrg.benchmark.scoring.compare import compared
from amrg.benchmark.scoring.measure import MetricSuite, open_metrics, pairs_of
from amrg.benchmark.scoring.scoring import describe_data, score_systems
from amrg.benchmark.submissions import match_to_references, read_predictions
from amrg.core.files import write_text
from amrg.datasets import Case, open_dataset
from amrg.experiments.sweep import Definition, Sweep
from amrg.experiments.sweep_scores import Configuration, SweepScores
from amrg.experiments.trials import Trial, TrialStatus
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
from amrg.metrics.summaries import finite
from amrg.metrics.validation import watched_metrics, with_empty_drafts
from amrg.training.data.examples import target_text
from amrg.training.outputs.artifacts import PREDICTIONS
from amrg.training.recipe import Recipe

FILE_NAME = "sweep.json"
PART = "validation"

Seeds = Mapping[int, Measured]
"""The metrics of each seed of a configuration."""

Drawn = Mapping[int, Bootstrap]
"""Resamples of the cases with so many seeds."""


def score_sweep(folder: Path, data: Path, definition: Definition, trials: Sequence[Trial]) -> SweepScores:
    """Score every finished trial of a sweep and write `sweep.json`; pruned and failed ones are listed as such.

    Raises:
        BenchmarkError: drafts are malformed, or of other cases.
        DatasetError: the data set or its split is not there any more.
        OSError: the folder cannot be written.
    """
    there = {t.folder: folder / t.folder / PREDICTIONS for t in trials if t.state is TrialStatus.FINISHED and t.folder}
    read = {name: read_predictions(path) for name, path in there.items() if path.is_file()}
    drafted = {p.key for outputs in read.values() for p in outputs.predictions}
    whole = _validation_part(data, definition)
    references = replace(whole, cases=tuple(c for c in whole.cases if c.key in drafted))
    written = {name: match_to_references(references, outputs).predictions for name, outputs in read.items()}
    with open_metrics(references.cases) as measure:
        scorer = _Scorer(references, measure, definition.sweep)
        configurations, baselines = scorer.scored(trials, written)
    selection = scorer.selection
    most = definition.sweep.recipe.validation.cases
    warnings = _warnings(whole, references, configurations, [n for n in there if n not in written], most)
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
    write_text(folder / FILE_NAME, [scores.model_dump_json(indent=1)])
    return scores


def _validation_part(data: Path, definition: Definition) -> References:
    """The cases that trials were watched on, and train cases for baselines to learn from, in the words learned."""
    dataset, recipe = open_dataset(data), definition.sweep.recipe
    part = references_of_part(dataset, dataset.split(definition.split), PART, recipe.seed)
    return replace(part, cases=_in_words(part.cases, recipe), training=_in_words(part.training, recipe))


def _in_words(cases: Sequence[Case], recipe: Recipe) -> tuple[Case, ...]:
    return tuple(case.model_copy(update={"text": target_text(case, recipe)}) for case in cases)


def best_of(configurations: Sequence[Configuration], selection: str, seeds: Sequence[int]) -> str | None:
    """The label of the best by the mean over its seeds, the first of equals; of those alone that finished with each.

    Where a seed failed, was pruned or was not run, as in a search, the mean of the others flatters.
    """
    able = [c for c in configurations if c.whole and c.finished.issuperset(seeds) and selection in c.spread]
    whole = {c.label: c.spread[selection].value for c in able}
    values = {label: value for label, value in whole.items() if value is not None}
    return max(values, key=values.__getitem__) if values else None


@dataclass(frozen=True)
class _Scorer:
    """Measures drafts of the validation part, and configurations against one another."""

    references: References
    measure: MetricSuite
    sweep: Sweep

    @property
    def selection(self) -> str:
        """The name of the metric that selects."""
        return self.sweep.recipe.validation.metric.value

    def best(self, configurations: Sequence[Configuration]) -> str | None:
        """The label of the best of some configurations."""
        return best_of(configurations, self.selection, self.sweep.seeds)

    def scored(
        self, trials: Sequence[Trial], written: Mapping[str, Sequence[Prediction]]
    ) -> tuple[list[Configuration], dict[str, SystemScores]]:
        """Every configuration with its metrics and its difference from the best, and the baselines beside."""
        groups = grouped(trials, self.sweep)
        rows = [_configuration(label, members) for label, members in groups.items()]
        if not written:
            return rows, {}
        seeds = {label: self._seeds(members, written) for label, members in groups.items()}
        draws = bootstrap(self.references.groups, self.sweep.recipe.seed)
        counts = {len(found) for found in seeds.values() if found}
        drawn = {count: over_seeds(draws, count, self.sweep.recipe.seed) for count in counts}
        others = fit_baselines(self.references, self.sweep.recipe.seed)
        blind = {name: self._metrics(predictions) for name, predictions in others.predictions.items()}
        baselines = score_systems(others.predictions, blind, others.about, draws)
        metrics = {label: found for count in counts for label, found in _pooled(seeds, blind, count, drawn).items()}
        scored = [
            row.model_copy(update={"metrics": metrics[row.label], "spread": _spreads(seeds[row.label])})
            if row.label in metrics
            else row
            for row in rows
        ]
        return self._against_best(scored, seeds, drawn), baselines

    def _seeds(self, members: Sequence[Trial], written: Mapping[str, Sequence[Prediction]]) -> Seeds:
        """The metrics of each seed of a configuration that left drafts."""
        return {
            t.point.seed: self._metrics(written[t.folder])
            for t in members
            if t.point is not None and t.folder is not None and t.folder in written
        }

    def _metrics(self, predictions: Sequence[Prediction]) -> Measured:
        """The metric that selects, and those of the table that can be had here."""
        pairs = pairs_of(self.references.cases, predictions)
        named = by_name(self.measure(pairs))
        chosen = watched_metrics(with_empty_drafts(pairs))[self.sweep.recipe.validation.metric]
        return {**{name: named[name] for name in SHOWN if name in named}, chosen.name: chosen}

    def _against_best(
        self, rows: Sequence[Configuration], seeds: Mapping[str, Seeds], drawn: Drawn
    ) -> list[Configuration]:
        """Every other scored configuration less the best, by the metric that selects: over seeds of both, Holm's p."""
        best = self.best(rows)
        others = [row.label for row in rows if seeds[row.label] and row.label != best]
        if best is None or not others:
            return list(rows)
        metric = next(iter(seeds[best].values()))[self.selection]
        moved = [self._difference(seeds[best], seeds[name], drawn) for name in others]
        corrected = holm([m.p for m in moved])
        found = {
            name: compared(metric, best, name, m).model_copy(update={"p_holm": finite(p)})
            for name, m, p in zip(others, moved, corrected, strict=True)
        }
        return [row.model_copy(update={"from_best": found.get(row.label)}) for row in rows]

    def _difference(self, first: Seeds, second: Seeds, drawn: Drawn) -> Difference:
        """How far the metric that selects moves, over the seeds that both have; the best has all of them."""
        both = [seed for seed in first if seed in second]
        better, other = (_joined([side[seed] for seed in both])[self.selection] for side in (first, second))
        return resampled_difference(better, other, drawn[len(both)])


def _configuration(label: str, members: Sequence[Trial]) -> Configuration:
    """A configuration before it is scored."""
    point = members[0].point
    assert point is not None  # `grouped` leaves out trials that have none
    return Configuration(label=label, base=members[0].base, point=point, trials=tuple(members))


def grouped(trials: Sequence[Trial], sweep: Sweep) -> dict[str, list[Trial]]:
    """Trials by the label of their configuration, in order; those that have no point yet are left out."""
    found: dict[tuple[str, str], list[Trial]] = {}
    for trial in trials:
        if trial.point is not None:
            same = trial.point.model_copy(update={"seed": 0}).model_dump_json()
            found.setdefault((trial.base, same), []).append(trial)
    return {_label(members[0], sweep): members for members in found.values()}


def _label(trial: Trial, sweep: Sweep) -> str:
    """`amrg-embedded r8 a16`; of a search with the number of its first trial."""
    assert trial.point is not None
    number = f" trial {trial.number}" if sweep.search is not None else ""
    return f"{trial.base}{number} r{trial.point.rank} a{trial.point.alpha}"


def _pooled(
    seeds: Mapping[str, Seeds], blind: Mapping[str, Measured], count: int, drawn: Drawn
) -> dict[str, dict[str, MetricScore]]:
    """Metrics over all drafts of each configuration with so many seeds, with intervals and skill.

    Baselines write the same for every seed.
    """
    measured = {label: _joined(list(found.values())) for label, found in seeds.items() if len(found) == count}
    tiled = {name: _joined([metrics] * count) for name, metrics in blind.items()}
    scored = score_systems(dict.fromkeys({**measured, **tiled}, ()), {**measured, **tiled}, {}, drawn[count])
    return {label: scored[label].metrics for label in measured}


def _joined(seeds: Sequence[Measured]) -> Measured:
    """The metrics of several seeds as one's that drafted every case so many times, seed after seed."""
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


def _why_fewer(n: int, most: int) -> str:
    """Why trials drafted no more cases than so many, of at most so many that the recipe watches."""
    if n == most:
        return "the recipe watches no more"
    return "the pictures or texts of the others cannot be read; the `left_out` of a trial's training.json says why"


def _warnings(
    whole: References,
    references: References,
    configurations: Sequence[Configuration],
    elsewhere: Sequence[str],
    most: int,
) -> Iterator[str]:
    """What a reader of the numbers must know; `most` cases are watched by the recipe."""
    yield from references.warnings
    n, groups = len(references.cases), len(set(references.groups))
    if n < len(whole.cases):
        yield f"drafts are of {n} of the {len(whole.cases)} validation cases: {_why_fewer(n, most)}"
    if len(configurations) > 1 and max((c.count(TrialStatus.FINISHED) for c in configurations), default=0) == 1:
        yield "one seed each: what differs is these runs; for ranks and scalings repeat seeds, as with --seeds 0,1,2"
    if 0 < groups < FEW_GROUPS:
        yield f"{counted(groups, 'group')} only: intervals that resample so few are too narrow"
    if elsewhere:
        yield (
            f"{counted(len(elsewhere), 'finished trial')} left no drafts in this folder ({', '.join(elsewhere[:3])}): "
            "copy their folders here from the machine that ran them"
        )
    broken = [c.label for c in configurations if c.count(TrialStatus.FINISHED) and not c.whole]
    if broken:
        yield (
            f"not selected, since a seed of theirs was pruned, failed or is not done: {', '.join(broken)}; the mean of "
            "the seeds that finished flatters"
        )
