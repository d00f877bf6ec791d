"""Places: the n-th finding of a kind gets the n-th most probable region of its own breast, in original pixels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from amrg.birads import Finding, Kind, Laterality, Report, View
from amrg.generation.places import ViewFeatures, locate_findings
from amrg.imaging import frame_breast
from amrg.models import KINDS, Channels, Hanging, ViewEncoding

ENCODING = ViewEncoding(size=96, channels=Channels.LAYERS, hanging=Hanging.CHEST_WALL_LEFT)


def _features(side: Laterality, marks: dict[tuple[int, int], float]) -> ViewFeatures:
    y, x = np.mgrid[:200, :160]
    breast = np.where((x / 110) ** 2 + ((y - 100) / 80) ** 2 < 1, 0.5, 0.0).astype(np.float32)
    pixels = breast if side is Laterality.LEFT else np.ascontiguousarray(breast[:, ::-1])
    cells = np.zeros((6, 6, len(KINDS)), np.float32)
    for (row, column), probability in marks.items():
        cells[row, column, KINDS.index(Kind.MASS)] = probability
    return ViewFeatures(side, View.CC, frame_breast(pixels, side, 96), cells)


def test_two_masses_get_two_places_the_most_probable_first() -> None:
    mass = Finding(kind=Kind.MASS, laterality=Laterality.LEFT)
    view = _features(Laterality.LEFT, {(1, 1): 0.6, (4, 2): 0.9})
    placed = locate_findings(Report(findings=(mass, mass)), [view], ENCODING).findings
    assert [f.probability for f in placed] == [np.float32(0.9), np.float32(0.6)]
    assert placed[0].boxes[0].top > placed[1].boxes[0].bottom
    assert all(f.views == (View.CC,) for f in placed)


def test_a_place_missed_on_one_view_is_not_called_a_one_view_finding() -> None:
    cc = _features(Laterality.LEFT, {(1, 1): 0.6})
    mlo = replace(_features(Laterality.LEFT, {}), view=View.MLO)
    mass = Finding(kind=Kind.MASS, laterality=Laterality.LEFT)
    (finding,) = locate_findings(Report(findings=(mass,)), [cc, mlo], ENCODING).findings
    assert [b.view for b in finding.boxes] == [View.CC]
    assert finding.views == ()


def test_a_right_breast_is_marked_where_it_lies_in_the_file() -> None:
    view = _features(Laterality.RIGHT, {(2, 1): 0.8})
    mass = Finding(kind=Kind.MASS, laterality=Laterality.RIGHT)
    (box,) = locate_findings(Report(findings=(mass,)), [view], ENCODING).findings[0].boxes
    assert box.left > 80  # near the chest wall, which is at the right edge of 160 columns


def test_the_other_breast_and_unsure_cells_mark_nothing() -> None:
    mass = Finding(kind=Kind.MASS, laterality=Laterality.LEFT)
    for view in (_features(Laterality.RIGHT, {(2, 1): 0.9}), _features(Laterality.LEFT, {(2, 1): 0.1})):
        (finding,) = locate_findings(Report(findings=(mass,)), [view], ENCODING).findings
        assert finding.boxes == ()
        assert finding.probability is None
