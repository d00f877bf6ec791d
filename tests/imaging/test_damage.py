"""Damaged bytes: one line for the file, the rest of the folder read, and no other exception, ever."""

from __future__ import annotations

import shutil
import warnings
import zipfile
import zlib
from importlib import import_module
from pathlib import Path

import numpy as np
import pydicom
import pytest
from imagecodecs import ljpeg_encode, png_encode
from PIL import Image

from amrg.birads import Laterality, View
from amrg.imaging import ImagingError, read_mammogram, read_studies
from amrg.imaging.pixels.decoding import presentation_values
from tests.imaging.changed import COLUMNS, ROWS, breast, change, put, put_raw, read_changed, write_exam

SCRIPTS = Path(__file__).parents[2] / "scripts"
FILES = 500
SEED = 20_260_101


@pytest.fixture(autouse=True)
def scripts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(SCRIPTS))


def test_five_hundred_damaged_files_raise_nothing_and_stay_small(tmp_path: Path) -> None:
    outcomes = import_module("fuzz_imaging").run(tmp_path, iter(range(FILES)), SEED)
    assert not outcomes.failures, "\n".join(outcomes.failures[:5])
    assert sum(outcomes.counts.values()) == FILES
    assert outcomes.counts["read"] > 0
    assert outcomes.counts["problem"] > 0
    assert outcomes.growth_mib < 512


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("RCC.jpg", ljpeg_encode(breast("RCC")), r"RCC\.jpg: a JPEG .*lossless.*expected 8 bits.*convert it to"),
        ("RCC.tif", b"II*\0" + bytes(40), r"RCC\.tif: a TIFF .*64-bit.*expected 8 or 16 bits.*convert it to"),
        ("RCC.png", b"no image", r"RCC\.png: not a readable image; expected PNG, TIFF, PGM or JPEG"),
    ],
)
def test_a_file_of_an_unknown_kind_is_named_with_what_to_do(
    name: str, content: bytes, what: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ImagingError, match=what):
        read_mammogram(tmp_path / name, Laterality.RIGHT, View.CC)


def test_the_files_that_are_damaged_are_good_ones(tmp_path: Path) -> None:
    for path in import_module("fuzz_imaging").seeds_in(tmp_path):
        assert len(read_studies(path).studies) == 1, path.name


@pytest.mark.parametrize(
    ("keyword", "vr", "value"),
    [
        ("SeriesDescription", "ZZ", b"R CC"),
        ("PixelSpacing", "DS", b"0.4\\"),
        ("PixelSpacing", "DS", b"\xff\xfe\x00"),
        ("PatientName", "PN", b"\x1b$B\xff\xff"),
        ("SpecificCharacterSet", "CS", b"NO SUCH SET "),
        ("StudyDate", "DA", b"yesterday "),
        ("NumberOfFrames", "IS", b"one "),
        ("EstimatedRadiographicMagnificationFactor", "DS", b"x.y "),
        ("PixelPaddingValue", "US", b"\x00"),
        ("RescaleSlope", "DS", b"inf "),
        ("VOILUTSequence", "SQ", b"\xfe\xff\x00\xe0\xff\xff\xff\x7f"),
        ("ViewCodeSequence", "SQ", b"no items here "),
        ("SharedFunctionalGroupsSequence", "SQ", b"\xfe\xff\x00\xe0\x04\x00\x00\x00abcd"),
    ],
)
def test_a_broken_attribute_costs_neither_file_nor_folder(tmp_path: Path, keyword: str, vr: str, value: bytes) -> None:
    intake = read_changed(tmp_path, put_raw(keyword, vr, value))
    assert not intake.problems
    assert len(intake.studies[0].mammograms) == 4


@pytest.mark.parametrize("keyword", ["Rows", "Columns", "BitsAllocated"])
def test_a_broken_pixel_attribute_is_one_line(tmp_path: Path, keyword: str) -> None:
    intake = read_changed(tmp_path, put_raw(keyword, "US", b"\x07"))
    assert len(intake.studies[0].mammograms) in (3, 4)  # bits allocated are known by the pixels' default
    assert all("\n" not in problem.message for problem in intake.problems)
    assert list(intake.studies[0].problems) == [problem.message for problem in intake.problems]


