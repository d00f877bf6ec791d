"""INbreast (INESC Porto): digital mammograms, a row an image in `INbreast.csv`, contours by OsiriX in `AllXML`.

Layout as public code that reads release 1.0 shows it: `INbreast.csv`, separated by semicolons, with `Patient ID` and
`Patient age` (both `removed`), `Laterality`, `View`, `Acquisition date` (year and month), `File Name`, `ACR` and
`Bi-Rads`; `AllDICOMs/20586908_6c613a14b80a8591_MG_R_CC_ANON.dcm`, whose second part is the patient; and
`AllXML/20586908.xml`, a property list with `Images[0].ROIs`, each with `Name` and the contour `Point_px`. `AllROI`
holds the same contours in OsiriX's own format and is not read, nor is `INbreast.xls`.

One case a patient and date. Contours named `Mass`, `Cluster` (grouped calcifications), `Distortion` and `Asymmetry`
are findings with boxes; a `Spiculated region` (also written `Espiculated Region`) over a mass is that mass's margin.
Calcifications marked one by one are one finding an image, without a box where there are several: their hull is no
place. Some releases hold `MedicalReports` with texts in Portuguese: they are named in the labels, not read, since
reports here are read in English.
"""

from __future__ import annotations

import plistlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.parsers.expat import ExpatError

from amrg.birads import Distribution, Finding, Kind, Laterality, Margin, View, ViewBox
from amrg.datasets.case import Case, ImageRef
from amrg.datasets.importer import About, Item, Odd, Oddity
from amrg.datasets.splits.groups import case_group
from amrg.datasets.tables.cells import CATEGORIES, NUMERALS, SIDES, VIEWS, Cells, plain_number, without_repeats
from amrg.datasets.tables.grouping import Row, group_rows, labels_of, with_line_numbers
from amrg.datasets.tables.labels import (
    KnownLabels,
    assessments_of,
    case_from_labels,
    composition_of,
    image_of,
    join_views,
    read_judgement,
    report_of,
)
from amrg.datasets.tables.readers import numbered_csv_rows

TABLE = "INbreast.csv"
_COLUMNS = ("Laterality", "View", "Acquisition date", "File Name", "ACR", "Bi-Rads")
_FILE, _PATIENT = "@file", "@patient"
_NAME = re.compile(r"(\d+)_([0-9a-f]+)_.+\.dcm", re.IGNORECASE)
_POINT = re.compile(r"\(\s*(-?[\d.]+(?:e-?\d+)?)\s*,\s*(-?[\d.]+(?:e-?\d+)?)\s*\)", re.IGNORECASE)
_SPICULATED, _SINGLE = "SPICULATED REGION", "CALCIFICATION"
_KINDS: dict[str, dict[str, Any]] = {
    "MASS": {"kind": Kind.MASS},
    "CLUSTER": {"kind": Kind.CALCIFICATIONS, "distribution": Distribution.GROUPED},
    "DISTORTION": {"kind": Kind.DISTORTION},
    "ASYMMETRY": {"kind": Kind.ASYMMETRY},
    _SPICULATED: {"kind": Kind.MASS, "margin": Margin.SPICULATED},
    _SINGLE: {"kind": Kind.CALCIFICATIONS},
    "CALCIFICATIONS": {"kind": Kind.CALCIFICATIONS},
}
_MISSPELT = {"ASSYMETRY": "ASYMMETRY", "ESPICULATED REGION": _SPICULATED}
Box = tuple[float, float, float, float]
"""Left, top, right, bottom."""
Mark = tuple[str, Box]
"""A contour's name, upper case, and the box around it."""


class Inbreast:
    """Imports INbreast from the folder with `INbreast.csv`, `AllDICOMs` and `AllXML`."""

    about = About(
        name="inbreast",
        title="INbreast",
        licence="Research use by agreement with the Breast Research Group, INESC Porto; no licence text in the release",
        citation=(
            "Moreira IC, Amaral I, Domingues I, Cardoso A, Cardoso MJ, Cardoso JS. INbreast: toward a full-field "
            "digital mammographic database. Academic Radiology 2012;19(2):236-248. doi:10.1016/j.acra.2011.09.014"
        ),
        url="https://medicalresearch.inescporto.pt/breastresearch/index.php/Get_INbreast_Database",
    )

    def items(self, root: Path, odd: Odd) -> Iterator[Item]:
        """Examinations in the order of the table. Only the names of the images are read, for their patients."""
        files = {
            named[1]: (path.name, named[2])
            for path in sorted(root.glob("AllDICOMs/*.dcm"))
            if (named := _match_name(path))
        }
        rows = with_line_numbers(root / TABLE, numbered_csv_rows(root / TABLE, _COLUMNS, delimiter=";"))
        yield from group_rows(
            (_key(row), row) for row in (_with_file(row, files) for row in rows) if plain_number(row["File Name"])
        )

    def case(self, root: Path, item: Item, odd: Odd) -> Case | None:
        """One examination."""
        odd = without_repeats(odd)
        cells = [Cells(row, odd) for row in item.rows]
        judged = [read_judgement(c, "Laterality", ("Bi-Rads", CATEGORIES), ("ACR", NUMERALS)) for c in cells]
        composition, notes = composition_of(judged, item.key, odd)
        patient, file = item.rows[0][_PATIENT], item.rows[0][_FILE]
        known = KnownLabels(
            key=item.key,
            group=patient if file else case_group(item.key),
            images=tuple(image for c in cells if (image := _image(c)) is not None),
            labels=labels_of(item.rows) | _reports(root, patient),
            notes=notes,
        )
        findings = join_views([finding for c in cells for finding in _findings(root, c)])
        return case_from_labels(
            self.about, known, report_of(findings, assessments_of(judged, item.key, odd), composition)
        )


