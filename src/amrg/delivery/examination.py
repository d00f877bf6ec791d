"""What was examined and how each breast is assessed, as orders and reports of every standard code it."""

from __future__ import annotations

from collections.abc import Mapping

from amrg.birads.lexicon import Indication
from amrg.birads.report import Assessment, Report

EXAM: Mapping[Indication | None, tuple[str, str]] = {
    Indication.SCREENING: ("24606-6", "MG Breast Screening"),
    Indication.DIAGNOSTIC: ("24605-8", "MG Breast Diagnostic"),
    None: ("36625-2", "MG Breast Views"),
}
"""What was done, in LOINC, by the report's indication."""


def coded_assessments(report: Report) -> list[Assessment]:
    """One assessment a breast and one of the whole exam, where stated: of several of one, the most suspicious.

    A receiver has one field for a breast. The text states all of them (`BI-RADS 5, 2`, a category for each finding).
    """
    sides = dict.fromkeys(assessment.laterality for assessment in report.assessments)
    return [
        max((a for a in report.assessments if a.laterality is side), key=lambda a: a.category.suspicion)
        for side in sides
    ]
