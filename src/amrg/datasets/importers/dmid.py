"""DMID: 510 digital mammograms, each with a radiologist's report, lesions as circles.

Layout as published on figshare: `DICOM_Images/IMG001.dcm`, `TIFF Images/IMG001.tif`, `ROI_Masks/*.tif`,
`Reports/Img001.txt` and `Metadata.xlsx`: a legend, then a row a lesion with image, view (`MLOLT`, `CCRT`), density
letter, class, severity (N, B, M), x, y and radius in pixels of the original image.

One case an image, `Img001`. The legend is that of MIAS, which counts y from below; here it is counted from the top:
over the published lesions those that the reports place in upper quadrants have the smaller y on MLO views (median 2712
against 3518), and outer ones on CC views (1991 against 3373 right, 2352 against 3328 left).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amrg.birads import ASYMMETRIES, Finding, Kind, Laterality, Margin, Report, View, ViewBox
from amrg.datasets.case import Case, ImageRef, ReferenceSource
from amrg.datasets.importer import About, Item, Odd, Oddity
from amrg.datasets.importers.dmid_folder import (
    DICOM,
    REPORTS,
    TABLE,
    images_in,
    key_of,
    masks_in,
    number_of,
    patient_of,
    reports_in,
    rows_of,
)
from amrg.datasets.splits.groups import case_group, patient_group, text_group
from amrg.datasets.tables.cells import LETTERS, Cells
from amrg.datasets.tables.grouping import group_rows, labels_of
from amrg.datasets.tables.labels import KnownLabels, case_from_labels, read_reference, report_of
from amrg.imaging import ImagingError
from amrg.imaging.evidence.identity import identity
from amrg.imaging.evidence.labels import side_in, view_in
from amrg.imaging.header import read_header

_CLASSES: dict[str, dict[str, Any]] = {
    "NORM": {},
    "CIRC": {"kind": Kind.MASS, "margin": Margin.CIRCUMSCRIBED},
    "SPIC": {"kind": Kind.MASS, "margin": Margin.SPICULATED},
    "MISC": {"kind": Kind.MASS, "margin": Margin.INDISTINCT},
    "CALC": {"kind": Kind.CALCIFICATIONS},
    "ARCH": {"kind": Kind.DISTORTION},
    "ASYM": {"kind": Kind.ASYMMETRY},
}
_SEVERITIES = dict.fromkeys("NBM", True)


@dataclass(frozen=True)
class _ImageFile:
    """The file of an image, or its expected path where missing, and its size where it could be read."""

    image: ImageRef
    size: tuple[int, int] | None
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Lesion:
    """A row of the table as a finding, with its box where it has one."""

    finding: Finding
    box: ViewBox | None


class Dmid:
    """Imports DMID from the folder with `Metadata.xlsx`."""

    about = About(
        name="dmid",
        title="Digital mammography Dataset for Breast Cancer Diagnosis Research (DMID)",
        licence="CC BY 4.0",
        citation=(
            "Oza P, Oza U, Oza R, et al. Digital mammography dataset for breast cancer diagnosis research (DMID) with "
            "breast mass segmentation analysis. Biomedical Engineering Letters 2023, doi:10.1007/s13534-023-00339-y"
        ),
        url="https://doi.org/10.6084/m9.figshare.24522883",
    )

    def items(self, root: Path, odd: Odd) -> Iterator[Item]:
        """Images in the order of the table, then those that have a report or file but no row."""
        named = set()
        for item in group_rows(rows_of(root, odd)):
            named.add(number_of(item.key))
            yield item
        reports, (dicom, tiff) = reports_in(root), images_in(root)
        for number in sorted({*reports, *dicom, *tiff} - named):
            odd(Oddity(where=f"{TABLE}, {key_of(number)}", found="no row", expected="a row for every image"))
            yield Item(key_of(number), ())

    def case(self, root: Path, item: Item, odd: Odd) -> Case | None:
        """One image with its report; without a report the reference is rendered from the row."""
        number = number_of(item.key)
        text, patient = _text(root, number, odd), patient_of(root, number)
        source = _image_file(root, item, odd)
        lesions = [lesion for row in item.rows for lesion in _lesions(Cells(row, odd), source)]
        group = (
            patient_group(self.about.name, patient) if patient else text_group(text) if text else case_group(item.key)
        )
        known = KnownLabels(
            item.key, group or case_group(item.key), (source.image,), labels_of(item.rows), notes=source.notes
        )
        if text is None:
            return _from_labels(self.about, known, item, lesions, odd)
        report, unread = read_reference(text, f"{REPORTS}, {item.key}", odd)
        reference, untied = _with_boxes(report, lesions)
        return Case(
            key=item.key,
            dataset=self.about.name,
            group=group,
            source=ReferenceSource.RADIOLOGIST,
            licence=self.about.licence,
            images=known.images,
            reference=reference,
            text=text,
            labels=known.labels,
            notes=(*known.notes, *unread, *untied),
        )


def _from_labels(about: About, known: KnownLabels, item: Item, lesions: Sequence[_Lesion], odd: Odd) -> Case | None:
    """A case without a report, from its rows; None where it has no row either."""
    if not item.rows:
        odd(Oddity(where=item.key, found="an image without row and report; skipped", expected="a report"))
        return None
    findings = (one.finding.model_copy(update={"boxes": (one.box,) if one.box else ()}) for one in lesions)
    density = Cells(item.rows[0], lambda _: None).term("density", LETTERS)
    return case_from_labels(about, known, report_of(findings, composition=density))


def _text(root: Path, number: int, odd: Odd) -> str | None:
    """The report byte for byte, line ends and all; None where there is none."""
    found = reports_in(root).get(number)
    if not found:
        odd(Oddity(where=f"{REPORTS}/{key_of(number)}.txt", found="no such file", expected="the report of the image"))
        return None
    raw = found[0].read_bytes()
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        odd(Oddity(where=f"{REPORTS}/{found[0].name}", found="bytes that are not UTF-8", expected="UTF-8"))
        text = raw.decode("cp1252", errors="replace")
    if not text.strip():
        odd(Oddity(where=f"{REPORTS}/{found[0].name}", found="an empty report", expected="the report of the image"))
        return None
    return text


def _image_file(root: Path, item: Item, odd: Odd) -> _ImageFile:
    """The DICOM file of an image, else its TIFF; where both are missing, where the DICOM file should be."""
    number = number_of(item.key)
    side, view = _side_and_view(item, odd)
    masks = tuple(path.relative_to(root).as_posix() for path in masks_in(root).get(number, ()))
    for found in images_in(root):
        if number in found:
            path = found[number][0]
            image = ImageRef(file=path.relative_to(root).as_posix(), laterality=side, view=view, masks=masks)
            return _inspect(path, image, odd)
    file = f"{DICOM}/IMG{number:03d}.dcm"
    odd(Oddity(where=file, found="no such file, nor a TIFF of the image", expected="the file of the image"))
    return _ImageFile(ImageRef(file=file, laterality=side, view=view, masks=masks), None, ("its picture is missing",))


def _inspect(path: Path, image: ImageRef, odd: Odd) -> _ImageFile:
    """An existing file, with what its header adds."""
    if path.suffix.lower() != ".dcm":
        odd(Oddity(where=image.file, found="only a TIFF of the image", expected="its DICOM file"))
        return _ImageFile(image, None, ("no DICOM file: its TIFF is read",))
    try:
        header = read_header(path)
    except ImagingError as error:
        odd(Oddity(where=image.file, found=str(error), expected="a DICOM file"))
        return _ImageFile(image, None, ("its picture cannot be read",))
    stated = identity(header, "")
    for what, table, file in (("side", image.laterality, stated.laterality), ("view", image.view, stated.view)):
        if table and file and table != file:
            odd(Oddity(where=image.file, found=f"{what} {file}", expected=f"{table}, as in the table"))
    rows, columns = header.integer("Rows"), header.integer("Columns")
    size = (rows, columns) if rows is not None and columns is not None else None
    return _ImageFile(image, size, ())


def _side_and_view(item: Item, odd: Odd) -> tuple[Laterality | None, View | None]:
    """Side and view of an image; None where the rows give none or contradict each other."""
    stated = {(side_in(row["view"]), view_in(row["view"])) for row in item.rows}
    if len(stated) == 1 and None not in (only := next(iter(stated))):
        return only
    if item.rows:
        found = " and ".join(sorted({row["view"] or "nothing" for row in item.rows}))
        odd(Oddity(where=f"{TABLE}, {item.key}, view", found=found, expected="one view such as MLOLT or CCRT"))
    return None, None


def _lesions(cells: Cells, source: _ImageFile) -> Iterator[_Lesion]:
    """The lesions of a row; none for a normal image."""
    cells.term("density", LETTERS)
    cells.term("severity", _SEVERITIES)
    box = _box(cells, source)
    classes = re.split(r"[\s+,/&]+", cells.text("class").upper())
    for part in classes:
        if part not in _CLASSES:
            cells.report("class", part or "nothing", f"one of {', '.join(_CLASSES)}")
        elif _CLASSES[part]:
            views = (source.image.view,) if source.image.view else ()
            finding = Finding(**_CLASSES[part], laterality=source.image.laterality, views=views)
            yield _Lesion(finding, box)


def _box(cells: Cells, source: _ImageFile) -> ViewBox | None:
    """The square around the circle, within the image where its size is known."""
    side, view = source.image.laterality, source.image.view
    x, y, radius = (cells.number(name) for name in ("x", "y", "radius"))
    if x is None and y is None and radius is None:
        return None
    if x is None or y is None or radius is None or radius <= 0:
        cells.report("x, y, radius", f"{x}, {y}, {radius}", "a centre and a radius above 0")
        return None
    if side is None or view is None:
        return None
    height, width = source.size or (float("inf"), float("inf"))
    if not (0 <= x <= width and 0 <= y <= height):
        cells.report("x, y", f"{x:g}, {y:g}", f"a point of the image, {width:g} x {height:g}")
        return None
    left, top = max(0.0, x - radius), max(0.0, y - radius)
    right, bottom = min(float(width), x + radius), min(float(height), y + radius)
    return ViewBox(laterality=side, view=view, left=left, top=top, right=right, bottom=bottom)


def _with_boxes(report: Report, lesions: Sequence[_Lesion]) -> tuple[Report, tuple[str, ...]]:
    """A report with every box at its finding, where report and table each have one finding of that kind."""
    findings, notes = list(report.findings), []
    for lesion in lesions:
        if lesion.box is None:
            continue
        here = [i for i, finding in enumerate(findings) if _alike(finding, lesion.finding)]
        rivals = sum(_alike(lesion.finding, other.finding) for other in lesions)
        if len(here) == 1 and rivals == 1:
            findings[here[0]] = findings[here[0]].model_copy(update={"boxes": (lesion.box,)})
        else:
            notes.append(f"a box of {lesion.finding.kind} is tied to none of {len(here)} such findings of the report")
    return report.model_copy(update={"findings": tuple(findings)}), tuple(notes)


def _alike(one: Finding, other: Finding) -> bool:
    """Whether two findings can be the same lesion by kind and side."""
    both = {one.laterality, other.laterality} - {None}
    same_kind = one.kind is other.kind or {one.kind, other.kind} <= ASYMMETRIES
    return same_kind and len(both) < 2
