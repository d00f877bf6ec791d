"""JPEG lossless, written here by a few lines of T.81 Annex H; HTJ2K by imagecodecs; 12-bit JPEG of pydicom's files."""

from __future__ import annotations

import struct
import warnings
from pathlib import Path

import imagecodecs
import numpy as np
import pydicom
from pydicom.data import get_testdata_file
from pydicom.encaps import encapsulate
from pydicom.uid import HTJ2KLossless, JPEGExtended12Bit, JPEGLosslessSV1

from amrg.imaging import read_studies
from amrg.imaging.pixels.decoding import presentation_values
from amrg.phantom import Size, draw_exam, write_exam


def jpeg_lossless(pixels: np.ndarray, bits: int) -> bytes:
    """Process 14, selection value 1 (ITU-T T.81 Annex H): difference to the left, five-bit codes for 17 categories."""
    rows, columns = pixels.shape
    values = pixels.astype(np.int64)
    predicted = np.empty_like(values)
    predicted[:, 1:] = values[:, :-1]
    predicted[1:, 0] = values[:-1, 0]
    predicted[0, 0] = 1 << (bits - 1)
    stream = []
    for difference in ((values - predicted).ravel()).tolist():
        size = abs(difference).bit_length()
        stream.append(f"{size:05b}")
        if size:
            stream.append(f"{difference if difference > 0 else difference + (1 << size) - 1:0{size}b}")
    text = "".join(stream)
    text += "1" * (-len(text) % 8)
    coded = int(text, 2).to_bytes(len(text) // 8, "big").replace(b"\xff", b"\xff\x00")
    table = bytes([0, 0, 0, 0, 0, 17, *[0] * 11]) + bytes(range(17))
    return b"".join(
        [
            b"\xff\xd8",
            b"\xff\xc4" + struct.pack(">H", 2 + len(table)) + table,
            b"\xff\xc3" + struct.pack(">HBHHB", 11, bits, rows, columns, 1) + bytes([1, 0x11, 0]),
            b"\xff\xda" + struct.pack(">HB", 8, 1) + bytes([1, 0, 1, 0, 0]),
            coded,
            b"\xff\xd9",
        ]
    )


def test_jpeg_lossless_decodes_to_the_value(tmp_path: Path) -> None:
    write_exam(draw_exam(1_000_003, Size.SMALL), tmp_path / "plain")
    ds = pydicom.dcmread(tmp_path / "plain" / "LMLO.dcm")
    plain = presentation_values(tmp_path / "plain" / "LMLO.dcm")
    stored = ds.pixel_array
    ds.PixelData = encapsulate([jpeg_lossless(stored, ds.BitsStored)])
    ds["PixelData"].VR = "OB"
    ds.file_meta.TransferSyntaxUID = JPEGLosslessSV1
    ds.save_as(tmp_path / "LMLO.dcm", enforce_file_format=True)
    (study,) = read_studies(tmp_path / "LMLO.dcm").studies
    np.testing.assert_array_equal(study.mammograms[0].pixels(), plain)


def test_htj2k_decodes_to_the_value(tmp_path: Path) -> None:
    write_exam(draw_exam(1_000_003, Size.SMALL), tmp_path)
    source = tmp_path / "LMLO.dcm"
    plain = read_studies(source).studies[0].mammograms[0].pixels()
    ds = pydicom.dcmread(source)
    ds.PixelData = encapsulate([imagecodecs.htj2k_encode(ds.pixel_array)])
    ds["PixelData"].VR = "OB"
    ds.file_meta.TransferSyntaxUID = HTJ2KLossless
    ds.save_as(tmp_path / "ht.dcm", enforce_file_format=True)
    (study,) = read_studies(tmp_path / "ht.dcm").studies
    np.testing.assert_array_equal(study.mammograms[0].pixels(), plain)


def test_twelve_bit_jpeg_keeps_its_depth() -> None:
    path = Path(str(get_testdata_file("JPGExtended.dcm", download=False)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the file's own odd values
        ds = pydicom.dcmread(path)
        stored = ds.pixel_array
    assert ds.file_meta.TransferSyntaxUID == JPEGExtended12Bit
    assert stored.max() > 255
    sample = stored[::8, ::8]  # a file without a window is shown from its lowest value to the 99.9th percentile
    low, high = float(sample.min()), float(np.percentile(sample, 99.9))
    expected = np.clip((stored - low) / (high - low), 0, 1)
    np.testing.assert_allclose(presentation_values(path), expected, atol=1e-5)
