"""A breast is cleared only where it was seen in full: on CC and on MLO."""

from __future__ import annotations

from dataclasses import dataclass

from amrg.birads import Assessment, Category, IncompleteAssessment, Laterality, Report, View, usual_recommendation

CLEARED = (Category.NEGATIVE, Category.BENIGN)


@dataclass(frozen=True)
class CompletedReport:
    """A report in which no breast that was not seen in full is cleared, and what was changed for that."""

    report: Report
    incomplete: tuple[IncompleteAssessment, ...] = ()


def withhold_clearance(report: Report, missing: tuple[tuple[Laterality, View], ...]) -> CompletedReport:
    """Category 0 in place of 1 or 2 for a breast with a missing view, and for the study where either breast has one.

    The recommendation becomes the usual one of the worst category, where that changes.
    """
    incomplete = tuple(
        IncompleteAssessment(laterality=a.laterality, missing_views=lacking, before=a.category)
        for a in report.assessments
        if a.category in CLEARED and (lacking := _lacking(a, missing))
    )
    if not incomplete:
        return CompletedReport(report)
    assessments = tuple(
        a.model_copy(update={"category": Category.INCOMPLETE}) if a.category in CLEARED and _lacking(a, missing) else a
        for a in report.assessments
    )
    raised = report.model_copy(update={"assessments": assessments})
    if raised.worst is not None and raised.worst is not report.worst and report.recommendation is not None:
        raised = raised.model_copy(update={"recommendation": usual_recommendation(raised.worst)})
    return CompletedReport(raised, incomplete)


def _lacking(
    assessment: Assessment, missing: tuple[tuple[Laterality, View], ...]
) -> tuple[tuple[Laterality, View], ...]:
    """The missing views of what is assessed."""
    return tuple(view for view in missing if assessment.laterality in (None, view[0]))
