"""A draft states what the image features support: duplicates and findings of low confidence are removed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from amrg.birads import Assessment, Finding, Report, usual_recommendation, worst_category
from amrg.birads.draft import CategoryChange, RemovalReason, RemovedFinding
from amrg.metrics.clinical.agreement import placed

THRESHOLD = 0.5
"""Least probability of a finding's best place; chosen on held-out phantoms (decision 0008)."""


@dataclass(frozen=True)
class Supported:
    """A report after removals, what was removed from it, and the categories that were lowered for it."""

    report: Report
    removed: tuple[RemovedFinding, ...] = ()
    category_changes: tuple[CategoryChange, ...] = ()


def keep_supported(report: Report) -> Supported:
    """Remove duplicates, then findings of low confidence; `report` has places (`locate_findings`)."""
    single = remove_duplicates(report)
    confident = remove_low_confidence(single.report)
    return Supported(confident.report, single.removed + confident.removed, confident.category_changes)


def remove_duplicates(report: Report) -> Supported:
    """Remove findings that only repeat an earlier one.

    A finding of the same kind, side and quadrant as an earlier one is another lesion only where the features locate it
    separately on as many views, or where its category is worse.
    """
    findings: list[Finding] = []
    removed = []
    for finding in report.findings:
        if any(_repeats(finding, earlier) for earlier in findings):
            removed.append(
                RemovedFinding(finding=finding, reason=RemovalReason.DUPLICATE, probability=finding.probability)
            )
        else:
            findings.append(finding)
    return Supported(report.model_copy(update={"findings": tuple(findings)}), tuple(removed))


def _repeats(finding: Finding, earlier: Finding) -> bool:
    """Whether a finding repeats an earlier one."""
    fewer_views = len(finding.boxes) < max(1, len(earlier.boxes))
    return placed(finding) == placed(earlier) and fewer_views and finding.suspicion <= earlier.suspicion


def remove_low_confidence(report: Report, threshold: float = THRESHOLD) -> Supported:
    """Remove findings that the features locate nowhere with a probability of `threshold`, 0 to 1.

    Where a breast's category came from findings that are removed, it is lowered to the worst of those that stay, or to
    1, and the recommendation to what is usual for the worst category then.
    """
    findings = tuple(f for f in report.findings if _is_confident(f, threshold))
    low = [f for f in report.findings if not _is_confident(f, threshold)]
    if not low:
        return Supported(report)
    assessments = tuple(_reassessed(a, findings, low) for a in report.assessments)
    lowered = report.model_copy(update={"findings": findings, "assessments": assessments})
    if lowered.worst is not None and lowered.worst is not report.worst and report.recommendation is not None:
        lowered = lowered.model_copy(update={"recommendation": usual_recommendation(lowered.worst)})
    changes = tuple(
        CategoryChange(laterality=before.laterality, before=before.category, after=after.category)
        for before, after in zip(report.assessments, assessments, strict=True)
        if before != after
    )
    return Supported(lowered, tuple(_removed(f, threshold) for f in low), changes)


def _is_confident(finding: Finding, threshold: float) -> bool:
    return finding.probability is not None and finding.probability >= threshold


def _removed(finding: Finding, threshold: float) -> RemovedFinding:
    located = finding.probability is not None
    return RemovedFinding(
        finding=finding,
        reason=RemovalReason.LOW_CONFIDENCE if located else RemovalReason.NOT_LOCATED,
        probability=finding.probability,
        threshold=threshold,
    )


def _reassessed(assessment: Assessment, findings: Sequence[Finding], removed: Sequence[Finding]) -> Assessment:
    """A breast's assessment after removals; unchanged where a finding that stays supports it, or none that went did."""
    stay = [f for f in findings if assessment.laterality in (None, f.laterality)]
    went = [f for f in removed if assessment.laterality in (None, f.laterality)]
    suspicion = assessment.category.suspicion
    if max((f.suspicion for f in went), default=-1.0) < suspicion or any(f.suspicion >= suspicion for f in stay):
        return assessment
    return assessment.model_copy(update={"category": worst_category(stay)})
