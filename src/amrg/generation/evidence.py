"""A draft states what the image features support: duplicates and findings of low confidence are removed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from amrg.birads import Assessment, Finding, Kind, Report, usual_recommendation, worst_category
from amrg.birads.draft import CategoryChange, RemovalReason, RemovedFinding
from amrg.metrics.clinical.agreement import placed


@dataclass(frozen=True)
class Thresholds:
    """Least probabilities of a finding's best place, 0 to 1; chosen on held-out phantoms (decision 0008).

    `every_view` and `some_view` are of masses, calcifications and other kinds that all views of a breast show.
    """

    one_view: float = 0.5  # there is one view to go by
    every_view: float = 0.4  # two views or more show it, at one depth, and none does not
    some_view: float = 0.7  # one does not show it


THRESHOLDS = Thresholds()
_ON_EVERY_VIEW = frozenset(
    {
        Kind.MASS,
        Kind.CALCIFICATIONS,
        Kind.DISTORTION,
        Kind.FOCAL_ASYMMETRY,
        Kind.GLOBAL_ASYMMETRY,
        Kind.INTRAMAMMARY_NODE,
    }
)
"""Not an asymmetry, which by its definition one view shows, nor what lies in the axilla or the skin."""


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


def remove_low_confidence(report: Report, thresholds: Thresholds = THRESHOLDS) -> Supported:
    """Remove findings that the features locate nowhere, or with less than the probability that they need.

    Where a breast's category came from findings that are removed, it is lowered to the worst of those that stay, or to
    1, and the recommendation to what is usual for the worst category then. A finding without a category of its own is
    what its breast's category is for. One without a side was looked for nowhere, so it stays.
    """
    reasons = [_removal(finding, thresholds) for finding in report.findings]
    removed = tuple(reason for reason in reasons if reason is not None)
    if not removed:
        return Supported(report)
    findings = tuple(f for f, reason in zip(report.findings, reasons, strict=True) if reason is None)
    rated = [_rated(f, report.assessments) for f in findings]
    went = [_rated(r.finding, report.assessments) for r in removed]
    assessments = tuple(_reassessed(a, rated, went) for a in report.assessments)
    lowered = report.model_copy(update={"findings": findings, "assessments": assessments})
    if lowered.worst is not None and lowered.worst is not report.worst and report.recommendation is not None:
        lowered = lowered.model_copy(update={"recommendation": usual_recommendation(lowered.worst)})
    changes = tuple(
        CategoryChange(laterality=before.laterality, before=before.category, after=after.category)
        for before, after in zip(report.assessments, assessments, strict=True)
        if before != after
    )
    return Supported(lowered, removed, changes)


def _removal(finding: Finding, thresholds: Thresholds) -> RemovedFinding | None:
    """Why a finding is removed; None where it stays."""
    least, reason = _least_probability(finding, thresholds)
    if finding.laterality is None:
        return None
    if finding.probability is None:
        return RemovedFinding(finding=finding, reason=RemovalReason.NOT_LOCATED, threshold=least)
    if finding.probability >= least:
        return None
    return RemovedFinding(finding=finding, reason=reason, probability=finding.probability, threshold=least)


def _least_probability(finding: Finding, thresholds: Thresholds) -> tuple[float, RemovalReason]:
    """What a located finding must reach, and why it is removed below; `views` are stated where they are all views."""
    if finding.kind not in _ON_EVERY_VIEW or len(finding.views) == 1:
        return thresholds.one_view, RemovalReason.LOW_CONFIDENCE
    if finding.views:
        return thresholds.every_view, RemovalReason.LOW_CONFIDENCE
    return thresholds.some_view, RemovalReason.NOT_ON_EVERY_VIEW


def _rated(finding: Finding, assessments: Sequence[Assessment]) -> Finding:
    """A finding with the worst category of its breast where it has none of its own."""
    covering = [a.category for a in assessments if a.laterality in (None, finding.laterality)]
    if finding.category is not None or not covering:
        return finding
    return finding.model_copy(update={"category": max(covering, key=lambda c: c.suspicion)})


def _reassessed(assessment: Assessment, findings: Sequence[Finding], removed: Sequence[Finding]) -> Assessment:
    """A breast's assessment after removals; unchanged where a finding that stays supports it, or none that went did."""
    stay = [f for f in findings if assessment.laterality in (None, f.laterality)]
    went = [f for f in removed if assessment.laterality in (None, f.laterality)]
    suspicion = assessment.category.suspicion
    if max((f.suspicion for f in went), default=-1.0) < suspicion or any(f.suspicion >= suspicion for f in stay):
        return assessment
    return assessment.model_copy(update={"category": worst_category(stay)})
