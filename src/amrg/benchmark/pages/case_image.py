"""The image of a case on a run's page: its views in one row, with the boxes of reference and draft."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from PIL import Image

from amrg.benchmark.pages.run_page import CaseImages
from amrg.birads import Report
from amrg.datasets import Case, DatasetError, open_dataset, study_of
from amrg.datasets.store import INFO
from amrg.imaging import ImagingError, Mark, Study
from amrg.imaging.sheet import GAP, around_breast, draw_views
from amrg.metrics.pairs import Pair


def dataset_images(data: Path | None) -> CaseImages | None:
    """`draw_cases` of a data set's folder; None where `data` is none.

    Raises:
        DatasetError: the data set cannot be read.
    """
    if data is None or not (data / INFO).is_file():
        return None
    root = open_dataset(data).root
    return draw_cases(lambda case: study_of(case, root))


def draw_cases(open_study: Callable[[Case], Study]) -> CaseImages:
    """Images for `write_run_page`: marks R1, R2, ... are the reference's findings, D1, D2, ... those of the draft.

    `open_study` reads the study of a case. A case whose files cannot be read has no image.
    """

    def draw(case: Case, pair: Pair) -> Image.Image | None:
        marks = [*_marks("R", pair.reference), *(_marks("D", pair.report) if pair.report is not None else ())]
        try:
            return view_strip(open_study(case), marks)
        except (ImagingError, DatasetError):
            return None

    return draw


def _marks(letter: str, report: Report) -> Iterator[Mark]:
    for number, finding in enumerate(report.findings, 1):
        for box in finding.boxes:
            yield Mark(box=box, label=f"{letter}{number}")


def view_strip(study: Study, marks: list[Mark]) -> Image.Image:
    """The views that a study has, in one row in hanging order.

    Raises:
        ImagingError: a view's file is missing or not readable.
    """
    present = {(m.laterality, m.view) for m in study.mammograms}
    tiles = [tile for name, tile in draw_views(study, marks, around_breast).items() if name in present]
    strip = Image.new("RGB", (len(tiles) * (tiles[0].width + GAP) - GAP, tiles[0].height))
    for place, tile in enumerate(tiles):
        strip.paste(tile, (place * (tile.width + GAP), 0))
    return strip
