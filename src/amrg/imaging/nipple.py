"""Where a point of a breast is as seen from its nipple: off the nipple line, and behind the nipple."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from amrg.birads import Laterality
from amrg.imaging.image import Mask

_SMOOTH = 1 / 42  # of the frame: narrower than a nipple, wider than the outline's steps
_PLATEAU = 0.25  # share of the breast's rows: an outline cut straight by the image's edge shows no nipple


@dataclass(frozen=True)
class NippleView:
    """The nipple of a framed breast: its row, and the columns between it and the chest wall, in pixels of the frame."""

    row: float
    reach: float
    size: int
    laterality: Laterality

    def position(self, x: float, y: float) -> tuple[float, float]:
        """A point of the frame: height over the horizontal through the nipple, distance behind the nipple.

        Both are shares of the distance from nipple to chest wall; up is positive.
        """
        from_wall = x if self.laterality is Laterality.LEFT else self.size - x
        return (self.row - y) / self.reach, (self.reach - from_wall) / self.reach


def find_nipple(breast: Mask, laterality: Laterality) -> NippleView | None:
    """The point of the outline that is farthest from the chest wall; None where the outline has no such point.

    `breast` is that of a framed breast, bool [size, size].
    """
    mask = breast if laterality is Laterality.LEFT else breast[:, ::-1]
    extents = _extents(mask)
    reach = float(extents.max())
    farthest = np.flatnonzero(extents >= reach - 0.5)
    if reach < 1 or len(farthest) > _PLATEAU * np.count_nonzero(extents >= 1):
        return None
    return NippleView(float(farthest.mean()) + 0.5, reach, len(mask), laterality)


def _extents(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """Columns from the chest wall, at the left, to the skin, row by row, smoothed."""
    last = mask.shape[1] - mask[:, ::-1].argmax(1)
    columns = np.where(mask.any(1), last, 0).astype(np.float64)
    return np.asarray(ndimage.uniform_filter1d(columns, max(3, round(_SMOOTH * len(mask)))))
