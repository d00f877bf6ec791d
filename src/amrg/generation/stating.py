"""What is known of the study itself, put into the report that a model drafted of it."""

from __future__ import annotations

from dataclasses import dataclass

from amrg.birads import (
    CategoryChange,
    Finding,
    IncompleteAssessment,
    Laterality,
    Recommendation,
    Report,
    SizeChange,
    Technique,
    View,
    usual_recommendation,
)
from amrg.birads.renderer.phrasing import SIDE
from amrg.generation.completeness import state_unconfirmed, withhold_clearance
from amrg.generation.evidence import Supported
from amrg.generation.sizes import remove_unmeasured
from amrg.imaging import ImageKind, Study, missing_views


@dataclass(frozen=True)
class StatedReport:
    """A report with what is known of its study, and what a reader must know of how it came about."""

    report: Report
    category_changes: tuple[CategoryChange, ...] = ()
    incomplete: tuple[IncompleteAssessment, ...] = ()
    missing: tuple[tuple[Laterality, View], ...] = ()
    size_changes: tuple[SizeChange, ...] = ()
    problems: tuple[str, ...] = ()


def state_study(supported: Supported, study: Study, mastectomy: tuple[Laterality, ...]) -> StatedReport:
    """The report with its views, mastectomies, unconfirmed findings, and no breast cleared that was not seen in full.

    `mastectomy` is what is known of the patient: what a model writes of it is removed where it is not known, and no
    view of a breast that was removed is missing. No size stays that was not measured.
    """
    missing = tuple(view for view in missing_views(study) if view[0] not in mastectomy)
    possible = state_unconfirmed(supported)
    complete = withhold_clearance(possible.report, missing)
    measured, size_changes = remove_unmeasured(complete.report, study)
    unknown = [side for side in measured.mastectomy if side not in mastectomy]
    known = {"technique": technique_of(study), "mastectomy": tuple(side for side in Laterality if side in mastectomy)}
    return StatedReport(
        report=with_subjects(measured.model_copy(update=known)),
        category_changes=possible.category_changes,
        incomplete=complete.incomplete,
        missing=missing,
        size_changes=size_changes,
        problems=tuple(f"Removed, not known of this patient: status post {SIDE[side]} mastectomy." for side in unknown),
    )


def technique_of(study: Study) -> Technique:
    """The views of a study, and which of them are synthetic."""
    return Technique(
        views=tuple((m.laterality, m.view) for m in study.mammograms),
        synthetic=tuple((m.laterality, m.view) for m in study.mammograms if m.kind is ImageKind.SYNTHETIC),
    )


def with_subjects(report: Report) -> Report:
    """The report with its recommendation at every finding that it is for.

    These are the findings with the worst category, those whose own category usually has it, the only one of a breast
    where findings have no categories, and where more imaging is recommended the unconfirmed ones that would ask for
    more than screening.
    """
    step = report.recommendation
    if step is None or step is Recommendation.ROUTINE:
        return report
    advised = {"recommendation": step}
    alone = _alone(report)
    findings = tuple(
        f.model_copy(update=advised) if step is _usual(f) or f.category is report.worst or f is alone else f
        for f in report.findings
    )
    unconfirmed = tuple(
        f.model_copy(update=advised)
        if step is Recommendation.ADDITIONAL_IMAGING and _usual(f) is not Recommendation.ROUTINE
        else f
        for f in report.unconfirmed
    )
    return report.model_copy(update={"findings": findings, "unconfirmed": unconfirmed})


def _alone(report: Report) -> Finding | None:
    """The only finding of the one breast that has the worst category, where findings have no category of their own."""
    sides = {a.laterality for a in report.assessments if a.category is report.worst}
    here = [f for f in report.findings if f.laterality in sides]
    rated = any(f.category is not None for f in report.findings)
    return here[0] if len(sides) == 1 and None not in sides and len(here) == 1 and not rated else None


def _usual(finding: Finding) -> Recommendation | None:
    """What is usually advised for a finding's category."""
    return None if finding.category is None else usual_recommendation(finding.category)
