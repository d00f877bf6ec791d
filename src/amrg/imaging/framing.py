"""The breast in a square frame: found, without labels and borders, cropped, in three versions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy import ndimage

from amrg.birads import Laterality

Pixels = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

SEARCH = 256  # rows at which the breast is searched for: fine enough for its outline, too coarse for dust
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

    def to_original(self, x: float, y: float) -> tuple[float, float]:
        """A point of the frame in pixels of the original image."""
        return self.left + x * self.step, self.top + y * self.step

    def to_framed(self, x: float, y: float) -> tuple[float, float]:
        """A point of the original image in pixels of the frame."""
        return (x - self.left) / self.step, (y - self.top) / self.step


def frame_breast(pixels: Pixels, laterality: Laterality, size: int) -> FramedBreast:
    """Frame a presentation image, float32 [H, W] in 0..1, bright = dense, in a square of `size` pixels.

    Where no breast is found the whole image is framed, so that nothing is lost.
    """
    mask, scale = find_breast(pixels, laterality)
    rows, columns = _extent(mask, scale, pixels.shape)
    height, width = rows.stop - rows.start, columns.stop - columns.start
    side = max(height, width)
    top = rows.start - (side - height) / 2
    left = columns.stop - side if laterality is Laterality.RIGHT else columns.start
    window = (float(left), float(top), float(side))
    breast = _resample(mask.astype(np.float32), tuple(v / scale for v in window), size) > 0.5
    framed = np.where(breast, _resample(pixels, window, size), np.float32(0))
    return FramedBreast(
        pixels=framed,
        contrast=_contrast(framed, breast),
        detail=_detail(pixels, window, breast),
        breast=breast,
        left=window[0],
        top=window[1],
        step=side / size,
    )


def breast_extent(pixels: Pixels, laterality: Laterality) -> tuple[slice, slice]:
    """Rows and columns of a presentation image that contain its breast; all of them where none is found."""
    mask, scale = find_breast(pixels, laterality)
    return _extent(mask, scale, pixels.shape)


def find_breast(pixels: Pixels, laterality: Laterality) -> tuple[Mask, float]:
    """The breast's mask on a coarse grid, and the original pixels a coarse pixel.

    The background is the darkest common level; the breast is the largest thing above it once thin borders are
    opened away, and labels, which are separate, fall out.
    """
    scale = max(1.0, pixels.shape[0] / SEARCH)
    small = _shrink(pixels, scale)
    level = _background(small)
    bright = _without_borders(small > level, laterality)
    opened = ndimage.binary_opening(bright, iterations=6)
    labels, count = ndimage.label(opened)
    if count == 0:
        return np.ones_like(bright), scale
    sizes = ndimage.sum_labels(opened, labels, np.arange(1, count + 1))
    breast = labels == 1 + int(np.argmax(sizes))
    grown = ndimage.binary_dilation(breast, iterations=7, mask=bright)
    return ndimage.binary_fill_holes(grown), scale


def _shrink(pixels: Pixels, scale: float) -> Pixels:
    """Area-averaged copy, `scale` times smaller."""
    shape = (max(8, round(pixels.shape[1] / scale)), max(8, round(pixels.shape[0] / scale)))
    return np.asarray(Image.fromarray(pixels).resize(shape, Image.Resampling.BOX), np.float32)


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


def _without_borders(bright: Mask, laterality: Laterality) -> Mask:
    """Cut bright frames along the edges of the film: lines that are bright almost from end to end."""
    cut = bright.copy()
    reach = max(2, round(0.04 * min(bright.shape)))
    for axis in (0, 1):
        along = bright.mean(1 - axis)
        for edge in (range(reach), range(len(along) - reach, len(along))):
            lines = [i for i in edge if along[i] > 0.9]
            if axis == 1 and _is_chest_wall(edge, len(along), laterality):
                continue
            np.moveaxis(cut, axis, 0)[lines] = False
    return cut


def _is_chest_wall(edge: range, columns: int, laterality: Laterality) -> bool:
    """Whether an edge's columns are at the chest wall, where tissue may well be bright from end to end."""
    return (edge.stop == columns) is (laterality is Laterality.RIGHT)


def _extent(mask: Mask, scale: float, shape: tuple[int, ...]) -> tuple[slice, slice]:
    """Rows and columns of the original that contain the mask, with a margin of one coarse pixel."""
    found = []
    for axis, length in ((1, shape[0]), (0, shape[1])):
        held = np.flatnonzero(mask.any(axis))
        low, high = (held[0] - 1) * scale, (held[-1] + 2) * scale
        found.append(slice(max(0, round(low)), min(length, round(high))))
    return found[0], found[1]


def _resample(pixels: Pixels, window: tuple[float, ...], size: int) -> Pixels:
    """A square window (left, top, side) of an image as [size, size], 0 outside it."""
    left, top, side = window
    step = side / size
    low = (max(0.0, left), max(0.0, top))
    high = (min(pixels.shape[1], left + side), min(pixels.shape[0], top + side))
    start = [round((a - b) / step) for a, b in zip(low, (left, top), strict=True)]
    span = [max(1, min(size - s, round((h - a) / step))) for s, h, a in zip(start, high, low, strict=True)]
    kind = Image.Resampling.BOX if step > 1 else Image.Resampling.BILINEAR
    part = Image.fromarray(pixels).resize((span[0], span[1]), kind, box=(*low, *high))
    framed = np.zeros((size, size), np.float32)
    framed[start[1] : start[1] + span[1], start[0] : start[0] + span[0]] = np.asarray(part)
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


def _detail(pixels: Pixels, window: tuple[float, ...], breast: Mask) -> Pixels:
    """White top-hat (about 2 mm in a breast of 200 mm) over its own median, max-pooled to the frame, in 0..1."""
    size = len(breast)
    fine = _resample(pixels, window, round(FINE * size))
    width = max(3, round(0.011 * len(fine)))
    held = _occupied_columns(breast)
    nearest = ((np.arange(size) + 0.5) * len(fine) / size).astype(int)
    columns = slice(int(held.start * FINE), int(held.stop * FINE))
    hat = np.zeros_like(fine)
    hat[:, columns] = fine[:, columns] - ndimage.grey_opening(fine[:, columns], (width, width))
    hat[:, columns] = ndimage.maximum_filter(hat[:, columns], 2)
    sampled = hat[np.ix_(nearest, nearest)]
    inner = ndimage.binary_erosion(breast, iterations=max(1, size // 100))
    usual = float(np.median(sampled[inner])) if inner.any() else 0.0
    strength = sampled / (sampled + 5 * usual + 0.01)
    return np.where(inner, strength, 0.0).astype(np.float32)
