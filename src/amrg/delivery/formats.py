"""The formats that a report is delivered in: each a file's name and how it is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from amrg.birads.lexicon import Status
from amrg.birads.version import ReportVersion
from amrg.delivery.dicom.cad import cad_sr
from amrg.delivery.dicom.document import read_images
from amrg.delivery.dicom.encapsulation import encapsulated_pdf
from amrg.delivery.dicom.fonts import NoFont
from amrg.delivery.dicom.identity import ObjectKind, object_uid
from amrg.delivery.dicom.measurement import measurement_sr
from amrg.delivery.dicom.pdf import report_pdf
from amrg.delivery.dicom.text import text_sr
from amrg.delivery.fhir.bundle import report_bundle, report_id
from amrg.delivery.fhir.profile import FhirProfile
from amrg.delivery.hl7.message import control_id, oru_message
from amrg.delivery.hl7.receiver import ReceiverProfile
from amrg.delivery.source import SourceStudy


@dataclass(frozen=True)
class Outgoing:
    """What is written: a version in the study of its images, for a receiver's ways.

    `earlier` are the versions that may have been delivered before it, `picture` its marked views as PNG, which the
    formats of `PICTURED` show.
    """

    version: ReportVersion
    source: SourceStudy
    earlier: tuple[ReportVersion, ...] = ()
    picture: bytes | None = None
    receiver: ReceiverProfile = field(default_factory=ReceiverProfile)
    server: FhirProfile = field(default_factory=FhirProfile)


@dataclass(frozen=True)
class DocumentFormat:
    """A format: the name of its file, its content, and the identity that every repetition of it has."""

    file: str
    write: Callable[[Outgoing], bytes]
    identify: Callable[[ReportVersion, SourceStudy], str]


def _of_its_images(write: Callable[[Outgoing], bytes]) -> Callable[[Outgoing], bytes]:
    """A format that names no image, refused as those that do where the study lacks one; a withdrawal is of none."""

    def write_checked(outgoing: Outgoing) -> bytes:
        if outgoing.version.status is not Status.WITHDRAWN:
            for uid in read_images(outgoing.version, outgoing.source):
                outgoing.source.image(uid)
        return write(outgoing)

    return write_checked


def _dicom(kind: ObjectKind, file: str, write: Callable[[Outgoing], bytes]) -> DocumentFormat:
    return DocumentFormat(file, write, lambda version, source: object_uid(version, source, kind))


def _sr(write: Callable[[ReportVersion, SourceStudy], bytes]) -> Callable[[Outgoing], bytes]:
    return lambda outgoing: write(outgoing.version, outgoing.source)


def _fhir(outgoing: Outgoing) -> bytes:
    """The bundle; where the PDF has no font for a character, with the report's plain text as its only form."""
    try:
        pdf = report_pdf(outgoing.version, outgoing.picture, outgoing.source)
    except NoFont:
        pdf = None
    return report_bundle(outgoing.version, outgoing.source, outgoing.server, pdf, outgoing.earlier)


def _pdf(outgoing: Outgoing) -> bytes:
    return encapsulated_pdf(outgoing.version, outgoing.source, outgoing.picture)


def _hl7(outgoing: Outgoing) -> bytes:
    return oru_message(outgoing.version, outgoing.source, outgoing.receiver, outgoing.earlier)


FORMATS: Mapping[str, DocumentFormat] = {
    "sr": _dicom(ObjectKind.TEXT, "report-sr.dcm", _sr(text_sr)),
    "measurements": _dicom(ObjectKind.MEASUREMENT, "report-measurements.dcm", _sr(measurement_sr)),
    "cad": _dicom(ObjectKind.CAD, "report-cad.dcm", _sr(cad_sr)),
    "pdf": _dicom(ObjectKind.PDF, "report-pdf.dcm", _pdf),
    "fhir": DocumentFormat("report-fhir.json", _of_its_images(_fhir), report_id),
    "hl7": DocumentFormat("report.hl7", _of_its_images(_hl7), control_id),
}
"""Every format by its name."""
PICTURED = frozenset({"pdf", "fhir"})
OF_WHOLE_STUDY = frozenset({"cad"})
"""Formats that say of every mammogram of the study whether the model looked at it."""
