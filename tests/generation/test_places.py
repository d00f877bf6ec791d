"""Places: the n-th finding of a kind gets the n-th most probable region of its own breast, in original pixels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from amrg.birads import (
    Depth,
    Finding,
    Kind,
    Laterality,
    Location,
    Quadrant,
    Report,
    View,
    ViewBox,
    describe_finding,
    render,
)
from amrg.generation import ImageFeatures, draft_report
from amrg.generation.drafting import prepare
from amrg.generation.engines.fixed import SETTINGS, FixedEngine
from amrg.generation.places import ViewCandidates, follow_boxes, locate_findings
from amrg.imaging import Study, frame_breast, read_studies
from amrg.models import Channels, Hanging, ViewEncoding, box_to_image
from amrg.phantom import RICH, Size, draw_exam, write_exam
from amrg.phantom.scene import draw_scene
from amrg.phantom.texture import WIDTH_MM
from tests.generation.marking import candidate, features_of

ENCODING = ViewEncoding(size=96, channels=Channels.LAYERS, hanging=Hanging.CHEST_WALL_LEFT)


def _view(side: Laterality, marks: dict[tuple[int, int], float]) -> ViewCandidates:
    """A view with masses in some of 6 x 6 squares of 16 pixels of the model's image."""
    y, x = np.mgrid[:200, :160]
    breast = np.where((x / 110) ** 2 + ((y - 100) / 80) ** 2 < 1, 0.5, 0.0).astype(np.float32)
    pixels = breast if side is Laterality.LEFT else np.ascontiguousarray(breast[:, ::-1])
    candidates = tuple(
        candidate((column * 16, row * 16, column * 16 + 16, row * 16 + 16), probability, [Kind.MASS])
        for (row, column), probability in marks.items()
    )
    return ViewCandidates(side, View.CC, frame_breast(pixels, side, 96), pixels.shape, candidates)


def test_two_masses_get_two_places_the_most_probable_first() -> None:
    mass = Finding(kind=Kind.MASS, laterality=Laterality.LEFT)
    view = _view(Laterality.LEFT, {(1, 1): 0.6, (4, 2): 0.9})
    placed = locate_findings(Report(findings=(mass, mass)), [view], ENCODING).findings
    assert [f.probability for f in placed] == [np.float32(0.9), np.float32(0.6)]
    assert placed[0].boxes[0].top > placed[1].boxes[0].bottom
    assert all(f.views == (View.CC,) for f in placed)


def test_a_place_missed_on_one_view_is_not_called_a_one_view_finding() -> None:
    cc = _view(Laterality.LEFT, {(1, 1): 0.6})
    mlo = replace(_view(Laterality.LEFT, {}), view=View.MLO)
    mass = Finding(kind=Kind.MASS, laterality=Laterality.LEFT)
    (finding,) = locate_findings(Report(findings=(mass,)), [cc, mlo], ENCODING).findings
    assert [b.view for b in finding.boxes] == [View.CC]
    assert finding.views == ()


def test_a_box_is_the_candidates_own_in_pixels_of_the_original() -> None:
    view = _view(Laterality.LEFT, {})
    edges = (10.5, 30.0, 17.25, 41.0)
    view = replace(view, candidates=(candidate(edges, 0.9, [Kind.MASS]),))
    mass = Finding(kind=Kind.MASS, laterality=Laterality.LEFT)
    (box,) = locate_findings(Report(findings=(mass,)), [view], ENCODING).findings[0].boxes
    assert box_to_image(box, view.framed, ENCODING) == pytest.approx(edges)
    assert box.right - box.left == pytest.approx(6.75 * view.framed.step)


def test_a_box_is_cut_to_the_image() -> None:
    for side in Laterality:
        view = replace(_view(side, {}), candidates=(candidate((0.0, 0.0, 96.0, 96.0), 0.9, [Kind.MASS]),))
        mass = Finding(kind=Kind.MASS, laterality=side)
        (box,) = locate_findings(Report(findings=(mass,)), [view], ENCODING).findings[0].boxes
        assert 0 <= box.left < box.right <= 160
        assert 0 <= box.top < box.bottom <= 200


def test_a_right_breast_is_marked_where_it_lies_in_the_file() -> None:
    view = _view(Laterality.RIGHT, {(2, 1): 0.8})
    mass = Finding(kind=Kind.MASS, laterality=Laterality.RIGHT)
    (box,) = locate_findings(Report(findings=(mass,)), [view], ENCODING).findings[0].boxes
    assert box.left > 80  # near the chest wall, which is at the right edge of 160 columns


