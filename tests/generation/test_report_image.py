"""The report picture: a banner over everything, text that stays on its panel, a mark at every box."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFont

from amrg.birads import Draft, Provenance, Report, Style, draft_banner, render
from amrg.generation.report_image import (
    MARGIN,
    PANEL,
    PAPER,
    WARN,
    _Line,
    _report_lines,
    _wrapped,
    report_picture,
)
from amrg.imaging import MARKS, Study, finding_marks, read_studies
from amrg.imaging.sheet import MARK
from amrg.phantom import Size, draw_exam, write_exam

SEED = 1_000_002  # an exam with findings


@pytest.fixture(scope="module")
def study_and_truth(tmp_path_factory: pytest.TempPathFactory) -> tuple[Study, Report]:
    folder: Path = tmp_path_factory.mktemp("exam")
    seed = next(s for s in range(SEED, SEED + 50) if draw_exam(s, Size.SMALL).truth.findings)
    exam = draw_exam(seed, Size.SMALL)
    write_exam(exam, folder)
    (study,) = read_studies(folder).studies
    return study, exam.truth.model_copy(update={"provenance": Provenance(software="amrg", model="m")})


def draft_of(report: Report) -> Draft:
    text = render(report, Style.CLINICAL)
    return Draft(banner=draft_banner("m"), in_domain=True, report=report, text=text, model_text="")


def pixels(image: Image.Image, colour: tuple[int, int, int]) -> int:
    return int((np.asarray(image) == np.array(colour, np.uint8)).all(-1).sum())


def test_marks_are_drawn_where_there_are_boxes(study_and_truth: tuple[Study, Report]) -> None:
    study, truth = study_and_truth
    bare = truth.model_copy(update={"findings": tuple(f.model_copy(update={"boxes": ()}) for f in truth.findings)})
    assert pixels(report_picture(study, draft_of(truth)), MARK) > 100
    assert pixels(report_picture(study, draft_of(bare)), MARK) == 0


def test_a_box_has_its_number_and_its_percentage_which_are_explained(study_and_truth: tuple[Study, Report]) -> None:
    study, truth = study_and_truth
    likely = truth.model_copy(
        update={"findings": tuple(f.model_copy(update={"probability": 0.917}) for f in truth.findings)}
    )
    assert {mark.label for mark in finding_marks(likely.findings[:1])} == {"1  92%"}
    assert {mark.label for mark in finding_marks(truth.findings[:1])} == {"1"}
    lines = [line.text for line in _report_lines(draft_of(likely))]
    assert any(line.startswith("1  ") and line.endswith("probability 92%") for line in lines)
    assert MARKS in lines
    bare = truth.model_copy(update={"findings": ()})
    assert MARKS not in [line.text for line in _report_lines(draft_of(bare))]
    assert pixels(report_picture(study, draft_of(likely)), MARK) > pixels(report_picture(study, draft_of(truth)), MARK)


def test_a_forced_draft_has_a_taller_banner(study_and_truth: tuple[Study, Report]) -> None:
    study, truth = study_and_truth
    inside = report_picture(study, draft_of(truth))
    forced = report_picture(
        study, draft_of(truth).model_copy(update={"banner": draft_banner("m", unlike_training=(9.1, 4.0))})
    )
    assert inside.getpixel((0, 0)) == WARN
    assert forced.height > inside.height
    assert pixels(forced, WARN) > pixels(inside, WARN)


def test_no_text_leaves_the_panel(study_and_truth: tuple[Study, Report]) -> None:
    study, truth = study_and_truth
    shouted = draft_of(truth).model_copy(update={"text": "WWWW MMMM " * 200 + "W" * 900})
    picture = np.asarray(report_picture(study, shouted))
    right = picture[200:, -MARGIN + 1 :]
    assert (right == np.array(PAPER, np.uint8)).all()
    assert (picture[-MARGIN + 1 :, -PANEL:] == np.array(PAPER, np.uint8)).all()


@pytest.mark.parametrize("text", ["", "one", "a few words " * 30, "W" * 400, "  indented words " * 20])
def test_wrapping_fits_and_loses_no_letter(text: str) -> None:
    lines = list(_wrapped(_Line(text), 300))
    font = ImageFont.load_default(size=17)
    assert all(font.getlength(line.text) <= 300 for line in lines)
    assert "".join("".join(line.text for line in lines).split()) == "".join(text.split())
