"""Plain measures of a picture, which distinguish mammograms from others: outline, background, tone, texture.

All are taken from a copy of the whole picture of at most `SIDE` pixels, before anything is framed or cut off: what a
hand, a page or a film of a chest looks like is lost once its largest bright part is framed as a breast. None depends on
a model's weights.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.spatial import ConvexHull, QhullError

from amrg.birads import Laterality
from amrg.imaging.framing import find_breast, search_size
from amrg.imaging.image import Mask, Pixels, PresentationImage, ResizedPart, as_image
from amrg.imaging.morphology import dilate, erode

Numbers = npt.NDArray[np.float64]

SIDE = 256  # pixels of the longer side of the copy that is measured
BANDS = (1, 2, 4, 8, 16)  # widths of texture, in pixels of the copy
DEPTHS = (0.03, 0.06, 0.12, 0.25, 0.5)  # below the skin, in square roots of the breast's area
COLUMNS = 8  # strips across the breast from the chest wall to the nipple
FLAT = 0.02  # of the range: what varies less is one value
EPSILON = 1e-4


def measure_picture(picture: PresentationImage | Pixels, laterality: Laterality) -> Numbers:
    """The measures of a presentation image, [H, W] in 0..1, bright = dense, chest wall at its own edge.

    Same length and order for every image; every one is a finite number of ordinary size.
    """
    small, mask = _copy(as_image(picture), laterality)
    found = [*_outline(mask), *_background(small, mask), *_tone(small, mask), *_depth(small, mask)]
    found += [*_texture(small, mask), *_lines(small, mask), *_likeness_to_itself(small)]
    return np.clip(np.nan_to_num(np.asarray(found, np.float64)), -20, 20)


def _copy(image: PresentationImage, laterality: Laterality) -> tuple[Pixels, Mask]:
    """A copy whose longer side is `SIDE`, averaged where it is smaller than the picture, with its breast at the left.

    Where that is the copy that the breast was searched in already, both are taken from there.
    """
    whole = image.mirrored() if laterality is Laterality.RIGHT else image
    trimmed = _without_padding(whole)
    height, width = trimmed.shape
    factor = SIDE / max(height, width)
    size = (max(32, round(width * factor)), max(32, round(height * factor)))
    if trimmed is whole and size == search_size(image.shape):
        return whole.reduced(size), find_breast(whole, Laterality.LEFT)[0]
    small = trimmed.resample([ResizedPart(size, (0, 0, width, height), smooth=factor >= 1)])[0]
    return small, find_breast(small, Laterality.LEFT)[0]


def _without_padding(image: PresentationImage) -> PresentationImage:
    """The picture without dark columns of one value at its chest wall, which make it a square in some collections."""
    spread = image.spread_of_columns(image.shape[1] // 2)
    start = int((spread > FLAT).argmax()) if (spread > FLAT).any() else 0
    if start == 0:
        return image
    pixels = image.pixels()
    dark = float(pixels[:, :start].mean()) < float(np.median(pixels[:, start:])) + FLAT
    return image.columns(start) if dark else image


def _outline(mask: Mask) -> Iterator[float]:
    """Size, proportions, edges touched, hull, and how the breast narrows from the chest wall to the nipple."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    height, width = rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1
    area = float(mask.sum())
    yield area / mask.size
    yield float(np.log(height / width))
    yield area / (height * width)
    yield area / max(area, _hull_area(mask))
    yield from (float(edge.mean()) for edge in (mask[:, 0], mask[:, -1], mask[0], mask[-1]))
    box = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    strips = np.array([part.sum(0).mean() / height for part in np.array_split(box, COLUMNS, 1)])
    yield from strips
    yield float(np.maximum(np.diff(strips), 0).sum())  # a breast does not widen towards the nipple
    reach = np.where(box.any(1), width - box[:, ::-1].argmax(1), 0) / width
    yield float(np.abs(np.diff(ndimage.uniform_filter1d(reach, 5))).sum())  # 2 for one smooth bulge, more for fingers
    yield float(np.abs(np.diff(box.astype(np.int8), axis=0)).sum(0).mean())  # edges met down a column: 0 to 2
    yield float(np.abs(np.diff(box.astype(np.int8), axis=1)).sum(1).mean())
    yield float((rows.mean() - mask.shape[0] / 2) / mask.shape[0])


def _hull_area(mask: Mask) -> float:
    """Area of the convex hull, in pixels."""
    points = np.argwhere(mask & ~erode(mask, 1))
    try:
        return float(ConvexHull(points).volume)
    except (QhullError, ValueError):  # a line of pixels has no hull
        return 0.0


