"""Miniature replicas of data sets in their published layout, images drawn with the phantom."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from dmid_data import DMID, SCALE, dmid_reports, write_published
from PIL import Image, ImageDraw

from amrg.birads import Laterality, View
from amrg.imaging import MammogramToWrite, write_mammogram
from amrg.phantom import DrawnView, Size, draw_exam


def dmid_texts() -> dict[str, str]:
    """Image id to the real report, Img001 to Img400; the test is skipped where they are not here."""
    if not DMID.is_dir():
        pytest.skip("the real DMID reports are not here")
    return dmid_reports()


def dmid_replica(folder: Path, n: int, reports: int = 400, patient: Callable[[int], str] = lambda _: "") -> Path:
    """DMID as published: the real texts and labels of its first `reports` images, images of the first `n` only.

    Densities, sides, views and severities are the published ones, circles too, at `SCALE`. `patient` gives the
    PatientID of an image.
    """
    dmid_texts()
    for name in ("DICOM_Images", "TIFF Images", "ROI_Masks"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    labels = write_published(folder, reports)
    for number, row in enumerate(labels[:n], start=1):
        _write_images(folder, number, row, patient(number))
    return folder


@cache
def _views() -> dict[tuple[Laterality, View], DrawnView]:
    """Four small images, drawn once."""
    return {(view.laterality, view.view): view for view in draw_exam(1_000_007, Size.SMALL).views}


def _write_images(folder: Path, number: int, row: dict[str, str], patient: str) -> None:
    """DICOM, TIFF and, where a lesion is marked, its mask."""
    side, view = Laterality(row["laterality"]), View(row["view"])
    drawn = _views()[side, view]
    to_write = MammogramToWrite(
        pixels=drawn.pixels,
        laterality=side,
        view=view,
        spacing_mm=drawn.spacing_mm,
        bits_stored=drawn.bits_stored,
        study_key=f"dmid-replica-{number}",
        patient_id=patient,
    )
    write_mammogram(folder / "DICOM_Images" / f"IMG{number:03d}.dcm", to_write)
    Image.fromarray(drawn.pixels.astype(np.uint16)).save(folder / "TIFF Images" / f"IMG{number:03d}.tif")
    if row["lesion_radius"]:
        x, y, r = (float(row[name]) * SCALE for name in ("lesion_x", "lesion_y", "lesion_radius"))
        mask = Image.new("L", (drawn.pixels.shape[1], drawn.pixels.shape[0]))
        ImageDraw.Draw(mask).ellipse((x - r, y - r, x + r, y + r), fill=255)
        mask.save(folder / "ROI_Masks" / f"IMG{number:03d}.tif")
