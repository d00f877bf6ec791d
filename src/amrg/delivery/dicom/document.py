"""The modules that every object of a version has, and those that every structured report has."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from io import BytesIO
from itertools import groupby

from pydicom import config, dcmwrite
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import PYDICOM_IMPLEMENTATION_UID, UID, ExplicitVRLittleEndian

from amrg import __version__
from amrg.birads import ReportVersion, Status
from amrg.delivery.dicom.header import copy_patient_and_study, copy_sequence
from amrg.delivery.dicom.identity import ObjectKind, numbered_uid, object_uid, series_uid
from amrg.delivery.dicom.statement import display_name, short_state
from amrg.delivery.errors import DeliveryError
from amrg.delivery.source import SourceStudy
from amrg.delivery.status import status_codes

_TITLES = {
    ObjectKind.TEXT: "report",
    ObjectKind.MEASUREMENT: "findings and regions",
    ObjectKind.CAD: "mammography CAD",
    ObjectKind.PDF: "report as PDF",
}
_FIRST_SERIES = 9000
_REPLACES = frozenset({Status.AMENDED, Status.APPENDED, Status.WITHDRAWN})
_TEXT_CONTROLS = "\t\n\f\r"  # PS3.5 6.1.3


def new_object(version: ReportVersion, source: SourceStudy, kind: ObjectKind, sop_class: UID) -> Dataset:
    """A data set with patient, study, series, equipment and SOP Common of an object in the study of its images.

    Raises:
        DeliveryError: the images' patient or study cannot be read.
    """
    ds = Dataset()
    copy_patient_and_study(source.header, ds)
    ds.SOPClassUID, ds.SOPInstanceUID = sop_class, object_uid(version, source, kind)
    ds.Modality = "DOC" if kind is ObjectKind.PDF else "SR"
    ds.SeriesInstanceUID = series_uid(version, source, kind)
    ds.SeriesNumber = _FIRST_SERIES + 10 * version.number + list(ObjectKind).index(kind)
    ds.SeriesDescription = f"{short_state(version)}: {_TITLES[kind]}"
    ds.InstanceNumber = 1
    ds.ContentDate, ds.ContentTime = date_and_time(version.created_at, source)
    made = version.draft.report.provenance
    ds.Manufacturer, ds.DeviceSerialNumber = "amrg", "1"
    ds.ManufacturerModelName = short_text("model", "amrg" if made is None else made.model[:64])
    ds.SoftwareVersions = short_text("software", f"amrg {__version__}" if made is None else made.software[:64])
    return ds


def add_document(ds: Dataset, version: ReportVersion, source: SourceStudy, kind: ObjectKind) -> None:
    """SR Document General, PS3.3 C.17.2: flags, who verified, what it replaces, the order that it answers."""
    codes = status_codes(version.status)
    ds.CompletionFlag, ds.VerificationFlag = codes.completion, codes.verification
    if kind is not ObjectKind.CAD:
        ds.PreliminaryFlag = codes.preliminary
    if codes.verification == "VERIFIED":
        ds.VerifyingObserverSequence = Sequence([_verifier(version)])
    ds.ReferencedPerformedProcedureStepSequence = Sequence()
    ds.PerformedProcedureCodeSequence = copy_sequence(source.header, "ProcedureCodeSequence")
    if ds.AccessionNumber:
        ds.ReferencedRequestSequence = Sequence([_request(source)])
    add_predecessor(ds, version, source, kind)


def add_predecessor(ds: Dataset, version: ReportVersion, source: SourceStudy, kind: ObjectKind) -> None:
    """Predecessor Documents Sequence (0040,A360): the same kind of object of the version before."""
    if version.status not in _REPLACES or version.number == 1:
        return
    before = version.number - 1
    uid = numbered_uid(version, source, kind, before)
    series = numbered_uid(version, source, kind, before, "series")
    ds.PredecessorDocumentsSequence = Sequence(
        [_of_study(source.study_instance_uid, [(series, str(ds.SOPClassUID), uid)])]
    )


def add_evidence(ds: Dataset, source: SourceStudy, images: Iterable[str]) -> None:
    """Current Requested Procedure Evidence Sequence (0040,A375): every image that the content refers to.

    Raises:
        DeliveryError: an image is none of the study.
    """
    found = [source.image(uid) for uid in dict.fromkeys(images)]
    references = [(str(i.SeriesInstanceUID), str(i.SOPClassUID), str(i.SOPInstanceUID)) for i in found]
    if references:
        ds.CurrentRequestedProcedureEvidenceSequence = Sequence([_of_study(source.study_instance_uid, references)])


def read_images(version: ReportVersion, source: SourceStudy) -> tuple[str, ...]:
    """The SOP Instance UIDs of the images that the report is of."""
    if version.draft.study is None:
        return tuple(str(image.SOPInstanceUID) for image in source.images)
    return tuple(image.sop_instance_uid for image in version.draft.study.images)


def to_bytes(ds: Dataset) -> bytes:
    """The object as a DICOM file, Explicit VR Little Endian; the same data set gives the same bytes."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = ds.SOPClassUID, ds.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = PYDICOM_IMPLEMENTATION_UID
    meta.ImplementationVersionName = f"AMRG {__version__}"[:16]
    ds.file_meta = meta
    content = BytesIO()
    with config.disable_value_validation():  # values of the images are written as they are
        dcmwrite(content, ds, enforce_file_format=True)
    return content.getvalue()