def test_a_study_names_the_view_that_it_lacks_for_damage(tmp_path: Path) -> None:
    folder = write_exam(tmp_path / "exam")
    path = folder / "RCC.dcm"
    path.write_bytes(path.read_bytes()[:-20_000])
    (study,) = read_studies(folder).studies
    assert len(study.mammograms) == 3
    assert len(study.problems) == 1
    assert "RCC.dcm" in study.remarks()[0]


def test_a_sequence_without_end_loses_nothing_else(tmp_path: Path) -> None:
    folder = write_exam(tmp_path / "exam")
    data = (folder / "RCC.dcm").read_bytes()
    at = data.index(b"\x08\x00\x60\x00CS")
    (folder / "RCC.dcm").write_bytes(data[:at] + b"\x08\x00\x51\x00SQ\x00\x00\xff\xff\xff\xff" + data[at:])
    intake = read_studies(folder)
    assert [problem.file for problem in intake.problems] == ["RCC.dcm"]
    assert len(intake.studies[0].mammograms) == 3


def test_nesting_without_end_is_refused(tmp_path: Path) -> None:
    folder = write_exam(tmp_path / "exam")
    data = (folder / "RCC.dcm").read_bytes()
    at = data.index(b"\x28\x00\x02\x00US")
    opening = b"\x28\x00\x10\x30SQ\x00\x00\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff"
    (folder / "RCC.dcm").write_bytes(data[:at] + opening * 3000 + data[at:])
    intake = read_studies(folder)
    assert [problem.file for problem in intake.problems] == ["RCC.dcm"]


def test_millions_of_elements_are_no_header(tmp_path: Path) -> None:
    path = write_exam(tmp_path / "exam") / "RCC.dcm"
    data = path.read_bytes()
    at = data.index(b"\x28\x00\x02\x00US")
    path.write_bytes(data[:at] + b"\x28\x00\x03\x00US\x00\x00" * 50_000 + data[at:])
    with pytest.raises(ImagingError, match="over 20000 elements"):
        read_mammogram(path)


def test_a_deflated_bomb_is_refused(tmp_path: Path) -> None:
    path = write_exam(tmp_path / "exam") / "RCC.dcm"
    ds = pydicom.dcmread(path)
    ds.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1.99"
    ds.save_as(path, enforce_file_format=True)
    data = path.read_bytes()
    start = 144 + pydicom.filereader.read_file_meta_info(path).FileMetaInformationGroupLength
    deflater = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    block = deflater.compress(bytes(2**24)) + deflater.flush(
        zlib.Z_FULL_FLUSH
    )  # needs nothing before it: repeats as it is
    bomb = block * 80 + deflater.flush()
    path.write_bytes(data[:start] + bomb)
    with pytest.raises(ImagingError, match="inflates to over 1 GiB"):
        read_mammogram(path)


def test_a_compressed_image_of_another_size_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    path = write_exam(tmp_path / "exam") / "RCC.dcm"
    ds = pydicom.dcmread(path)
    ds.compress("1.2.840.10008.1.2.4.90")
    data = bytes(ds.PixelData)
    at = data.index(b"\xff\x4f\xff\x51") + 8
    ds.PixelData = data[:at] + (60_000).to_bytes(4, "big") * 2 + data[at + 8 :]
    ds["PixelData"].is_undefined_length = True
    ds.save_as(path, enforce_file_format=True)
    with pytest.raises(ImagingError, match="the compressed image is 60000 x 60000"):
        read_mammogram(path)


@pytest.mark.parametrize("changed", [{"Rows": ROWS - 20}, {"Rows": ROWS - 1}, {"Columns": COLUMNS - 1}])
def test_pixels_of_more_rows_or_columns_than_the_header_states_are_refused(
    tmp_path: Path, changed: dict[str, int]
) -> None:
    (problem,) = read_changed(tmp_path, put(**changed)).problems
    assert problem.message.startswith("RCC.dcm: (7FE0,0010) Pixel Data has 64000 bytes, but ")
    assert problem.message.endswith("send it again")


def test_a_few_bytes_after_the_pixels_are_noted(tmp_path: Path) -> None:
    intake = read_changed(tmp_path, lambda ds: setattr(ds, "PixelData", ds.PixelData + bytes(16)))
    assert not intake.problems
    assert any("16 bytes after the image in (7FE0,0010) Pixel Data: not used" in n for n in intake.studies[0].notes)


