"""Kinds of images by every sign that makers use: what is read, what is set aside, and what is stated of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.sequence import Sequence
from pydicom.uid import (
    BreastTomosynthesisImageStorage,
    CTImageStorage,
    DigitalMammographyXRayImageStorageForPresentation,
    EncapsulatedPDFStorage,
    MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
    SecondaryCaptureImageStorage,
)

from amrg.imaging import ImageKind, read_studies
from tests.imaging.changed import COLUMNS, ROWS, Change, breast, change, put, put_raw, read_changed, write_exam

GENERATED = ["DERIVED", "PRIMARY", "TOMOSYNTHESIS", "GENERATED_2D"]
CLASSES = [
    DigitalMammographyXRayImageStorageForPresentation,
    BreastTomosynthesisImageStorage,
    SecondaryCaptureImageStorage,
    MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
]


def _larger(*changes: Change) -> Change:
    """The view 1.2 times larger, and changed."""

    def how(ds: pydicom.Dataset) -> None:
        rows, columns = round(ROWS * 1.2), round(COLUMNS * 1.2)
        at = np.ix_((np.arange(rows) / 1.2).astype(int), (np.arange(columns) / 1.2).astype(int))
        ds.Rows, ds.Columns = rows, columns
        ds.PixelData = breast("R")[at].tobytes()
        ds.SOPInstanceUID = "1.2.3.4"
        for one in changes:
            one(ds)

    return how


def _with_another(tmp_path: Path, how: Change) -> tuple[list[str], list[str], tuple[str, ...]]:
    """Four views and a larger, changed RCC: names of files read and set aside with reasons, and notes."""
    folder = write_exam(tmp_path / "exam")
    change(folder / "RCC.dcm", _larger(how), folder / "another.dcm")
    intake = read_studies(folder)
    assert not intake.problems
    (study,) = intake.studies
    assert len(study.mammograms) == 4
    read = [m.source.name for m in study.mammograms]
    return read, [f"{item.file}: {item.reason}" for item in intake.set_aside], study.notes


def _is_set_aside(tmp_path: Path, how: Change, reason: str) -> None:
    read, aside, notes = _with_another(tmp_path, how)
    assert "another.dcm" not in read
    assert len(aside) == 1
    assert reason in aside[0]
    assert any(reason in note for note in notes)


SYNTHETIC = [
    put(ImageType=GENERATED),
    *(
        put(SeriesDescription=text)
        for text in ("R CC C-View", "RCC CVIEW", "R CC Insight 2D", "R CC S-View", "R CC V-Preview", "R CC AWS")
    ),
    *(
        put(SeriesDescription=text)
        for text in ("Synthesized 2D R CC", "R CC Synthetic", "R CC Intelligent 2D", "R CC S2D", "SYNTH 2D RCC")
    ),
    put(AcquisitionDeviceProcessingDescription="C-View"),
    put(DerivationDescription="synthetic 2D from tomosynthesis"),
    put(ImageComments="Insight2D"),
]


@pytest.mark.parametrize("how", SYNTHETIC)
def test_k1_full_field_comes_before_synthetic(tmp_path: Path, how: Change) -> None:
    _is_set_aside(tmp_path, how, "a synthetic 2D image, the full field one is read")


@pytest.mark.parametrize("how", SYNTHETIC)
@pytest.mark.parametrize("storage", CLASSES, ids=lambda uid: uid.name)
def test_k2_synthetic_is_read_where_it_is_all_there_is_and_named(tmp_path: Path, how: Change, storage: str) -> None:
    def both(ds: pydicom.Dataset) -> None:
        ds.SOPClassUID = storage
        how(ds)

    (study,) = read_changed(tmp_path, both).studies
    rcc = study.mammograms[0]
    assert rcc.kind is ImageKind.SYNTHETIC
    assert any("RCC: synthetic 2D image" in line for line in study.remarks())
    assert study.model_dump(mode="json")["mammograms"][0]["kind"] == "synthetic 2D"


def test_k2_a_synthetic_image_among_frames(tmp_path: Path) -> None:
    def how(ds: pydicom.Dataset) -> None:
        ds.SOPClassUID, ds.ImageType, ds.NumberOfFrames = BreastTomosynthesisImageStorage, GENERATED, 2
        ds.PixelData = ds.PixelData * 2

    (study,) = read_changed(tmp_path, how).studies
    assert study.mammograms[0].kind is ImageKind.SYNTHETIC
    assert any("first of 2 frames" in note for note in study.notes)


def test_k2_functional_groups_are_read(tmp_path: Path) -> None:
    """Laterality, view, spacing, window of an enhanced object: in its functional groups only."""

    def how(ds: pydicom.Dataset) -> None:
        ds.SOPClassUID, ds.ImageType, ds.NumberOfFrames = BreastTomosynthesisImageStorage, GENERATED, 1
        shared, anatomy, measures, voi = (pydicom.Dataset() for _ in range(4))
        anatomy.FrameLaterality = "R"
        measures.PixelSpacing = [0.1, 0.2]
        voi.WindowCenter, voi.WindowWidth = ds.WindowCenter, ds.WindowWidth
        shared.FrameAnatomySequence, shared.PixelMeasuresSequence = Sequence([anatomy]), Sequence([measures])
        shared.FrameVOILUTSequence, shared.ViewCodeSequence = Sequence([voi]), ds.ViewCodeSequence
        ds.SharedFunctionalGroupsSequence = Sequence([shared])
        del ds.ImageLaterality, ds.ViewPosition, ds.ViewCodeSequence, ds.PatientOrientation
        del ds.WindowCenter, ds.WindowWidth
        del ds.SeriesDescription, ds.ImagerPixelSpacing, ds.PixelSpacing

    path = change(write_exam(tmp_path / "exam") / "RCC.dcm", how, tmp_path / "1.dcm")
    (mammogram,) = read_studies(path).studies[0].mammograms
    assert (mammogram.laterality, mammogram.view, mammogram.pixel_spacing_mm) == ("R", "CC", (0.1, 0.2))
    assert not any("window" in note for note in mammogram.notes)


TOMOSYNTHESIS = [
    put(SOPClassUID=BreastTomosynthesisImageStorage),
    put(ImageType=["DERIVED", "PRIMARY", "TOMOSYNTHESIS", "NONE"]),
    put(ImageType=["DERIVED", "PRIMARY", "TOMO", ""]),
    put(ImageType=["ORIGINAL", "PRIMARY", "TOMO_PROJ", "RIGHT", "CC"]),
    put(ImageType=["DERIVED", "PRIMARY", "VOLUME", "NONE"]),
    put(SeriesDescription="R CC Tomosynthesis Reconstruction"),
    put(SeriesDescription="R CC Tomo"),
    put(SeriesDescription="R CC BREAST TOMOSYNTHESIS IMAGE"),
    put(SeriesDescription="R CC DBT slices"),
    put(SeriesDescription="R CC 6mm Slab"),
    put(SeriesDescription="R CC SmartSlices"),
    put(VolumetricProperties="VOLUME"),
    put(DerivationDescription="Tomosynthesis slice"),
]


@pytest.mark.parametrize("how", TOMOSYNTHESIS)
def test_k2_k4_tomosynthesis_one_file_a_slice_in_any_container(tmp_path: Path, how: Change) -> None:
    _is_set_aside(tmp_path, how, "tomosynthesis")


@pytest.mark.parametrize("how", TOMOSYNTHESIS[1:])
def test_k4_tomosynthesis_as_secondary_capture(tmp_path: Path, how: Change) -> None:
    def both(ds: pydicom.Dataset) -> None:
        ds.SOPClassUID, ds.ConversionType = SecondaryCaptureImageStorage, "WSD"
        how(ds)

    _is_set_aside(tmp_path, both, "tomosynthesis")


@pytest.mark.parametrize("storage", CLASSES, ids=lambda uid: uid.name)
def test_k2_a_stack_in_any_container(tmp_path: Path, storage: str) -> None:
    def how(ds: pydicom.Dataset) -> None:
        ds.SOPClassUID, ds.NumberOfFrames = storage, 3
        ds.PixelData = ds.PixelData * 3

    _is_set_aside(tmp_path, how, "tomosynthesis")


def test_k4_a_secondary_capture_comes_after_the_original(tmp_path: Path) -> None:
    _is_set_aside(tmp_path, put(SOPClassUID=SecondaryCaptureImageStorage), "a secondary capture image")


def test_k4_a_secondary_capture_is_read_where_it_is_all_there_is_and_named(tmp_path: Path) -> None:
    (study,) = read_changed(tmp_path, put(SOPClassUID=SecondaryCaptureImageStorage)).studies
    assert study.mammograms[0].kind is ImageKind.SECONDARY_CAPTURE
    assert any("secondary capture" in note for note in study.notes)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("R CC ID", "implant-displaced"),
        ("RCCID", "implant-displaced"),
        ("R CC-ID", "implant-displaced"),
        ("R CC Implant Displaced", "implant-displaced"),
        ("RCC IMPLANT DISP", "implant-displaced"),
        ("R CC Eklund", "implant-displaced"),
        ("R CC push-back", "implant-displaced"),
        ("R CC MAG", "magnification"),
        ("RMCC", "magnification"),
        ("R MCC", "magnification"),
        ("RCCM", "magnification"),
        ("R CC Magnification", "magnification"),
        ("R CC SPOT", "spot compression"),
        ("R CC S", "spot compression"),
        ("RSCC", "spot compression"),
        ("R CC Spot Compression", "spot compression"),
        ("R CC cone-down", "spot compression"),
        ("RCCRL", "rolled"),
        ("R CC RM", "rolled"),
        ("R CC rolled lateral", "rolled"),
        ("R CC TAN", "tangential"),
        ("R CC tangential", "tangential"),
        ("R CC CV", "cleavage"),
        ("R CC Cleavage", "cleavage"),
        ("R MLO AT", "axillary tail"),
        ("R Axillary Tail", "axillary tail"),
        ("R CC SPECIMEN", "specimen"),
        ("Specimen radiograph", "specimen"),
        ("R CC STEREO -15", "biopsy"),
        ("R CC Stereotactic", "biopsy"),
        ("R CC PRE-FIRE", "biopsy"),
        ("R CC needle loc", "localisation"),
        ("R CC QC", "quality control"),
        ("R CC CESM recombined", "recombined"),
    ],
)
@pytest.mark.parametrize("keyword", ["SeriesDescription", "ViewPosition", "ProtocolName"])
def test_k3_what_is_no_standard_view_is_set_aside_by_name(tmp_path: Path, text: str, reason: str, keyword: str) -> None:
    _is_set_aside(tmp_path, put(**{keyword: text}), reason)


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        (put(EstimatedRadiographicMagnificationFactor=1.8), "magnification"),
        (put(PaddleDescription="9CM MAG"), "magnification"),
        (put(PaddleDescription="SPOT CONTACT"), "spot"),
        (put(PartialView="YES"), "partial"),
        (put(QualityControlImage="YES"), "quality control"),
        (put(BodyPartExamined="BREAST SPECIMEN"), "specimen"),
        (put(SpecimenDescriptionSequence=Sequence([pydicom.Dataset()])), "specimen"),
        (put(Modality="US"), "another modality"),
        (put(SOPClassUID=EncapsulatedPDFStorage), "document"),
        (put(Modality="PR"), "presentation state"),
        (put(Modality="CT", SOPClassUID=CTImageStorage), "another modality"),
    ],
)
def test_k3_by_attributes(tmp_path: Path, how: Change, reason: str) -> None:
    _is_set_aside(tmp_path, how, reason)


@pytest.mark.parametrize(
    "how",
    [
        put(SeriesDescription="R CC"),
        put(SeriesDescription="R CC Tomo 2D"),
        put(SeriesDescription="R CC non-displaced"),
        put(SeriesDescription="R CC, implant non displaced"),
        put(SeriesDescription="R CC 2D Combo"),
        put(ImageType=["ORIGINAL", "PRIMARY", "", "TOMO_2D"]),
        put(SeriesDescription="R CC Views"),
        put(ProtocolName="Tomo + 2D R CC"),
        put(SeriesDescription="R CC Tomo + 2D"),
        put(PerformedProcedureStepDescription="MAMMO DIAGNOSTIC POST BIOPSY"),
        put(StudyDescription="MAMMO TOMOSYNTHESIS BILATERAL"),
        put(SeriesDescription="Screening mammogram, R CC"),
        put(EstimatedRadiographicMagnificationFactor=1.07),
        put(PaddleDescription="24CM SCREENING"),
        put_raw("ViewModifierCodeSequence", "SQ", b""),
    ],
)
def test_k3_standard_views_stay(tmp_path: Path, how: Change) -> None:
    intake = read_changed(tmp_path, how)
    assert not intake.set_aside
    assert not intake.problems
    assert len(intake.studies[0].mammograms) == 4
    assert intake.studies[0].mammograms[0].kind is ImageKind.FULL_FIELD


def test_k3_a_long_code_value(tmp_path: Path) -> None:
    def how(ds: pydicom.Dataset) -> None:
        item = pydicom.Dataset()
        item.LongCodeValue, item.CodingSchemeDesignator = "399209000", "SCT"
        ds.ViewModifierCodeSequence = Sequence([item])

    _is_set_aside(tmp_path, how, "implant-displaced")


def test_k3_an_implant_is_stated(tmp_path: Path) -> None:
    (study,) = read_changed(tmp_path, put(BreastImplantPresent="YES")).studies
    assert study.mammograms[0].implant is True
    assert study.mammograms[1].implant is False
    assert any("RCC: breast implant present" in line for line in study.remarks())


def test_what_was_set_aside_of_a_study_is_in_its_notes(tmp_path: Path) -> None:
    folder = write_exam(tmp_path / "exam")
    for number in range(3):
        changed = _larger(put(ImageType=["DERIVED", "PRIMARY", "TOMO"], SOPInstanceUID=f"1.2.{number}"))
        change(folder / "RCC.dcm", changed, folder / f"slice-{number}.dcm")
    (study,) = read_studies(folder).studies
    assert study.notes == ("Set aside, a tomosynthesis image: 3 files",)
