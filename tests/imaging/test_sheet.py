"""The contact sheet hangs views as radiologists do, marks them, and says what is missing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from amrg.birads import Laterality, View, ViewBox
from amrg.imaging import Mark, Study, contact_sheet, read_studies
from amrg.imaging.sheet import CELL, GAP, MARK
from amrg.phantom import Size, draw_exam, write_exam


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    folder: Path = tmp_path_factory.mktemp("sheet")
    write_exam(draw_exam(1_000_005, Size.SMALL), folder)
    return read_studies(folder).studies[0]


def test_chest_walls_meet_in_the_middle(study: Study) -> None:
    sheet = np.asarray(contact_sheet(study).convert("L"), float)
    assert sheet.shape == (2 * CELL[1] + GAP, 2 * CELL[0] + GAP)
    middle = sheet[:, CELL[0] - 60 : CELL[0] + GAP + 60].mean()
    edges = np.concatenate([sheet[:, 40:100], sheet[:, -100:-40]], 1).mean()
    assert middle > 2 * edges


def test_a_mark_is_drawn_on_its_own_view(study: Study) -> None:
    box = ViewBox(laterality=Laterality.LEFT, view=View.MLO, left=60, top=250, right=120, bottom=310)
    marked = np.asarray(contact_sheet(study, [Mark(box, "1")]))
    changed = (marked != np.asarray(contact_sheet(study))).any(-1)
    rows, columns = np.nonzero(changed)
    assert rows.min() > CELL[1]
    assert columns.min() > CELL[0]
    assert (marked[changed] == MARK).all(-1).any()


def test_a_missing_view_leaves_its_place(study: Study) -> None:
    three = study.model_copy(update={"mammograms": study.mammograms[1:]})
    assert contact_sheet(three).size == contact_sheet(study).size
