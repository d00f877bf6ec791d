"""Whether the images were read: a run's metrics on perturbed images compared with those on the unchanged images."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from amrg.benchmark.layout import Perturbation, perturbed_path
from amrg.benchmark.submissions import read_predictions
from amrg.metrics.bulk_parsing import read_reports
from amrg.metrics.clinical.laterality import OTHER, sides_of, swap_sides, swap_text
from amrg.metrics.errors import BenchmarkError
from amrg.metrics.families import Family
from amrg.metrics.metric import Metric, mean_of, ratio
from amrg.metrics.pairs import Pair
from amrg.metrics.prediction import Prediction
from amrg.metrics.scores import MetricChange, PerturbationScores
from amrg.metrics.statistics import Difference, bootstrap, differences
from amrg.metrics.summaries import finite, metric_scores

MetricsOf = Callable[[Sequence[Pair]], list[Metric]]
"""All metrics of some pairs."""


def perturbation_scores(
    folder: Path, unchanged: Sequence[Pair], metrics_of: MetricsOf, seed: int = 0
) -> dict[str, PerturbationScores]:
    """What a run folder's predictions on changed pictures score, and how far each metric moves, paired by case.

    `unchanged` are the pairs of the run on the pictures as they are. Mirrored pictures are scored against the reference
    with right and left exchanged, so that a model that reads its pictures moves nowhere.

    Raises:
        BenchmarkError: a file of predictions is malformed or tells of cases that the run has not.
    """
    known = {pair.key: pair for pair in unchanged}
    found = {}
    for how in Perturbation:
        path = perturbed_path(folder, how)
        if path.is_file() and path.stat().st_size:
            predictions = read_predictions(path).predictions
            _refuse_unknown(path, predictions, known)
            before = [known[p.key] for p in predictions]
            after = perturbed_pairs(before, predictions, how)
            found[how.value] = _scored(how, before, after, metrics_of, seed)
    return found


def perturbed_pairs(before: Sequence[Pair], predictions: Sequence[Prediction], how: Perturbation) -> list[Pair]:
    """The pairs of a run with what the model wrote on changed pictures; `predictions` are of the same cases."""
    read = read_reports([p.text if p.report is None else None for p in predictions])
    return [
        replace(
            _mirrored(pair) if how is Perturbation.MIRRORED else pair,
            text=prediction.text,
            report=None if prediction.text is None else prediction.report or report,
            refused=prediction.refused,
        )
        for pair, prediction, report in zip(before, predictions, read, strict=True)
    ]


def _mirrored(pair: Pair) -> Pair:
    """A pair whose reference tells of the mirrored study."""
    return replace(
        pair,
        reference_text=swap_text(pair.reference_text, pair.reference),
        reference=swap_sides(pair.reference),
        views=tuple((OTHER[side], view) for side, view in pair.views),
    )


def _scored(
    how: Perturbation, before: Sequence[Pair], after: Sequence[Pair], metrics_of: MetricsOf, seed: int
) -> PerturbationScores:
    draws = bootstrap([pair.group for pair in after], seed)
    first = {m.name: m for m in metrics_of(before)}
    second = {m.name: m for m in metrics_of(after)}
    both = [name for name in first if name in second]
    moved = differences([first[n] for n in both], [second[n] for n in both], draws, seed)
    own = sides_moved(before, after) if how is Perturbation.MIRRORED else []
    return PerturbationScores(
        n=len(after),
        metrics=metric_scores([*second.values(), *own], draws),
        change={d.name: _change(d) for d in moved},
    )


def _change(moved: Difference) -> MetricChange:
    """A difference as it is stored."""
    low, high = moved.between or (None, None)
    return MetricChange(value=finite(moved.difference), low=low, high=high, p=finite(moved.p))


def sides_moved(before: Sequence[Pair], after: Sequence[Pair]) -> list[Metric]:
    """Whether what a draft says of one breast went over to the other with the pictures.

    Only cases count whose unchanged draft says something (findings by kind, categories) of one breast that it does not
    say of the other.
    """
    went, stayed = np.array([_moved(a, b) for a, b in zip(before, after, strict=True)], np.float64).reshape(-1, 2).T
    of = "of drafts that tell the breasts apart, on mirrored pictures: findings by kind, and categories"
    return [
        Metric(
            "sides_swapped_share",
            Family.FINDINGS,
            f"all said of either breast is said of the other, {of}",
            mean_of(went),
            ratio,
        ),
        Metric(
            "sides_kept_share",
            Family.FINDINGS,
            f"all is said of the same breast as before, {of}",
            mean_of(stayed),
            ratio,
            False,
        ),
    ]


def _moved(before: Pair, after: Pair) -> tuple[float, float]:
    """Whether all sides were swapped, and whether all were kept; not a number where nothing can be told."""
    if before.report is None or after.report is None:
        return np.nan, np.nan
    there, wanted, found = (sides_of(r) for r in (before.report, swap_sides(before.report), after.report))
    return (np.nan, np.nan) if there == wanted else (float(found == wanted), float(found == there))


def _refuse_unknown(path: Path, predictions: Sequence[Prediction], known: Mapping[str, Pair]) -> None:
    unknown = [p.key for p in predictions if p.key not in known]
    if unknown:
        raise BenchmarkError(
            f"{path.name}: found case {unknown[0]!r}, expected cases of the run only ({len(unknown)} are not); "
            "delete the file, or run the benchmark again"
        )
