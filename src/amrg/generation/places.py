"""Where a drafted finding is: boxes of the tower's candidates, in pixels of the original images."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from amrg.birads import Depth, Finding, Kind, Laterality, Location, PlaceChange, Quadrant, Report, View, ViewBox
from amrg.birads.placement import agrees, depth_by_boxes, only_side, quadrant_by_boxes
from amrg.imaging import FramedBreast, NippleView, find_nipple
from amrg.models import ViewEncoding, box_from_image
from amrg.models.embedded.candidates import Candidate, places_of

FLOOR = 0.25  # probability below which a candidate marks nothing
_CONTRADICTED = 2.0  # of a place said, as negative logarithm: what is said is right about seven times of eight
_DEPTH_SPREAD = 0.085  # of one lesion's depths on CC and MLO, in shares of the way from nipple to chest wall
_OBLIQUE_DEPTH = {View.MLO: -0.07, View.LMO: -0.07}  # there that way is longer, as muscle is on the image
_DEPTHS_APART = 0.3  # farther apart than this, on CC and MLO, are two lesions
_ORDER = 1e-3  # less than anything that decides


@dataclass(frozen=True)
class ViewCandidates:
    """One view with the places that the tower marks in it; `shape` are rows and columns of the original image."""

    laterality: Laterality
    view: View
    framed: FramedBreast
    shape: tuple[int, int]
    candidates: tuple[Candidate, ...]


@dataclass(frozen=True)
class Region:
    """A place that the tower marks on one view, and the probability of a finding of the kind there."""

    box: ViewBox
    probability: float


def locate_findings(report: Report, views: Sequence[ViewCandidates], encoding: ViewEncoding) -> Report:
    """The report with a box a view and a probability for every finding that the tower locates.

    The n findings of a kind in a breast share the n most probable regions of that kind on a view: each gets one where
    it is said to be and as deep as it is on the views before, in the order of probability where that decides nothing.
    One lesion is about as far behind the nipple on a view from above as on one from the side: of regions that are not,
    the most probable is the finding's. `views` are set where every view of its breast shows it. A finding without a
    side is in the breast that was imaged, where there is one; where there are two it is not located.
    """
    report = _on_side(report, only_side((view.laterality, view.view) for view in views))
    regions: dict[int, list[Region]] = defaultdict(list)
    for view in views:
        nipple = find_nipple(view.framed.breast, view.laterality)
        for kind, members in _by_kind(report.findings, view.laterality).items():
            before = [regions[member] for member in members]
            marked = _regions(view, kind, encoding, nipple)[: len(members)]
            for member, region in _paired([report.findings[i] for i in members], before, marked):
                regions[members[member]].append(region)
    counts = {side: sum(view.laterality is side for view in views) for side in Laterality}
    findings = tuple(
        _located(finding, _of_one_lesion(finding, regions[i]), counts[finding.laterality])
        if finding.laterality and regions[i]
        else finding
        for i, finding in enumerate(report.findings)
    )
    return report.model_copy(update={"findings": findings})


def _on_side(report: Report, side: Laterality | None) -> Report:
    """The report with findings that name no side on one, where it is known."""
    findings = tuple(
        finding if finding.laterality else finding.model_copy(update={"laterality": side})
        for finding in report.findings
    )
    return report.model_copy(update={"findings": findings})


def follow_boxes(report: Report) -> tuple[Report, tuple[PlaceChange, ...]]:
    """The report with every quadrant and depth that its boxes do not show replaced by the one that they show."""
    findings = tuple(_moved(finding) for finding in report.findings)
    moved = [(a, _changed(a.location, b.location)) for a, b in zip(report.findings, findings, strict=True)]
    changes = tuple(
        PlaceChange(finding=before, quadrant=quadrant, depth=depth, views=_showing(before))
        for before, (quadrant, depth) in moved
        if quadrant is not None or depth is not None
    )
    return report.model_copy(update={"findings": findings}), changes


def _changed(before: Location, after: Location) -> tuple[Quadrant | None, Depth | None]:
    """The quadrant and the depth that are others than before; None where they are not."""
    return (
        after.quadrant if after.quadrant is not before.quadrant else None,
        after.depth if after.depth is not before.depth else None,
    )


def _showing(finding: Finding) -> tuple[tuple[Laterality, View], ...]:
    """The views on which a finding's box is not in its place; all of them where it is but too near to its border."""
    stated = Location(quadrant=finding.location.quadrant, depth=finding.location.depth)
    contradicting = [box for box in finding.boxes if not agrees(stated, box)]
    return tuple((box.laterality, box.view) for box in contradicting or finding.boxes)


