"""EMBED open data (Emory): a row a finding in the clinical table, a row a file in the metadata table.

Layout and codes as the repository Emory-HITI/EMBED_Open_Data gives them (README, AWS_Open_Data_Clinical_Legend.csv
and the sample notebook): `tables/EMBED_OpenData_clinical.csv` and `tables/EMBED_OpenData_metadata.csv`, or their
`_reduced` forms, and `images/cohort_1/PATIENT/...`; `anon_dicom_path` may begin elsewhere and counts from `cohort_`.
`ROI_coords` is `((ymin, xmin, ymax, xmax),)`. Which columns the reduced tables keep is not verified; only those named
here are needed.

One case an accession. Letters of `asses`: A 0, N 1, B 2, P 3, S 4, M 5, K 6, X none; a row's letter goes with its
side and its finding, and a side has its worst. Only full-field images (`spot_mag` not 1) are taken, a C-view where
a view has no 2D image. No table ties a region to a finding: regions go to a side's only finding, else a note says
so. A `B` row is a finding in either breast. Codes without a word in the lexicon, clips and scars among them, stay in
the labels and are odd; `recc`, `changed` and pathology stay in the labels.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

from amrg.birads import Indication, Laterality, View, ViewBox
from amrg.datasets.case import Case, ImageRef
from amrg.datasets.importer import About, Item, Odd, Oddity
from amrg.datasets.importers.embed_codes import CATEGORY, COMPOSITION, findings_of, sides_of
from amrg.datasets.tables.cells import SIDES, VIEWS, Cells, density, plain_number, without_repeats
from amrg.datasets.tables.grouping import WHERE, Row, group_rows, labels_of, with_line_numbers
from amrg.datasets.tables.labels import (
    Judgement,
    KnownLabels,
    assign_boxes,
    case_from_labels,
    existing_images,
    image_of,
    report_of,
    worst_by_side,
)
from amrg.datasets.tables.readers import numbered_csv_rows

_CLINICAL = ("empi_anon", "acc_anon", "asses", "tissueden", "side")
_FILES = ("acc_anon", "anon_dicom_path", "FinalImageType", "ImageLateralityFinal", "ViewPosition")
_COLUMNS_READ = (*_FILES, "spot_mag", "ROI_coords")
_REGION = re.compile(r"\(\s*(\d+),\s*(\d+),\s*(\d+),\s*(\d+)\s*\)")
_NO_REGION = frozenset({"", "()", "[]"})


class Embed:
    """Imports EMBED from the folder with `tables` and `images`."""

    about = About(
        name="embed",
        title="EMory BrEast imaging Dataset, AWS Open Data release",
        licence="EMBED Research Use Agreement: academic, non-commercial; no model release without permission",
        citation=(
            "Jeong JJ, Vey BL, Bhimireddy A, et al. The EMory BrEast imaging Dataset (EMBED): A Racially Diverse, "
            "Granular Dataset of 3.4 Million Screening and Diagnostic Mammographic Images. Radiology: Artificial "
            "Intelligence 2023;5(1):e220047. doi:10.1148/ryai.220047"
        ),
        url="https://github.com/Emory-HITI/EMBED_Open_Data",
    )

    def items(self, root: Path, odd: Odd) -> Iterator[Item]:
        """Accessions in the order of the clinical table, each with its findings and then its files."""
        clinical, files = _table(root, "clinical"), _table(root, "metadata")
        findings = with_line_numbers(clinical, numbered_csv_rows(clinical, _CLINICAL))
        image_rows = (
            {name: row[name] for name in (*_COLUMNS_READ, WHERE) if name in row}
            for row in with_line_numbers(files, numbered_csv_rows(files, _FILES))
        )
        yield from group_rows((plain_number(row["acc_anon"]), row) for row in chain(findings, image_rows))

    def case(self, root: Path, item: Item, odd: Odd) -> Case | None:
        """One accession; files without a clinical row are nothing to report on."""
        odd = without_repeats(odd)
        rows = [row for row in item.rows if not _is_file(row)]
        files = [Cells(row, odd) for row in item.rows if _is_file(row)]
        if not rows:
            odd(Oddity(where=item.key, found=f"{len(files)} files", expected="a row in the clinical table; skipped"))
            return None
        cells = [Cells(row, odd) for row in rows]
        chosen = _choose(files)
        findings, notes = assign_boxes(
            [finding for c in cells for finding in findings_of(c)], [box for c in chosen for box in _boxes(c)]
        )
        known = KnownLabels(
            key=item.key,
            group=plain_number(rows[0]["empi_anon"]),
            images=existing_images(root, (_image(c) for c in chosen), odd),
            labels=labels_of(rows),
            notes=notes,
        )
        judged = [Judgement(c.row[WHERE], side, c.term("asses", CATEGORY)) for c in cells for side in sides_of(c)]
        densities = [found for c in cells if (found := c.term("tissueden", COMPOSITION)) is not None]
        report = report_of(findings, worst_by_side(judged), max(densities, key=density, default=None))
        return case_from_labels(self.about, known, report.model_copy(update={"indication": _indication(rows[0])}))


def _table(root: Path, name: str) -> Path:
    """The full table, or the reduced one where only that is there."""
    full = root / "tables" / f"EMBED_OpenData_{name}.csv"
    reduced = full.with_name(f"EMBED_OpenData_{name}_reduced.csv")
    return reduced if reduced.is_file() and not full.is_file() else full


def _is_file(row: Row) -> bool:
    return "anon_dicom_path" in row


def _indication(row: Row) -> Indication | None:
    """Why the exam was made, by its description."""
    description = row.get("desc", "").lower()
    if "screen" in description:
        return Indication.SCREENING
    return Indication.DIAGNOSTIC if "diag" in description else None


def _choose(files: Sequence[Cells]) -> list[Cells]:
    """Full-field 2D images, and C-views of views that have none."""
    full = [c for c in files if plain_number(c.text("spot_mag")) != "1"]
    flat = [c for c in full if c.text("FinalImageType") == "2D"]
    there = {_hangs(c) for c in flat}
    return [
        *flat,
        *(c for c in full if c.text("FinalImageType").lower() in ("cview", "c-view") and _hangs(c) not in there),
    ]


def _hangs(cells: Cells) -> tuple[str, str]:
    return cells.text("ImageLateralityFinal"), cells.text("ViewPosition")


def _side_and_view(cells: Cells) -> tuple[Laterality | None, View | None]:
    return SIDES.get(cells.text("ImageLateralityFinal").upper()), VIEWS.get(cells.text("ViewPosition").upper())


def _image(cells: Cells) -> ImageRef | None:
    """An image, its path counted from the cohort."""
    path = cells.text("anon_dicom_path").replace("\\", "/")
    file = "images/" + path[max(path.find("cohort_"), 0) :].lstrip("./")
    return image_of(cells, file, "ImageLateralityFinal", "ViewPosition")


def _boxes(cells: Cells) -> Iterator[ViewBox]:
    """The regions of an image; text without any is odd."""
    written = cells.text("ROI_coords")
    side, view = _side_and_view(cells)
    regions = _REGION.findall(written)
    if written not in _NO_REGION and (not regions or side is None or view is None):
        cells.report("ROI_coords", written, "((ymin, xmin, ymax, xmax),) on an image whose side and view are known")
    elif side is not None and view is not None:
        for top, left, bottom, right in regions:
            yield ViewBox(
                laterality=side, view=view, left=float(left), top=float(top), right=float(right), bottom=float(bottom)
            )
