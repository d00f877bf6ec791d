"""What of an image is no part of the patient: padding, beyond the collimator, frames of scanned films."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw
from scipy import ndimage

from amrg.imaging.header import Header, is_for_processing
from amrg.imaging.image import StoredValues

Mask = npt.NDArray[np.bool_]
Stored = npt.NDArray[Any]

THIN = 0.04  # of a side: a thinner white edge may be the chest wall
_MAX_FRAME = 0.2  # of a side
_AROUND = 0.1  # of the image, at least, is padding that no header states
_FEW = 64  # pixels: smaller patches of the padding value are tissue that happens to have it


@dataclass(frozen=True)
class Outside:
    """Which pixels, bool [H, W], are displayed as background, and which count in no statistic; None for none."""

    hidden: Mask | None = None
    uncounted: Mask | None = None


def outside_image(values: StoredValues, header: Header, notes: list[str]) -> Outside:
    """What of the stored values is no part of the patient."""
    stored = values.pixels
    states_it = header.integer("PixelPaddingValue") is not None
    padding = _padding(values, header, notes) if states_it else _unstated(values, header, notes)
    hidden = _either(padding, _beyond_collimator(stored, header, notes))
    depths = _frame_depths(values, header)
    if any(sure := _no_tissue(depths, stored.shape)):
        notes.append(f"a white frame of {max(sure)} pixels at the edge is displayed as background")
        hidden = _either(hidden, _frame(stored.shape, sure))
    return Outside(hidden, _either(hidden, _frame(stored.shape, depths) if any(depths) else None))


def _either(one: Mask | None, other: Mask | None) -> Mask | None:
    """The union of two masks; None where it is empty or would leave nothing of the image."""
    masks = [mask for mask in (one, other) if mask is not None]
    both = np.logical_or.reduce(masks) if masks else None
    return None if both is None or both.mean() > 0.98 else both


def is_inverse(header: Header) -> bool:
    """Whether low values are displayed white: MONOCHROME1 (PS3.3 C.7.6.3.1.2) or LUT shape INVERSE (C.11.6)."""
    monochrome1 = header.term("PhotometricInterpretation") == "MONOCHROME1"
    return monochrome1 or header.term("PresentationLUTShape") == "INVERSE"


def _low_is_white(header: Header) -> bool:
    """Whether low stored values are displayed white: as `is_inverse`, or where rescaling turns them over, not both."""
    return is_inverse(header) is not ((header.number("RescaleSlope") or 1.0) < 0)


def _padding(values: StoredValues, header: Header, notes: list[str]) -> Mask | None:
    """Pixel Padding Value (0028,0120) to Pixel Padding Range Limit (0028,0121), both included (PS3.3 C.7.5.1.1.2)."""
    stored = values.pixels
    value, limit = (_as_stored(header.integer(k), stored) for k in ("PixelPaddingValue", "PixelPaddingRangeLimit"))
    if value is None:
        return None
    low, high = sorted((value, value if limit is None else limit))
    mask: Mask = (stored >= low) & (stored <= high)
    if not mask.any():
        return None
    levels, left = np.unique(stored[::8, ::8]), np.unique(stored[::8, ::8][~mask[::8, ::8]])
    if len(left) < len(levels) / 2:
        notes.append(f"pixel padding {low} to {high} would hide most of the image: ignored")
        return None
    if low > values.ends[0] or high >= values.ends[1] or _low_is_white(header):
        mask = _large_patches(mask)
        if not mask.any():
            return None
        notes.append(f"pixel padding {low} to {high} is displayed as background")
    return mask


def _unstated(values: StoredValues, header: Header, notes: list[str]) -> Mask | None:
    """The lowest value around a breast where low is displayed white and no padding is stated: black was meant.

    What is next to it tells it from the background of a negative. The thin edge of a breast is dark, so its stored
    values are high here; around a negative's background they are low.
    """
    if is_for_processing(header) or not _low_is_white(header):
        return None
    low = values.ends[0]
    few = values.pixels[::8, ::8]
    mask = few == low
    if mask.mean() < _AROUND or mask.all():
        return None
    edge = ndimage.binary_dilation(mask, iterations=2) & ~mask
    if np.median(few[edge]) <= np.quantile(few[~mask], (0.02, 0.98)).mean():
        return None
    notes.append(f"the value {low:g} around the breast, displayed white, is taken for padding")
    return _large_patches(values.pixels == low)


def _as_stored(value: int | None, stored: Stored) -> int | None:
    """A padding value in the pixels' own sign: US or SS by Pixel Representation, whatever the element says."""
    if value is None or not np.issubdtype(stored.dtype, np.signedinteger):
        return value % 2**16 if value is not None and value < 0 else value
    return value - 2**16 if value >= 2**15 else value


