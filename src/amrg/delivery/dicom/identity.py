"""UIDs that follow from the study, the patient, the version and the kind of object, and can be computed again."""

from __future__ import annotations

from enum import StrEnum

from pydicom.uid import generate_uid

from amrg.birads import ReportVersion
from amrg.core.hashing import sha256_of_text
from amrg.delivery.source import SourceStudy


class ObjectKind(StrEnum):
    """What is written of a version. Every object has a series of its own."""

    TEXT = "text-sr"
    MEASUREMENT = "measurement-sr"
    CAD = "cad-sr"
    PDF = "pdf"


def object_uid(version: ReportVersion, source: SourceStudy, kind: ObjectKind) -> str:
    """SOP Instance UID of an object of a version."""
    return numbered_uid(version, source, kind, version.number)


def series_uid(version: ReportVersion, source: SourceStudy, kind: ObjectKind) -> str:
    """Series Instance UID of an object of a version: no two versions share a series, so none hides another."""
    return numbered_uid(version, source, kind, version.number, "series")


def numbered_uid(
    version: ReportVersion, source: SourceStudy, kind: ObjectKind, number: int, what: str = "object"
) -> str:
    """The UID of an object, or its series, of any version of the report by its number."""
    sources = ["amrg", source.study_instance_uid, patient_key(version, source), f"version {number}", kind.value, what]
    return str(generate_uid(entropy_srcs=sources))


def device_uid(version: ReportVersion) -> str:
    """Device Observer UID: the model that drafted, by its name and the hash of its weights."""
    made = version.draft.report.provenance
    return str(
        generate_uid(entropy_srcs=["amrg", "device", *(("",) if made is None else (made.model, made.model_hash or ""))])
    )


def patient_key(version: ReportVersion, source: SourceStudy) -> str:
    """The key of the patient as drafted; without one a hash of what the images name."""
    if version.draft.study is not None:
        return version.draft.study.patient_key
    return sha256_of_text(*(str(source.header.get(k, "")) for k in ("PatientID", "IssuerOfPatientID")))
