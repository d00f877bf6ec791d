"""The breast in a square frame: found, without labels and borders, cropped, in three versions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from amrg.birads import Laterality
from amrg.imaging.image import Mask, Pixels, PresentationImage, ResizedPart, as_image
from amrg.imaging.morphology import dilate, dilate_grey, erode, fill_holes, opening

SEARCH = 256  # rows at which the breast is searched for: fine enough for its outline, too coarse for dust
_SECOND = 0.4
"""Of the largest part: of 1,600 real mammograms none has a second one of more than 0.26, pairs of them have 0.37."""
_BREAST = 0.05  # of an image: a breast of a pair covers 0.07 and more, a wedge or a label beside a small breast less
_DARK = 0.3  # of the tissue's level: what lies between parts of a close crop is tissue too
_BENT, _SEAM, _GRAIN = 0.05, 3.0, 1e-3
"""Of mammograms without a straight side none has a seam of more than 2.0, turned by a quarter 2.6; pairs have 2.9."""
FINE = 1.5  # small bright structures are searched for on a grid this much finer than the frame


@dataclass(frozen=True)
class FramedBreast:
    """A breast in a square frame, chest wall at its own edge, upright, hung as it came.

    `pixels`, `contrast`, `detail` are float32 [size, size] in 0..1: presentation values with everything outside the
    breast 0; local contrast (0.5 is the local mean); small bright structures such as calcifications. `breast` is
    bool [size, size]. A point of the frame is `left + x * step`, `top + y * step` in the original image.
    """

    pixels: Pixels
    contrast: Pixels
    detail: Pixels
    breast: Mask
    left: float
    top: float
    step: float

    def mirrored(self, columns: int) -> FramedBreast:
        """The same breast in the mirrored original image, which has so many columns."""
        return FramedBreast(
            pixels=np.ascontiguousarray(self.pixels[:, ::-1]),
            contrast=np.ascontiguousarray(self.contrast[:, ::-1]),
            detail=np.ascontiguousarray(self.detail[:, ::-1]),
            breast=np.ascontiguousarray(self.breast[:, ::-1]),
            left=columns - self.left - len(self.pixels) * self.step,
            top=self.top,
            step=self.step,
        )

    def to_original(self, x: float, y: float) -> tuple[float, float]:
        """A point of the frame in pixels of the original image."""
        return self.left + x * self.step, self.top + y * self.step

    def to_framed(self, x: float, y: float) -> tuple[float, float]:
        """A point of the original image in pixels of the frame."""
        return (x - self.left) / self.step, (y - self.top) / self.step


Window = tuple[float, float, float]
"""Left, top and side of a square of an image."""


def frame_breast(picture: PresentationImage | Pixels, laterality: Laterality, size: int) -> FramedBreast:
    """Frame a presentation image, [H, W] in 0..1, bright = dense, in a square of `size` pixels.

    A right breast is framed as a left one in the mirrored image: a mirrored image is framed alike, bit for bit. Where
    no breast is found the whole image is framed, so that nothing is lost.
    """
    image = as_image(picture)
    if laterality is Laterality.RIGHT:
        return _frame_left(image.mirrored(), size).mirrored(image.shape[1])
    return _frame_left(image, size)


def _frame_left(image: PresentationImage, size: int) -> FramedBreast:
    """See `frame_breast`: of a breast with its chest wall at the left."""
    mask, scale = find_breast(image, Laterality.LEFT)
    rows, columns = _extent(mask, scale, image.shape)
    height, width = rows.stop - rows.start, columns.stop - columns.start
    side = max(height, width)
    window = (float(columns.start), float(rows.start - (side - height) / 2), float(side))
    coarse = (window[0] / scale, window[1] / scale, window[2] / scale)
    (shape,) = _resample(as_image(mask.astype(np.float32)), coarse, (size,))
    breast = shape > 0.5
    tone, fine = _resample(image, window, (size, round(FINE * size)))
    framed = np.where(breast, tone, np.float32(0))
    return FramedBreast(
        pixels=framed,
        contrast=_contrast(framed, breast),
        detail=_detail(fine, breast),
        breast=breast,
        left=window[0],
        top=window[1],
        step=side / size,
    )


def breast_extent(picture: PresentationImage | Pixels, laterality: Laterality) -> tuple[slice, slice]:
    """Rows and columns of a presentation image that contain its breast; all of them where none is found."""
    image = as_image(picture)
    if laterality is Laterality.RIGHT:
        rows, columns = breast_extent(image.mirrored(), Laterality.LEFT)
        return rows, slice(image.shape[1] - columns.stop, image.shape[1] - columns.start)
    mask, scale = find_breast(image, laterality)
    return _extent(mask, scale, image.shape)


def find_breast(picture: PresentationImage | Pixels, laterality: Laterality) -> tuple[Mask, float]:
    """The breast's mask on a coarse grid, and the original pixels a coarse pixel.

    The background is the darkest common level; the breast is the largest thing above it once thin borders are
    opened away, and labels, which are separate, fall out.
    """
    image = as_image(picture)
    if laterality is Laterality.RIGHT:
        mask, scale = find_breast(image.mirrored(), Laterality.LEFT)
        return mask[:, ::-1], scale
    return image.cached("breast", lambda: _search(image))


def search_size(shape: tuple[int, int]) -> tuple[int, int]:
    """Columns and rows of the copy of an image that its breast is searched in."""
    scale = _search_scale(shape)
    return max(8, round(shape[1] / scale)), max(8, round(shape[0] / scale))


def _search_scale(shape: tuple[int, int]) -> float:
    return max(1.0, shape[0] / SEARCH)


def _search(image: PresentationImage) -> tuple[Mask, float]:
    """See `find_breast`: of a breast with its chest wall at the left."""
    scale = _search_scale(image.shape)
    parts = _parts(image)
    if not parts.sizes.size:
        return np.ones_like(parts.bright), scale
    return fill_holes(dilate(parts.largest, 7, within=parts.bright)), scale


@dataclass(frozen=True)
class _Parts:
    """The coarse copy of an image, what is brighter than its background, and the parts of that without thin borders."""

    small: Pixels
    bright: Mask
    labels: npt.NDArray[np.int32]
    sizes: npt.NDArray[np.int64]

    @property
    def largest(self) -> Mask:
        """The largest part."""
        return np.asarray(self.labels == 1 + int(self.sizes.argmax()), np.bool_)


def _parts(image: PresentationImage) -> _Parts:
    """See `_Parts`: of an image with its chest wall at the left."""

    def found() -> _Parts:
        small = image.reduced(search_size(image.shape))
        bright = _without_borders(small > _background(small))
        labels, _ = ndimage.label(dilate(erode(bright, 6), 6))
        return _Parts(small, bright, labels, np.bincount(labels.ravel())[1:])

    return image.cached("parts", found)


def shows_two_breasts(picture: PresentationImage | Pixels, laterality: Laterality) -> bool:
    """Whether an image is of two breasts, as RCC and LCC in one file: two large parts, or two breasts back to back.

    Two that touch at their chest walls are one part without a straight side, and with a straight seam from end to end.
    """
    image = as_image(picture)
    parts = _parts(image.mirrored() if laterality is Laterality.RIGHT else image)
    if not parts.sizes.size:
        return False
    second = np.sort(parts.sizes)[-2] if parts.sizes.size > 1 else 0
    if second > max(_SECOND * parts.sizes.max(), _BREAST * parts.small.size):
        return bool(np.median(parts.small[~parts.bright]) < _DARK * np.median(parts.small[parts.bright]))
    mask = fill_holes(parts.largest)
    return min(outline_bends(mask)) > _BENT and _seam(parts.small, mask) > _SEAM


def outline_bends(mask: Mask) -> tuple[float, float]:
    """How much the left and the right outline of a breast bend, as shares of its width: the chest wall is straight."""
    inside = np.flatnonzero(mask.any(1))
    ends = len(inside) // 20  # the outline closes there
    part = mask[inside[ends : len(inside) - ends]]
    left, right = part.argmax(1), part.shape[1] - part[:, ::-1].argmax(1)
    width = max(1, right.max() - left.min())
    return float(left.std() / width), float(right.std() / width)


def _seam(small: Pixels, mask: Mask) -> float:
    """The steepest step between two columns of the middle of a breast, where it is tall, over the usual one."""
    both = mask[:, 1:] & mask[:, :-1]
    steps, heights = np.abs(np.diff(small, axis=1)), both.sum(0)
    held = np.flatnonzero(heights)
    if held.size < 16:
        return 0.0
    middle = range(*np.quantile(held, (0.3, 0.7)).astype(int))
    usual = {column: float(np.median(steps[both[:, column], column])) for column in middle}
    tall = [step for column, step in usual.items() if heights[column] > 0.9 * heights.max()]
    return max(tall, default=0.0) / (float(np.median(list(usual.values()))) + _GRAIN)


def _background(small: Pixels) -> float:
    """The level between background and breast: above the darkest mode by its spread, below half of the tissue."""
    smooth = ndimage.uniform_filter(small, 3)
    counts, edges = np.histogram(smooth, 128, (0.0, max(1e-3, float(smooth.max()))))
    dark = counts[: len(counts) // 2]
    mode = float(edges[int(dark.argmax())] + edges[1] / 2)
    below = smooth[smooth <= mode + edges[1]]
    noise = 1.5 * float(np.median(np.abs(below - np.median(below)))) if len(below) else 0.0
    tissue = float(np.median(smooth[smooth > mode + 0.03])) if (smooth > mode + 0.03).any() else mode
    return mode + min(max(0.025, 6 * noise), 0.5 * max(tissue - mode, 0.02))


def _without_borders(bright: Mask) -> Mask:
    """Cut bright frames along the edges of the film: lines that are bright almost from end to end.

    Not at the left, the chest wall, where tissue may well be bright from end to end.
    """
    cut = bright.copy()
    reach = max(2, round(0.04 * min(bright.shape)))
    first, last = range(reach), range(-reach, 0)
    for axis, edge in ((0, first), (0, last), (1, last)):
        along = bright.mean(1 - axis)
        np.moveaxis(cut, axis, 0)[[i for i in edge if along[i] > 0.9]] = False
    return cut


def _extent(mask: Mask, scale: float, shape: tuple[int, ...]) -> tuple[slice, slice]:
    """Rows and columns of the original that contain the mask, with a margin of one coarse pixel."""
    found = []
    for axis, length in ((1, shape[0]), (0, shape[1])):
        held = np.flatnonzero(mask.any(axis))
        low, high = (held[0] - 1) * scale, (held[-1] + 2) * scale
        found.append(slice(max(0, round(low)), min(length, round(high))))
    return found[0], found[1]


def _resample(image: PresentationImage, window: Window, sizes: Sequence[int]) -> list[Pixels]:
    """A square window of an image as [size, size] for each of some sizes, 0 outside it."""
    left, top, side = window
    low = (max(0.0, left), max(0.0, top))
    high = (min(image.shape[1], left + side), min(image.shape[0], top + side))
    starts, parts = [], []
    for size in sizes:
        step = side / size
        start = [round((a - b) / step) for a, b in zip(low, (left, top), strict=True)]
        span = [max(1, min(size - s, round((h - a) / step))) for s, h, a in zip(start, high, low, strict=True)]
        starts.append(start)
        parts.append(ResizedPart((span[0], span[1]), (*low, *high), smooth=step <= 1))
    return [_placed(part, start, size) for part, start, size in zip(image.resample(parts), starts, sizes, strict=True)]


def _placed(part: Pixels, start: Sequence[int], size: int) -> Pixels:
    """A part of an image at its column and row of a square that is 0 elsewhere."""
    framed = np.zeros((size, size), np.float32)
    framed[start[1] : start[1] + part.shape[0], start[0] : start[0] + part.shape[1]] = part
    return framed


def _contrast(framed: Pixels, breast: Mask) -> Pixels:
    """Deviation from the local mean over the local spread, within the breast only, squashed to 0..1."""
    held = _occupied_columns(breast)
    inside = breast[:, held].astype(np.float32)
    tone = framed[:, held]
    width = max(3, round(0.08 * len(framed)))
    weight = _blur(inside, width) + np.float32(1e-3)
    mean = _blur(tone, width) / weight
    spread = np.sqrt(np.maximum(_blur(tone * tone, width) / weight - mean * mean, 0)) + np.float32(0.02)
    contrast = np.full(framed.shape, 0.5, np.float32)
    contrast[:, held] += 0.5 * np.tanh(0.6 * (tone - mean) / spread) * inside
    return contrast


def _occupied_columns(mask: Mask) -> slice:
    """From the first to the last column with any of a mask."""
    held = np.flatnonzero(mask.any(0))
    return slice(int(held[0]), int(held[-1]) + 1) if len(held) else slice(0, mask.shape[1])


def _blur(pixels: Pixels, width: int) -> Pixels:
    """Two box blurs: close to a Gaussian, at a cost that does not grow with the width."""
    once = ndimage.uniform_filter(pixels, width, mode="nearest")
    return np.asarray(ndimage.uniform_filter(once, width, mode="nearest"), np.float32)


def _detail(fine: Pixels, breast: Mask) -> Pixels:
    """White top-hat (about 2 mm in a breast of 200 mm) over its own median, max-pooled to the frame, in 0..1.

    `fine` is the breast's window on a grid `FINE` times finer than that of `breast`.
    """
    size = len(breast)
    width = max(3, round(0.011 * len(fine)))
    held = _occupied_columns(breast)
    nearest = ((np.arange(size) + 0.5) * len(fine) / size).astype(int)
    columns = slice(int(held.start * FINE), int(held.stop * FINE))
    inside = fine[:, columns]
    hat = np.zeros_like(fine)
    hat[:, columns] = dilate_grey(inside - opening(inside, width), 2)
    sampled = hat[np.ix_(nearest, nearest)]
    inner = erode(breast, max(1, size // 100))
    usual = float(np.median(sampled[inner])) if inner.any() else 0.0
    strength = sampled / (sampled + 5 * usual + 0.01)
    return np.where(inner, strength, 0.0).astype(np.float32)
