"""The metrics that a training run watches on its validation part, and that a sweep selects by.

Each is a metric of the benchmark under the benchmark's name: the same cases and drafts give the same number in
training, on a sweep's page, on a model card and in `scores.json`.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from amrg.birads import Report, read_answer
from amrg.datasets.case import ReferenceSource
from amrg.metrics.clinical.by_place import finding_f1_by_place
from amrg.metrics.clinical.mean import clinical_mean, mean_parts
from amrg.metrics.metric import Metric
from amrg.metrics.pairs import Pair


class WatchedMetric(StrEnum):
    """What early stopping and a sweep can go by, named as in the benchmark. All are better when higher."""

    BIRADS = "birads_accuracy_7_worst_strict"
    DENSITY = "density_accuracy_strict"
    FINDING_F1 = "finding_f1_by_place"
    CLINICAL = "clinical_mean"  # of the three


def watched_metrics(pairs: Sequence[Pair]) -> dict[WatchedMetric, Metric]:
    """All of them over some pairs, rows in their order.

    A case counts in a metric where its reference has what the metric compares. A draft that names no category or no
    composition is wrong, and one that lists no finding has missed all.
    """
    category, density, found = mean_parts(pairs)
    metrics = (category, density, finding_f1_by_place(pairs), clinical_mean([category, density, found]))
    return {WatchedMetric(metric.name): metric for metric in metrics}


def draft_pair(key: str, reference: Report, text: str, findings_known: bool = True) -> Pair:
    """A reference's facts and the text that a model wrote, in either form, as read: all that these metrics read."""
    return Pair(
        key=key,
        group=key,
        source=ReferenceSource.RADIOLOGIST,  # of no influence here
        reference_text="",
        reference=reference,
        text=text,
        report=read_answer(text).report,
        findings_known=findings_known,
    )


def without_category(pairs: Sequence[Pair]) -> int:
    """Drafts that name no category where their reference does."""
    return sum(
        pair.reference.worst is not None and pair.report is not None and pair.report.worst is None for pair in pairs
    )
