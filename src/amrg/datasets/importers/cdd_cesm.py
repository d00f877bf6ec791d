"""CDD-CESM (TCIA): contrast-enhanced mammography of 326 patients, with a radiologist's report each.

Layout as in the TCIA page, the data descriptor (Scientific Data 9:122), and public code that reads the download
(PiggyJerry/MammoVQA, joseddomingues/multi-mamo-report): `Radiology-manual-annotations.xlsx` with a sheet `all`
(`Image_name`, `Patient_ID`, `Side`, `Type` DM or CESM, `Age`, `Breast density (ACR)`, `BIRADS`, `Findings`, `View`,
`Tags`, `Machine`, `Pathology Classification/ Follow up`; several values in a cell joined by `$`) and sheets of images
by finding (`mass_description`, `distortion`, `asymmetry`, `calcifications` and others);
`Radiology_hand_drawn_segmentations_v2.csv` as the VGG image annotator writes it; `Low energy images of CDD-CESM/`
`P1_L_DM_MLO.jpg` (some names have a space before the ending) and `Subtracted images of CDD-CESM`, both mostly below
`CDD-CESM`; `Medical reports for cases /P1.docx`, or the zip it comes in. How the descriptor columns of the sheets by
finding are called is not verified: only the finding itself is taken from them, and descriptors stay in the labels.

A report is written for a patient, so that is a case. Its images are the low-energy ones, which look like common
mammograms. The text is the report's part on them, as published; its part on contrast enhancement describes the
subtracted images and stays in the labels. Where a patient's report is missing or cannot be read, the reference is
rendered from the labels, and that is odd. Marks are tied to a finding only where its side has no other.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from amrg.birads import Category, Finding, Kind, ViewBox
from amrg.datasets.case import Case, ImageRef, ReferenceSource
from amrg.datasets.importer import About, DatasetError, Item, Odd, Oddity
from amrg.datasets.importers.docx import text_of
from amrg.datasets.tables.cells import CATEGORIES, LETTERS, SIDES, VIEWS, Cells, plain_number, without_repeats
from amrg.datasets.tables.grouping import WHERE, Row, group_rows, labels_of, with_line_numbers, with_row_numbers
from amrg.datasets.tables.labels import (
    Judgement,
    KnownLabels,
    assign_boxes,
    case_from_labels,
    composition_of,
    image_of,
    join_views,
    read_reference,
    report_of,
    worst_by_side,
)
from amrg.datasets.tables.readers import numbered_csv_rows, xlsx_rows

TABLE, MARKS = "Radiology-manual-annotations.xlsx", "Radiology_hand_drawn_segmentations_v2.csv"
_DENSITY, _SHEET = "Breast density (ACR)", "@sheet"
_COLUMNS = ("Image_name", "Patient_ID", "Side", "Type", _DENSITY, "BIRADS", "Findings", "View")
_KINDS = {
    "mass_description": Kind.MASS,
    "distortion": Kind.DISTORTION,
    "asymmetry": Kind.ASYMMETRY,
    "calcifications": Kind.CALCIFICATIONS,
}
_MARK = "region_shape_attributes"
_MARKED = re.compile(r"P(\d+)_([LR])_DM_([A-Z]+) *\.jpg")
_IMAGE_FOLDERS = ("", "CDD-CESM/", "PKG - CDD-CESM/CDD-CESM/")
_REPORTS = "Medical*reports*for*cases*"
_CONTRAST = re.compile(r"^.*CONTRAST[ -]ENHANCED.*MAMMOGRAPHY.*$", re.IGNORECASE | re.MULTILINE)


class CddCesm:
    """Imports CDD-CESM from the folder with its tables, image folders and reports."""

    about = About(
        name="cdd-cesm",
        title="Categorized Digital Database for Low energy and Subtracted Contrast Enhanced Spectral Mammography",
        licence="CC BY 4.0",
        citation=(
            "Khaled R, Helal M, Alfarghaly O, Mokhtar O, Elkorany A, El Kassas H, Fahmy A. Categorized Digital "
            "Database for Low energy and Subtracted Contrast Enhanced Spectral Mammography images. The Cancer "
            "Imaging Archive 2021. doi:10.7937/29kw-ae92"
        ),
        url="https://www.cancerimagingarchive.net/collection/cdd-cesm/",
    )

    def items(self, root: Path, odd: Odd) -> Iterator[Item]:
        """Patients in the order of the sheet `all`, each with its images, its findings and its marks."""
        images = with_row_numbers(f"{TABLE} all", xlsx_rows(root / TABLE, _COLUMNS, "all"))
        listed = ((f"P{plain_number(row['Patient_ID'])}", row) for row in images if row["Image_name"].strip())
        yield from group_rows(chain(listed, *(_findings_sheet(root, name, odd) for name in _KINDS), _marks(root, odd)))

    def case(self, root: Path, item: Item, odd: Odd) -> Case | None:
        """One patient."""
        odd = without_repeats(odd)
        rows = [row for row in item.rows if "Type" in row and _SHEET not in row]
        if not rows:
            odd(
                Oddity(
                    where=item.key, found="no image", expected=f"rows in sheet all of {TABLE}; the patient is skipped"
                )
            )
            return None
        flat = [Cells(row, odd) for row in rows if row["Type"].strip().upper() == "DM"]
        boxes = [box for row in item.rows if _MARK in row for box in _boxes(Cells(row, odd))]
        images = tuple(image for cells in flat if (image := _image(root, cells)) is not None)
        known = KnownLabels(key=item.key, group=item.key, images=images, labels=labels_of(rows))
        if (text := _report(root, item.key, odd)) is not None:
            return _case_with_report(self.about, known, text, boxes, odd)
        sheets = [Cells(row, odd) for row in item.rows if _SHEET in row]
        return _case_from_tables(self.about, known, _Sheets(flat, sheets, boxes), odd)


def _findings_sheet(root: Path, sheet: str, odd: Odd) -> Iterator[tuple[str, Row]]:
    """The rows of a sheet of images with one kind of finding; a missing sheet is odd."""
    try:
        for row in with_row_numbers(
            f"{TABLE} {sheet}", xlsx_rows(root / TABLE, ("Image_name", "Patient_ID", "Side", "View"), sheet)
        ):
            if "_DM_" in row["Image_name"]:
                yield f"P{plain_number(row['Patient_ID'])}", {**row, _SHEET: sheet}
    except DatasetError as error:
        odd(Oddity(where=TABLE, found=str(error), expected=f"sheet {sheet}; imported without"))


def _marks(root: Path, odd: Odd) -> Iterator[tuple[str, Row]]:
    """Marks on low-energy images; a missing table is odd."""
    try:
        for row in with_line_numbers(root / MARKS, numbered_csv_rows(root / MARKS, ("#filename", _MARK))):
            if (named := _MARKED.fullmatch(row["#filename"].strip())) is not None:
                yield f"P{named[1]}", {WHERE: row[WHERE], _MARK: row[_MARK], "Side": named[2], "View": named[3]}
    except DatasetError as error:
        odd(Oddity(where=MARKS, found=str(error), expected="the table of marks; imported without"))


def _image(root: Path, cells: Cells) -> ImageRef | None:
    """The low-energy image of a row; none is odd."""
    name = cells.text("Image_name")
    for folder in _IMAGE_FOLDERS:
        for file in (f"{folder}Low energy images of CDD-CESM/{name}{gap}.jpg" for gap in ("", " ")):
            if (root / file).is_file():
                return image_of(cells, file, "Side", "View")
    cells.report("Image_name", name, "an image in Low energy images of CDD-CESM", missing_image=True)
    return None


def _boxes(cells: Cells) -> Iterator[ViewBox]:
    """The box around a mark: a polygon, a line, an ellipse, a circle or a point."""
    side, view = cells.term("Side", SIDES), cells.term("View", VIEWS)
    written = cells.text(_MARK)
    try:
        shape = json.loads(written) if written else {}
        if not shape or side is None or view is None:
            return
        across, down = (_extent(shape, axis) for axis in ("x", "y"))
    except (ValueError, KeyError, TypeError, AttributeError):
        cells.report(_MARK, written[:80], "a polygon, polyline, ellipse, circle or point")
        return
    yield ViewBox(laterality=side, view=view, left=across[0], top=down[0], right=across[1], bottom=down[1])


def _extent(shape: dict[str, object], axis: str) -> tuple[float, float]:
    """From where to where a mark reaches on an axis."""
    points = shape.get(f"all_points_{axis}")
    if isinstance(points, list):
        return float(min(points)), float(max(points))
    centre = float(str(shape[f"c{axis}"]))
    radius = float(str(shape.get(f"r{axis}", shape.get("r", 0))))
    return centre - radius, centre + radius


def _report(root: Path, key: str, odd: Odd) -> str | None:
    """A patient's report; missing or unreadable ones are odd."""
    try:
        document = _document(root, f"{key}.docx")
        if document is not None:
            return text_of(document)
        found = "no such report"
    except (ValueError, OSError, zipfile.BadZipFile) as error:
        found = str(error)
    odd(Oddity(where=f"{key}.docx", found=found, expected="a report; the reference is rendered from labels"))
    return None


