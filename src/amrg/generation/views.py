"""The views of a study as a model takes them, and whether each looks like a mammogram."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from amrg.core.threads import map_in_threads
from amrg.imaging import FramedBreast, Mammogram, frame_breast
from amrg.models.guard.likeness import mammogram_check
from amrg.models.views import ViewEncoding, model_image


@dataclass(frozen=True)
class PreparedView:
    """A view framed, as the model's image uint8 [size, size, 3], and how much it looks like a mammogram (0 or more)."""

    framed: FramedBreast
    image: npt.NDArray[np.uint8]
    likeness: float


def prepare_views(mammograms: Sequence[Mammogram], encoding: ViewEncoding) -> list[PreparedView]:
    """Read, frame and check views, a few together; the stored pixels of the last few files are kept in memory.

    Raises:
        ImagingError: a view's file is gone or no longer readable.
    """
    check = mammogram_check()

    def prepared(mammogram: Mammogram) -> PreparedView:
        image, side = mammogram.image(), mammogram.laterality
        framed = frame_breast(image, side, encoding.size)
        return PreparedView(framed, model_image(framed, side, encoding), check.of_picture(image, side))

    return map_in_threads(prepared, mammograms)
