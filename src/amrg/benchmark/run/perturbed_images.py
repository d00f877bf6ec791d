"""Mammograms with perturbed pixels: blanked, and mirrored to the other breast."""

from __future__ import annotations

import numpy as np

from amrg.imaging import Mammogram, PresentationImage, Study
from amrg.metrics.clinical.laterality import OTHER


class Blanked(Mammogram):
    """A blank view: the geometry of a mammogram, every pixel background."""

    def image(self) -> PresentationImage:
        """Zeros [rows, columns]; the file is not opened."""
        return PresentationImage(np.zeros((self.rows, self.columns), np.float32))


class Mirrored(Mammogram):
    """A view mirrored left to right and labelled as the other breast: `of` is the unchanged view."""

    of: Mammogram

    def image(self) -> PresentationImage:
        """The mirrored presentation image [rows, columns]; chest wall at the edge of the new side.

        Raises:
            ImagingError: the file is missing or not readable.
        """
        return self.of.image().mirrored()

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
