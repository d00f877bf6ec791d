"""The families that metrics belong to, and the few metrics that stand for all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Protocol


class Family(StrEnum):
    """What a metric looks at, in the order that pages and tables show them."""

    BIRADS = "BI-RADS and density"
    FINDINGS = "Findings"
    CLINICAL = "Categories, density and findings together"
    GREEN = "MammoGREEN"
    PLACES = "Places"
    TEXT = "Text"
    REFUSALS = "Refusals"


class HasFamily(Protocol):
    """A metric, or its stored score."""

    @property
    def family(self) -> Family:
        """What it looks at."""


MAIN_METRICS = (
    "birads_accuracy_7_worst",
    "birads_kappa_quadratic_7_worst",
    "density_accuracy",
    "finding_f1_by_lesion",
    "mammogreen_score",
    "pointing_hit_rate_same_kind",
    "rouge_l_f1_stemmed",
    "cider_d_ptb",
)
"""The metrics that stand for their families in the verdict, the charts and the subgroups, in this order."""


def families(metrics: Mapping[str, HasFamily]) -> dict[Family, list[str]]:
    """Names by family, families in their order, names in the order given; no empty family."""
    grouped = {f: [name for name, metric in metrics.items() if metric.family is f] for f in Family}
    return {f: found for f, found in grouped.items() if found}


def main_metrics(names: Iterable[str]) -> list[str]:
    """The main metrics among some names."""
    given = set(names)
    return [name for name in MAIN_METRICS if name in given]