def _large_patches(mask: Mask) -> Mask:
    """Patches that are large: a pixel of tissue may have the padding value too."""
    labels, count = ndimage.label(mask)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    sizes[0] = 0
    return np.asarray((sizes >= _FEW)[labels], np.bool_)


def _beyond_collimator(stored: Stored, header: Header, notes: list[str]) -> Mask | None:
    """X-Ray Collimator (PS3.3 C.8.7.3): rows and columns count from 1; shapes intersect."""
    shapes = {text.upper() for text in header.texts("CollimatorShape")}
    if not shapes:
        return None
    inside: Mask = np.ones(stored.shape, np.bool_)
    if "RECTANGULAR" in shapes:
        left, right, top, bottom = (
            header.integer(f"Collimator{name}Edge")
            for name in ("LeftVertical", "RightVertical", "UpperHorizontal", "LowerHorizontal")
        )
        rectangle = np.zeros_like(inside)
        rectangle[max(0, top or 0) : _to(bottom), max(0, left or 0) : _to(right)] = True
        inside &= rectangle
    if "CIRCULAR" in shapes:
        inside &= _circle(stored.shape, header)
    if "POLYGONAL" in shapes:
        inside &= _polygon(stored.shape, header)
    if inside.all() or inside.mean() < 0.05:  # nothing is cut, or what is stated is no collimator
        return None
    notes.append("what is outside the collimator is displayed as background")
    return ~inside


def _to(edge: int | None) -> int | None:
    """The end of a slice before an edge that counts from 1; the end of the image where it is absent."""
    return None if edge is None or edge < 2 else edge - 1


def _circle(shape: tuple[int, ...], header: Header) -> Mask:
    center, radius = header.numbers("CenterOfCircularCollimator"), header.number("RadiusOfCircularCollimator")
    if len(center) != 2 or None in center or not radius:
        return np.ones(shape, np.bool_)
    y, x = np.ogrid[1 : shape[0] + 1, 1 : shape[1] + 1]
    return np.asarray((y - center[0]) ** 2 + (x - center[1]) ** 2 <= radius**2)


def _polygon(shape: tuple[int, ...], header: Header) -> Mask:
    points = [number for number in header.numbers("VerticesOfThePolygonalCollimator") if number is not None]
    if len(points) < 6 or len(points) % 2:
        return np.ones(shape, np.bool_)
    drawn = Image.new("L", (shape[1], shape[0]))
    corners = [(column - 1, row - 1) for row, column in zip(points[::2], points[1::2], strict=True)]
    ImageDraw.Draw(drawn).polygon(corners, fill=1)
    return np.asarray(drawn, np.bool_)


Depths = tuple[int, int, int, int]
"""Lines at top, bottom, left and right."""


def _no_tissue(depths: Depths, shape: tuple[int, ...]) -> Depths:
    """The white lines that are no tissue: at top and bottom, all of a frame that is closed, all of one that is deep.

    A thin white edge at a side alone may be the chest wall.
    """
    top, bottom, _, _ = depths
    return depths if all(depths) or max(depths) > THIN * min(shape) else (top, bottom, 0, 0)


def _frame_depths(values: StoredValues, header: Header) -> Depths:
    """The white border of a scanned film or an unexposed edge: lines that are white from end to end; 0 for none.

    What is displayed white of a For Processing image is the least exposure.
    """
    stored, (low, high) = values.pixels, values.ends
    exposure = is_for_processing(header)
    sign = header.number("PixelIntensityRelationshipSign")
    white = low if (sign != -1 if exposure else _low_is_white(header)) else high
    depths = _border(stored, white, 0.02 * (high - low))
    return (0, 0, 0, 0) if high <= low or max(depths) > _MAX_FRAME * min(stored.shape) else depths


def _frame(shape: tuple[int, ...], depths: Depths) -> Mask:
    """The lines of a frame, bool [H, W]."""
    top, bottom, left, right = depths
    frame = np.ones(shape, np.bool_)
    frame[top : shape[0] - bottom, left : shape[1] - right] = False
    return frame


def _border(stored: Stored, extreme: float, tolerance: float) -> Depths:
    """How many lines at top, bottom, left and right have 99 % of their pixels at an extreme.

    A few such lines that fade into the image are tissue: a frame ends sharply.
    """

    def at_extreme(line: Stored, within: float) -> float:
        return float(np.mean(np.abs(line.astype(np.float32) - extreme) <= within))

    depths = []
    for lines in (stored, stored[::-1], stored.T, stored.T[::-1]):
        depth = 0
        while depth < len(lines) // 2 and at_extreme(lines[depth], tolerance) >= 0.99:
            depth += 1
        fades = depth <= THIN * min(stored.shape) and at_extreme(lines[depth], 5 * tolerance) > 0.5
        depths.append(0 if fades else depth)
    return depths[0], depths[1], depths[2], depths[3]