def _moved(finding: Finding) -> Finding:
    """A finding in the quadrant and at the depth that its boxes show; itself where those are the ones stated."""
    location = finding.location.model_copy(update={"depth": depth_by_boxes(finding)})
    finding = finding.model_copy(update={"location": location})
    quadrant = quadrant_by_boxes(finding)
    return finding.model_copy(update={"location": location.model_copy(update={"quadrant": quadrant})})


def _by_kind(findings: Sequence[Finding], side: Laterality) -> dict[Kind, list[int]]:
    """The findings of a breast by their kind, as indices."""
    grouped: dict[Kind, list[int]] = defaultdict(list)
    for i, finding in enumerate(findings):
        if finding.laterality is side:
            grouped[finding.kind].append(i)
    return grouped


def _paired(
    findings: Sequence[Finding], before: Sequence[Sequence[Region]], regions: Sequence[Region]
) -> list[tuple[int, Region]]:
    """Findings with their regions of a view, the likeliest together; `before` has their regions on other views.

    Where all is as likely, in the order of the findings and of the probabilities.
    """
    cost = np.array(
        [
            [_unlikely(finding, found, region) + _ORDER * (i - j) ** 2 for j, region in enumerate(regions)]
            for i, (finding, found) in enumerate(zip(findings, before, strict=True))
        ]
    ).reshape(len(findings), len(regions))
    rows, columns = linear_sum_assignment(cost)
    return [(int(i), regions[j]) for i, j in zip(rows, columns, strict=True)]


def _unlikely(finding: Finding, before: Sequence[Region], region: Region) -> float:
    """How unlikely a region is to be a finding's, as negative logarithm; `before` are its regions on other views."""
    contradicted = 0.0 if agrees(finding.location, region.box) else _CONTRADICTED
    return contradicted + sum(_depths_differ(other.box, region.box) for other in before)


def _depths_differ(box: ViewBox, other: ViewBox) -> float:
    """How unlikely two boxes on different views are to be one lesion's, by how far they are behind the nipple."""
    return (_depths_apart(box, other) / _DEPTH_SPREAD) ** 2 / 2


def _depths_apart(box: ViewBox, other: ViewBox) -> float:
    """How far two boxes on different views are from being as deep as one lesion; 0 where that is not known."""
    if box.behind_nipple is None or other.behind_nipple is None:
        return 0.0
    expected = _OBLIQUE_DEPTH.get(other.view, 0.0) - _OBLIQUE_DEPTH.get(box.view, 0.0)
    return abs(other.behind_nipple - box.behind_nipple - expected)


def _of_one_lesion(finding: Finding, regions: Sequence[Region]) -> Sequence[Region]:
    """The most probable of a finding's regions and those that are as deep; all of them where it is several lesions.

    Of an asymmetry the most probable alone: by its definition no other view shows it.
    """
    if finding.multiple:
        return regions
    surest = max(regions, key=lambda region: region.probability)
    if finding.kind is Kind.ASYMMETRY:
        return [surest]
    return [region for region in regions if _depths_apart(surest.box, region.box) <= _DEPTHS_APART]


def _located(finding: Finding, regions: Sequence[Region], views: int) -> Finding:
    """A finding with its places; `views` is the number of views of its breast."""
    boxes = tuple(region.box for region in regions)
    # A place missed on one view does not mean that the finding is visible on the other alone, so that is not stated.
    everywhere = tuple(b.view for b in boxes) if len(boxes) == views else ()
    best = max(region.probability for region in regions)
    return finding.model_copy(update={"boxes": boxes, "probability": best, "views": everywhere})


def _regions(view: ViewCandidates, kind: Kind, encoding: ViewEncoding, nipple: NippleView | None) -> list[Region]:
    """The places of a kind above the floor, most probable first."""
    regions = []
    for candidate in places_of(kind, view.candidates):
        if candidate.probability(kind) >= FLOOR:
            box = _within(
                view.shape, box_from_image(candidate.edges, (view.laterality, view.view), view.framed, encoding)
            )
            regions.append(Region(_with_position(box, view.framed, nipple), candidate.probability(kind)))
    return regions


def _within(shape: tuple[int, int], box: ViewBox) -> ViewBox:
    """A box cut to its image: the frame around a breast may be larger."""
    rows, columns = shape
    edges = {"left": max(0.0, box.left), "top": max(0.0, box.top)}
    return box.model_copy(
        update=edges | {"right": min(float(columns), box.right), "bottom": min(float(rows), box.bottom)}
    )


def _with_position(box: ViewBox, framed: FramedBreast, nipple: NippleView | None) -> ViewBox:
    """A box with the position of its centre as seen from the nipple, where that is known."""
    if nipple is None:
        return box
    over, behind = nipple.position(*framed.to_framed((box.left + box.right) / 2, (box.top + box.bottom) / 2))
    return box.model_copy(update={"off_nipple_line": over, "behind_nipple": behind})
