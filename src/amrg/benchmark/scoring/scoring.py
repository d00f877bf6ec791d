"""Everything measured of one system: metrics with intervals and skill, baselines, subgroups, single cases."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from numbers import Integral
from pathlib import Path

import numpy as np

from amrg import __version__
from amrg.benchmark.baselines.suite import ROLES, Baselines
from amrg.benchmark.records import list_some, read_object
from amrg.benchmark.references import References
from amrg.benchmark.scoring.image_dependence import perturbation_scores
from amrg.benchmark.scoring.measure import NO_EXTRAS, OptionalMetrics, open_metrics, pairs_of, unread_texts
from amrg.benchmark.scoring.overlap import overlap_line, trained_on
from amrg.benchmark.submissions import Outputs
from amrg.core.duplicates import duplicates
from amrg.datasets.case import ReferenceSource
from amrg.datasets.training_set import TrainingProvenance
from amrg.metrics.clinical.suite import confusions
from amrg.metrics.display import counted
from amrg.metrics.errors import BenchmarkError
from amrg.metrics.intervals import Method
from amrg.metrics.metric import Metric, by_name, ratio
from amrg.metrics.pairs import Pair
from amrg.metrics.prediction import Prediction
from amrg.metrics.scores import (
    CaseScores,
    DataScored,
    MetricScore,
    Role,
    ScoredWith,
    Scores,
    Skill,
    SystemScores,
    Unread,
)
from amrg.metrics.skill import Measured, MetricSkill, skills
from amrg.metrics.statistics import DRAWS, FEW_GROUPS, Bootstrap, bootstrap
from amrg.metrics.strict import STRICT
from amrg.metrics.summaries import ends_of, finite, metric_scores
from amrg.metrics.text.radeval import read_values


@dataclass(frozen=True)
class ScoringOptions:
    """How to score: the system's name, the seed and number of resamples, optional metrics, what it was trained on.

    `radeval_values` is a file with RadEval's own values of the system, a value a report.

    Raises:
        BenchmarkError: the system has a baseline's name, or the seed is no number from 0.
    """

    system: str
    seed: int = 0
    resamples: int = DRAWS
    extras: OptionalMetrics = NO_EXTRAS
    provenance: TrainingProvenance = field(default_factory=TrainingProvenance)
    radeval_values: Path | None = None

    @property
    def used(self) -> ScoredWith:
        """What of it `scores.json` states."""
        values = None if self.radeval_values is None else self.radeval_values.name
        return ScoredWith(seed=self.seed, resamples=self.resamples, **asdict(self.extras), radeval_values=values)

    def __post_init__(self) -> None:
        """Refuse a system with the name of a baseline, and what is no seed."""
        if not isinstance(self.seed, Integral) or self.seed < 0:
            raise BenchmarkError(f"seed: found {self.seed!r}, expected a whole number from 0")
        if self.system in ROLES:
            raise BenchmarkError(f"the system is named {self.system!r}, like a baseline; give it another name")


def score(
    references: References, outputs: Outputs, baselines: Baselines, options: ScoringOptions, folder: Path | None = None
) -> Scores:
    """Score a system's outputs (one a case, in the order of the references: `match_to_references`).

    Predictions on perturbed images are taken from a run's `folder` where it holds any.

    Raises:
        BenchmarkError: the folder's predictions are malformed, or an optional metric is not available.
    """
    pairs = pairs_of(references.cases, outputs.predictions)
    written = {options.system: outputs.predictions, **baselines.predictions}
    with open_metrics(references.cases, options.extras) as measure:
        here = measure(pairs)
        measured = {options.system: by_name([*here, *_radeval_values(options, measure.texts(pairs), here)])}
        for name, predictions in baselines.predictions.items():
            measured[name] = by_name(measure(pairs_of(references.cases, predictions)))
        perturbed = {} if folder is None else perturbation_scores(folder, pairs, measure, options.seed)
        text_warnings = measure.warnings(pairs)
    training = trained_on(options.provenance, references)
    own, unread = list(measured[options.system].values()), unread_texts(references.cases, pairs)
    resamples = bootstrap(references.groups, options.seed, options.resamples)
    return Scores(
        software=f"amrg {__version__}",
        system=options.system,
        predictions_hash=outputs.hash,
        data=describe_data(references),
        scored_with=options.used,
        systems=score_systems(written, measured, baselines.about, resamples),
        subgroups=_subgroups(pairs, own, options),
        perturbed=perturbed,
        confusions=confusions(pairs),
        cases=_cases(pairs, own),
        unread=unread,
        trained_on=training,
        warnings=(
            *(overlap_line(found, len(pairs)) for found in (training.overlaps if training is not None else ())),
            *references.leaks,
            *references.warnings,
            *outputs.warnings,
            *map(unread_line, unread),
            *baselines.warnings,
            *_warnings(references, options.extras),
            *text_warnings,
        ),
    )


def _radeval_values(options: ScoringOptions, pairs: Sequence[Pair], here: Sequence[Metric]) -> list[Metric]:
    """What RadEval measured of the system elsewhere; no baseline has it, so it has no skill."""
    path = options.radeval_values
    found = [] if path is None else read_values(read_object(path), pairs, path.name)
    if path is not None and (twice := duplicates([metric.name for metric in [*here, *found]])):
        raise BenchmarkError(f"{path.name}: {twice[0]} is there twice, or measured here too; give it once")
    return found


def describe_data(references: References) -> DataScored:
    """What was scored on."""
    return DataScored(
        name=references.name,
        split=references.split,
        part=references.part,
        hash=references.hash,
        n=len(references.cases),
        groups=len(set(references.groups)),
        trained_on=references.part == "train",
        leaks=references.leaks,
    )


def score_systems(
    written: Mapping[str, Sequence[Prediction]],
    measured: Mapping[str, Measured],
    about: Mapping[str, str],
    resamples: Bootstrap,
) -> dict[str, SystemScores]:
    """Scores of every system, with skill where there are blind baselines and the perfect one."""
    blind = {name: metrics for name, metrics in measured.items() if ROLES.get(name) is Role.BLIND}
    perfect = measured.get("perfect", {})
    return {
        name: SystemScores(
            role=ROLES.get(name, Role.SYSTEM),
            about=about.get(name, ""),
            n=len(written[name]),
            failed=sum(p.text is None for p in written[name]),
            metrics=_with_skill(
                _metric_scores(name, list(metrics.values()), resamples),
                skills(metrics, blind, perfect, resamples),
                name,
            ),
        )
        for name, metrics in measured.items()
    }


def _metric_scores(name: str, metrics: Sequence[Metric], resamples: Bootstrap) -> dict[str, MetricScore]:
    """The scores of a system; the references against themselves are certain, and need no exact interval."""
    scores = metric_scores(metrics, resamples)
    if ROLES.get(name) is not Role.PERFECT:
        return scores
    return {
        metric: score.model_copy(update=ends_of(None)) if score.method is Method.EXACT else score
        for metric, score in scores.items()
    }


def _with_skill(
    scores: Mapping[str, MetricScore], found: Mapping[str, MetricSkill], system: str
) -> dict[str, MetricScore]:
    """Scores with the skill of those that have one."""
    return {
        name: scored.model_copy(update={"skill": _skill(found[name], system)}) if name in found else scored
        for name, scored in scores.items()
    }


def _skill(found: MetricSkill, system: str) -> Skill:
    """A skill as it is stored; the best blind baseline's own, and that of the references, are 0 and 1 for certain."""
    certain = system == found.blind or ROLES.get(system) is Role.PERFECT
    return Skill(
        value=found.value, **ends_of(None if certain else found.between), blind=found.blind, groups=found.groups
    )


