"""Where the findings of a version are, on the pixels of the images' own files.

Coordinates are those of SCOORD, PS3.3 C.18.6.1: column and row, where (0, 0) is the outer corner of the first pixel, so
that a pixel's centre is at .5 and the far corner of an image at (Columns, Rows). amrg's boxes have this convention too.
"""

from __future__ import annotations

from dataclasses import dataclass

from pydicom.dataset import Dataset

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
    """The findings of the version, with the marks of `version.boxes`.

    Raises:
        DeliveryError: the report states findings that nobody decided: which marks are theirs is not known.
    """
    origins, boxes = version.origins, version.boxes
    findings = version.report.findings
    if len(origins) != len(findings):
        raise DeliveryError(f"{len(findings)} findings, and decisions of {len(origins)}; decide on each, or redraft")
    return [
        LocatedFinding(number, finding, tuple(box for box in boxes if box.finding == number), origin)
        for number, (finding, origin) in enumerate(zip(findings, origins, strict=True), 1)
    ]


def frame_read(image: Dataset) -> int | None:
    """The frame of a multi-frame image that amrg reads, by Referenced Frame Number (0008,1160); None of a single frame.

    It is the first: of multi-frame objects only synthetic 2D images among frames are read, tomosynthesis is set aside.
    """
    return 1 if int(image.get("NumberOfFrames") or 1) > 1 else None


def corners(box: ViewBox) -> list[tuple[float, float]]:
    """A box as a closed polyline: column and row of its corners, clockwise from the first, which is also the last."""
    left, top, right, bottom = box.left, box.top, box.right, box.bottom
    return [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]
