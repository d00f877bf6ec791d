"""Kinds of images by every sign that makers use: what is read, what is set aside, and what is stated of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image
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
    ("how", "reason"),
    [
        (put(SeriesDescription="R CC POST BIOPSY MAG"), "magnification"),
        (put(SeriesDescription="R CC POST BIOPSY SPECIMEN"), "specimen"),
        (put(SeriesDescription="R CC STEREO POST BIOPSY"), "biopsy"),
        (put(SeriesDescription="R CC STEREO 2019"), "biopsy"),
        (put(ProtocolName="R CC SPOT, MAG"), "magnification"),
        (put(ProtocolName="Screening recall: spot"), "spot"),
        (put(ProtocolName="Spot, mag, routine", SeriesDescription="R CC SPOT"), "spot"),
        (put(SeriesDescription="R CC 3D SLICE", ImageType=["ORIGINAL", "PRIMARY"]), "tomosynthesis"),
        (put(SeriesDescription="R CC 3D", ImageType=["ORIGINAL", "PRIMARY", "TOMO_PROJ"]), "tomosynthesis"),
        (
            put(
                SeriesDescription="R CC 3D",
                ImageType=["ORIGINAL", "PRIMARY"],
                SOPClassUID=SecondaryCaptureImageStorage,
            ),
            "tomosynthesis",
        ),
    ],
)
def test_k3_another_word_of_such_a_text_still_sets_aside(tmp_path: Path, how: Change, reason: str) -> None:
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
        put(ProtocolName="Diagnostic: spot, mag, routine"),
        put(SeriesDescription="R CC POST BIOPSY"),
        put(SeriesDescription="ROUTINE 3D SCREENING", ImageType=["ORIGINAL", "PRIMARY"]),
        put_raw("ViewModifierCodeSequence", "SQ", b""),
    ],
)
def test_k3_standard_views_stay(tmp_path: Path, how: Change) -> None:
    intake = read_changed(tmp_path, how)
    assert not intake.set_aside
    assert not intake.problems
    assert len(intake.studies[0].mammograms) == 4
    assert intake.studies[0].mammograms[0].kind is ImageKind.FULL_FIELD


NAMED_IN_OTHER_LANGUAGES = {
    "a magnification view": ("R CC Lupe", "R CC magnificada", "R-CC 拡大", "R CC 1.8x", "R CC Vergrößerung"),
    "a spot compression view": ("R CC Zielaufnahme", "R CC localisé", "RCC compresión localizada", "RCC スポット"),
    "an implant-displaced view": ("R CC Implantat verschoben", "R CC refoulé", "R CC ohne Implantat", "R CC PB"),
    "a specimen": ("R CC Präparat", "pièce opératoire R CC", "R CC pieza", "R CC 標本"),
    "a biopsy image": ("R CC Biopsie", "R CC Stanze", "R CC biopsia", "R CC 生検"),
    "a localisation image": ("R CC Drahtmarkierung", "R CC Repérage", "R CC arpón", "R CC hookwire"),
    "a galactography image": ("R CC Galaktographie", "R CC Pneumocyst", "R CC 乳管造影"),
    "a recombined contrast image": ("R CC Rekombiniert", "R CC recombinée", "R CC DES", "R CC SUB"),
    "a high-energy image": ("R CC High Energy", "R CC HE"),
    "a contrast mammography image": ("R CC CESM", "R CC TiCEM", "R CC dual energy"),
    "a rolled view": ("R CC gerollt",),
    "a cleavage": ("R CV",),
    "a rejected image": ("R CC Ausschuss", "R CC rejected", "R CC rechazada"),
    "an image with the marks of software": ("R CC heatmap", "R CC Transpara", "R CC Lunit INSIGHT", "R CC overlay"),
    "a synthetic 2D image": ("R CC INSIGHT", "R CC synthetisch", "R CC sintetizada", "R CC 合成2D"),
    "a tomosynthesis image": ("R CC 3D", "R CC トモシンセシス", "R CC SlabMIP", "R CC Clarity HD"),
    "a quality control image": ("R CC Phantom", "R CC Konstanzprüfung"),
}


@pytest.mark.parametrize(
    ("text", "reason"), [(text, reason) for reason, texts in NAMED_IN_OTHER_LANGUAGES.items() for text in texts]
)
def test_k3_kinds_are_recognised_in_the_languages_of_radiographers(tmp_path: Path, text: str, reason: str) -> None:
    _is_set_aside(tmp_path, put(SeriesDescription=text, SpecificCharacterSet="ISO_IR 192"), reason)


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        (put(ImageType=["ORIGINAL", "PRIMARY", "", "HIGH_ENERGY"]), "a high-energy image"),
        (put(KVP=49), "a high-energy image"),
        (put(ContrastBolusAgent="Iohexol"), "a contrast mammography image"),
        (put(ImageType=["DERIVED", "PRIMARY", "CONTRAST"]), "a contrast mammography image"),
        (put(ImageType=["DERIVED", "PRIMARY", "REJECTED"]), "a rejected image"),
        (
            put(
                EstimatedRadiographicMagnificationFactor=None,
                DistanceSourceToDetector=660,
                DistanceSourceToPatient=360,
            ),
            "a magnification view",
        ),
    ],
)
def test_k3_contrast_images_and_magnification_by_their_physics(tmp_path: Path, how: Change, reason: str) -> None:
    _is_set_aside(tmp_path, how, reason)


def test_k3_a_low_energy_image_is_read_and_stated(tmp_path: Path) -> None:
    (study,) = read_changed(
        tmp_path, put(SeriesDescription="R CC CEM Low Energy", ContrastBolusAgent="Iohexol")
    ).studies
    assert len(study.mammograms) == 4
    assert "RCC: a low-energy image of contrast mammography" in study.notes


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("RCC_heatmap.png", "an image with the marks of software"),
        ("RCC_mask.png", "a mask of a finding"),
        ("P1_R_CM_CC.png", "a recombined contrast image"),
        ("RCC_thumbnail.png", "a thumbnail"),
        ("RCC_tomo_12.png", "a tomosynthesis image"),
        ("RCC_spot.png", "a spot compression view"),
        ("RCCID.png", "an implant-displaced view"),
    ],
)
def test_k3_an_image_without_header_is_set_aside_by_its_name(tmp_path: Path, name: str, reason: str) -> None:
    Image.fromarray((breast("R") >> 4).astype(np.uint8)).save(tmp_path / name)
    intake = read_studies(tmp_path)
    assert not intake.studies
    assert [item.reason for item in intake.set_aside] == [reason]


@pytest.mark.parametrize("name", ["P1_R_DM_CC.png", "phantom-7_RCC.png", "Mass-Test_P_00038_RIGHT_CC.png", "1_RCC.png"])
def test_k3_names_of_data_sets_are_of_views(tmp_path: Path, name: str) -> None:
    Image.fromarray((breast("R") >> 4).astype(np.uint8)).save(tmp_path / name)
    (study,) = read_studies(tmp_path).studies
    assert study.mammograms[0].kind is ImageKind.FULL_FIELD


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


@pytest.mark.parametrize("code", ["113001", "113037", "113038", "113039"])
def test_k3_an_image_that_the_department_rejected_is_set_aside(tmp_path: Path, code: str) -> None:
    folder = write_exam(tmp_path / "exam")
    title, instance, series, evidence = (pydicom.Dataset() for _ in range(4))
    title.CodeValue, title.CodingSchemeDesignator = code, "DCM"
    instance.ReferencedSOPInstanceUID = pydicom.dcmread(folder / "RCC.dcm").SOPInstanceUID
    series.ReferencedSOPSequence, evidence.ReferencedSeriesSequence = Sequence([instance]), Sequence([series])
    selection = put(
        Modality="KO",
        SOPInstanceUID="1.2.3",
        ConceptNameCodeSequence=Sequence([title]),
        CurrentRequestedProcedureEvidenceSequence=Sequence([evidence]),
    )
    change(folder / "LCC.dcm", selection, folder / "KO.dcm")
    intake = read_studies(folder)
    assert [m.source.name for m in intake.studies[0].mammograms] == ["LCC.dcm", "RMLO.dcm", "LMLO.dcm"]
    assert any(item.file == "RCC.dcm" and "rejected" in item.reason for item in intake.set_aside)
    assert any("rejected" in note and "RCC.dcm" in note for note in intake.studies[0].notes)


def _unknown_modifier(ds: pydicom.Dataset) -> None:
    item = pydicom.Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = "X1", "99MAKER", "Foo bar"
    ds.ViewModifierCodeSequence = Sequence([item])


@pytest.mark.parametrize(
    ("how", "note"),
    [
        (_unknown_modifier, "RCC: view modifier 'Foo bar' is not known: read as a standard view"),
        (put(BodyPartExamined="HAND"), "RCC: (0018,0015) is HAND, expected BREAST: read as a mammogram"),
        (
            put(ProtocolName="Diagnostic: spot, mag, routine"),
            "RCC: ProtocolName (0018,1030) lists a magnification view among the images of an exam: read as a standard "
            "view",
        ),
        (
            put(SeriesDescription="R CC POST BIOPSY"),
            "RCC: SeriesDescription (0008,103E) speaks of a biopsy image in the past: read as a standard view",
        ),
        (
            put(SeriesDescription="ROUTINE 3D SCREENING", ImageType=["ORIGINAL", "PRIMARY"]),
            "RCC: SeriesDescription says 3D: read as a full field image of such an exam",
        ),
        (put(StudyDescription="STEREOTACTIC BIOPSY"), "RCC: StudyDescription (0008,1030) speaks of a biopsy image"),
    ],
)
def test_what_may_make_another_kind_of_an_image_is_stated(tmp_path: Path, how: Change, note: str) -> None:
    assert note in read_changed(tmp_path, how).studies[0].notes


@pytest.mark.parametrize(
    "comment",
    [
        "Z.n. Biopsie re. 2019",
        "post biopsy clip in situ",
        "Scar marker, s/p excisional biopsy 2015",
        "mole marked with a spot",
        "s/p lumpectomy left breast 2018",
    ],
)
def test_a_comment_on_the_past_of_a_breast_makes_no_other_image_of_it(tmp_path: Path, comment: str) -> None:
    (study,) = read_changed(tmp_path, put(ImageComments=comment, PatientOrientation="")).studies
    assert len(study.mammograms) == 4
    spoken_of = [note for note in study.notes if "ImageComments (0020,4000) speak of" in note]
    assert bool(spoken_of) == ("lumpectomy" not in comment)


def test_another_body_part_of_another_modality_is_set_aside(tmp_path: Path) -> None:
    intake = read_changed(tmp_path, put(BodyPartExamined="HAND", Modality="CR"))
    assert [item.reason for item in intake.set_aside] == ["another body part: (0018,0015) is HAND, expected BREAST"]