def _match_name(path: Path) -> re.Match[str] | None:
    return _NAME.fullmatch(path.name)


def _with_file(row: Row, files: dict[str, tuple[str, str]]) -> Row:
    """A row with its image and patient; without a file the patient is not known, and the image an exam of its own."""
    number = plain_number(row["File Name"])
    file, patient = files.get(number, ("", f"image-{number}"))
    return {**row, _FILE: file, _PATIENT: patient}


def _key(row: Row) -> str:
    """Patient and date."""
    return f"{row[_PATIENT]}_{plain_number(row['Acquisition date'])}"


def _image(cells: Cells) -> ImageRef | None:
    """The image of a row; none is odd."""
    if not cells.row[_FILE]:
        expected = "a file AllDICOMs/NUMBER_PATIENT_MG_SIDE_VIEW_ANON.dcm"
        cells.report("File Name", cells.text("File Name"), expected, missing_image=True)
        return None
    return image_of(cells, f"AllDICOMs/{cells.row[_FILE]}", "Laterality", "View")


def _reports(root: Path, patient: str) -> dict[str, str]:
    """The folder of the patient's texts."""
    found = sorted(root.glob(f"MedicalReports/{patient}*.txt"))
    return {"MedicalReports": " | ".join(f"MedicalReports/{path.name}" for path in found)} if found else {}


def _findings(root: Path, cells: Cells) -> Iterator[Finding]:
    """The findings of an image, from its contours; an image without contours has none."""
    path = root / "AllXML" / f"{plain_number(cells.text('File Name'))}.xml"
    if not path.is_file():
        return
    side, view = SIDES.get(cells.text("Laterality").upper()), VIEWS.get(cells.text("View").upper())
    views = () if view is None else (view,)
    marks = _whole_masses(_marks(path, cells.odd))
    single = [name for name, _ in marks if _is_single(name)]
    for name, box in marks:
        if not _is_single(name) or len(single) == 1:
            yield Finding(**_KINDS[name], laterality=side, views=views, boxes=_view_box(box, side, view))
    if len(single) > 1:
        yield Finding(**_KINDS[_SINGLE], laterality=side, views=views)


def _is_single(name: str) -> bool:
    return name.startswith(_SINGLE)


def _view_box(box: Box, side: Laterality | None, view: View | None) -> tuple[ViewBox, ...]:
    """The box on its view; none where the table does not say which view that is."""
    if side is None or view is None:
        return ()
    left, top, right, bottom = box
    return (ViewBox(laterality=side, view=view, left=left, top=top, right=right, bottom=bottom),)


def _marks(path: Path, odd: Odd) -> list[Mark]:
    """The contours of an image; unknown names, empty contours and files that cannot be read are odd."""
    try:
        regions = plistlib.loads(path.read_bytes(), fmt=plistlib.FMT_XML)["Images"][0]["ROIs"]
    except (ExpatError, ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        odd(Oddity(where=f"AllXML/{path.name}", found=f"unreadable ({error})", expected="a property list of contours"))
        return []
    marks = []
    for number, region in enumerate(regions):
        where = f"AllXML/{path.name}, region {number}"
        written = str(region.get("Name", "")).strip().upper()
        name = _MISSPELT.get(written, written)
        points = [p for text in region.get("Point_px", ()) if (p := _POINT.fullmatch(text.strip()))]
        if name not in _KINDS or not points:
            found = f"{region.get('Name', '')!r} of {len(points)} points"
            odd(Oddity(where=where, found=found, expected=f"a contour named one of {', '.join(_KINDS)}"))
            continue
        across, down = [float(p[1]) for p in points], [float(p[2]) for p in points]
        marks.append((name, (min(across), min(down), max(across), max(down))))
    return marks


def _whole_masses(marks: list[Mark]) -> list[Mark]:
    """Masses under a spiculated region become spiculated, and the region's own contour goes."""
    spiculated = [box for name, box in marks if name == _SPICULATED]
    under = [box for name, box in marks if name == "MASS" and any(_overlap(box, other) for other in spiculated)]
    alone = [box for box in spiculated if not any(_overlap(box, mass) for mass in under)]
    others = [(name, box) for name, box in marks if name != _SPICULATED and box not in under]
    return [*((_SPICULATED, box) for box in (*under, *alone)), *others]


def _overlap(one: Box, other: Box) -> bool:
    """Whether two boxes share a pixel."""
    return one[0] <= other[2] and other[0] <= one[2] and one[1] <= other[3] and other[1] <= one[3]
