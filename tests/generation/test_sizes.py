"""Sizes: of a finding's box, by the spacing of its images, the mean over views; never the model's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from amrg.birads import Distribution, Finding, Kind, Laterality, Report, View, ViewBox
from amrg.generation.sizes import measure_sizes, remove_unmeasured
from amrg.imaging import Mammogram, Study

LEFT = Laterality.LEFT


def _study(spacings: dict[View, tuple[float, float] | None]) -> Study:
    mammograms = tuple(
        Mammogram(
            sop_instance_uid=view,
            laterality=LEFT,
            view=view,
            pixel_spacing_mm=spacing,
            rows=400,
            columns=300,
            source=Path("none.dcm"),
        )
        for view, spacing in spacings.items()
    )
    return Study(study_instance_uid="1", patient_key="k", date=None, mammograms=mammograms)


def _box(view: View, width: float, height: float) -> ViewBox:
    return ViewBox(laterality=LEFT, view=view, left=10, top=20, right=10 + width, bottom=20 + height)


MASS = Finding(kind=Kind.MASS, laterality=LEFT, boxes=(_box(View.CC, 30, 100), _box(View.MLO, 60, 50)))
GROUPED = MASS.model_copy(update={"kind": Kind.CALCIFICATIONS, "distribution": Distribution.GROUPED})


def _size(finding: Finding, study: Study) -> int | None:
    report, _ = measure_sizes(Report(findings=(finding,)), study)
    return report.findings[0].size_mm


def test_a_size_is_the_longer_side_of_a_box_the_mean_over_views() -> None:
    assert _size(MASS, _study({View.CC: (0.1, 0.1), View.MLO: (0.1, 0.1)})) == 8
    assert _size(MASS, _study({View.CC: (0.1, 0.4), View.MLO: None})) == 12
    assert _size(MASS, _study({View.CC: None, View.MLO: (0.1, 0.2)})) == 12
    assert _size(GROUPED, _study({View.CC: (0.1, 0.1), View.MLO: (0.1, 0.1)})) == 8


@pytest.mark.parametrize(
    "finding",
    [
        MASS.model_copy(update={"boxes": ()}),
        MASS.model_copy(update={"multiple": True}),
        MASS.model_copy(update={"kind": Kind.FOCAL_ASYMMETRY}),
        GROUPED.model_copy(update={"distribution": Distribution.REGIONAL}),
        GROUPED.model_copy(update={"distribution": None}),
    ],
)
def test_what_a_box_does_not_measure_has_no_size(finding: Finding) -> None:
    assert _size(finding, _study({View.CC: (0.1, 0.1), View.MLO: (0.1, 0.1)})) is None


def test_a_written_size_is_replaced_or_removed_and_named() -> None:
    written = MASS.model_copy(update={"size_mm": 25})
    said = Report(findings=(written,), unconfirmed=(written,))
    known, unknown = _study({View.CC: (0.1, 0.1), View.MLO: None}), _study({View.CC: None})
    measured, changes = measure_sizes(said, known)
    assert [f.size_mm for f in measured.findings] == [10]
    assert [c.line for c in changes] == ["Size measured as 10 mm, not 25 mm: mass, left breast."]
    assert measure_sizes(measured, known) == (measured, ())
    assert measure_sizes(said, unknown) == (said, ())
    bare, changes = remove_unmeasured(said, unknown)
    assert [f.size_mm for f in (*bare.findings, *bare.unconfirmed)] == [None, None]
    assert [c.line for c in changes] == ["Removed, size not measured: 25 mm, mass, left breast."]
