"""CBIS-DDSM (TCIA): digitised films, one row a lesion and view in four tables, masks of the lesions.

Layout as in the TCIA page, and in public code and tests that read the download:
`mass_case_description_train_set.csv`, `mass_case_description_test_set.csv` and the same for `calc`, and below
`CBIS-DDSM` (mostly in a folder `manifest-...`) `Mass-Training_P_00001_LEFT_CC/07-20-2016-DDSM-NA-74994/1.000000-full
mammogram images-24515/1-1.dcm`, with cropped images and masks in `Mass-Training_P_00001_LEFT_CC_1`. Known oddities:
density is `breast_density` in the mass tables and `breast density` in the others; the tables' paths end in line
breaks, name UIDs that are no folders, and mix up the cropped image with the mask. So only a path's first part is
used, and of the images in a lesion's folder that are not called cropped the largest file is taken for the mask,
which has the size of the film. No file is opened.

One case a patient. A patient in both train and test tables is kept in test. Rows of one lesion number that
are alike on two views are one lesion. A breast's category is its worst lesion's. Terms of the older editions are read
as the later ones name them: asymmetric breast tissue is global asymmetry, focal asymmetric density focal asymmetry,
ill-defined indistinct, eggshell and lucent-centred rim, clustered grouped, pleomorphic fine pleomorphic. Of several
shapes, margins, types or distributions joined by `-` the most suspicious is taken, and that is odd; a distortion
next to a shape is an associated feature.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from amrg.birads import Distribution, Finding, Kind, Margin, Morphology, Shape
from amrg.datasets.case import Case, ImageRef
from amrg.datasets.importer import About, Item, Odd, Oddity
from amrg.datasets.tables.cells import CATEGORIES, NUMERALS, SIDES, VIEWS, Cells, agreed_value, density, without_repeats
from amrg.datasets.tables.grouping import WHERE, Row, group_rows, labels_of, with_line_numbers
from amrg.datasets.tables.labels import (
    Judgement,
    KnownLabels,
    case_from_labels,
    join_views,
    report_of,
    split_of_rows,
    worst_by_side,
)
from amrg.datasets.tables.readers import numbered_csv_rows

T = TypeVar("T")

TABLES = tuple(f"{kind}_case_description_{split}_set.csv" for kind in ("mass", "calc") for split in ("train", "test"))
_SPLIT, _FILE, _MASK = "@split", "image file path", "ROI mask file path"
_COLUMNS = (
    "patient_id",
    "left or right breast",
    "image view",
    "abnormality id",
    "abnormality type",
    "assessment",
    "pathology",
    _FILE,
    _MASK,
)
_OWN = {"mass": ("breast_density", "mass shape", "mass margins"), "calc": ("breast density", "calc type")}
_FOLDERS = ("CBIS-DDSM", "manifest-*/CBIS-DDSM")
_TERM_COLUMNS = {
    "shape": "mass shape",
    "margins": "mass margins",
    "type": "calc type",
    "distribution": "calc distribution",
    "assessment": "assessment",
}
# Each from the least to the most suspicious: of several the last counts.
_SHAPES = {"ROUND": Shape.ROUND, "OVAL": Shape.OVAL, "LOBULATED": Shape.LOBULATED, "IRREGULAR": Shape.IRREGULAR}
_SHAPE_KINDS = {
    "LYMPH_NODE": Kind.INTRAMAMMARY_NODE,
    "ASYMMETRIC_BREAST_TISSUE": Kind.GLOBAL_ASYMMETRY,
    "FOCAL_ASYMMETRIC_DENSITY": Kind.FOCAL_ASYMMETRY,
    "ARCHITECTURAL_DISTORTION": Kind.DISTORTION,
}
_MARGINS = {
    "CIRCUMSCRIBED": Margin.CIRCUMSCRIBED,
    "OBSCURED": Margin.OBSCURED,
    "MICROLOBULATED": Margin.MICROLOBULATED,
    "ILL_DEFINED": Margin.INDISTINCT,
    "SPICULATED": Margin.SPICULATED,
}
_TYPES = {
    "SKIN": Morphology.SKIN,
    "VASCULAR": Morphology.VASCULAR,
    "COARSE": Morphology.COARSE,
    "LARGE_RODLIKE": Morphology.ROD_LIKE,
    "EGGSHELL": Morphology.RIM,
    "LUCENT_CENTER": Morphology.RIM,
    "LUCENT_CENTERED": Morphology.RIM,
    "MILK_OF_CALCIUM": Morphology.MILK_OF_CALCIUM,
    "DYSTROPHIC": Morphology.DYSTROPHIC,
    "ROUND_AND_REGULAR": Morphology.ROUND,
    "PUNCTATE": Morphology.PUNCTATE,
    "AMORPHOUS": Morphology.AMORPHOUS,
    "PLEOMORPHIC": Morphology.FINE_PLEOMORPHIC,
    "FINE_LINEAR_BRANCHING": Morphology.FINE_LINEAR,
}
_DISTRIBUTIONS = {
    "DIFFUSELY_SCATTERED": Distribution.DIFFUSE,
    "REGIONAL": Distribution.REGIONAL,
    "CLUSTERED": Distribution.GROUPED,
    "LINEAR": Distribution.LINEAR,
    "SEGMENTAL": Distribution.SEGMENTAL,
}


class CbisDdsm:
    """Imports CBIS-DDSM from the folder with its four tables, the images in it or in its `manifest-...`."""

    about = About(
        name="cbis-ddsm",
        title="Curated Breast Imaging Subset of DDSM",
        licence="CC BY 3.0",
        citation=(
            "Sawyer-Lee R, Gimenez F, Hoogi A, Rubin D. Curated Breast Imaging Subset of Digital Database for "
            "Screening Mammography (CBIS-DDSM). The Cancer Imaging Archive 2016. doi:10.7937/K9/TCIA.2016.7O02S9CY"
        ),
        url="https://www.cancerimagingarchive.net/collection/cbis-ddsm/",
    )

    def items(self, root: Path, odd: Odd) -> Iterator[Item]:
        """Patients in the order of the tables: mass before calcifications, train before test."""
        yield from group_rows((row["patient_id"].strip(), row) for name in TABLES for row in _rows(root / name))

    def case(self, root: Path, item: Item, odd: Odd) -> Case | None:
        """One patient."""
        odd = without_repeats(odd)
        cells = [Cells(row, odd) for row in item.rows]
        judged = [
            Judgement(c.row[WHERE], c.term("left or right breast", SIDES), c.term("assessment", CATEGORIES))
            for c in cells
        ]
        densities = [(c.row[WHERE], c.term(_density(c.row), NUMERALS)) for c in cells]
        known = KnownLabels(
            key=item.key,
            group=item.key,
            images=_images(root, cells, odd),
            labels=labels_of(item.rows),
            published_split=split_of_rows([(row[WHERE], row[_SPLIT]) for row in item.rows], item.key, odd),
        )
        findings = _lesions(cells)
        composition = agreed_value(densities, density, f"{item.key}, composition", odd)
        return case_from_labels(self.about, known, report_of(findings, worst_by_side(judged), composition))


def _rows(path: Path) -> Iterator[Row]:
    """The rows of a table with its split; line breaks within cells are undone."""
    kind, split = path.name[:4], "train" if "_train_" in path.name else "test"
    for row in with_line_numbers(path, numbered_csv_rows(path, (*_COLUMNS, *_OWN[kind]))):
        yield {name: cell.strip() for name, cell in row.items()} | {_SPLIT: split}


def _density(row: Row) -> str:
    """The name that density has in the row's table."""
    return "breast_density" if "breast_density" in row else "breast density"


