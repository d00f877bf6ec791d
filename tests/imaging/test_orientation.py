"""Images turned by a quarter or half: turned back where header and breast agree, never by one of them alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest

from amrg.birads import Finding, Kind, Laterality, Report, View, ViewBox
from amrg.generation.identifiers import image_boxes
from amrg.imaging import Mammogram, read_studies
from amrg.imaging.evidence.orientation import hung_directions, quarter_turns
from tests.imaging.changed import Change, change, write_exam

TURNED_BACK = {"A": "P", "P": "A", "R": "L", "L": "R", "F": "H", "H": "F"}
VIEWS = [(side, view) for side in Laterality for view in (View.CC, View.MLO, View.ML)]


def turn(quarters: int, stated: bool = True, pixels: bool = True) -> Change:
    """A change that turns a file clockwise by quarters: its pixels, what its header says, or both."""

    def how(ds: pydicom.Dataset) -> None:
        ds.ImagerPixelSpacing = ds.PixelSpacing = [0.4, 0.3]
        rows, columns = ds.PatientOrientation
        image = ds.pixel_array
        for _ in range(quarters):
            rows, columns = "".join(TURNED_BACK[letter] for letter in columns), rows
        if pixels:
            image = np.rot90(image, -quarters)
            ds.Rows, ds.Columns = image.shape
            ds.PixelData = np.ascontiguousarray(image).tobytes()
            if quarters % 2:
                ds.ImagerPixelSpacing = ds.PixelSpacing = [0.3, 0.4]
        if stated:
            ds.PatientOrientation = [rows, columns]
        else:
            del ds.PatientOrientation

    return how


def read(folder: Path, name: str, how: Change) -> Mammogram:
    path = change(write_exam(folder) / f"{name}.dcm", how)
    (study,) = read_studies(path).studies
    return study.mammograms[0]


@pytest.mark.parametrize("view", VIEWS, ids=str)
@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_the_turn_follows_from_the_directions(view: tuple[Laterality, View], turns: int) -> None:
    rows, columns = hung_directions(*view)
    for _ in range(turns):
        rows, columns = "".join(TURNED_BACK[letter] for letter in columns), rows
    half_of_cc = (view[1], turns) == (View.CC, 2)  # the directions of the other breast as it hangs
    assert quarter_turns((rows, columns), *view) == (0 if half_of_cc else turns)


@pytest.mark.parametrize("stated", [(), ("A",), ("", ""), ("CC", "MLO"), ("P", "FR"), ("A", "P"), ("A", "HR")])
def test_no_turn_follows_from_other_directions(stated: tuple[str, ...]) -> None:
    assert quarter_turns(stated, Laterality.LEFT, View.MLO) == 0


# A CC view turned by half has the directions of the other breast's: a contradiction of sides.
@pytest.mark.parametrize(
    ("name", "quarters"), [(name, q) for name in ("LMLO", "RMLO", "LCC") for q in (1, 2, 3) if (name, q) != ("LCC", 2)]
)
def test_an_image_that_header_and_breast_call_turned_is_turned_back(tmp_path: Path, name: str, quarters: int) -> None:
    plain = read(tmp_path / "plain", name, turn(0))
    turned = read(tmp_path / "turned", name, turn(quarters))
    assert (plain.turned, turned.turned) == (0, quarters)
    assert not turned.flipped
    assert (turned.rows, turned.columns, turned.pixel_spacing_mm) == (plain.rows, plain.columns, plain.pixel_spacing_mm)
    np.testing.assert_array_equal(turned.pixels(), plain.pixels())
    assert any("degrees counter-clockwise" in note for note in turned.notes)


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_box_on_a_turned_image_is_on_the_grid_of_its_file(tmp_path: Path, quarters: int) -> None:
    path = change(write_exam(tmp_path) / "LMLO.dcm", turn(quarters))
    (study,) = read_studies(path).studies
    (mammogram,) = study.mammograms
    box = ViewBox(laterality=Laterality.LEFT, view=View.MLO, left=10, top=60, right=30, bottom=100)
    report = Report(findings=(Finding(kind=Kind.MASS, laterality=Laterality.LEFT, boxes=(box,)),))
    (found,) = image_boxes(report, study)
    stored = pydicom.dcmread(path).pixel_array
    inside = stored[int(found.box.top) : int(found.box.bottom), int(found.box.left) : int(found.box.right)]
    shown = mammogram.pixels()[60:100, 10:30]
    assert sorted(inside.shape) == sorted(shown.shape)
    np.testing.assert_allclose(np.sort(inside.ravel()) / 4095, np.sort(shown.ravel()), atol=1e-3)


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        (turn(1, pixels=False), "says that the image is turned, the breast in it does not"),
        (turn(2, pixels=False), "says that the image is turned, the breast in it does not"),
        (turn(1, stated=False), "may be turned by a quarter"),
    ],
    ids=["a quarter, header alone", "half, header alone", "breast alone"],
)
def test_one_of_them_alone_turns_nothing_and_is_noted(tmp_path: Path, how: Change, expected: str) -> None:
    mammogram = read(tmp_path, "LMLO", how)
    assert mammogram.turned == 0
    assert expected in " ".join(mammogram.notes)
