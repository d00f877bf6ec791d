"""VinDr-Mammo 1.0.0 (PhysioNet): 5,000 four-view exams, a category and density a breast, boxes of findings.

Layout as in its PhysioNet page and data descriptor (Scientific Data 10:277): `breast-level_annotations.csv` (a row
an image), `finding_annotations.csv` (a row a box; images without one have a row `['No Finding']`), `metadata.csv` (not
read) and `images/STUDY/IMAGE.dicom`. The list in `finding_categories` is written as Python writes it.

One case an exam. The data set names no patient, so the exam is its own group. Which box on one view is which on the
other is not published: boxes of a breast that are alike and alone on their views are taken for one lesion. A box with
several categories gives one finding each. `Suspicious Lymph Node` is taken as axillary.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from amrg.birads import Finding, Kind, Laterality, View, ViewBox
from amrg.datasets.case import Case, ImageRef
from amrg.datasets.importer import About, Item, Odd
from amrg.datasets.tables.cells import CATEGORIES, LETTERS, SIDES, VIEWS, Cells, without_repeats
from amrg.datasets.tables.grouping import WHERE, Row, group_rows, labels_of, with_line_numbers
from amrg.datasets.tables.labels import (
    KnownLabels,
    assessments_of,
    case_from_labels,
    composition_of,
    existing_images,
    image_of,
    join_views,
    read_judgement,
    report_of,
    split_of_rows,
)
from amrg.datasets.tables.readers import numbered_csv_rows

BREASTS, FINDINGS = "breast-level_annotations.csv", "finding_annotations.csv"
_IMAGE = ("study_id", "image_id", "laterality", "view_position", "height", "width")
_BREAST = (*_IMAGE, "breast_birads", "breast_density", "split")
_BOX = (*_IMAGE, "finding_categories", "finding_birads", "xmin", "ymin", "xmax", "ymax")
_CATEGORY = {f"BI-RADS {number}": category for number, category in CATEGORIES.items()}
_DENSITY = {f"DENSITY {letter}": composition for letter, composition in LETTERS.items()}
_NOTHING = "NO FINDING"
_KINDS: dict[str, dict[str, Any]] = {
    "MASS": {"kind": Kind.MASS},
    "SUSPICIOUS CALCIFICATION": {"kind": Kind.CALCIFICATIONS, "benign_looking": False},
    "ARCHITECTURAL DISTORTION": {"kind": Kind.DISTORTION},
    "ASYMMETRY": {"kind": Kind.ASYMMETRY},
    "FOCAL ASYMMETRY": {"kind": Kind.FOCAL_ASYMMETRY},
    "GLOBAL ASYMMETRY": {"kind": Kind.GLOBAL_ASYMMETRY},
    "SUSPICIOUS LYMPH NODE": {"kind": Kind.AXILLARY_NODE, "benign_looking": False},
    "SKIN THICKENING": {"kind": Kind.SKIN_THICKENING},
    "SKIN RETRACTION": {"kind": Kind.SKIN_RETRACTION},
    "NIPPLE RETRACTION": {"kind": Kind.NIPPLE_RETRACTION},
}


class VindrMammo:
    """Imports VinDr-Mammo from the folder with its two tables and `images`."""

    about = About(
        name="vindr-mammo",
        title="VinDr-Mammo",
        licence="PhysioNet Restricted Health Data License 1.5.0",
        citation=(
            "Pham HH, Nguyen Trung H, Nguyen HQ. VinDr-Mammo: A large-scale benchmark dataset for computer-aided "
            "detection and diagnosis in full-field digital mammography (version 1.0.0). PhysioNet 2022. "
            "doi:10.13026/br2v-7517"
        ),
        url="https://physionet.org/content/vindr-mammo/1.0.0/",
    )

    def items(self, root: Path, odd: Odd) -> Iterator[Item]:
        """Exams in the order of the breast-level table, each with its image rows and then its boxes."""
        breasts = with_line_numbers(root / BREASTS, numbered_csv_rows(root / BREASTS, _BREAST))
        boxes = with_line_numbers(root / FINDINGS, numbered_csv_rows(root / FINDINGS, _BOX))
        yield from group_rows((row["study_id"].strip(), row) for row in chain(breasts, boxes))

    def case(self, root: Path, item: Item, odd: Odd) -> Case | None:
        """One exam."""
        odd = without_repeats(odd)
        views = [row for row in item.rows if not _is_box(row)]
        boxes = [row for row in item.rows if _is_box(row)]
        marked = [row for row in boxes if row["xmin"].strip()]
        judged = [
            read_judgement(Cells(row, odd), "laterality", ("breast_birads", _CATEGORY), ("breast_density", _DENSITY))
            for row in views
        ]
        composition, notes = composition_of(judged, item.key, odd)
        findings = join_views([finding for row in boxes for finding in _findings(Cells(row, odd))])
        known = KnownLabels(
            key=item.key,
            group=item.key,
            images=existing_images(root, (_image(Cells(row, odd)) for row in views), odd),
            labels=labels_of(views)
            | {f"finding {n}": columns for n, columns in enumerate(map(_box_columns, marked), start=1)},
            published_split=split_of_rows([(row[WHERE], row["split"].strip()) for row in views], item.key, odd),
            notes=notes,
        )
        return case_from_labels(
            self.about, known, report_of(findings, assessments_of(judged, item.key, odd), composition)
        )


def _is_box(row: Row) -> bool:
    return "finding_categories" in row


def _box_columns(row: Row) -> str:
    """A box's own columns in one line."""
    return ", ".join(row[name].strip() for name in _BOX[len(_IMAGE) :])


