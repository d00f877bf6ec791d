"""A stand-in for DMID's download, in its folder layout: drawn images, reports and labels from their truth.

    python scripts/dmid_standin.py DMID --exams 12

It lets docs/notebooks/dmid.ipynb be tried without the download. No number that follows from it says anything of DMID:
the images are phantoms, and the reports are rendered in DMID's style.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from openpyxl import Workbook

from amrg.birads import Assessment, Category, Laterality, Report, Style, View, render
from amrg.datasets.importers.phantoms import Phantoms
from amrg.phantom import POPULATIONS, Size, draw_set

NOTICE = "STAND-IN.txt"
_TEXT = "A stand-in for DMID: drawn images, rendered reports. No number that follows from it says anything of DMID.\n"
_CLASSES = {"mass": "CIRC", "calcifications": "CALC", "architectural distortion": "ARCH"}
_SEVERITIES = {Category.NEGATIVE: "N", Category.BENIGN: "B"}


def write_standin(folder: Path, exams: int, seed: int = 2_000_000) -> int:
    """Write the stand-in: an image, a report and rows of the table a view; returns the number of images.

    Raises:
        FileExistsError: the folder is there already.
    """
    for name in ("DICOM_Images", "Reports"):
        (folder / name).mkdir(parents=True)
    (folder / NOTICE).write_text(_TEXT, encoding="utf-8")
    book = Workbook()
    with tempfile.TemporaryDirectory() as drawn:
        for _ in draw_set(exams, seed, Path(drawn), Size.SMALL, POPULATIONS["rich"], 1):
            pass
        number = 0
        for number, (file, report, side, view) in enumerate(_views(Path(drawn)), start=1):
            shutil.copy(file, folder / "DICOM_Images" / f"IMG{number:03d}.dcm")
            (folder / "Reports" / f"Img{number:03d}.txt").write_text(render(report, Style.DMID), encoding="utf-8")
            for row in _rows(f"IMG{number:03d}", report, side, view):
                book.active.append(row)
    book.save(folder / "Metadata.xlsx")
    return number


def _views(drawn: Path) -> Iterator[tuple[Path, Report, Laterality, View]]:
    """The views of the drawn exams, each with the report of its breast."""
    importer = Phantoms()
    for item in importer.items(drawn, lambda odd: None):
        case = importer.case(drawn, item, lambda odd: None)
        assert case is not None
        for image in case.images:
            assert image.laterality is not None
            assert image.view is not None
            yield drawn / image.file, _of_breast(case.reference, image.laterality), image.laterality, image.view


def _of_breast(truth: Report, side: Laterality) -> Report:
    """The truth of one breast."""
    categories = [a.category for a in truth.assessments if a.laterality in (side, None)]
    findings = tuple(finding for finding in truth.findings if finding.laterality is side)
    return Report(
        composition=truth.composition,
        findings=tuple(finding.model_copy(update={"boxes": ()}) for finding in findings),
        assessments=(Assessment(category=categories[0]),),
    )


def _rows(image: str, report: Report, side: Laterality, view: View) -> Iterator[list[Any]]:
    """The rows of the table: one a finding, or one that says that there is none."""
    category = report.assessments[0].category
    density = "" if report.composition is None else report.composition.value.upper()
    place = [image, f"{view}{side}T", density]
    for finding in report.findings:
        yield [*place, _CLASSES.get(finding.kind.value, "ASYM"), _SEVERITIES.get(category, "M"), None, None, None]
    if not report.findings:
        yield [*place, "NORM", "N", None, None, None]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--exams", type=int, default=12, help="drawn exams of four images each")
    given = parser.parse_args()
    print(f"{write_standin(given.folder, given.exams)} images in {given.folder}: {_TEXT}", end="")
