"""What a valid report is: descriptors that belong to their kind, and no repetition."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from itertools import chain

from amrg.birads.lexicon import DESCRIPTORS, Kind, Laterality, Morphology
from amrg.birads.report import Finding, Report

ASSOCIABLE = frozenset(
    {
        Kind.CALCIFICATIONS,
        Kind.DISTORTION,
        Kind.AXILLARY_NODE,
        Kind.SKIN_THICKENING,
        Kind.SKIN_RETRACTION,
        Kind.NIPPLE_RETRACTION,
        Kind.TRABECULAR_THICKENING,
    }
)
"""Kinds that can come with another finding as its associated features."""

SINGLE = frozenset({Kind.GLOBAL_ASYMMETRY, Kind.NIPPLE_RETRACTION, Kind.DILATED_DUCT})
"""Kinds that a breast has once, never several alike."""


def flaws(report: Report) -> list[tuple[str, str]]:
    """What makes a report invalid, as pairs of path and reason; empty for a valid one.

    Prose reads back exactly only for valid reports (see `render`).
    """
    found = [
        (f"findings[{i}].{field}", reason)
        for i, finding in enumerate(report.findings)
        for field, reason in chain(_foreign(finding), _features(finding), _looks(finding))
    ]
    found += [("negatives", "the same thing is denied twice")] if _repeats(report.negatives) else []
    found += [("assessments", "the same category is named twice")] if _repeats(report.assessments) else []
    if not report.assessments and any(f.category is not None for f in report.findings):
        found.append(("assessments", "findings have categories but breast and study have none"))
    found += [
        (f"findings[{i}].category", "its breast has no assessment")
        for i, finding in enumerate(report.findings)
        if is_unassessed(finding, {a.laterality for a in report.assessments})
    ]
    if report.comparison and not report.comparison.available and report.comparison.prior_date:
        found.append(("comparison.prior_date", "a prior that is not available has no date"))
    return found


def is_unassessed(finding: Finding, assessed: Set[Laterality | None]) -> bool:
    """Whether a finding has a category in a breast that has none, while the other breast has one."""
    if finding.category is None or finding.laterality is None or not assessed or None in assessed:
        return False
    return finding.laterality not in assessed


def _repeats(values: Sequence[object]) -> bool:
    return len(set(values)) < len(values)


def _foreign(finding: Finding) -> Iterator[tuple[str, str]]:
    """Descriptors of another kind."""
    for field, (_, kinds) in DESCRIPTORS.items():
        if getattr(finding, field) is not None and finding.kind not in kinds:
            yield field, f"{field} belongs to {' or '.join(kinds)}, found on {finding.kind.value}"
    if finding.multiple and finding.kind in SINGLE:
        yield "multiple", f"{finding.kind.value} is never several alike"


def _features(finding: Finding) -> Iterator[tuple[str, str]]:
    """Associated features that are none, and lists that repeat themselves."""
    for i, kind in enumerate(finding.associated):
        if kind not in ASSOCIABLE or kind is finding.kind:
            yield f"associated[{i}]", f"{kind.value} is no associated feature of {finding.kind.value}"
    if _repeats(finding.associated):
        yield "associated", "the same feature is named twice"
    if _repeats(finding.views):
        yield "views", "the same view is named twice"


def _looks(finding: Finding) -> Iterator[tuple[str, str]]:
    """Calcifications called benign have a benign morphology, if only `typically benign`."""
    if finding.kind is not Kind.CALCIFICATIONS:
        return
    if finding.benign_looking and finding.morphology is None:
        yield "morphology", "calcifications that look benign have a morphology, at least typically benign"
    if finding.benign_looking is False and finding.morphology is Morphology.BENIGN:
        yield "benign_looking", "typically benign calcifications do not look suspicious"
