"""Mammograms changed: as other collections have them, which are still mammograms, and spoilt, which are none."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from amrg.birads import Laterality
from amrg.imaging.framing import breast_extent, find_breast
from amrg.imaging.pixels.polarity import is_negative
from amrg.training.guard.shapes import Pixels, Rng, cloud

_CROP, _PAD = 0.12, 0.4  # of a side, at most


def varied(pixels: Pixels, rng: Rng) -> Pixels:
    """A mammogram, chest wall at the left, as another collection might have it. Still a mammogram."""
    made = pixels
    for change, chance in _VARIATIONS:
        if rng.random() < chance:
            made = np.clip(change(made, rng), 0, 1).astype(np.float32)
    return made


def _contrast(pixels: Pixels, rng: Rng) -> Pixels:
    """Another exposure, window or film."""
    low, high = rng.uniform(0, 0.12), rng.uniform(0.6, 1.1)
    stretched = np.clip((pixels - low) / (high - low), 0, 1)
    return np.asarray(stretched ** np.exp(rng.uniform(-0.7, 0.7)) * rng.uniform(0.7, 1), np.float32)


def _equalised(pixels: Pixels, rng: Rng) -> Pixels:
    """Local contrast as processing software enhances it, within the breast."""
    width = max(3, round(rng.uniform(0.06, 0.3) * len(pixels)))
    mask, _ = find_breast(pixels, Laterality.LEFT)
    full = ndimage.zoom(
        mask.astype(np.float32), [a / b for a, b in zip(pixels.shape, mask.shape, strict=True)], order=1
    )
    off = pixels - ndimage.uniform_filter(pixels, width)
    spread = np.sqrt(np.maximum(ndimage.uniform_filter(off * off, width), 0)) + 0.02
    return np.asarray(pixels + rng.uniform(0.05, 0.2) * off / spread * full)


def _stretched(pixels: Pixels, rng: Rng) -> Pixels:
    """Wider or narrower, as pictures squeezed into squares are."""
    image = Image.fromarray(pixels)
    width = round(pixels.shape[1] * rng.uniform(0.75, 1.5))
    return np.asarray(image.resize((max(32, width), pixels.shape[0]), Image.Resampling.BILINEAR))


def _smaller(pixels: Pixels, rng: Rng) -> Pixels:
    """Of less resolution, or through JPEG."""
    factor = rng.uniform(0.2, 0.7)
    shape = (max(64, round(pixels.shape[1] * factor)), max(64, round(pixels.shape[0] * factor)))
    image = Image.fromarray(np.rint(pixels * 255).astype(np.uint8)).resize(shape, Image.Resampling.BOX)
    stored = io.BytesIO()
    image.save(stored, "JPEG", quality=int(rng.integers(30, 95)))
    return np.asarray(Image.open(stored), np.float32) / np.float32(255)


def _tight(pixels: Pixels, rng: Rng) -> Pixels:
    """Cropped to the breast, or a little into it above, below and at the chest wall."""
    rows, columns = breast_extent(pixels, Laterality.LEFT)
    height, width = rows.stop - rows.start, columns.stop - columns.start
    top, bottom, left = (rng.uniform(0, _CROP) if rng.random() < 0.5 else 0.0 for _ in range(3))
    part = pixels[
        rows.start + round(top * height) : rows.stop - round(bottom * height),
        columns.start + round(left * width) : columns.stop,
    ]
    return part if min(part.shape) >= 48 else pixels


def _padded(pixels: Pixels, rng: Rng) -> Pixels:
    """On a larger dark picture; some at a distance from the left edge, as films are scanned."""
    top, bottom, left, right = (
        round(rng.uniform(0, limit) * side) if rng.random() < 0.5 else 0
        for limit, side in zip((0.15, 0.3, 0.35, _PAD), (*pixels.shape[:1] * 2, *pixels.shape[1:] * 2), strict=True)
    )
    return np.pad(pixels, ((top, bottom), (left, right)), constant_values=float(np.percentile(pixels, 1)))


def _scanned(pixels: Pixels, rng: Rng) -> Pixels:
    """Edges and a background as of scanned film: bright strips along sides, unevenness, grain."""
    made = pixels.copy()
    height, width = made.shape
    for side in range(4):
        if rng.random() < 0.35:
            strip = max(1, round(rng.uniform(0.003, 0.03) * (height, width)[side % 2]))
            part = (slice(0, strip), slice(-strip, None))[side // 2]
            (made.T if side % 2 else made)[part] = rng.uniform(0.3, 1.0)
    if rng.random() < 0.4:
        made = made + rng.uniform(0.02, 0.12)
    if rng.random() < 0.4:
        made = made + rng.uniform(0.005, 0.03) * cloud(made.shape, rng, 1.8)
    return np.asarray(made + rng.uniform(0, 0.02) * rng.standard_normal(made.shape), np.float32)


def _labelled(pixels: Pixels, rng: Rng) -> Pixels:
    """Letters, plates and clamps on the dark side of the picture."""
    image = Image.fromarray(np.rint(pixels * 255).astype(np.uint8))
    pen, (width, height) = ImageDraw.Draw(image), image.size
    for _ in range(int(rng.integers(1, 4))):
        x, y = width * rng.uniform(0.55, 0.9), height * rng.uniform(0.01, 0.9)
        grey, size = int(rng.integers(120, 256)), max(8, round(height * rng.uniform(0.02, 0.07)))
        if rng.random() < 0.4:
            pen.rectangle((x, y, x + 3 * size, y + rng.uniform(1, 3) * size), fill=grey)
        else:
            letters = str(rng.choice(["R CC", "L MLO", "LCC", "RMLO", "R", "L", "12/03/1994", "MLO"]))
            pen.text((x, y), letters, fill=grey, font=ImageFont.load_default(size))
    return np.asarray(image, np.float32) / np.float32(255)


_VARIATIONS: tuple[tuple[Callable[[Pixels, Rng], Pixels], float], ...] = (
    (_contrast, 0.6),
    (_equalised, 0.25),
    (_tight, 0.4),
    (_stretched, 0.4),
    (_padded, 0.5),
    (_scanned, 0.3),
    (_labelled, 0.35),
    (_smaller, 0.3),
)


def inverted(pixels: Pixels, rng: Rng) -> Pixels:
    """Dark where it was bright: the whole picture where reading does not mend that, or only the breast."""
    whole = 1 - pixels
    if rng.random() < 0.5 and not is_negative(whole):
        return whole
    top = float(np.percentile(pixels, 99.5))
    dark = pixels <= np.percentile(pixels, 2) + 0.03
    return np.where(dark, 0, np.clip(top - pixels, 0, 1)).astype(np.float32)


def shuffled(pixels: Pixels, rng: Rng) -> Pixels:
    """Cut into blocks that are put back in another order."""
    across, down = int(rng.integers(2, 13)), int(rng.integers(2, 13))
    height, width = pixels.shape[0] // down, pixels.shape[1] // across
    blocks = [
        pixels[r * height : (r + 1) * height, c * width : (c + 1) * width] for r in range(down) for c in range(across)
    ]
    order = np.roll(rng.permutation(len(blocks)), 1)
    rows = [np.hstack([blocks[order[r * across + c]] for c in range(across)]) for r in range(down)]
    return np.vstack(rows)


def scattered(pixels: Pixels, rng: Rng) -> Pixels:
    """All pixels in another order, or drowned in noise."""
    if rng.random() < 0.5:
        return rng.permutation(pixels.ravel()).reshape(pixels.shape)
    return np.clip(pixels * 0.2 + rng.uniform(0.3, 0.6) * np.abs(rng.standard_normal(pixels.shape)), 0, 1).astype(
        np.float32
    )


def blurred(pixels: Pixels, rng: Rng) -> Pixels:
    """Out of focus beyond recognition."""
    return np.asarray(ndimage.gaussian_filter(pixels, rng.uniform(0.05, 0.12) * len(pixels)), np.float32)


def tiled(pixels: Pixels, rng: Rng) -> Pixels:
    """Several times in one picture."""
    return np.tile(pixels[::2, ::2], (int(rng.integers(2, 4)), int(rng.integers(2, 4))))


SPOILT: dict[str, Callable[[Pixels, Rng], Pixels]] = {
    "inverted": inverted,
    "shuffled": shuffled,
    "scattered": scattered,
    "blurred": blurred,
    "tiled": tiled,
}
"""What is no mammogram any more, by its name."""