def test_the_other_breast_and_unsure_candidates_mark_nothing() -> None:
    mass = Finding(kind=Kind.MASS, laterality=Laterality.LEFT)
    for view in (_view(Laterality.RIGHT, {(2, 1): 0.9}), _view(Laterality.LEFT, {(2, 1): 0.1})):
        (finding,) = locate_findings(Report(findings=(mass,)), [view], ENCODING).findings
        assert finding.boxes == ()
        assert finding.probability is None


def test_a_finding_without_a_side_is_in_the_only_breast_that_was_imaged() -> None:
    mass, left = Finding(kind=Kind.MASS), _view(Laterality.LEFT, {(2, 1): 0.9})
    (alone,) = locate_findings(Report(findings=(mass,)), [left], ENCODING).findings
    assert (alone.laterality, len(alone.boxes)) == (Laterality.LEFT, 1)
    both = locate_findings(Report(findings=(mass,)), [left, _view(Laterality.RIGHT, {(2, 1): 0.9})], ENCODING)
    assert both.findings == (mass,)


def test_each_of_two_findings_gets_the_place_where_it_is_said_to_be() -> None:
    outer, inner = (
        Finding(kind=Kind.MASS, laterality=Laterality.LEFT, location=Location(quadrant=quadrant))
        for quadrant in (Quadrant.OUTER, Quadrant.INNER)
    )
    view = _view(Laterality.LEFT, {(1, 1): 0.6, (4, 2): 0.9})  # the lower one, at the inner side, is surer
    placed = locate_findings(Report(findings=(outer, inner)), [view], ENCODING)
    assert [f.probability for f in placed.findings] == [np.float32(0.6), np.float32(0.9)]
    assert follow_boxes(placed) == (placed, ())


def test_the_boxes_of_one_finding_are_of_one_depth() -> None:
    """Of two masses one is near the chest wall, outer and lower, and one near the nipple, inner and upper."""
    cc = _view(Laterality.LEFT, {(1, 0): 0.9, (4, 3): 0.8})
    mlo = replace(_view(Laterality.LEFT, {(1, 3): 0.9, (4, 0): 0.8}), view=View.MLO)
    said = tuple(
        Finding(kind=Kind.MASS, laterality=Laterality.LEFT, location=Location(quadrant=quadrant))
        for quadrant in (Quadrant.UPPER_OUTER, Quadrant.LOWER_INNER)
    )
    report, _ = follow_boxes(locate_findings(Report(findings=said), [cc, mlo], ENCODING))
    assert [f.location.quadrant for f in report.findings] == [Quadrant.LOWER_OUTER, Quadrant.UPPER_INNER]
    for finding in report.findings:
        first, second = (box.behind_nipple for box in finding.boxes)
        assert first == pytest.approx(second)


def test_a_region_at_another_depth_is_not_the_findings() -> None:
    cc = _view(Laterality.LEFT, {(1, 0): 0.6})
    mlo = replace(_view(Laterality.LEFT, {(1, 3): 0.9}), view=View.MLO)
    mass = Finding(kind=Kind.MASS, laterality=Laterality.LEFT)
    (one,) = locate_findings(Report(findings=(mass,)), [cc, mlo], ENCODING).findings
    assert [b.view for b in one.boxes] == [View.MLO]
    assert one.probability == np.float32(0.9)
    assert one.views == ()
    several = mass.model_copy(update={"multiple": True})
    (both,) = locate_findings(Report(findings=(several,)), [cc, mlo], ENCODING).findings
    assert [b.view for b in both.boxes] == [View.CC, View.MLO]


def test_an_asymmetry_is_on_one_view_whatever_looks_like_it_on_the_other() -> None:
    soft = [Kind.FOCAL_ASYMMETRY]
    cc, mlo = (
        replace(_view(Laterality.LEFT, {}), view=view, candidates=(candidate((16, 32, 32, 48), probability, soft),))
        for view, probability in ((View.CC, 0.6), (View.MLO, 0.8))
    )
    for kind, views in ((Kind.ASYMMETRY, [View.MLO]), (Kind.FOCAL_ASYMMETRY, [View.CC, View.MLO])):
        finding = Finding(kind=kind, laterality=Laterality.LEFT)
        (placed,) = locate_findings(Report(findings=(finding,)), [cc, mlo], ENCODING).findings
        assert [box.view for box in placed.boxes] == views


