"""DMID's folder as published: which file belongs to which image number, which patient an image is of."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from amrg.datasets.importer import DatasetError, Odd, Oddity
from amrg.datasets.tables.grouping import WHERE, Row
from amrg.datasets.tables.readers import xlsx_cells
from amrg.imaging import ImagingError
from amrg.imaging.header import read_header

TABLE, REPORTS, DICOM, TIFF, MASKS = "Metadata.xlsx", "Reports", "DICOM_Images", "TIFF Images", "ROI_Masks"
COLUMNS = ("image", "view", "density", "class", "severity", "x", "y", "radius")
MAX_IMAGES_A_PATIENT = 8
"""Images that one patient can have, two examinations of four views: a PatientID of more images is no patient's."""

_IMAGE = re.compile(r"^\s*img[\s_-]*0*(\d+)\s*$", re.IGNORECASE)
_NUMBER = re.compile(r"img[\s_-]*0*(\d+)(?!\d)", re.IGNORECASE)


def key_of(number: int) -> str:
    """`Img001`, as the reports are named."""
    return f"Img{number:03d}"


def number_of(key: str) -> int:
    """The number in `Img001`."""
    return int(key.removeprefix("Img"))


def rows_of(root: Path, odd: Odd) -> Iterator[tuple[str, Row]]:
    """The lesion rows of the table, key and cells by name; the legend above the first image is skipped.

    Raises:
        DatasetError: no table, or no row of an image in it.
    """
    begun = False
    for number, found in xlsx_cells(root / TABLE):
        cells = found[0].split() if len(list(filter(None, found))) == 1 else [cell.strip() for cell in found]
        where = f"{TABLE} row {number}"
        if cells and (image := _IMAGE.match(cells[0])):
            begun = True
            if any(cells[len(COLUMNS) :]):
                odd(Oddity(where=where, found=f"{len(cells)} cells", expected=", ".join(COLUMNS)))
            padded = [*cells, *[""] * len(COLUMNS)]
            yield key_of(int(image[1])), {WHERE: where} | dict(zip(COLUMNS, padded, strict=False))
        elif begun:
            odd(Oddity(where=where, found=" ".join(cells)[:80], expected="an image id such as IMG001"))
    if not begun:
        raise DatasetError(
            f"{TABLE}: no row begins with an image id such as IMG001; check that this is DMID's own table"
        )


def files_in(folder: Path, endings: tuple[str, ...]) -> dict[int, list[Path]]:
    """Image number to the files of a folder that name it, by name; none where there is no such folder."""
    return _listing(folder, endings, folder.stat().st_mtime_ns) if folder.is_dir() else {}


@lru_cache(maxsize=16)
def _listing(folder: Path, endings: tuple[str, ...], _: int) -> dict[int, list[Path]]:
    found: dict[int, list[Path]] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in endings and (named := _NUMBER.search(path.stem)):
            found.setdefault(int(named[1]), []).append(path)
    return found


def reports_in(root: Path) -> dict[int, list[Path]]:
    """Image number to its report."""
    return files_in(root / REPORTS, (".txt",))


def images_in(root: Path) -> tuple[dict[int, list[Path]], dict[int, list[Path]]]:
    """Image number to its DICOM file, and to its TIFF file."""
    return files_in(root / DICOM, (".dcm",)), files_in(root / TIFF, (".tif", ".tiff"))


def masks_in(root: Path) -> dict[int, list[Path]]:
    """Image number to its masks."""
    return files_in(root / MASKS, (".tif", ".tiff"))


def patient_of(root: Path, number: int) -> str | None:
    """The PatientID (0010,0020) of an image, None where there is no DICOM file or the ID is no patient's."""
    folder = root / DICOM
    return _patients(root, folder.stat().st_mtime_ns).get(number) if folder.is_dir() else None


@lru_cache(maxsize=4)
def _patients(root: Path, _: int) -> dict[int, str]:
    """Image number to PatientID; empty IDs and those of more than `MAX_IMAGES_A_PATIENT` images are skipped."""
    found = {}
    for number, paths in images_in(root)[0].items():
        try:
            found[number] = read_header(paths[0]).text("PatientID")
        except ImagingError:  # `Dmid.case` reports it
            continue
    shared = Counter(found.values())
    return {number: patient for number, patient in found.items() if patient and shared[patient] <= MAX_IMAGES_A_PATIENT}
