"""RSNA Screening Mammography Breast Cancer Detection (Kaggle, 2022): `train.csv` and `train_images/PATIENT/IMAGE.dcm`.

Layout and columns as in the competition's data page: a row an image with `site_id`, `patient_id`, `image_id`,
`laterality`, `view`, `age`, `cancer`, `biopsy`, `invasive`, `BIRADS`, `implant`, `density`, `machine_id` and
`difficult_negative_case`. `test.csv` has no labels and is not read.

`BIRADS` is given for a breast and is 0, 1 or 2; the page calls 0 `required follow-up`, 1 `rated as negative for cancer`
and 2 `rated as normal`. They are taken by their number, as the BI-RADS categories 0, 1 and 2 that screening can end
with; whether 2 is BI-RADS benign is not published. One of the two sites gives neither category nor density:
such a case has an empty report, and only `cancer` in its labels says whether there was a tumour. The data set has no
findings (a note says so in every case), no boxes and no split of its own. One case a patient, who has one exam here.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from amrg.birads import Category
from amrg.datasets.case import NO_FINDINGS, Case, ImageRef
from amrg.datasets.importer import About, Item, Odd
from amrg.datasets.tables.cells import LETTERS, Cells, plain_number, without_repeats
from amrg.datasets.tables.grouping import group_rows, labels_of, with_line_numbers
from amrg.datasets.tables.labels import (
    KnownLabels,
    assessments_of,
    case_from_labels,
    composition_of,
    existing_images,
    image_of,
    read_judgement,
    report_of,
)
from amrg.datasets.tables.readers import numbered_csv_rows

TABLE = "train.csv"
_COLUMNS = ("site_id", "patient_id", "image_id", "laterality", "view", "age", "cancer", "BIRADS", "implant", "density")
_CATEGORY = {
    spelt: category
    for number, category in (("0", Category.INCOMPLETE), ("1", Category.NEGATIVE), ("2", Category.BENIGN))
    for spelt in (number, f"{number}.0")
}
_NO_CATEGORY = "the data set gives no category for this exam; see `cancer` in its labels"


class Rsna:
    """Imports the RSNA screening set from the folder with `train.csv` and `train_images`."""

    about = About(
        name="rsna",
        title="RSNA Screening Mammography Breast Cancer Detection",
        licence="Kaggle competition rules: non-commercial research and education only, no redistribution",
        citation=(
            "Carr C, Kitamura F, Kalpathy-Cramer J, Mongan J, Andriole K, Vazirabad M, Riopel M, Ball R, Dane S. RSNA "
            "Screening Mammography Breast Cancer Detection. Kaggle 2022. "
            "https://kaggle.com/competitions/rsna-breast-cancer-detection"
        ),
        url="https://www.kaggle.com/competitions/rsna-breast-cancer-detection/data",
    )

    def items(self, root: Path, odd: Odd) -> Iterator[Item]:
        """Patients in the order of the table."""
        rows = with_line_numbers(root / TABLE, numbered_csv_rows(root / TABLE, _COLUMNS))
        yield from group_rows((plain_number(row["patient_id"]), row) for row in rows)

    def case(self, root: Path, item: Item, odd: Odd) -> Case | None:
        """One patient's exam."""
        odd = without_repeats(odd)
        judged = [
            read_judgement(Cells(row, odd), "laterality", ("BIRADS", _CATEGORY), ("density", LETTERS))
            for row in item.rows
        ]
        composition, notes = composition_of(judged, item.key, odd)
        assessments = assessments_of(judged, item.key, odd)
        known = KnownLabels(
            key=item.key,
            group=item.key,
            images=existing_images(root, (_image(Cells(row, odd)) for row in item.rows), odd),
            labels=labels_of(item.rows),
            notes=(NO_FINDINGS, *notes, *(() if assessments else (_NO_CATEGORY,))),
        )
        return case_from_labels(self.about, known, report_of((), assessments, composition))


def _image(cells: Cells) -> ImageRef | None:
    file = f"train_images/{plain_number(cells.text('patient_id'))}/{plain_number(cells.text('image_id'))}.dcm"
    return image_of(cells, file, "laterality", "view")
