"""Where a drafted finding is: boxes read from the image features, in pixels of the original images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from amrg.birads import Finding, Kind, Laterality, Report, View
from amrg.imaging import FramedBreast
from amrg.models import KINDS, ViewEncoding, box_from_image

FLOOR = 0.25  # probability below which a cell marks nothing


@dataclass(frozen=True)
class ViewFeatures:
    """One view with its image features: cells float32 [side, side, kinds], probabilities."""

    laterality: Laterality
    view: View
    framed: FramedBreast
    cells: npt.NDArray[np.float32]


def locate_findings(report: Report, views: Sequence[ViewFeatures], encoding: ViewEncoding) -> Report:
    """The report with a box a view and a probability for every finding that the features locate.

    The n-th finding of a kind in a breast gets the n-th most probable region of that kind.
    """
    rank: Counter[tuple[Kind, Laterality | None]] = Counter()
    findings = []
    for finding in report.findings:
        key = (finding.kind, finding.laterality)
        findings.append(_located(finding, rank[key], views, encoding))
        rank[key] += 1
    return report.model_copy(update={"findings": tuple(findings)})


def _located(finding: Finding, rank: int, views: Sequence[ViewFeatures], encoding: ViewEncoding) -> Finding:
    boxes, best = [], 0.0
    of_breast = [view for view in views if view.laterality is finding.laterality]
    for view in of_breast:
        regions = _regions(view.cells[..., KINDS.index(finding.kind)])
        if rank < len(regions):
            probability, rows, columns = regions[rank]
            best = max(best, probability)
            cell = encoding.size / len(view.cells)
            edges = (columns.start * cell, rows.start * cell, columns.stop * cell, rows.stop * cell)
            boxes.append(box_from_image(edges, (view.laterality, view.view), view.framed, encoding))
    if not boxes:
        return finding
    # A place missed on one view does not mean that the finding is visible on the other alone, so that is not stated.
    everywhere = tuple(b.view for b in boxes) if len(boxes) == len(of_breast) else ()
    return finding.model_copy(update={"boxes": tuple(boxes), "probability": best, "views": everywhere})


def _regions(grid: npt.NDArray[np.float32]) -> list[tuple[float, slice, slice]]:
    """Connected regions above the floor, most probable first: peak probability, rows, columns."""
    labels, _ = ndimage.label(grid >= FLOOR)
    found = ndimage.find_objects(labels)
    regions = [(float(grid[rows, columns].max()), rows, columns) for rows, columns in found]
    return sorted(regions, key=lambda region: -region[0])