def test_float_images_with_values_that_are_no_numbers(tmp_path: Path) -> None:
    values = np.zeros((200, 160), np.float32)
    values[50:150, :80] = np.linspace(0.2, 200, 80)
    values[:5] = np.nan
    Image.fromarray(values).save(tmp_path / "A_LEFT_CC.tif")
    assert np.isfinite(presentation_values(tmp_path / "A_LEFT_CC.tif")).all()
    Image.fromarray(np.full_like(values, np.nan)).save(tmp_path / "B_LEFT_CC.tif")
    with pytest.raises(ImagingError, match="no numbers"):
        presentation_values(tmp_path / "B_LEFT_CC.tif")


@pytest.mark.parametrize("channels", [2, 3, 4])
def test_colour_of_16_bits_is_read_with_all_of_them(tmp_path: Path, channels: int) -> None:
    grey = breast("LCC").astype(np.uint16)
    (tmp_path / "LCC.png").write_bytes(png_encode(grey))
    layers = [grey] * (1 if channels == 2 else 3) + [np.full_like(grey, 65_535)] * (channels != 3)
    (tmp_path / "A_LCC.png").write_bytes(png_encode(np.dstack(layers)))
    np.testing.assert_array_equal(
        presentation_values(tmp_path / "A_LCC.png"), presentation_values(tmp_path / "LCC.png")
    )


def test_a_tiff_with_a_palette_is_read(tmp_path: Path) -> None:
    grey = Image.fromarray((breast("LCC") // 16).astype(np.uint8))
    grey.save(tmp_path / "LCC.tif")
    grey.convert("P").save(tmp_path / "A_LCC.tif")
    np.testing.assert_array_equal(
        presentation_values(tmp_path / "A_LCC.tif"), presentation_values(tmp_path / "LCC.tif")
    )


def test_values_below_0_are_moved_up_not_cut_off(tmp_path: Path) -> None:
    grey = breast("LCC").astype(np.int32)
    Image.fromarray(grey).save(tmp_path / "LCC.tif")
    Image.fromarray(grey - 2048).save(tmp_path / "A_LCC.tif")
    expected = presentation_values(tmp_path / "LCC.tif")
    np.testing.assert_array_equal(presentation_values(tmp_path / "A_LCC.tif"), expected)
    Image.fromarray(((grey - grey.mean()) / grey.std()).astype(np.float32)).save(tmp_path / "B_LCC.tif")
    scored = presentation_values(tmp_path / "B_LCC.tif")
    np.testing.assert_allclose(scored, expected / expected.max(), atol=1e-5)


@pytest.mark.parametrize("meta", [False, True], ids=["bare", "no preamble"])
def test_a_data_set_without_preamble_is_read(tmp_path: Path, meta: bool) -> None:
    folder = write_exam(tmp_path / "exam")
    data = (folder / "RCC.dcm").read_bytes()
    length = pydicom.dcmread(folder / "RCC.dcm").file_meta.FileMetaInformationGroupLength
    (folder / "RCC.dcm").write_bytes(data[132:] if meta else data[144 + length :])
    (study,) = read_studies(folder).studies
    assert len(study.mammograms) == 4
    assert any("no preamble" in note for note in study.notes)


def test_a_damaged_archive_is_one_line(tmp_path: Path) -> None:
    folder = write_exam(tmp_path / "exam")
    archive = tmp_path / "exam.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for file in sorted(folder.glob("*.dcm")):
            packed.write(file, file.name)
    data = bytearray(archive.read_bytes())
    data[200:260] = bytes(60)
    archive.write_bytes(bytes(data))
    with pytest.raises(ImagingError, match=r"exam.zip: the zip cannot be unpacked"):
        read_studies(archive)


def test_a_damaged_dicomdir_is_one_line(tmp_path: Path) -> None:
    shutil.copy(write_exam(tmp_path / "exam") / "RCC.dcm", tmp_path / "DICOMDIR")
    with pytest.raises(ImagingError, match="contains no image file"):
        read_studies(tmp_path / "DICOMDIR")


def test_changed_files_do_not_warn(tmp_path: Path) -> None:
    folder = write_exam(tmp_path / "exam")
    change(folder / "RCC.dcm", put_raw("StudyDate", "DA", b"20201345"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(read_studies(folder).studies[0].mammograms) == 4
