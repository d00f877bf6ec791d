"""All clinical metrics of a run: categories, findings, MammoGREEN, claims, places. No text is compared here."""

from __future__ import annotations

from collections.abc import Sequence

from amrg.benchmark.categories import category_metrics, confusions
from amrg.benchmark.claims import claim_metrics
from amrg.benchmark.findings import finding_metrics
from amrg.benchmark.localisation import localisation_metrics
from amrg.benchmark.mammogreen import mammogreen_metrics
from amrg.benchmark.matching import match_findings
from amrg.benchmark.metric import Metric
from amrg.benchmark.pairs import Pair
from amrg.benchmark.rows import drafted

__all__ = ["clinical_metrics", "confusions"]


def clinical_metrics(pairs: Sequence[Pair]) -> list[Metric]:
    """Every clinical metric over some pairs, rows in their order.

    Which metrics there are depends on the references (kinds, places), and for places on whether any draft has boxes,
    or probabilities with them. A failed case is a row that is not a number in all of them.
    """
    matched = [None if (draft := drafted(p)) is None else match_findings(p, draft) for p in pairs]
    return [
        *category_metrics(pairs),
        *finding_metrics(pairs, matched),
        *mammogreen_metrics(pairs, matched),
        *claim_metrics(pairs),
        *localisation_metrics(pairs),
    ]
