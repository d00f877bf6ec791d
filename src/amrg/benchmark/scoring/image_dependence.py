"""Whether the images were read: a run's metrics on perturbed images compared with those on the unchanged images."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from amrg.benchmark.layout import Perturbation, perturbed_path
from amrg.benchmark.submissions import read_predictions
from amrg.birads import Report
from amrg.birads.findings_list import narrative_of
from amrg.metrics.bulk_parsing import read_reports
from amrg.metrics.clinical.laterality import OTHER, sides_of, swap_sides, swap_text
from amrg.metrics.errors import BenchmarkError
from amrg.metrics.families import Family
from amrg.metrics.metric import SHARE, Metric, mean_of, ratio
from amrg.metrics.pairs import Pair, labelled_part
from amrg.metrics.prediction import Prediction
from amrg.metrics.scores import MetricChange, PerturbationScores
from amrg.metrics.statistics import Difference, bootstrap, differences
from amrg.metrics.summaries import ends_of, finite, metric_scores

MetricsOf = Callable[[Sequence[Pair]], list[Metric]]
"""All metrics of some pairs."""


def perturbation_scores(
    folder: Path, unchanged: Sequence[Pair], metrics_of: MetricsOf, seed: int = 0
) -> dict[str, PerturbationScores]:
    """Scores of a run folder's predictions on perturbed images, and the change of each metric, paired by case.

    `unchanged` are the pairs of the run on the unchanged images. Mirrored images are scored against the reference with
    right and left exchanged, so that the metrics of a model that reads its images do not change.

    Raises:
        BenchmarkError: a file of predictions is malformed or has cases that the run does not have.
    """
    known = {pair.key: pair for pair in unchanged}
    found = {}
    for perturbation in Perturbation:
        path = perturbed_path(folder, perturbation)
        if path.is_file() and path.stat().st_size:
            predictions = read_predictions(path).predictions
            _refuse_unknown(path, predictions, known)
            before = [known[p.key] for p in predictions]
            after = perturbed_pairs(before, predictions, perturbation)
            found[perturbation.value] = _scored(perturbation, before, after, metrics_of, seed)
    return found


def perturbed_pairs(
    before: Sequence[Pair], predictions: Sequence[Prediction], perturbation: Perturbation
) -> list[Pair]:
    """The pairs of a run with the model's drafts on perturbed images; `predictions` are of the same cases."""
    read = read_reports([p.text if p.report is None else None for p in predictions])
    expected = [_mirrored(pair) if perturbation is Perturbation.MIRRORED else pair for pair in before]
    return [
        _with_draft(pair, prediction, prediction.report or report)
        for pair, prediction, report in zip(expected, predictions, read, strict=True)
    ]


def _with_draft(pair: Pair, prediction: Prediction, report: Report | None) -> Pair:
    """A pair with another draft."""
    read = None if report is None or prediction.text is None else labelled_part(report, pair.unlabelled)
    text = None if prediction.text is None else narrative_of(prediction.text)
    return replace(pair, text=text, report=read, refused=prediction.refused)


def _mirrored(pair: Pair) -> Pair:
    """A pair with the reference of the mirrored study."""
    return replace(
        pair,
        reference_text=swap_text(pair.reference_text, pair.reference),
        reference=swap_sides(pair.reference),
        views=tuple((OTHER[side], view) for side, view in pair.views),
        unlabelled=frozenset(OTHER[side] for side in pair.unlabelled),
    )


def _scored(
    perturbation: Perturbation, before: Sequence[Pair], after: Sequence[Pair], metrics_of: MetricsOf, seed: int
) -> PerturbationScores:
    resamples = bootstrap([pair.group for pair in after], seed)
    first = {m.name: m for m in metrics_of(before)}
    second = {m.name: m for m in metrics_of(after)}
    both = [name for name in first if name in second]
    moved = differences([first[n] for n in both], [second[n] for n in both], resamples, seed)
    own = sides_moved(before, after) if perturbation is Perturbation.MIRRORED else []
    return PerturbationScores(
        n=len(after),
        metrics=metric_scores([*second.values(), *own], resamples),
        change={d.name: _change(d) for d in moved},
    )


def _change(moved: Difference) -> MetricChange:
    """A difference as it is stored."""
    return MetricChange(
        value=finite(moved.difference), **ends_of(moved.between), groups=moved.groups, p=finite(moved.p)
    )


def sides_moved(before: Sequence[Pair], after: Sequence[Pair]) -> list[Metric]:
    """Whether the statements of a draft on one breast move to the other breast with the mirrored images.

    Only cases count whose unchanged draft states something (findings by kind, categories) of one breast that it does
    not state of the other.
    """
    swapped, unchanged = (
        np.array([_moved(a, b) for a, b in zip(before, after, strict=True)], np.float64).reshape(-1, 2).T
    )
    of = "drafts that differ between the breasts, on mirrored images: findings by kind, and categories"
    return [
        Metric(
            "sides_swapped_share",
            Family.FINDINGS,
            f"share with all statements on either breast moved to the other, of {of}",
            mean_of(swapped),
            ratio,
            bounds=SHARE,
        ),
        Metric(
            "sides_unchanged_share",
            Family.FINDINGS,
            f"share with all statements on the same breast as before, of {of}",
            mean_of(unchanged),
            ratio,
            higher_is_better=False,
            bounds=SHARE,
        ),
    ]


def _moved(before: Pair, after: Pair) -> tuple[float, float]:
    """Whether all sides were swapped, and whether none was; not a number where the draft has no side to swap."""
    if before.report is None or after.report is None:
        return np.nan, np.nan
    unchanged, swapped, found = (sides_of(r) for r in (before.report, swap_sides(before.report), after.report))
    return (np.nan, np.nan) if unchanged == swapped else (float(found == swapped), float(found == unchanged))


def _refuse_unknown(path: Path, predictions: Sequence[Prediction], known: Mapping[str, Pair]) -> None:
    unknown = [p.key for p in predictions if p.key not in known]
    if unknown:
        raise BenchmarkError(
            f"{path.name}: found case {unknown[0]!r}, expected cases of the run only ({len(unknown)} are not); "
            "delete the file, or run the benchmark again"
        )
