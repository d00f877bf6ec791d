"""The reference report of a drawn exam."""

from __future__ import annotations

from collections.abc import Sequence

from amrg.birads import (
    Assessment,
    Finding,
    Indication,
    Laterality,
    Report,
    View,
    ViewBox,
    usual_recommendation,
    worst_category,
)
from amrg.phantom.categories import category_of
from amrg.phantom.population import Size
from amrg.phantom.scene import Scene, StagedLesion
from amrg.phantom.texture import HEIGHT_MM, WIDTH_MM

SIDES = (Laterality.RIGHT, Laterality.LEFT)


def truth_of(scene: Scene, staged: Sequence[StagedLesion], size: Size) -> Report:
    """The reference report."""
    findings = tuple(_finding(s, size) for s in staged)
    sides = {side: worst_category([f for f in findings if f.laterality is side]) for side in SIDES}
    worst = max(sides.values(), key=lambda c: c.suspicion)
    return Report(
        indication=Indication.SCREENING,
        composition=scene.pattern.composition,
        findings=findings,
        assessments=tuple(Assessment(category=c, laterality=side) for side, c in sides.items()),
        recommendation=usual_recommendation(worst),
    )


def _finding(staged: StagedLesion, size: Size) -> Finding:
    """A planned finding with category, size and boxes."""
    finding = staged.plan.finding
    spans = [max(b[2] - b[0], b[3] - b[1]) for b in staged.boxes.values()]
    update = {
        "category": category_of(finding),
        "size_mm": None if finding.location.quadrant is None else max(1, round(max(spans) / 1.12)),
        "boxes": tuple(_view_box(staged, view, size) for view in finding.views),
    }
    return finding.model_copy(update=update)


def _view_box(staged: StagedLesion, view: View, size: Size) -> ViewBox:
    """A box in pixels of the image as it hangs."""
    left, top, right, bottom = staged.boxes[view]
    left, right = max(left, 0.0), min(right, WIDTH_MM)
    top, bottom = max(top, 0.0), min(bottom, HEIGHT_MM)
    side = staged.plan.side
    if side is Laterality.RIGHT:
        left, right = WIDTH_MM - right, WIDTH_MM - left
    p = size.pitch_mm
    return ViewBox(laterality=side, view=view, left=left / p, top=top / p, right=right / p, bottom=bottom / p)
