"""KAU-BCMD (King Abdulaziz University): JPEG mammograms in folders by category, densities in `correctSheetlast.xlsx`.

Layout as public code that reads the Kaggle release shows it (PiggyJerry/MammoVQA, Gaurav2543/Mammo-Bench): folders
`Birad1`, `Birad3`, `Birad4`, `Birad5` (the DICOM release writes `BIRAD 1`) with images at any depth, named
`2019_BC0026061_ MLO_R.jpg` (year, patient, view, side, with stray spaces), and the sheet `correctSheet` with
`Percentage of grandular tissue(density)`, `PatientID`, `Patient age`, `Breast type`, `Breast view`, `Assesment` and
`Image path`. Not verified on the release itself: how `Assesment` spells a category (any digit 0 to 6 is read), and
whether every patient has one exam a year.

One case a patient and year, up to four views. A few images are in two folders: that is odd and the worse counts.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from amrg.birads import Category, Composition
from amrg.datasets.case import NO_FINDINGS, Case, ImageRef
from amrg.datasets.importer import About, DatasetError, Item, Odd, Oddity
from amrg.datasets.tables.cells import CATEGORIES, SIDES, Cells, without_repeats
from amrg.datasets.tables.grouping import WHERE, Row, group_rows, labels_of, with_row_numbers
from amrg.datasets.tables.labels import (
    Judgement,
    KnownLabels,
    assessments_of,
    case_from_labels,
    composition_of,
    image_of,
    report_of,
)
from amrg.datasets.tables.readers import xlsx_rows

TABLE, SHEET = "correctSheetlast.xlsx", "correctSheet"
_DENSITY, _PATH, _ASSESSMENT = "Percentage of\n grandular tissue(density)", "Image path", "Assesment"
_FILE = "@file"
_FOLDER = re.compile(r"BI-?RADS?[ _]?([0-6])", re.IGNORECASE)
_NAME = re.compile(r"(?P<exam>\d{4}_\w+?)_(?P<view>[A-Z]+)_(?P<side>[LR])", re.IGNORECASE)
_ENDINGS = (".jpg", ".jpeg", ".dcm")
_COMPOSITION: dict[str, Composition] = {
    "0%-25%": Composition.A,
    "26%-50%": Composition.B,
    "51%-75%": Composition.C,
    ">75%": Composition.D,
}


class KauBcmd:
    """Imports KAU-BCMD from the folder with its category folders."""

    about = About(
        name="kau-bcmd",
        title="King Abdulaziz University Breast Cancer Mammogram Dataset",
        licence="Research and educational use only, as its Kaggle page says; no licence text in the release",
        citation=(
            "Alsolami AS, Shalash W, Alsaggaf W, Ashoor S, Refaat H, Elmogy M. King Abdulaziz University Breast Cancer "
            "Mammogram Dataset (KAU-BCMD). Data 2021;6(11):111. doi:10.3390/data6110111"
        ),
        url="https://www.kaggle.com/datasets/asmaasaad/king-abdulaziz-university-mammogram-dataset",
    )

    def items(self, root: Path, odd: Odd) -> Iterator[Item]:
        """Exams in the order of their images' names, folder by folder, with the sheet's rows of their images."""
        exams: set[str] = set()
        yield from group_rows(_rows(root, exams, odd))

    def case(self, root: Path, item: Item, odd: Odd) -> Case | None:
        """One exam."""
        odd = without_repeats(odd)
        image_rows = [row for row in item.rows if _FILE in row]
        _report_missing(item.rows, image_rows, odd)
        judged = [_judgement(Cells(row, odd)) for row in item.rows]
        composition, notes = composition_of(judged, item.key, odd)
        known = KnownLabels(
            key=item.key,
            group=item.key.split("_", 1)[1],
            images=_images(image_rows, odd),
            labels=labels_of(item.rows),
            notes=(NO_FINDINGS, *notes),
        )
        return case_from_labels(self.about, known, report_of((), assessments_of(judged, item.key, odd), composition))


def _rows(root: Path, exams: set[str], odd: Odd) -> Iterator[tuple[str, Row]]:
    """Images by exam, then the sheet's rows whose images are there.

    Raises:
        DatasetError: no category folder.
    """
    folders = sorted(f for f in root.iterdir() if f.is_dir() and _FOLDER.fullmatch(f.name)) if root.is_dir() else []
    if not folders:
        raise DatasetError(f"{root.name}: no folder Birad1, Birad3, Birad4 or Birad5; expected KAU-BCMD as unpacked")
    for folder in folders:
        for exam, row in _image_rows(root, folder, odd):
            exams.add(exam)
            yield exam, row
    yield from _sheet(root, exams, odd)


def _image_rows(root: Path, folder: Path, odd: Odd) -> Iterator[tuple[str, Row]]:
    """The images of a folder, by name."""
    found = sorted(Path(base, name) for base, _, names in os.walk(folder) for name in names)
    for path in found:
        file = path.relative_to(root).as_posix()
        if path.suffix.lower() not in _ENDINGS or path.name.startswith("._"):
            continue
        if (named := _NAME.fullmatch(path.stem.replace(" ", ""))) is None:
            odd(Oddity(where=file, found=path.name, expected="a name such as 2019_BC0026061_MLO_R.jpg; skipped"))
            continue
        yield named["exam"], {WHERE: file, _FILE: file, "folder": folder.name, **_side_and_view(named)}


def _report_missing(rows: Sequence[Row], image_rows: Sequence[Row], odd: Odd) -> None:
    """The images that the sheet names and that are not in the folder."""
    there = {_view_of(row) for row in image_rows}
    for row in rows:
        if _FILE not in row and _view_of(row) not in there:
            odd(_not_in_folder(row))


def _view_of(row: Row) -> tuple[str, str]:
    return row["@side"].upper(), row["@view"].upper()


def _not_in_folder(row: Row) -> Oddity:
    return Oddity(where=row[WHERE], found=row[_PATH], expected="an image that is in the folder", missing_image=True)


def _side_and_view(named: re.Match[str]) -> Row:
    return {"@side": named["side"], "@view": named["view"]}


def _sheet(root: Path, exams: set[str], odd: Odd) -> Iterator[tuple[str, Row]]:
    """The sheet's rows of exams that are there; a missing sheet is odd."""
    try:
        for row in with_row_numbers(f"{TABLE} {SHEET}", xlsx_rows(root / TABLE, (_PATH, _ASSESSMENT, _DENSITY), SHEET)):
            stem = row[_PATH].replace("\\", "/").rsplit("/", 1)[-1].rsplit(".", 1)[0].replace(" ", "")
            named = _NAME.fullmatch(stem)
            if named is not None and named["exam"] in exams:
                yield named["exam"], {**row, **_side_and_view(named)}
            elif row[_PATH].strip():
                odd(_not_in_folder(row))
    except DatasetError as error:
        odd(Oddity(where=TABLE, found=str(error), expected="the sheet with densities; imported without"))


