"""The smallest images that read as mammograms: a half-ellipse of tissue at its chest wall."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from amrg.birads import Laterality, View
from amrg.imaging import MammogramToWrite, write_mammogram

ROWS, COLUMNS = 160, 120


def breast(side: Laterality) -> npt.NDArray[np.uint16]:
    """Values up to 1000, uint16 [ROWS, COLUMNS], brighter towards the chest wall."""
    y, x = np.mgrid[:ROWS, :COLUMNS]
    inside = ((y - ROWS / 2) / (0.42 * ROWS)) ** 2 + (x / (0.7 * COLUMNS)) ** 2
    image = np.where(inside < 1, 1000 - 500 * inside, 0).astype(np.uint16)
    return image[:, ::-1].copy() if side is Laterality.RIGHT else image


def write_dicom(path: Path, side: str = "L", view: str = "CC", key: str = "drawn") -> None:
    """One mammogram as a DICOM file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    hung = Laterality(side)
    write_mammogram(path, MammogramToWrite(breast(hung), hung, View(view), 0.4, 12, key, "DRAWN"))


def write_image(path: Path, side: str = "L") -> None:
    """One mammogram as an 8-bit PGM or JPEG, as its ending says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray((breast(Laterality(side)) // 4).astype(np.uint8)).save(path)