def _document(root: Path, name: str) -> bytes | None:
    """A report from the folder of reports or from its zip."""
    for place in sorted(root.glob(_REPORTS)):
        if place.is_dir():
            for file in sorted(place.rglob(name)):
                return file.read_bytes()
        elif zipfile.is_zipfile(place):
            with zipfile.ZipFile(place) as archive:
                for inside in archive.namelist():
                    if inside.rsplit("/", 1)[-1] == name:
                        return archive.read(inside)
    return None


def _case_with_report(about: About, known: KnownLabels, text: str, boxes: list[ViewBox], odd: Odd) -> Case:
    """A case with the radiologist's text on the low-energy images."""
    heading = _CONTRAST.search(text)
    low_energy, contrast = (text[: heading.start()], text[heading.start() :]) if heading is not None else (text, "")
    report, unread = read_reference(low_energy, f"{known.key}, report", odd)
    findings, notes = assign_boxes(report.findings, boxes)
    return Case(
        key=known.key,
        dataset=about.name,
        group=known.group,
        source=ReferenceSource.RADIOLOGIST,
        licence=about.licence,
        images=known.images,
        reference=report.model_copy(update={"findings": findings}),
        text=low_energy,
        labels=known.labels | ({"report on contrast enhancement": contrast} if contrast else {}),
        notes=(*unread, *notes),
    )