def _lesions(cells: Sequence[Cells]) -> list[Finding]:
    """The lesions of a patient: rows of one side, type and number that are alike but for the view are one."""
    numbered: dict[tuple[str, ...], list[Finding]] = {}
    for c in cells:
        key = tuple(c.text(name) for name in ("left or right breast", "abnormality type", "abnormality id"))
        numbered.setdefault(key, []).extend(_finding(c))
    return [finding for rows in numbered.values() for finding in join_views(rows)]


def _finding(cells: Cells) -> Iterator[Finding]:
    """The lesion of a row, as its view shows it."""
    view = cells.term("image view", VIEWS)
    read = _mass if "mass shape" in cells.row else _calcifications
    if (finding := read(cells)) is not None:
        yield finding.model_copy(
            update={
                "laterality": cells.term("left or right breast", SIDES),
                "views": () if view is None else (view,),
                "category": cells.term("assessment", CATEGORIES),
            }
        )


def finding_of_terms(terms: Mapping[str, object]) -> Finding:
    """The finding that a lesion's own terms describe, for users of single images.

    `terms` has `kind` (mass, calcifications), and `shape`, `margins`, `type`, `distribution`, `assessment` as the
    tables have them; a term that is not known leaves its field unset.
    """
    row = {column: str(terms.get(name) or "") for name, column in _TERM_COLUMNS.items()}
    cells = Cells(row, lambda oddity: None)
    finding = _mass(cells) if terms["kind"] == "mass" else _calcifications(cells)
    return finding.model_copy(update={"category": cells.term("assessment", CATEGORIES)})


