"""CMMD, the Chinese Mammography Database (TCIA): `CMMD_clinicaldata_revision.xlsx` and the images by patient.

Layout as in the TCIA page and public code that reads it (Gaurav2543/Mammo-Bench): the sheet has a row a breast
with `ID1`, `LeftRight`, `Age`, `number` (of images), `abnormality` (`calcification`, `mass` or `both`),
`classification` and `subtype`; the NBIA retriever writes `CMMD/D1-0001/DATE-NA-NA-NUMBER/1.000000-NA-NUMBER/1-1.dcm`,
mostly below a folder `manifest-...`. Side and view are in the DICOM files, which are not opened here.

One case a patient. There is no BI-RADS: a breast's abnormality is all that is published, benign or malignant by
biopsy stays in the labels. `number` against the files found is checked where the patient has one row, and each file
that lacks is a missing image.

A breast without a row, or with an abnormality that is not read, has no label, and a note says so: it is not normal.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from amrg.birads import Finding, Kind, Laterality
from amrg.datasets.case import NO_LABEL, Case, ImageRef
from amrg.datasets.importer import About, Item, Odd, Oddity
from amrg.datasets.tables.cells import SIDES, Cells, without_repeats
from amrg.datasets.tables.grouping import group_rows, labels_of, with_row_numbers
from amrg.datasets.tables.labels import KnownLabels, case_from_labels, report_of
from amrg.datasets.tables.readers import xlsx_rows

TABLE = "CMMD_clinicaldata_revision.xlsx"
_COLUMNS = ("ID1", "LeftRight", "Age", "number", "abnormality", "classification")
_KINDS: dict[str, tuple[Kind, ...]] = {
    "CALCIFICATION": (Kind.CALCIFICATIONS,),
    "MASS": (Kind.MASS,),
    "BOTH": (Kind.MASS, Kind.CALCIFICATIONS),
}
_FOLDERS = ("CMMD", "manifest-*/CMMD", "TheChineseMammographyDatabase/CMMD")


class Cmmd:
    """Imports CMMD from the folder with its sheet, the images in it or in its `manifest-...`."""

    about = About(
        name="cmmd",
        title="The Chinese Mammography Database",
        licence="CC BY 4.0",
        citation=(
            "Cui C, Li L, Cai H, Fan Z, Zhang L, Dan T, Li J, Wang J. The Chinese Mammography Database (CMMD): An "
            "online mammography database with biopsy confirmed types for machine diagnosis of breast. The Cancer "
            "Imaging Archive 2021. doi:10.7937/tcia.eqde-4b16"
        ),
        url="https://www.cancerimagingarchive.net/collection/cmmd/",
    )

    def items(self, root: Path, odd: Odd) -> Iterator[Item]:
        """Patients in the order of the sheet."""
        rows = with_row_numbers(TABLE, xlsx_rows(root / TABLE, _COLUMNS))
        yield from group_rows((row["ID1"].strip(), row) for row in rows if row["ID1"].strip())

    def case(self, root: Path, item: Item, odd: Odd) -> Case | None:
        """One patient."""
        odd = without_repeats(odd)
        images = _images(root, item.key)
        _check_number(item, len(images), odd)
        findings = [finding for row in item.rows for finding in _findings(Cells(row, odd))]
        labelled = {finding.laterality for finding in findings}
        notes = tuple(f"{NO_LABEL}{side.value}" for side in Laterality if side not in labelled)
        known = KnownLabels(item.key, item.key, images, labels_of(item.rows), notes=notes)
        return case_from_labels(self.about, known, report_of(findings))


def _images(root: Path, patient: str) -> tuple[ImageRef, ...]:
    """The files of a patient, by name."""
    folders = (folder for pattern in _FOLDERS for folder in sorted(root.glob(f"{pattern}/{patient}")))
    files = sorted(file for folder in folders for file in folder.rglob("*.dcm"))
    return tuple(ImageRef(file=file.relative_to(root).as_posix()) for file in files)


def _check_number(item: Item, found: int, odd: Odd) -> None:
    """Compare the number of files with the number published, file by file; no file at all is odd in any case."""
    cells = Cells(item.rows[0], odd)
    number = cells.number("number") if len(item.rows) == 1 else None
    folder = f"CMMD/{item.key}"
    if number is None and not found:
        odd(Oddity(where=folder, found="no files", expected="the patient's DICOM files", missing_image=True))
    elif number is not None and found > number:
        cells.report("number", f"{found} files", f"{number:g} files")
    elif number is not None:
        for missed in range(found + 1, round(number) + 1):
            where, expected = f"{folder}, file {missed} of {number:g}", "a DICOM file"
            odd(Oddity(where=where, found="no such file", expected=expected, missing_image=True))


def _findings(cells: Cells) -> Iterable[Finding]:
    """The findings of a breast."""
    side = cells.term("LeftRight", SIDES)
    return [Finding(kind=kind, laterality=side) for kind in cells.term("abnormality", _KINDS) or ()]
