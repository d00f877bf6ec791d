"""Where the findings of a version are, on the pixels of the images' own files.

Coordinates are those of SCOORD, PS3.3 C.18.6.1: column and row, where (0, 0) is the outer corner of the first pixel, so
that a pixel's centre is at .5 and the far corner of an image at (Columns, Rows). amrg's boxes have this convention too.
"""

from __future__ import annotations

from dataclasses import dataclass

from amrg.birads import Finding, ImageBox, ReportVersion, ViewBox
from amrg.delivery.errors import DeliveryError


@dataclass(frozen=True)
class LocatedFinding:
    """A finding of a version, numbered from 1 as in the report, with its boxes on the grids of the files.

    `drafted` is the number of the same finding in the draft, None for one that a person added.
    """

    number: int
    finding: Finding
    boxes: tuple[ImageBox, ...]
    drafted: int | None


def located_findings(version: ReportVersion) -> list[LocatedFinding]:
    """The findings of the version.

    Raises:
        DeliveryError: a finding has a box that is none of the draft's: its image is unknown.
    """
    drafted = _drafted_boxes(version)
    numbers = {finding: number for number, finding in enumerate(version.draft.report.findings, 1)}
    found = []
    for number, finding in enumerate(version.report.findings, 1):
        missing = [box for box in finding.boxes if box not in drafted]
        if missing:
            where = f"{missing[0].laterality}{missing[0].view}"
            raise DeliveryError(f"finding {number} has a box on {where} that the draft has not; remove it or redraft")
        boxes = tuple(drafted[box] for box in finding.boxes)
        origin = boxes[0].finding if boxes else numbers.get(finding)
        found.append(LocatedFinding(number, finding, boxes, origin))
    return found


def corners(box: ViewBox) -> list[tuple[float, float]]:
    """A box as a closed polyline: column and row of its corners, clockwise from the first, which is also the last."""
    left, top, right, bottom = box.left, box.top, box.right, box.bottom
    return [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]


def _drafted_boxes(version: ReportVersion) -> dict[ViewBox, ImageBox]:
    """The draft's boxes: as its report has them, on hung images, to the same boxes on the files' grids."""
    found: dict[ViewBox, ImageBox] = {}
    for number, finding in enumerate(version.draft.report.findings, 1):
        on_files = [box for box in version.draft.boxes if box.finding == number]
        found.update(zip(finding.boxes, on_files, strict=False))
    return found
