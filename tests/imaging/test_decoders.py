"""Decoders at fault: an image of one value is refused, a process that one ends costs its file only."""

from __future__ import annotations

from pathlib import Path

import imagecodecs
import numpy as np
import pydicom
import pytest
from pydicom.encaps import encapsulate
from pydicom.uid import ExplicitVRLittleEndian, JPEGLosslessSV1, RLELossless

from amrg.imaging import read_studies
from amrg.imaging.intake import read_files_apart
from amrg.imaging.pixels import decoding
from amrg.imaging.pixels.rle import decode_rle
from tests.imaging.changed import breast, change, write_exam

_CRASH = """
import os, signal, sys

def crash(event, arguments):
    if event == "open" and str(arguments[0]).endswith("LMLO.dcm"):
        os.kill(os.getpid(), signal.SIGSEGV)

sys.addaudithook(crash)
"""


def _as_jpeg(ds: pydicom.Dataset) -> None:
    """JPEG lossless, process 14 selection value 1, of 12 bits, as makers of mammography units write it."""
    ds.PixelData = encapsulate([imagecodecs.ljpeg_encode(ds.pixel_array, bitspersample=12)])
    ds["PixelData"].VR = "OB"
    ds.file_meta.TransferSyntaxUID = JPEGLosslessSV1


def test_a_12_bit_jpeg_lossless_file_is_what_another_decoder_reads_bit_for_bit(tmp_path: Path) -> None:
    path = change(write_exam(tmp_path) / "RCC.dcm", _as_jpeg)
    image = decoding.presentation_image(path)
    (frame,) = pydicom.encaps.generate_frames(pydicom.dcmread(path).PixelData, number_of_frames=1)
    np.testing.assert_array_equal(image.codes, imagecodecs.ljpeg_decode(frame))
    np.testing.assert_array_equal(image.codes, breast("RCC"))


@pytest.mark.parametrize("value", [0, 1000])
def test_a_decoder_that_gives_one_value_everywhere_is_not_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: int
) -> None:
    path = change(write_exam(tmp_path) / "RCC.dcm", _as_jpeg)
    decode = pydicom.pixels.pixel_array
    monkeypatch.setattr(decoding, "pixel_array", lambda *of, **how: np.full_like(decode(*of, **how), value))
    intake = read_studies(path)
    assert not intake.studies
    assert "the image is blank (one value everywhere)" in intake.problems[0].message


def test_a_decoder_that_ends_its_process_costs_its_file_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    exam = write_exam(tmp_path / "exam")
    (tmp_path / "sitecustomize.py").write_text(_CRASH, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
    intake = read_files_apart(sorted(exam.glob("*.dcm")))
    (study,) = intake.studies
    assert sorted(f"{m.laterality}{m.view}" for m in study.mammograms) == ["LCC", "RCC", "RMLO"]
    assert [problem.file for problem in intake.problems] == ["LMLO.dcm"]
    assert "its decoder ended the process that read it (signal 11)" in intake.problems[0].message
    assert any("LMLO.dcm" in line for line in study.problems)


def _dataset(stored: np.ndarray, **changes: int) -> pydicom.Dataset:
    """An Image Pixel module with RLE Lossless pixels, as pydicom writes them."""
    ds = pydicom.Dataset()
    ds.file_meta = pydicom.dataset.FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.Rows, ds.Columns = stored.shape
    ds.BitsAllocated = ds.BitsStored = 8 * stored.dtype.itemsize
    ds.HighBit, ds.PixelRepresentation, ds.SamplesPerPixel = ds.BitsStored - 1, 0, 1
    ds.PhotometricInterpretation, ds.NumberOfFrames = "MONOCHROME2", 1
    ds.PixelData = stored.tobytes()
    ds["PixelData"].VR = "OW"
    ds.compress(RLELossless, generate_instance_uid=False)
    for name, value in changes.items():
        setattr(ds, name, value)
    return ds


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_rle_is_what_pydicom_decodes(dtype: type[np.uint8] | type[np.uint16]) -> None:
    rng = np.random.default_rng(0)
    runs: np.ndarray = (
        np.repeat(rng.integers(0, 200, 900), rng.integers(1, 9, 900))[:3000].astype(dtype).reshape(60, 50)
    )
    noise: np.ndarray = rng.integers(0, np.iinfo(dtype).max, (64, 41)).astype(dtype)
    for stored in (runs, noise, np.zeros((70, 64), dtype)):
        ds = _dataset(stored)
        np.testing.assert_array_equal(decode_rle(ds), stored)
        np.testing.assert_array_equal(ds.pixel_array, stored)


def test_rle_that_is_odd_or_damaged_is_left_to_pydicom() -> None:
    stored = np.arange(2000, dtype=np.uint16).reshape(40, 50)
    for change_to in ({"SamplesPerPixel": 3}, {"NumberOfFrames": 2}, {"PixelRepresentation": 1}, {"BitsStored": 8}):
        assert decode_rle(_dataset(stored, **change_to)) is None
    assert decode_rle(_dataset(stored, Rows=400)) is None  # too few bytes
    damaged = _dataset(stored)
    damaged.PixelData = damaged.PixelData[:40]
    assert decode_rle(damaged) is None
