"""Whether an image is a negative: a mammogram's background is flat and dark, a negative's is flat and white."""

from __future__ import annotations

import numpy as np

from amrg.imaging.image import Mask, Pixels, PresentationImage, as_image

NEGATIVE = "a negative, its background is white: displayed inverted"
_SIDE = 300  # pixels of the shorter side that are looked at
_BLOCK = 8
_FLAT = 0.25  # the share of blocks that counts as flat
_MOST = 0.9  # of the flat blocks are in the brighter half
_WHITE = 0.97  # of the range of levels: their own level
"""Of 619 real mammograms and 600 crops without any background none is so, of the negatives of the former 616 are."""


def is_negative(picture: PresentationImage | Pixels, hidden: Mask | None = None) -> bool:
    """Whether a presentation image [H, W] has a white background; what is hidden does not count."""
    image = as_image(picture)
    step = max(1, min(image.shape) // _SIDE)
    blocks = _blocks(image.every(step))
    if hidden is not None:
        blocks = blocks[~_blocks(hidden[::step, ::step]).any(1)]
    if len(blocks) < 16:
        return False
    spread, mean = np.ptp(blocks, 1), blocks.mean(1)
    low, high = np.quantile(mean, (0.02, 0.98))
    flat = mean[spread <= np.quantile(spread, _FLAT)]
    brighter = (flat > (low + high) / 2).mean() > _MOST
    return bool(brighter and np.median(flat) >= low + _WHITE * (high - low) > low)


def _blocks(image: Pixels | Mask) -> Pixels:
    """Square blocks of an image, one a row."""
    rows, columns = (side // _BLOCK * _BLOCK for side in image.shape)
    cut = np.asarray(image[:rows, :columns], np.float32)
    shape = (rows // _BLOCK, _BLOCK, columns // _BLOCK, _BLOCK)
    return cut.reshape(shape).swapaxes(1, 2).reshape(-1, _BLOCK * _BLOCK)
