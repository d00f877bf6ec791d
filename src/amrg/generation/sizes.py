"""The size of a finding: the longer side of its boxes in mm. A model is shown no scale, so what it writes is a guess.

The spacing is that of the breast where the file states a magnification factor, else that of the detector, which makes
sizes a few percent too large: the breast lies above it.
"""

from __future__ import annotations

from collections.abc import Mapping
from statistics import fmean

from amrg.birads import Distribution, Finding, Kind, Report, SizeChange, ViewBox
from amrg.birads.report import ExamView
from amrg.imaging import Study

_MEASURED = frozenset({Kind.MASS, Kind.INTRAMAMMARY_NODE, Kind.AXILLARY_NODE})
_GATHERED = frozenset({Distribution.GROUPED, Distribution.LINEAR, Distribution.SEGMENTAL})
_MOST_MM = 300
Spacings = Mapping[ExamView, tuple[float, float] | None]


def measure_sizes(report: Report, study: Study) -> tuple[Report, tuple[SizeChange, ...]]:
    """The report with the size of every finding that can be measured, and the sizes that were written otherwise.

    A finding's size is the mean over the views that locate it. Masses and lymph nodes are measured, and calcifications
    that are grouped, linear or segmental; of what has no edge or is spread over a breast a box says no size.
    """
    spacings = _spacings(study)
    return _resized(report, [measured_mm(finding, spacings) or finding.size_mm for finding in report.findings])


def remove_unmeasured(report: Report, study: Study) -> tuple[Report, tuple[SizeChange, ...]]:
    """The report without sizes that were written and not measured; findings that are unconfirmed have none."""
    spacings = _spacings(study)
    bare, changes = _resized(report, [measured_mm(finding, spacings) for finding in report.findings])
    unconfirmed = tuple(finding.model_copy(update={"size_mm": None}) for finding in report.unconfirmed)
    return bare.model_copy(update={"unconfirmed": unconfirmed}), changes


def measured_mm(finding: Finding, spacings: Spacings) -> int | None:
    """The size of a finding in mm; None where its box says none, it has none, or no spacing is known.

    Also of several lesions alike, of which the box may be one.
    """
    if finding.multiple or not _has_extent(finding):
        return None
    axes = [
        _longer_mm(box, spacing)
        for box in finding.boxes
        if (spacing := spacings.get((box.laterality, box.view))) is not None
    ]
    size = max(1, round(fmean(axes))) if axes else None
    return None if size is None or size > _MOST_MM else size


def _has_extent(finding: Finding) -> bool:
    """Whether a box around a finding shows how large it is."""
    return finding.kind in _MEASURED or (finding.kind is Kind.CALCIFICATIONS and finding.distribution in _GATHERED)


def _longer_mm(box: ViewBox, spacing: tuple[float, float]) -> float:
    """The longer side of a box, from (row, column) spacing in mm."""
    return max((box.bottom - box.top) * spacing[0], (box.right - box.left) * spacing[1])


def _spacings(study: Study) -> Spacings:
    return {(m.laterality, m.view): m.pixel_spacing_mm for m in study.mammograms}


def _resized(report: Report, sizes: list[int | None]) -> tuple[Report, tuple[SizeChange, ...]]:
    """The report with other sizes of its findings, and a change for each that had another."""
    findings = tuple(f.model_copy(update={"size_mm": s}) for f, s in zip(report.findings, sizes, strict=True))
    changes = tuple(
        SizeChange(finding=finding, size_mm=size)
        for finding, size in zip(report.findings, sizes, strict=True)
        if finding.size_mm not in (None, size)
    )
    return report.model_copy(update={"findings": findings}), changes
