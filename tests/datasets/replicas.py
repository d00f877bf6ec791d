"""Miniature replicas of data sets in their published layout, images drawn with the phantom."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from openpyxl import Workbook
from PIL import Image, ImageDraw

from amrg.birads import Laterality, View
from amrg.imaging import MammogramToWrite, write_mammogram
from amrg.phantom import DrawnView, Size, draw_exam

DMID = Path(__file__).parents[3] / "shared" / "data" / "dmid"
SCALE = 0.1
"""The published circles are in pixels of full-size images; the drawn ones are about a tenth of that."""

_SEVERITY = {"Normal": "N", "Benign": "B", "Suspicious Malignant": "M", "Malignant": "M"}
_CLASSES = {
    "normal": ("NORM",),
    "mass": ("CIRC",),
    "calcification": ("CALC",),
    "both": ("CIRC", "CALC"),
    "others": ("ASYM",),
}


def dmid_texts() -> dict[str, str]:
    """Image id to the real report, Img001 to Img400; the test is skipped where they are not here."""
    if not DMID.is_dir():
        pytest.skip("the real DMID reports are not here")
    lines = (DMID / "reports.jsonl").read_text(encoding="utf-8").splitlines()
    return {row["image_id"]: row["text"] for row in map(json.loads, lines)}


def dmid_replica(folder: Path, n: int, reports: int = 400, patient: Callable[[int], str] = lambda _: "") -> Path:
    """DMID as published: the real texts and labels of its first `reports` images, images of the first `n` only.

    Densities, sides, views and severities are the published ones, circles too, at `SCALE`. The classes behind
    `labels.csv` are not known: a mass is called CIRC, other findings ASYM. `patient` gives the PatientID of an image.
    """
    texts = dmid_texts()
    with (DMID / "labels.csv").open(encoding="utf-8", newline="") as file:
        labels = list(csv.DictReader(file))[:reports]
    for name in ("DICOM_Images", "TIFF Images", "ROI_Masks", "Reports"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    _write_table(folder / "Metadata.xlsx", labels)
    for number, row in enumerate(labels, start=1):
        name = f"Reports/{row['image_id']}.txt"
        (folder / name).write_bytes(texts[row["image_id"]].encode())
        if number <= n:
            _write_images(folder, number, row, patient(number))
    return folder


def _write_table(path: Path, labels: list[dict[str, str]]) -> None:
    """A legend of thirty lines, then a row a lesion, with the published table's trailing spaces."""
    book = Workbook()
    sheet = book.active
    for line in range(30):
        sheet.append([f"{line + 1}. column: what it means", "NORM Normal" if line == 3 else None])
    for row in labels:
        for kind in _CLASSES[row["abnormality"]]:
            circle = [_scaled(row[name]) for name in ("lesion_x", "lesion_y", "lesion_radius")]
            view = f"{row['view']}{row['laterality']}T "
            name = row["image_id"].upper()
            sheet.append([name, view, row["density"], f"{kind} ", _SEVERITY[row["classification"]], *circle])
    book.save(path)


def _scaled(cell: str) -> int | None:
    return max(1, round(float(cell) * SCALE)) if cell else None


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
