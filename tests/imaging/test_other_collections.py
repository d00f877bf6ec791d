"""What other collections do: padding, names in hexadecimal, files cut short, links to nothing."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import imagecodecs
import numpy as np
import numpy.typing as npt
import pydicom
import pytest
from PIL import Image, TiffImagePlugin
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGBaseline8Bit, JPEGLosslessSV1, JPEGLSLossless

from amrg.birads import Laterality, View
from amrg.imaging import Mammogram, read_studies
from amrg.imaging.evidence.labels import side_in, view_in
from amrg.imaging.framing import shows_two_breasts
from amrg.imaging.study import Intent
from tests.imaging.changed import breast, change, put, read_changed, write_exam

FOR_PROCESSING = "1.2.840.10008.5.1.4.1.1.1.2.1"


def _plain(path: Path, pixels: npt.NDArray[np.uint16]) -> Mammogram:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return _only(path)


def _only(path: Path) -> Mammogram:
    (study,) = read_studies(path).studies
    (mammogram,) = study.mammograms
    return mammogram


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("share", [0.2, 0.5, 1.0])
@pytest.mark.parametrize("name", ["RCC", "LCC"])
def test_padding_behind_the_chest_wall_turns_nothing(tmp_path: Path, name: str, share: float, mirrored: bool) -> None:
    image = breast(name)
    strip = np.zeros((len(image), round(share * image.shape[1])), image.dtype)
    padded = np.hstack([image, strip] if name == "RCC" else [strip, image])
    if mirrored:
        padded = np.ascontiguousarray(padded[:, ::-1])
    assert _plain(tmp_path / f"{name}.png", padded).flipped is mirrored


@pytest.mark.parametrize(("spike", "pixels"), [(4106, 1), (65535, 1), (65535, 400)])
def test_a_few_values_far_above_all_others_darken_nothing(tmp_path: Path, spike: int, pixels: int) -> None:
    image = breast("LCC")
    usual = _plain(tmp_path / "usual" / "LCC.png", image).pixels()
    image[-20:, -20:].flat[:pixels] = spike  # beyond the breast
    found = _plain(tmp_path / "LCC.png", image)
    assert np.array_equal(found.pixels()[:-20], usual[:-20])
    assert any(f"up to {spike}" in note for note in found.notes)


def test_white_is_zero_of_16_bits_is_turned_over(tmp_path: Path) -> None:
    tissue = breast("LCC")[60:140, :70]  # no background, by which a negative could be told
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[262] = 0
    Image.fromarray(4000 - tissue).save(tmp_path / "LCC.tif", tiffinfo=tags)
    found = _only(tmp_path / "LCC.tif").file_pixels()
    assert np.corrcoef(found.ravel(), tissue.ravel())[0, 1] > 0.99


@pytest.mark.parametrize("share", [0.6, 0.9, 1.0])
@pytest.mark.parametrize("syntax", [JPEGBaseline8Bit, JPEGLosslessSV1, JPEGLSLossless])
def test_a_compressed_image_cut_short_is_refused(tmp_path: Path, syntax: pydicom.uid.UID, share: float) -> None:
    image = breast("RCC")
    eight = (image // 16).astype(np.uint8)
    encoded = {
        JPEGBaseline8Bit: lambda: imagecodecs.jpeg8_encode(eight),
        JPEGLosslessSV1: lambda: imagecodecs.jpeg8_encode(image, lossless=True, bitspersample=12),
        JPEGLSLossless: lambda: imagecodecs.jpegls_encode(image),
    }[syntax]()
    part = bytes(encoded[: round(share * len(encoded))])

    def compress(ds: pydicom.Dataset) -> None:
        ds.file_meta.TransferSyntaxUID = syntax
        if syntax == JPEGBaseline8Bit:
            ds.BitsAllocated, ds.BitsStored, ds.HighBit = 8, 8, 7
        ds.PixelData = encapsulate([part + b"\0" * (len(part) % 2)])
        ds["PixelData"].VR, ds["PixelData"].is_undefined_length = "OB", True

    found = read_changed(tmp_path, compress)
    cut = [problem.message for problem in found.problems if "has no end" in problem.message]
    assert len(cut) == (share < 1)


def test_for_processing_is_known_by_the_class_too(tmp_path: Path) -> None:
    def raw(ds: pydicom.Dataset) -> None:
        del ds.PresentationIntentType
        ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = FOR_PROCESSING

    folder = write_exam(tmp_path / "exam")
    change(folder / "RCC.dcm", raw, folder / "raw.dcm")
    (study,) = read_studies(folder).studies
    assert {m.source.name for m in study.mammograms} == {"RCC.dcm", "LCC.dcm", "RMLO.dcm", "LMLO.dcm"}
    assert _only(folder / "raw.dcm").intent is Intent.FOR_PROCESSING


@pytest.mark.parametrize(
    ("stem", "side", "view"),
    [
        ("22678622_61be534bc66502fb_MG_L_CC_ANON", Laterality.LEFT, View.CC),
        ("20586986_6c613a14b80a8591_MG_L_ML_ANON", Laterality.LEFT, View.MLO),  # as INbreast's table calls it
        ("1e3fb2508c0e1b1793a5af6458ee27f0", None, None),
        ("d8125cc508c0e1b1793a5af6458ee27f", None, None),
        ("R_1a2fb3d4", Laterality.RIGHT, None),
        ("RCC000123", Laterality.RIGHT, View.CC),
        ("0001LCC", Laterality.LEFT, View.CC),
    ],
)
def test_hexadecimal_names_no_view(stem: str, side: Laterality | None, view: View | None) -> None:
    assert (side_in(stem), view_in(stem)) == (side, view)


def test_a_name_with_two_sides_is_refused_by_what_it_has(tmp_path: Path) -> None:
    Image.fromarray(breast("RCC")).save(tmp_path / "Smith_L_RCC.png")
    (problem,) = read_studies(tmp_path).problems
    assert "more than one side, L and R" in problem.message


def test_names_that_may_be_several_women_are_noted(tmp_path: Path) -> None:
    for number, name in enumerate(("LCC", "RCC", "LMLO", "RMLO"), 1):
        Image.fromarray(breast(name) + number).save(tmp_path / f"scan_{name}_P0{number}.png")
    (study,) = read_studies(tmp_path).studies
    assert any("differ after side and view (P01, P02" in line for line in study.remarks())


@pytest.mark.parametrize("pitch", [3.0, 9.0, 10.0, 15.0, 150.0, 1e6, 0.003])
def test_an_impossible_pixel_spacing_is_not_used(tmp_path: Path, pitch: float) -> None:
    (study,) = read_changed(tmp_path, put(ImagerPixelSpacing=[pitch, pitch])).studies
    found = next(m for m in study.mammograms if m.source.name == "RCC.dcm")
    assert found.pixel_spacing_mm is None
    assert any("which no mammogram is" in note for note in found.notes)


@pytest.mark.parametrize("stated", [[0, 0], [-0.1, -0.1], [0.1], [0.1, 0]])
def test_a_pixel_spacing_that_is_no_pair_of_lengths_is_noted(tmp_path: Path, stated: list[float]) -> None:
    (study,) = read_changed(tmp_path, put(ImagerPixelSpacing=stated)).studies
    found = next(m for m in study.mammograms if m.source.name == "RCC.dcm")
    assert found.pixel_spacing_mm == (0.4, 0.4)  # PixelSpacing, which is there too
    assert any(note.startswith("ImagerPixelSpacing (0018,1164) is ") for note in found.notes)


def test_what_cannot_be_read_in_a_folder_is_named_and_loses_nothing_else(tmp_path: Path) -> None:
    Image.fromarray(breast("RCC")).save(tmp_path / "RCC.png")
    shutil.copy(tmp_path / "RCC.png", os.fsdecode(os.fsencode(tmp_path) + b"/M\xfcller_LCC.png"))
    (tmp_path / "LCC.png").symlink_to(tmp_path / "nowhere.png")
    (tmp_path / "LMLO.png").touch()
    found = read_studies(tmp_path)
    assert [m.source.name for study in found.studies for m in study.mammograms] == ["RCC.png"]
    words = {"LCC.png": "no such file", "LMLO.png": "0 bytes", "M\ufffdller_LCC.png": "UTF-8"}
    assert {problem.file for problem in found.problems} == set(words)
    assert all(words[problem.file] in problem.message for problem in found.problems)


def test_a_folder_that_cannot_be_listed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.fromarray(breast("RCC")).save(tmp_path / "RCC.png")
    (tmp_path / "closed").mkdir()
    monkeypatch.setattr(os, "access", lambda path, _: Path(path).name != "closed")  # root may list any
    found = read_studies(tmp_path)
    assert len(found.studies) == 1
    assert "cannot be listed" in found.problems[0].message


def test_palettes_are_refused(tmp_path: Path) -> None:
    found = read_changed(tmp_path, put(PhotometricInterpretation="PALETTE COLOR"))
    assert any("PALETTE COLOR; expected MONOCHROME1" in problem.message for problem in found.problems)


def test_files_of_one_name_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    for folder in ("first/images", "second"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "IM0001.dcm").write_bytes(b"no image")
    (tmp_path / "IM0001.dcm").write_bytes(b"no image")
    problems = read_studies(tmp_path).problems
    assert sorted(problem.folder_below(tmp_path) for problem in problems) == ["", "first/images/", "second/"]
    assert [problem.folder_below(tmp_path / "IM0001.dcm") for problem in problems].count("") == len(problems)
    assert all(list(problem.model_dump()) == ["file", "message"] for problem in problems)


def _side_by_side(name: str, gap: int = 0) -> np.ndarray:
    """The CC views of two breasts in one image, in the order of `name`; a gap of background between them."""
    first, second = (breast(side) for side in name)
    second = (second * 0.7).astype(np.uint16)  # no two exposures are alike
    return np.concatenate([first, np.zeros((len(first), gap), np.uint16), second], 1)


@pytest.mark.parametrize("dicom", [True, False], ids=["DICOM", "PNG"])
@pytest.mark.parametrize("laterality", ["R", "L"])
@pytest.mark.parametrize(("name", "gap"), [("RL", 0), ("RL", 40), ("LR", 0), ("LR", 40), ("RR", 20)])
def test_two_breasts_in_one_image_are_refused(
    tmp_path: Path, name: str, gap: int, laterality: str, dicom: bool
) -> None:
    image = _side_by_side(name, gap)
    rows, columns = image.shape
    if dicom:
        intake = read_changed(
            tmp_path, put(PixelData=image.tobytes(), Rows=rows, Columns=columns), name=f"{laterality}CC"
        )
    else:
        Image.fromarray(image << 4).save(tmp_path / f"{laterality}CC.png")
        intake = read_studies(tmp_path)
    (problem,) = intake.problems
    assert "the image shows two breasts or views side by side; expected one: give each a file of its own" in (
        problem.message
    )


def test_four_views_in_one_image_are_refused(tmp_path: Path) -> None:
    row = _side_by_side("RL")
    Image.fromarray(np.concatenate([row, row]) << 4).save(tmp_path / "RCC.png")
    assert [problem.file for problem in read_studies(tmp_path).problems] == ["RCC.png"]


@pytest.mark.parametrize("quarters", range(4))
@pytest.mark.parametrize("label", [False, True])
def test_one_breast_is_not_taken_for_two(tmp_path: Path, quarters: int, label: bool) -> None:
    image = breast("R")
    if label:
        image[8:40, 8:40] = 4000
    Image.fromarray(np.rot90(image, quarters) << 4).save(tmp_path / "RCC.png")
    assert not read_studies(tmp_path).problems


def test_a_wedge_beside_a_small_breast_is_no_second_one() -> None:
    rows, columns = np.ogrid[:400, :400]
    small = np.where(((rows - 200) / 100) ** 2 + ((columns - 399) / 70) ** 2 < 1, 0.5, 0).astype(np.float32)
    wedge = small.copy()
    wedge[40:100, 20:110] = 0.8  # half of the breast
    assert not shows_two_breasts(wedge, Laterality.RIGHT)
    assert shows_two_breasts(small + small[:, ::-1], Laterality.RIGHT)