def _image(cells: Cells) -> ImageRef | None:
    file = f"images/{cells.text('study_id')}/{cells.text('image_id')}.dicom"
    return image_of(cells, file, "laterality", "view_position")


def _findings(cells: Cells) -> Iterator[Finding]:
    """One finding a category of a box."""
    side, view = cells.term("laterality", SIDES), cells.term("view_position", VIEWS)
    for name in _categories(cells):
        if name.upper() == _NOTHING:
            continue
        if (kind := _KINDS.get(name.upper())) is None:
            cells.report("finding_categories", name, f"one of {', '.join(_KINDS)}")
            continue
        yield Finding(
            **kind,
            laterality=side,
            views=() if view is None else (view,),
            category=cells.term("finding_birads", _CATEGORY),
            boxes=_boxes(cells, side, view),
        )


def _categories(cells: Cells) -> list[str]:
    """The list in `finding_categories`; one that is no list is odd and empty."""
    written = cells.text("finding_categories")
    try:
        names = ast.literal_eval(written)
    except (ValueError, SyntaxError):
        names = None
    if isinstance(names, list) and all(isinstance(name, str) for name in names):
        return names
    cells.report("finding_categories", written, "a list of categories such as ['Mass']")
    return []


def _boxes(cells: Cells, side: Laterality | None, view: View | None) -> tuple[ViewBox, ...]:
    """The box of a row; one that is not within its image, or lacks a corner, is odd."""
    left, top, right, bottom = (cells.number(name) for name in ("xmin", "ymin", "xmax", "ymax"))
    width, height = cells.number("width"), cells.number("height")
    if side is None or view is None or left is None or top is None or right is None or bottom is None:
        cells.report("xmin", "an incomplete box", "four numbers, side and view")
        return ()
    if not (0 <= left < right and 0 <= top < bottom):
        cells.report("xmin", f"{left}, {top}, {right}, {bottom}", "a box from left to right and top to bottom")
        return ()
    if right > (width or right) or bottom > (height or bottom):
        cells.report("xmax", f"{right}, {bottom}", f"a corner within {width} x {height} pixels")
    return (ViewBox(laterality=side, view=view, left=left, top=top, right=right, bottom=bottom),)