def _mass(cells: Cells) -> Finding:
    """A mass, or what the shape column gives instead."""
    shape = _most(cells, "mass shape", _SHAPES, _SHAPE_KINDS)
    kind = _most(cells, "mass shape", _SHAPE_KINDS, _SHAPES)
    margin = _most(cells, "mass margins", _MARGINS, {})
    if kind is Kind.DISTORTION and shape is not None:
        return Finding(kind=Kind.MASS, shape=shape, margin=margin, associated=(Kind.DISTORTION,))
    if kind is None:
        return Finding(kind=Kind.MASS, shape=shape, margin=margin)
    if shape is not None or margin is not None:
        found = f"{cells.text('mass shape')}, {cells.text('mass margins')}"
        cells.report("mass shape", found, f"no shape or margin for {kind}; kept in the labels only")
    return Finding(kind=kind)


def _calcifications(cells: Cells) -> Finding:
    return Finding(
        kind=Kind.CALCIFICATIONS,
        morphology=_most(cells, "calc type", _TYPES, {}),
        distribution=_most(cells, "calc distribution", _DISTRIBUTIONS, {}),
    )


def _most(cells: Cells, column: str, terms: Mapping[str, T], others: Mapping[str, object]) -> T | None:
    """The most suspicious of the terms in a cell, those of `others` left alone; several and unknown ones are odd."""
    parts = cells.text(column).upper().split("-") if cells.text(column) else []
    for part in parts:
        if part not in terms and part not in others:
            cells.report(column, part, f"one of {', '.join([*terms, *others])}")
    order = list(terms)
    found = sorted((part for part in parts if part in terms), key=order.index)
    if len({terms[part] for part in found}) > 1:
        cells.report(column, f"{cells.text(column)}; {found[-1]} is taken", "one term")
    return terms[found[-1]] if found else None


def _images(root: Path, cells: Sequence[Cells], odd: Odd) -> tuple[ImageRef, ...]:
    """One film a view with the masks of its lesions; a film that is published twice, with either table, is odd.

    A view whose film is not there, under any of its names, is one missing image.
    """
    films: dict[tuple[object, object], ImageRef] = {}
    absent: dict[tuple[object, object], tuple[Cells, str]] = {}
    for c in cells:
        side, view = c.term("left or right breast", SIDES), c.term("image view", VIEWS)
        film, masks = _largest(root, _subject(c, _FILE)), _mask(root, c)
        if film is None:
            absent.setdefault((side, view), (c, _subject(c, _FILE)))
            continue
        film_ref = films.setdefault((side, view), ImageRef(file=film, laterality=side, view=view))
        if film_ref.file != film:
            odd(
                Oddity(
                    where=film, found=f"the film of {film_ref.file} again", expected="a film once; this one is skipped"
                )
            )
        if masks is not None and masks not in film_ref.masks:
            films[(side, view)] = film_ref.model_copy(update={"masks": (*film_ref.masks, masks)})
    for place, (c, subject) in absent.items():
        c.report(_FILE, f"no file in {subject}", "a DICOM file", missing_image=place not in films)
    return tuple(films.values())


def _mask(root: Path, cells: Cells) -> str | None:
    """The mask of a row's lesion; none is odd."""
    subject = _subject(cells, _MASK)
    if (found := _largest(root, subject)) is None:
        cells.report(_MASK, f"no file in {subject}", "a DICOM file")
    return found


def _subject(cells: Cells, column: str) -> str:
    """The folder that a path's first part names."""
    return cells.text(column).split("/")[0]


def _largest(root: Path, subject: str) -> str | None:
    """The largest image in a folder that is not called cropped."""
    folders = (
        [folder for pattern in _FOLDERS for folder in sorted(root.glob(f"{pattern}/{subject}"))] if subject else []
    )
    files = [f for folder in folders for f in sorted(folder.rglob("*.dcm")) if "cropped" not in f.parent.name]
    if not files:
        return None
    return max(files, key=lambda file: file.stat().st_size).relative_to(root).as_posix()
