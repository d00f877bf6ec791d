"""All clinical metrics of a run: categories, findings, MammoGREEN, claims, places. No text is compared here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from amrg.metrics.clinical.by_place import by_place_metrics
from amrg.metrics.clinical.categories import category_metrics, confusions
from amrg.metrics.clinical.contradictions import claim_metrics
from amrg.metrics.clinical.findings import finding_metrics
from amrg.metrics.clinical.localisation import localisation_metrics
from amrg.metrics.clinical.mammogreen import mammogreen_metrics
from amrg.metrics.clinical.matching import match_findings
from amrg.metrics.clinical.mean import clinical_mean, mean_parts
from amrg.metrics.metric import Metric
from amrg.metrics.pairs import Pair, drafted

__all__ = ["clinical_metrics", "confusions"]


def clinical_metrics(pairs: Sequence[Pair]) -> list[Metric]:
    """Every clinical metric over some pairs, rows in their order.

    Which metrics there are depends on the references (kinds, places), and for places on whether any draft has boxes,
    or probabilities with them. A failed case is a row that is not a number in all of them; one whose findings are not
    known, in all that compare findings.
    """
    known = [p if p.findings_known else replace(p, text=None, report=None) for p in pairs]
    matched = [None if (draft := drafted(p)) is None else match_findings(p, draft) for p in known]
    return [
        *category_metrics(pairs),
        *finding_metrics(known, matched),
        *by_place_metrics(pairs),
        clinical_mean(mean_parts(pairs)),
        *mammogreen_metrics(known, matched),
        *claim_metrics(pairs),
        *localisation_metrics(known),
    ]
