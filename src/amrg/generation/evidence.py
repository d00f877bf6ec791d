"""A draft holds what the features show: findings said twice, or shown nowhere surely, are left out with a line."""

from __future__ import annotations

from collections.abc import Sequence

from amrg.birads import Assessment, Finding, Laterality, Report, usual_recommendation, worst_category
from amrg.metrics.agreement import placed

SURE = 0.6
"""Least probability of a finding's surest place; chosen on held-out phantoms (decision 0008)."""


def without_repeats(report: Report) -> tuple[Report, tuple[str, ...]]:
    """The report without findings that only say again what stands before them, and a line for each left out.

    A finding of the same kind, side and quadrant as an earlier one is another lesion only where the features show it a
    place of its own on as many views, or where its category is worse.
    """
    kept: list[Finding] = []
    lines = []
    for finding in report.findings:
        if any(_repeats(finding, earlier) for earlier in kept):
            lines.append(f"left out as said twice: {finding.kind}, shown no place of its own")
        else:
            kept.append(finding)
    return report.model_copy(update={"findings": tuple(kept)}), tuple(lines)


def _repeats(finding: Finding, earlier: Finding) -> bool:
    """Whether a finding says an earlier one again."""
    shown_less = len(finding.boxes) < max(1, len(earlier.boxes))
    return placed(finding) == placed(earlier) and shown_less and finding.suspicion <= earlier.suspicion


def without_unshown(report: Report, least: float = SURE) -> tuple[Report, tuple[str, ...]]:
    """The report without findings that the features show nowhere surely, and a line for each left out.

    Surely is with a probability of `least`, 0 to 1; `report` has places (`with_places`). Where a breast's category came
    from findings that are left out, it falls to the worst of those that stay, or to 1, and advice to what is usual for
    the worst category then.
    """
    kept = tuple(f for f in report.findings if _shown(f, least))
    left = [f for f in report.findings if not _shown(f, least)]
    if not left:
        return report, ()
    assessments = tuple(_reassessed(a, kept, left) for a in report.assessments)
    lowered = report.model_copy(update={"findings": kept, "assessments": assessments})
    if lowered.worst is not None and lowered.worst is not report.worst and report.recommendation is not None:
        lowered = lowered.model_copy(update={"recommendation": usual_recommendation(lowered.worst)})
    changed = [_changed(a, b) for a, b in zip(assessments, report.assessments, strict=True) if a != b]
    return lowered, (*(_line(f, least) for f in left), *changed)


def _shown(finding: Finding, least: float) -> bool:
    return finding.probability is not None and finding.probability >= least


def _reassessed(assessment: Assessment, kept: Sequence[Finding], left: Sequence[Finding]) -> Assessment:
    """The assessment of a breast once findings are left out; unchanged where another finding bears it, or none did."""
    mine = [f for f in kept if assessment.laterality in (None, f.laterality)]
    gone = [f for f in left if assessment.laterality in (None, f.laterality)]
    bears = assessment.category.suspicion
    if max((f.suspicion for f in gone), default=-1.0) < bears or any(f.suspicion >= bears for f in mine):
        return assessment
    return assessment.model_copy(update={"category": worst_category(mine)})


def _line(finding: Finding, least: float) -> str:
    place = finding.location.quadrant or "place not said"
    how = "nowhere" if finding.probability is None else f"with probability {finding.probability:.2f}"
    return (
        f"left out as not shown surely: {_breast(finding.laterality)}{finding.kind} ({place}), shown {how}, "
        f"expected {least:.2f} or more"
    )


def _changed(now: Assessment, before: Assessment) -> str:
    return (
        f"{_breast(now.laterality)}category {now.category} without what was left out, "
        f"{before.category} as the model wrote it"
    )


def _breast(side: Laterality | None) -> str:
    return f"{side.name.lower()} breast, " if side is not None else ""
