"""The plain ways of reckoning that the fast ones must equal."""

from __future__ import annotations

import numpy as np
from PIL import Image, __version__

from amrg.imaging.image import ResizedPart


def whole_resize(pixels: np.ndarray, part: ResizedPart) -> np.ndarray:
    """A part of a whole float32 image by one call of Pillow, or by two where an older one has another order of axes."""
    image = Image.fromarray(pixels)
    if part.first_axis((pixels.shape[0], pixels.shape[1])) == 1 and int(__version__.split(".")[0]) < 13:
        left, top, right, bottom = part.box
        image = image.resize((image.width, part.size[1]), part.kind, box=(0, top, image.width, bottom))
        return np.asarray(image.resize(part.size, part.kind, box=(left, 0, right, part.size[1])))
    return np.asarray(image.resize(part.size, part.kind, box=part.box))