def _judgement(cells: Cells) -> Judgement:
    """Side, category and density of an image, by its folder or its row in the sheet."""
    return Judgement(
        source=cells.row[WHERE],
        side=cells.term("@side", SIDES),
        category=_category(cells),
        composition=cells.term(_DENSITY, _COMPOSITION),
    )


def _category(cells: Cells) -> Category | None:
    """The category in a folder's name or in the sheet's assessment."""
    column = "folder" if _FILE in cells.row else _ASSESSMENT
    digits = re.findall(r"[0-6]", cells.text(column))
    if len(digits) == 1:
        return CATEGORIES[digits[0]]
    if cells.text(column):
        cells.report(column, cells.text(column), "one category from 0 to 6")
    return None


def _images(image_rows: list[Row], odd: Odd) -> tuple[ImageRef, ...]:
    """Each image once: one that is in several folders by the last, which is the worst category."""
    images: dict[str, ImageRef] = {}
    for row in image_rows:
        cells = Cells(row, odd)
        if (image := image_of(cells, row[_FILE], "@side", "@view")) is None:
            continue
        name = row[_FILE].rsplit("/", 1)[-1].replace(" ", "")
        if name in images:
            odd(Oddity(where=row[_FILE], found=f"also {images[name].file}", expected="an image in one folder"))
        images[name] = image
    return tuple(images.values())