def _subgroups(
    pairs: Sequence[Pair], metrics: Sequence[Metric], options: ScoringOptions
) -> dict[str, dict[str, SystemScores]]:
    """The system's metrics on the cases of each subgroup; a field with the same value for all cases has none."""
    found: dict[str, dict[str, SystemScores]] = {}
    for name in pairs[0].subgroups if pairs else ():
        values = [pair.subgroups[name] for pair in pairs]
        if len(set(values)) > 1:
            found[name] = {
                v: _subgroup(pairs, metrics, np.array([x == v for x in values]), options) for v in sorted(set(values))
            }
    return found


def _subgroup(
    pairs: Sequence[Pair],
    metrics: Sequence[Metric],
    member: np.ndarray[tuple[int], np.dtype[np.bool_]],
    options: ScoringOptions,
) -> SystemScores:
    """The system's metrics on some of its cases."""
    inside = [pair for pair, held in zip(pairs, member, strict=True) if held]
    resamples = bootstrap([pair.group for pair in inside], options.seed, options.resamples)
    return SystemScores(
        role=Role.SYSTEM,
        n=len(inside),
        failed=sum(pair.text is None for pair in inside),
        metrics=metric_scores([replace(m, terms=m.terms[member]) for m in metrics], resamples),
    )


def _cases(pairs: Sequence[Pair], metrics: Sequence[Metric]) -> tuple[CaseScores, ...]:
    """Each case with the values of all metrics that one case alone can have; a twin says no more of a single case."""
    single = [m for m in metrics if m.fewest == 1 or m.combine is ratio]
    alone = {m.name: m.combine(m.terms) for m in single if not m.name.endswith(STRICT)}
    return tuple(
        CaseScores(
            key=pair.key,
            group=pair.group,
            subgroups=pair.subgroups,
            values={name: finite(round(float(values[row]), 6)) for name, values in alone.items()},
        )
        for row, pair in enumerate(pairs)
    )


def unread_line(unread: Unread) -> str:
    """What a reader must know of texts that were not read."""
    counted_as = (
        f"they count as wrong in metrics named {STRICT}, and are skipped in the others"
        if unread.what == "prediction"
        else "no draft is compared with what they state"
    )
    return (
        f"{counted(unread.count, unread.what)} of {unread.of} not read ({unread.reason}): "
        f"{list_some(unread.examples)}{_more(unread)}; {counted_as}"
    )


def _more(unread: Unread) -> str:
    further = unread.count - len(unread.examples)
    return f" and {further} more" if further else ""


def _warnings(references: References, extras: OptionalMetrics) -> Iterator[str]:
    """What a reader of the numbers must know."""
    cases, groups = references.cases, len(set(references.groups))
    if references.part == "train":
        yield "these are training cases: the metrics do not show how the system performs on new cases"
    if groups == 1:
        yield f"one group only ({counted(len(cases), 'case')}): there are no intervals"
    elif groups < FEW_GROUPS:
        yield f"{groups} groups only: intervals over so few groups are too narrow"
    rendered = sum(case.source is ReferenceSource.LABELS for case in cases)
    if rendered and extras.label_texts:
        yield f"{rendered} of {len(cases)} references are rendered from labels; text metrics count them, as requested"
    elif rendered:
        yield f"{rendered} of {len(cases)} references are rendered from labels: text metrics skip them"
