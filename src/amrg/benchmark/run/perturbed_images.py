"""Mammograms with perturbed pixels: blanked, and mirrored to the other breast."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from amrg.imaging import Mammogram, Study
from amrg.metrics.clinical.laterality import OTHER


class Blanked(Mammogram):
    """A blank view: the geometry of a mammogram, every pixel background."""

    def pixels(self) -> npt.NDArray[np.float32]:
        """Zeros float32 [rows, columns]; the file is not opened."""
        return np.zeros((self.rows, self.columns), np.float32)


class Mirrored(Mammogram):
    """A view mirrored left to right and labelled as the other breast: `of` is the unchanged view."""

    of: Mammogram

    def pixels(self) -> npt.NDArray[np.float32]:
        """The mirrored presentation values float32 [rows, columns]; chest wall at the edge of the new side.

        Raises:
            ImagingError: the file is missing or not readable.
        """
        return np.ascontiguousarray(self.of.pixels()[:, ::-1])

    def to_file(self, x: float, y: float) -> tuple[float, float]:
        """A point of `pixels` on the file's own grid."""
        return self.of.to_file(self.columns - x, y)


def blank(study: Study) -> Study:
    """The study with every image black, same views and sizes."""
    return _with(study, [Blanked(**_fields(m)) for m in study.mammograms])


def mirror(study: Study) -> Study:
    """The study mirrored: images mirrored left to right, sides exchanged."""
    turned = [Mirrored(**(_fields(m) | {"laterality": OTHER[m.laterality]}), of=m) for m in study.mammograms]
    return _with(study, turned)


def _with(study: Study, mammograms: list[Blanked] | list[Mirrored]) -> Study:
    return study.model_copy(update={"mammograms": tuple(mammograms)})


def _fields(mammogram: Mammogram) -> dict[str, object]:
    """The fields that every mammogram has."""
    return {name: getattr(mammogram, name) for name in Mammogram.model_fields}