def _background(small: Pixels, mask: Mask) -> Iterator[float]:
    """How dark, flat and large the rest of the picture is, and what else is bright in it."""
    outside = ~dilate(mask, 3)
    inside = float(np.median(small[mask]))
    yield float(outside.mean())
    if outside.sum() < 32:
        yield from (0.0, 0.0, 0.0, 0.0, 0.0)
        return
    rest = small[outside]
    low, middle, high = np.percentile(rest, (5, 50, 95))
    yield float(middle)
    yield float(np.log((high - low + 0.01) / (abs(inside - middle) + 0.01)))
    yield float(np.log(_steepness(small)[outside].mean() + EPSILON))
    yield inside - float(middle)
    yield float((rest > (inside + middle) / 2).mean())


def _tone(small: Pixels, mask: Mask) -> Iterator[float]:
    """The distribution of brightness within the breast: its range, skew, weight of the tails, flat ends."""
    inside = small[mask]
    marks = np.percentile(inside, (1, 5, 25, 50, 75, 95, 99))
    span = max(EPSILON, float(marks[6] - marks[0]))
    yield from (float((mark - marks[0]) / span) for mark in marks[1:6])
    yield float(marks[3])
    yield span
    off = (inside - inside.mean()) / max(EPSILON, float(inside.std()))
    square = off * off
    yield float((square * off).mean())
    yield float(np.log((square * square).mean() + EPSILON))
    yield float((inside >= small.max() - EPSILON).mean())
    yield float((inside <= small.min() + EPSILON).mean())


def _depth(small: Pixels, mask: Mask) -> Iterator[float]:
    """Brightness below the skin at growing depth over that of the middle: a breast thins out towards its skin."""
    depth = ndimage.distance_transform_edt(np.pad(mask, ((0, 0), (1, 0)), mode="edge"))[:, 1:]
    depth = depth / np.sqrt(mask.sum())
    middle, dark = float(np.median(small[mask])), float(np.percentile(small, 1))
    edges = (0.0, *DEPTHS)
    for low, high in pairwise(edges):
        ring = mask & (depth > low) & (depth <= high)
        yield (float(small[ring].mean()) - dark) / max(0.02, middle - dark) if ring.any() else 1.0
        yield float(small[ring].std()) / max(0.02, middle - dark) if ring.any() else 0.0


def _texture(small: Pixels, mask: Mask) -> Iterator[float]:
    """Energy of details by their width, how heavy their tails are, and which directions edges have."""
    inner = erode(mask, 4)
    inner = inner if inner.sum() > 64 else mask
    spread = max(EPSILON, float(small[inner].std()))
    before = small
    for width in BANDS:
        after = _blur(small, 2 * width + 1)
        detail = (before - after)[inner]
        energy = float(detail.std())
        yield float(np.log(energy / spread + EPSILON))
        square = detail * detail
        yield float(np.log(np.mean(square * square) / max(EPSILON**4, energy**4) + EPSILON))
        yield float(np.mean(square * detail) / max(EPSILON**3, energy**3))
        before = after
    dy, dx = ndimage.gaussian_filter(small, 1.5, (1, 0)), ndimage.gaussian_filter(small, 1.5, (0, 1))
    weight = (dy * dy + dx * dx)[inner]
    steep = np.sqrt(weight)
    yield float(np.log(np.percentile(steep, 99) / (np.median(steep) + EPSILON) + EPSILON))
    total = max(EPSILON**2, float(weight.sum()))
    angle = np.arctan2(dy, dx)[inner]
    for times in (2, 4):
        yield float((weight * np.cos(times * angle)).sum()) / total
        yield float((weight * np.sin(times * angle)).sum()) / total


def _lines(small: Pixels, mask: Mask) -> Iterator[float]:
    """Straight steps along whole rows or columns, as pasted blocks and lines of text have, over the usual step."""
    inner = erode(mask, 2)
    for axis in (0, 1):
        both = np.take(inner, range(1, inner.shape[axis]), axis) & np.take(inner, range(inner.shape[axis] - 1), axis)
        step = np.where(both, np.abs(np.diff(small, axis=axis)), 0)
        held = both.sum(1 - axis)
        means = step.sum(1 - axis)[held > 8] / held[held > 8]
        if len(means) < 8:
            yield from (0.0, 0.0, 0.0)
            continue
        usual = float(np.median(means)) + EPSILON
        smooth = ndimage.median_filter(means, 9)
        yield float(np.log(means.max() / usual + EPSILON))
        yield float(np.log(np.sort(means / (smooth + EPSILON))[-3] + EPSILON))
        yield float(np.log(means.std() / usual + EPSILON))


def _likeness_to_itself(small: Pixels) -> Iterator[float]:
    """Correlation with the mirrored picture: side to side as a chest or a head has, and upside down."""
    off = small - small.mean()
    energy = max(EPSILON, float((off * off).sum()))
    yield float((off * off[:, ::-1]).sum()) / energy
    yield float((off * off[::-1]).sum()) / energy


def _steepness(small: Pixels) -> Pixels:
    """Length of the gradient."""
    return np.asarray(ndimage.gaussian_gradient_magnitude(small, 1.0), np.float32)


def _blur(small: Pixels, width: int) -> Pixels:
    return np.asarray(ndimage.uniform_filter(small, width, mode="nearest"), np.float32)
