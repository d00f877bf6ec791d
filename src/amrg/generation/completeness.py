"""Every breast with views is rated, and cleared only where it was seen in full and nothing possible was removed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from amrg.birads import (
    Assessment,
    Category,
    CategoryChange,
    Finding,
    IncompleteAssessment,
    Laterality,
    Report,
    View,
    usual_recommendation,
    worst_category,
)
from amrg.birads.draft import RemovalReason
from amrg.birads.report import with_other_breasts
from amrg.generation.evidence import Supported

CLEARED = (Category.NEGATIVE, Category.BENIGN)


@dataclass(frozen=True)
class CompletedReport:
    """A report in which no breast that was not seen in full is cleared, and what was changed for that."""

    report: Report
    incomplete: tuple[IncompleteAssessment, ...] = ()


@dataclass(frozen=True)
class RatedReport:
    """A report with a category for every breast, and those breasts of which neither text nor findings had one."""

    report: Report
    unrated: tuple[Laterality, ...] = ()


def rate_every_breast(report: Report, breasts: Iterable[Laterality]) -> RatedReport:
    """A category for each of some breasts that a report has none for, where it has any at all.

    That is the worst of the breast's findings, or 0 where they have none. The recommendation becomes the usual one of
    the worst category, where that changes.
    """
    if not report.assessments:
        return RatedReport(report)
    rated = {side: _rated(report, side) for side in breasts}
    usual = (
        Assessment(category=worst_category(found) if found else Category.INCOMPLETE, laterality=side)
        for side, found in rated.items()
    )
    covered = {a.laterality for a in report.assessments}
    unrated = tuple(side for side, found in rated.items() if not found and not covered & {None, side})
    return RatedReport(_assessed(report, with_other_breasts(report.assessments, usual)), unrated)


def _rated(report: Report, side: Laterality) -> list[Finding]:
    """The findings of a breast that have a category."""
    return [f for f in report.findings if f.laterality in (None, side) and f.category is not None]


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
    return CompletedReport(_assessed(report, assessments), incomplete)


def state_unconfirmed(supported: Supported) -> Supported:
    """Category 0 in place of a lowered one where a removed finding asked for more than screening (decision 0016).

    Findings whose removal lowered a category are in `report.unconfirmed`. The recommendation becomes the usual one of
    the worst category, where that changes.
    """
    lowered = supported.category_changes
    report = supported.report
    assessments = tuple(
        a.model_copy(update={"category": Category.INCOMPLETE})
        if any(c.laterality is a.laterality and c.after is a.category and _needs_imaging(c) for c in lowered)
        else a
        for a in report.assessments
    )
    unconfirmed = tuple(
        removed.finding if removed.finding.category else removed.finding.model_copy(update={"category": change.before})
        for removed in supported.removed
        if removed.reason is not RemovalReason.DUPLICATE
        and (change := next((c for c in lowered if _lowers(removed.finding, c)), None)) is not None
    )
    return replace(
        supported,
        report=_assessed(report, assessments).model_copy(update={"unconfirmed": unconfirmed}),
        category_changes=tuple(
            c.model_copy(update={"after": Category.INCOMPLETE}) if _needs_imaging(c) else c for c in lowered
        ),
    )


def _needs_imaging(change: CategoryChange) -> bool:
    """Whether a finding of category 3 or worse was removed, and what stays asks for less than more imaging."""
    was, now = change.before.suspicion, change.after.suspicion
    return was >= Category.PROBABLY_BENIGN.suspicion and now < Category.INCOMPLETE.suspicion


def _lowers(finding: Finding, change: CategoryChange) -> bool:
    """Whether a category was lowered because a finding was removed, be it without a category of its own."""
    suspicion = change.before.suspicion if finding.category is None else finding.suspicion
    return change.laterality in (None, finding.laterality) and suspicion > change.after.suspicion


def _assessed(report: Report, assessments: tuple[Assessment, ...]) -> Report:
    """The report with other categories, and the usual recommendation of the worst of them where that is another."""
    changed = report.model_copy(update={"assessments": assessments})
    if changed.worst is None or changed.worst is report.worst or report.recommendation is None:
        return changed
    return changed.model_copy(update={"recommendation": usual_recommendation(changed.worst)})


def _lacking(
    assessment: Assessment, missing: tuple[tuple[Laterality, View], ...]
) -> tuple[tuple[Laterality, View], ...]:
    """The missing views of what is assessed."""
    return tuple(view for view in missing if assessment.laterality in (None, view[0]))
