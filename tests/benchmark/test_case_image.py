"""The image of a case: the study's views alone in one row, boxes of reference and draft on them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from amrg.benchmark import Pair, Prediction
from amrg.benchmark.pages.case_image import draw_cases
from amrg.benchmark.scoring.read_run import read_cases
from amrg.birads import Finding, Kind, Laterality, Report, View, ViewBox
from amrg.datasets import Case
from amrg.imaging import ImagingError, Study, read_studies
from amrg.imaging.sheet import GAP, HEIGHT, MARK
from amrg.phantom import Size, draw_exam, write_exam
from tests.benchmark.example import scores_of, write_run

SIDE, VIEW = Laterality.RIGHT, View.MLO


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    folder = tmp_path_factory.mktemp("exam")
    write_exam(draw_exam(1_000_002, Size.SMALL), folder)
    (found,) = read_studies(folder).studies
    return found


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose case-0 has a box in reference and draft, on one view."""
    folder = write_run(tmp_path_factory.mktemp("run"), scores_of())
    box = ViewBox(laterality=SIDE, view=VIEW, left=100, top=150, right=180, bottom=220)
    report = Report(findings=(Finding(kind=Kind.MASS, laterality=SIDE, boxes=(box,)),))
    _change_first(folder / "cases.jsonl", Case, {"reference": report})
    _change_first(folder / "predictions.jsonl", Prediction, {"report": report})
    return folder


def _change_first(path: Path, kind: type[Case] | type[Prediction], update: dict[str, Report]) -> None:
    first, *rest = path.read_text(encoding="utf-8").splitlines(keepends=True)
    changed = kind.model_validate_json(first).model_copy(update=update).model_dump_json()
    path.write_text("".join([f"{changed}\n", *rest]), encoding="utf-8")


def drawn(run: Path, key: str) -> tuple[Case, Pair]:
    return read_cases(run, {key})[key]


def _marked(image: Image.Image, tiles: int = 4) -> list[int]:
    """Which tiles hold pixels in the colour of marks."""
    pixels = (np.asarray(image) == np.array(MARK, np.uint8)).all(-1)
    assert image.height == HEIGHT
    assert (image.width + GAP) % tiles == 0
    width = (image.width + GAP) // tiles
    return [i for i in range(tiles) if pixels[:, i * width : (i + 1) * width - GAP].any()]


def test_four_views_in_a_row_with_boxes_on_theirs(run: Path, study: Study) -> None:
    image = draw_cases(lambda _: study)(*drawn(run, "case-0"))
    assert image is not None
    assert _marked(image) == [2]  # RCC, LCC, RMLO, LMLO
    without = draw_cases(lambda _: study)(*drawn(run, "case-1"))
    assert without is not None
    assert _marked(without) == []


def test_a_study_of_one_view_has_one_tile(run: Path, study: Study) -> None:
    only = study.model_copy(
        update={"mammograms": tuple(m for m in study.mammograms if (m.laterality, m.view) == (SIDE, VIEW))}
    )
    image = draw_cases(lambda _: only)(*drawn(run, "case-0"))
    assert image is not None
    assert _marked(image, tiles=1) == [0]


def test_a_case_that_cannot_be_read_has_no_image(run: Path) -> None:
    def missing(case: Case) -> Study:
        raise ImagingError(f"{case.key}: missing")

    assert draw_cases(missing)(*drawn(run, "case-0")) is None