@dataclass(frozen=True)
class _Sheets:
    """The tables' rows of a patient: low-energy images, sheets by finding, marks."""

    images: list[Cells]
    findings: list[Cells]
    boxes: list[ViewBox]


def _case_from_tables(about: About, known: KnownLabels, sheets: _Sheets, odd: Odd) -> Case:
    """A case from the tables alone."""
    judged = [judgement for cells in sheets.images for judgement in _judgements(cells)]
    composition, notes = composition_of(judged, known.key, odd)
    found, undecided = assign_boxes(join_views([_finding(cells) for cells in sheets.findings]), sheets.boxes)
    report = report_of(found, worst_by_side(judged), composition)
    return case_from_labels(about, replace(known, notes=(*notes, *undecided)), report)


def _judgements(cells: Cells) -> Iterator[Judgement]:
    """An image's categories, one a finding of several, and its density."""
    side, composition = cells.term("Side", SIDES), cells.term(_DENSITY, LETTERS)
    for value in cells.text("BIRADS").split("$"):
        one = Cells({**cells.row, "BIRADS": value}, cells.odd)
        category: Category | None = one.term("BIRADS", CATEGORIES)
        yield Judgement(cells.row[WHERE], side, category, composition)


def _finding(cells: Cells) -> Finding:
    """The finding that a sheet lists an image for."""
    view = cells.term("View", VIEWS)
    return Finding(
        kind=_KINDS[cells.row[_SHEET]], laterality=cells.term("Side", SIDES), views=() if view is None else (view,)
    )