def date_and_time(moment: datetime.datetime, source: SourceStudy) -> tuple[str, str]:
    """DA and TM of a moment, in the time zone of the images where they state one, else in its own."""
    offset = str(source.header.get("TimezoneOffsetFromUTC", "") or "")
    try:
        zone = datetime.datetime.strptime(offset, "%z").tzinfo
    except ValueError:
        zone = moment.tzinfo
    local = moment.astimezone(zone)
    return f"{local:%Y%m%d}", f"{local:%H%M%S}"


def short_text(field: str, text: str) -> str:
    """A text for LO and SH.

    Raises:
        DeliveryError: it has a backslash, which divides values in DICOM, or a control character.
    """
    if "\\" in text or not text.isprintable():
        raise DeliveryError(f"{field}: {text!r} has a backslash or a control character, which DICOM cannot hold here")
    return text


def long_text(field: str, text: str) -> str:
    """A text for UT: lines, tabs and every character of UTF-8.

    Raises:
        DeliveryError: it has a control character or half of a surrogate pair.
    """
    for number, line in enumerate(text.split("\n"), 1):
        for character in line:
            if (ord(character) < 32 and character not in _TEXT_CONTROLS) or 0xD800 <= ord(character) < 0xE000:
                raise DeliveryError(
                    f"{field}, line {number}: character U+{ord(character):04X} cannot be written to DICOM; remove it"
                )
    return text


def _verifier(version: ReportVersion) -> Dataset:
    """An item of Verifying Observer Sequence (0040,A073)."""
    signature = version.signature
    if signature is None:
        raise DeliveryError(f"a report that is {version.status} has no signature")
    item = Dataset()
    item.VerifyingObserverName = signature.name
    item.VerifyingOrganization = short_text("organization", signature.organization)
    item.VerificationDateTime = f"{signature.signed_at:%Y%m%d%H%M%S%z}"[:19]
    item.VerifyingObserverIdentificationCodeSequence = Sequence()  # type 2
    if signature.identifier:
        code, identifier = Dataset(), short_text("identifier", signature.identifier)
        if len(identifier) <= 16:
            code.CodeValue = identifier
        else:
            code.LongCodeValue = identifier
        code.CodingSchemeDesignator = "99AMRG"  # numbers of the organization
        code.CodeMeaning = short_text("name", display_name(signature.name)[:64])
        item.VerifyingObserverIdentificationCodeSequence.append(code)
    return item


def _request(source: SourceStudy) -> Dataset:
    """An item of Referenced Request Sequence (0040,A370), from what the images state of their order."""
    header = source.header
    orders = header.get("RequestAttributesSequence") or [Dataset()]
    item = Dataset()
    item.StudyInstanceUID = source.study_instance_uid
    item.ReferencedStudySequence = Sequence()
    item.AccessionNumber = str(header.AccessionNumber)
    item.PlacerOrderNumberImagingServiceRequest = str(header.get("PlacerOrderNumberImagingServiceRequest", "") or "")
    item.FillerOrderNumberImagingServiceRequest = str(header.get("FillerOrderNumberImagingServiceRequest", "") or "")
    item.RequestedProcedureID = str(orders[0].get("RequestedProcedureID", "") or "")
    item.RequestedProcedureDescription = str(orders[0].get("RequestedProcedureDescription", "") or "")
    item.RequestedProcedureCodeSequence = copy_sequence(orders[0], "RequestedProcedureCodeSequence")
    if issuer := copy_sequence(header, "IssuerOfAccessionNumberSequence"):
        item.IssuerOfAccessionNumberSequence = issuer
    return item


def _of_study(study_uid: str, references: list[tuple[str, str, str]]) -> Dataset:
    """Hierarchical SOP Instance Reference, PS3.3 C.17.2.1, from (series, SOP class, SOP instance)."""
    item = Dataset()
    item.ReferencedSeriesSequence = Sequence()
    for series, members in groupby(sorted(references), key=lambda reference: reference[0]):
        of_series = Dataset()
        of_series.ReferencedSOPSequence = Sequence()
        for _, sop_class, uid in members:
            reference = Dataset()
            reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = sop_class, uid
            of_series.ReferencedSOPSequence.append(reference)
        of_series.SeriesInstanceUID = series
        item.ReferencedSeriesSequence.append(of_series)
    item.StudyInstanceUID = study_uid
    return item
