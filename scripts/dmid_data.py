"""The real reports and labels of DMID in `../shared/data/dmid`, as read and as published; for scripts and tests."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from openpyxl import Workbook

DMID = Path(__file__).parents[2] / "shared" / "data" / "dmid"
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


def dmid_reports(folder: Path = DMID) -> dict[str, str]:
    """Image id to report, as the data set has it."""
    lines = (folder / "reports.jsonl").read_text(encoding="utf-8").splitlines()
    return {row["image_id"]: row["text"] for row in map(json.loads, lines)}


def dmid_labels(folder: Path = DMID) -> list[dict[str, str]]:
    """A row of labels an image."""
    with (folder / "labels.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def write_published(folder: Path, count: int = 400) -> list[dict[str, str]]:
    """Write texts and labels of the first images in DMID's published layout, without images; returns the labels.

    The classes behind `labels.csv` are not known: a mass is called CIRC, other findings ASYM.
    """
    texts, labels = dmid_reports(), dmid_labels()[:count]
    (folder / "Reports").mkdir(parents=True, exist_ok=True)
    _write_table(folder / "Metadata.xlsx", labels)
    for row in labels:
        (folder / "Reports" / f"{row['image_id']}.txt").write_bytes(texts[row["image_id"]].encode())
    return labels


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
