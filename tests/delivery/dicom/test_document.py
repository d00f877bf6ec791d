"""What holds for every kind of object: patient and study, state, evidence, series, UIDs, bytes."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import BreastTomosynthesisImageStorage, ExplicitVRLittleEndian

from amrg.birads import Draft, ReportVersion, Signature, Status, View
from amrg.delivery.dicom.cad import cad_sr
from amrg.delivery.dicom.encapsulation import encapsulated_pdf
from amrg.delivery.dicom.identity import ObjectKind, object_uid
from amrg.delivery.dicom.measurement import measurement_sr
from amrg.delivery.dicom.text import text_sr
from amrg.delivery.errors import DeliveryError
from amrg.delivery.source import SourceStudy, read_source
from tests.delivery.dicom.partners import dciodvfy_errors, read_back, walk
from tests.delivery.exams import SIGNED_AT, STATUSES, drafted, finding, headers, version_of

Writer = Callable[[ReportVersion, SourceStudy], bytes]
WRITERS: dict[ObjectKind, Writer] = {
    ObjectKind.TEXT: text_sr,
    ObjectKind.MEASUREMENT: measurement_sr,
    ObjectKind.CAD: cad_sr,
    ObjectKind.PDF: encapsulated_pdf,
}
REPORTS = {kind: write for kind, write in WRITERS.items() if kind is not ObjectKind.PDF}
NAMES = {
    "latin": ("ISO_IR 100", "Müller^Jürgen"),
    "greek": ("ISO_IR 126", "Διονυσιος"),
    "cyrillic": ("ISO_IR 144", "Люкceмбypг"),
    "japanese": ("\\ISO 2022 IR 87", "Yamada^Tarou=山田^太郎=やまだ^たろう"),
    "utf-8": ("ISO_IR 192", "Wang^XiaoDong=王^小东"),
    "none": ("", "Doe"),
}


def exam() -> Draft:
    return drafted([finding(View.CC, View.MLO)])


def written(kind: ObjectKind, version: ReportVersion, *images: Dataset) -> Dataset:
    return read_back(WRITERS[kind](version, SourceStudy(images or headers())))


def stored(tmp_path: Path, images: tuple[Dataset, ...]) -> SourceStudy:
    """Images as files that are read back, so that their values are the bytes of their character set."""
    paths = []
    for number, image in enumerate(images):
        paths.append(tmp_path / f"{number}.dcm")
        image.file_meta = FileMetaDataset()
        image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        image.save_as(paths[-1], enforce_file_format=True)
    return read_source(paths)


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize("charset", NAMES)
def test_a_name_in_any_character_set_is_read_back_equal(kind: ObjectKind, charset: str, tmp_path: Path) -> None:
    declared, name = NAMES[charset]
    other = Dataset()
    other.PatientID, other.IssuerOfPatientID = "ÄÖ" if charset == "latin" else "2", "hospital"
    other.TypeOfPatientID = "TEXT"
    attributes = {"PatientName": name, "StudyDescription": name[:9], "OtherPatientIDsSequence": Sequence([other])}
    if declared:
        attributes = {"SpecificCharacterSet": declared.split("\\"), **attributes}
    source = stored(tmp_path, headers(**attributes))
    content = WRITERS[kind](version_of(exam(), Status.FINAL), source)
    ds = read_back(content)
    assert ds.SpecificCharacterSet == "ISO_IR 192"
    assert str(ds.PatientName) == name
    assert ds.StudyDescription == name[:9]
    assert ds.OtherPatientIDsSequence[0].PatientID == other.PatientID
    assert dciodvfy_errors(content, tmp_path) == []


@pytest.mark.parametrize("kind", WRITERS)
def test_patient_and_study_are_those_of_the_images(kind: ObjectKind, tmp_path: Path) -> None:
    issuer = Dataset()
    issuer.UniversalEntityID, issuer.UniversalEntityIDType = "1.2.3", "ISO"
    images = headers(PatientID=" 00 1001", PatientSex="", PatientAge="066Y", TimezoneOffsetFromUTC="-0500")
    for image in images:
        del image.PatientBirthDate
        image.IssuerOfPatientIDQualifiersSequence = Sequence([issuer])
        block = image.private_block(0x0011, "VENDOR", create=True)
        block.add_new(1, "LO", "secret")
        issuer.private_block(0x0013, "VENDOR", create=True).add_new(1, "LO", "secret")
    content = WRITERS[kind](version_of(exam(), Status.FINAL), SourceStudy(images))
    ds = read_back(content)
    assert (ds.PatientID, ds.PatientSex, ds.PatientBirthDate, ds.PatientAge) == (" 00 1001", "", "", "066Y")
    assert (ds.StudyInstanceUID, ds.AccessionNumber, ds.StudyID) == ("1.2.3", "A-77", "77")
    assert ds.IssuerOfPatientIDQualifiersSequence[0].UniversalEntityID == "1.2.3"
    assert (ds.TimezoneOffsetFromUTC, ds.ContentTime) == ("-0500", "031200")  # 09:12+01:00
    assert not any(element.tag.is_private for element in ds.iterall())
    assert b"secret" not in content


@pytest.mark.parametrize("kind", WRITERS)
def test_an_image_without_what_names_a_patient_gives_a_valid_object(kind: ObjectKind, tmp_path: Path) -> None:
    images = headers()
    for image in images:
        for keyword in ("PatientName", "PatientID", "PatientSex", "AccessionNumber", "StudyDate", "StudyID"):
            delattr(image, keyword)
    content = WRITERS[kind](version_of(exam(), Status.FINAL), SourceStudy(images))
    ds = read_back(content)
    assert all(ds[k].is_empty for k in ("PatientName", "PatientID", "PatientSex", "AccessionNumber", "StudyID"))
    assert dciodvfy_errors(content, tmp_path) == []


@pytest.mark.parametrize("kind", REPORTS)
@pytest.mark.parametrize("status", STATUSES)
def test_who_verified_what_and_when(kind: ObjectKind, status: Status) -> None:
    ds = written(kind, version_of(exam(), status))
    assert ds.CompletionFlag == "COMPLETE"
    if status is Status.DRAFT:
        assert (ds.VerificationFlag, "VerifyingObserverSequence" in ds) == ("UNVERIFIED", False)
        return
    (observer,) = ds.VerifyingObserverSequence
    assert ds.VerificationFlag == "VERIFIED"
    assert str(observer.VerifyingObserverName) == "Müller^Anna^^Dr."
    assert observer.VerifyingOrganization == "Brustzentrum Süd"
    assert observer.VerificationDateTime == "20260131091200+0100"
    (code,) = observer.VerifyingObserverIdentificationCodeSequence
    assert (code.CodeValue, code.CodeMeaning) == ("4711", "Dr. Anna Müller")


@pytest.mark.parametrize("identifier", ["", "DE-12345678901234567890"])
def test_a_verifier_without_a_number_or_with_a_long_one(identifier: str, tmp_path: Path) -> None:
    signature = Signature(name="Müller", organization="A" * 64, signed_at=SIGNED_AT, identifier=identifier)
    version = version_of(exam(), Status.FINAL).model_copy(update={"signature": signature})
    content = text_sr(version, SourceStudy(headers()))
    (observer,) = read_back(content).VerifyingObserverSequence
    codes = observer.VerifyingObserverIdentificationCodeSequence
    assert [code.LongCodeValue for code in codes] == ([identifier] if identifier else [])
    assert dciodvfy_errors(content, tmp_path) == []


def test_an_organization_with_a_backslash_is_refused() -> None:
    signature = Signature(name="Müller", organization="A\\B", signed_at=SIGNED_AT)
    version = version_of(exam(), Status.FINAL).model_copy(update={"signature": signature})
    with pytest.raises(DeliveryError, match="organization: 'A"):
        text_sr(version, SourceStudy(headers()))


@pytest.mark.parametrize("kind", WRITERS)
def test_every_image_that_is_referred_to_is_in_the_evidence_with_its_series(kind: ObjectKind) -> None:
    images = headers()
    ds = written(kind, version_of(exam()), *images)
    if kind is ObjectKind.PDF:
        assert {i.ReferencedSOPInstanceUID for i in ds.SourceInstanceSequence} == {i.SOPInstanceUID for i in images}
        return
    referred = [i.ReferencedSOPSequence[0] for i in walk(ds) if i.get("ValueType") == "IMAGE"]
    (study,) = ds.CurrentRequestedProcedureEvidenceSequence
    evidence = {
        (series.SeriesInstanceUID, image.ReferencedSOPClassUID, image.ReferencedSOPInstanceUID)
        for series in study.ReferencedSeriesSequence
        for image in series.ReferencedSOPSequence
    }
    assert study.StudyInstanceUID == "1.2.3"
    assert evidence == {(i.SeriesInstanceUID, i.SOPClassUID, i.SOPInstanceUID) for i in images}
    assert {r.ReferencedSOPInstanceUID for r in referred} <= {uid for *_, uid in evidence}


@pytest.mark.parametrize("kind", WRITERS)
def test_no_two_versions_share_an_object_or_a_series(kind: ObjectKind) -> None:
    drafts = [written(kind, version_of(exam(), status)) for status in (Status.DRAFT, Status.FINAL, Status.AMENDED)]
    assert len({ds.SOPInstanceUID for ds in drafts}) == len({ds.SeriesInstanceUID for ds in drafts}) == 3
    assert len({ds.SeriesNumber for ds in drafts}) == 3
    states = [ds.SeriesDescription.split(":")[0] for ds in drafts]
    assert states == ["DRAFT - not signed (v1)", "signed v2", "signed, corrected v3"]


def test_no_two_kinds_share_an_object_or_a_series() -> None:
    objects = [written(kind, version_of(exam())) for kind in WRITERS]
    assert len({ds.SOPInstanceUID for ds in objects}) == len({ds.SeriesInstanceUID for ds in objects}) == 4
    assert [ds.Modality for ds in objects] == ["SR", "SR", "SR", "DOC"]


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize("status", [Status.AMENDED, Status.APPENDED, Status.WITHDRAWN])
def test_what_follows_a_version_names_its_object_as_predecessor(kind: ObjectKind, status: Status) -> None:
    before = written(kind, version_of(exam(), Status.FINAL))
    (study,) = written(kind, version_of(exam(), status)).PredecessorDocumentsSequence
    (series,) = study.ReferencedSeriesSequence
    (reference,) = series.ReferencedSOPSequence
    assert study.StudyInstanceUID == before.StudyInstanceUID
    assert series.SeriesInstanceUID == before.SeriesInstanceUID
    assert reference.ReferencedSOPInstanceUID == before.SOPInstanceUID
    assert reference.ReferencedSOPClassUID == before.SOPClassUID


@pytest.mark.parametrize("kind", WRITERS)
def test_a_first_version_has_no_predecessor(kind: ObjectKind) -> None:
    assert "PredecessorDocumentsSequence" not in written(kind, version_of(exam(), Status.FINAL))


def test_the_uid_follows_from_study_patient_version_and_kind() -> None:
    source, version = SourceStudy(headers()), version_of(exam())
    assert read_back(text_sr(version, source)).SOPInstanceUID == object_uid(version, source, ObjectKind.TEXT)
    edited = version.model_copy(update={"text": "FINDINGS: other"})
    assert object_uid(edited, source, ObjectKind.TEXT) == object_uid(version, source, ObjectKind.TEXT)
    study = version.draft.study
    assert study is not None
    other = version.draft.model_copy(update={"study": study.model_copy(update={"patient_key": "another"})})
    of_another = version.model_copy(update={"draft": other})
    assert object_uid(of_another, source, ObjectKind.TEXT) != object_uid(version, source, ObjectKind.TEXT)


def digests() -> list[str]:
    """SHA-256 of every kind of object."""
    source, version = SourceStudy(headers()), version_of(exam(), Status.AMENDED)
    return [hashlib.sha256(write(version, source)).hexdigest() for write in WRITERS.values()]


def test_another_process_writes_the_same_bytes() -> None:
    code = f"from {digests.__module__} import digests; print(*digests())"
    environment = {**os.environ, "PYTHONHASHSEED": "17", "TZ": "Asia/Tokyo"}
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == digests()


def test_the_order_is_named_as_the_images_name_it() -> None:
    order = Dataset()
    order.RequestedProcedureID, order.RequestedProcedureDescription = "P-1", "Mammographie beidseits"
    images = headers(RequestAttributesSequence=Sequence([order]))
    (request,) = written(ObjectKind.TEXT, version_of(exam()), *images).ReferencedRequestSequence
    assert (request.AccessionNumber, request.RequestedProcedureID) == ("A-77", "P-1")
    assert request.RequestedProcedureDescription == "Mammographie beidseits"


@pytest.mark.parametrize("write", REPORTS.values(), ids=REPORTS)
def test_an_image_among_frames_is_referenced_by_the_frame_that_was_read(write: Writer, tmp_path: Path) -> None:
    """PS3.3 table 10-3: a reference that is not to all frames names them. A single-frame image has no such number."""
    for frames, expected in ((2, {1}), (1, {None})):
        images = headers(SOPClassUID=BreastTomosynthesisImageStorage, NumberOfFrames=frames)
        content = write(version_of(exam()), SourceStudy(images))
        references = [
            item.ReferencedSOPSequence[0] for item in walk(read_back(content)) if item.get("ValueType") == "IMAGE"
        ]
        assert len(references) >= len(images)
        assert {reference.get("ReferencedFrameNumber") for reference in references} == expected
        assert dciodvfy_errors(content, tmp_path) == []