def test_a_place_follows_its_boxes_and_the_change_is_named() -> None:
    said = Finding(kind=Kind.MASS, laterality=Laterality.LEFT, location=Location(quadrant=Quadrant.LOWER_INNER))
    view = _view(Laterality.LEFT, {(1, 1): 0.9})
    located = locate_findings(Report(findings=(said,)), [view], ENCODING)
    report, changes = follow_boxes(located)
    assert [f.location.quadrant for f in report.findings] == [
        Quadrant.OUTER
    ]  # a CC view tells neither half of upper and lower
    assert [c.line for c in changes] == [
        "Place corrected to outer half (shown on LCC): mass, left breast, lower inner quadrant."
    ]
    several = located.model_copy(update={"findings": (located.findings[0].model_copy(update={"multiple": True}),)})
    assert follow_boxes(several) == (several, ())


def test_a_depth_that_all_boxes_contradict_follows_them() -> None:
    view = _view(Laterality.LEFT, {(1, 0): 0.9})  # at the chest wall
    for stated, expected in ((Depth.ANTERIOR, Depth.POSTERIOR), (Depth.POSTERIOR, Depth.POSTERIOR), (None, None)):
        said = Finding(kind=Kind.MASS, laterality=Laterality.LEFT, location=Location(depth=stated))
        report, changes = follow_boxes(locate_findings(Report(findings=(said,)), [view], ENCODING))
        assert report.findings[0].location.depth is expected
        assert [c.line for c in changes] == [
            "Place corrected to posterior depth, not anterior (shown on LCC): mass, left breast."
        ] * (stated is not expected)
    near = _view(Laterality.LEFT, {(1, 3): 0.9})  # at the nipple
    mlo = replace(near, view=View.MLO)
    said = Finding(kind=Kind.MASS, laterality=Laterality.LEFT, location=Location(depth=Depth.POSTERIOR), multiple=True)
    several = locate_findings(Report(findings=(said,)), [near, mlo], ENCODING)
    assert follow_boxes(several) == (several, ())


def _half_drawn(seed: int, box: ViewBox, margin: float) -> Quadrant | None:
    """The half of the breast that a box is in, from the drawn anatomy; None within a margin of the nipple line."""
    outline = draw_scene(seed, RICH).breasts[box.laterality].outline(box.view)
    across, down = ((a + b) / 2 * Size.SMALL.pitch_mm for a, b in ((box.left, box.right), (box.top, box.bottom)))
    over = outline.nipple[1] - down
    behind = outline.nipple[0] - (across if box.laterality is Laterality.LEFT else WIDTH_MM - across)
    near, tilt = margin * outline.nipple[0], 0.37 if box.view is View.MLO else 0.0
    upper, lower = (Quadrant.OUTER, Quadrant.INNER) if box.view is View.CC else (Quadrant.UPPER, Quadrant.LOWER)
    return upper if over > near + tilt * behind else lower if over < -near else None


@pytest.mark.parametrize("seed", [920_003, 920_010])
@pytest.mark.parametrize("said", [Quadrant.LOWER_INNER, Quadrant.UPPER_OUTER, Quadrant.CENTRAL, Quadrant.AXILLA])
def test_text_and_box_agree_or_a_note_says_so(seed: int, said: Quadrant, tmp_path: Path) -> None:
    """Findings that are located where they are drawn, and all said to be in one place."""
    exam = draw_exam(seed, Size.SMALL, RICH)
    write_exam(exam, tmp_path)
    (study,) = read_studies(tmp_path).studies
    findings = tuple(f.model_copy(update={"location": Location(quadrant=said)}) for f in exam.truth.findings)
    text = render(exam.truth.model_copy(update={"findings": findings}))
    draft = draft_report(study, FixedEngine((text,), _features_of(study, exam.truth)))
    compared = 0
    for finding in draft.report.findings:
        for box in finding.boxes:
            place = finding.location.quadrant
            half = _half_drawn(seed, box, 0.4 if place is Quadrant.CENTRAL else 0.12)
            if half is None or place is None or (place is Quadrant.AXILLA and half is not Quadrant.LOWER):
                continue
            note = f"{describe_finding(finding)}: said to be {place}, its box on {box.laterality}{box.view}"
            assert half.value in place.value.split() or any(note in line for line in draft.problems)
            compared += 1
    assert compared or said in (Quadrant.CENTRAL, Quadrant.AXILLA)


def _features_of(study: Study, truth: Report) -> ImageFeatures:
    """Features that mark every finding where it is drawn."""
    prepared = prepare(study, SETTINGS)
    marked = []
    for key, framed in zip(prepared.request.views, prepared.framed, strict=True):
        drawn = [(f.kind, box) for f in truth.findings for box in f.boxes if (box.laterality, box.view) == key]
        marked.append(
            tuple(candidate(box_to_image(box, framed, SETTINGS.encoding), 0.9, [kind]) for kind, box in drawn)
        )
    return features_of(tuple(marked))
