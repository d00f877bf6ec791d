"""Studies: complete after a quiet period, of one patient, with their images and their priors."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session, sessionmaker

from amrg.core.errors import AmrgError
from amrg.imaging import ImagingError
from amrg.imaging.evidence.patients import Patient, one_patient, patient_of
from amrg.imaging.header import Header, read_header
from amrg.service import audit, queue
from amrg.service.database.engine import database_now, reading
from amrg.service.database.tables import InstanceRow, JobKind, StudyRow, StudyState, VersionRow
from amrg.service.pulling.requesting import PRIOR_REASON, is_prior, queue_priors
from amrg.service.settings import Settings
from amrg.service.storage import Storage

_SIGNED = ("final", "amended", "appended")
LATE = "new images since signature"
WITHDRAWN = "report withdrawn"


OF_ANOTHER = "of another patient"
"""Why an image was set aside when a person decided whose study it is."""


class ConflictError(AmrgError):
    """A study that has no conflict of patients, or none of whose images is of the patient named."""


@dataclass(frozen=True)
class StoredImage:
    """An image of a study: its row's number, and its file."""

    instance_id: int
    sop_instance_uid: str
    patient_id: str
    file: Path


def current_images(session: Session, storage: Storage, study_id: int) -> list[StoredImage]:
    """The images that a study has now: the last content of each, without those that a person set aside."""
    return [_stored(row, storage) for row in session.scalars(current_rows(study_id))]


def current_rows(study_id: int) -> Select[InstanceRow]:
    """The rows of `current_images`, in the order in which they arrived."""
    its = (InstanceRow.study_id == study_id, InstanceRow.current, InstanceRow.set_aside == "")
    return select(InstanceRow).where(*its).order_by(InstanceRow.id)


def _stored(row: InstanceRow, storage: Storage) -> StoredImage:
    return StoredImage(row.id, row.sop_instance_uid, row.patient_id, storage.path_of(row.path))


def close_quiet_studies(sessions: sessionmaker[Session], storage: Storage, settings: Settings) -> int:
    """Queue the studies of which nothing arrived for the quiet period, by the database's clock; returns how many.

    A study whose images are not of one patient beyond doubt is stopped instead, until a person decides.
    """
    with reading(sessions) as session:
        quiet = database_now(session) - datetime.timedelta(seconds=settings.quiet_seconds)
        due = select(StudyRow.id).where(StudyRow.state == StudyState.RECEIVING, StudyRow.received_at <= quiet)
        studies = list(session.scalars(due))
    return sum(_close(sessions, storage, study_id, settings) for study_id in studies)


def _close(sessions: sessionmaker[Session], storage: Storage, study_id: int, settings: Settings) -> bool:
    with reading(sessions) as session:
        revision = session.scalars(select(StudyRow.image_revision).where(StudyRow.id == study_id)).one()
        images = current_images(session, storage, study_id)
    headers = _headers(images)
    refusal = one_patient(_patients(headers)).refusal if images else None
    with sessions.begin() as session:
        study = locked(session, study_id)
        quiet = database_now(session) - datetime.timedelta(seconds=settings.quiet_seconds)
        if study.state is not StudyState.RECEIVING or study.image_revision != revision or study.received_at > quiet:
            return False  # more arrived meanwhile
        if refusal is not None:
            study.state = StudyState.CONFLICT
            study.reason = f"{refusal}: decide whose study it is, or correct the images and send them again"
            detail = {"image_revision": revision, "reason": refusal}
            audit.append(session, audit.SYSTEM, "patient conflict", study.study_instance_uid, detail)
            return True
        _restate(study, headers)
        detail = {"image_revision": revision, "images": len(images)}
        if is_prior(session, study):
            study.state, study.reason = StudyState.NOT_DRAFTED, PRIOR_REASON
        else:
            queue_draft(session, study, queue_priors(session, study, settings))
        audit.append(session, audit.SYSTEM, "study received", study.study_instance_uid, detail)
    return True


def was_signed(session: Session, study: StudyRow) -> bool:
    """Whether a person has signed a version of the study's report, be it withdrawn by now."""
    signed = (VersionRow.study_id == study.id, VersionRow.status.in_(_SIGNED))
    return session.scalar(select(VersionRow.id).where(*signed).limit(1)) is not None


def arrived_late(session: Session, study: StudyRow, storage: Storage, patient: Patient, sender: str) -> None:
    """State that an image arrived after the signature: a conflict where it is not of the patient who was signed for.

    Nothing is drafted again: what was signed stays until a reader corrects or withdraws it.
    """
    arrival = {"image_revision": study.image_revision, "sender": sender}
    audit.append(session, audit.SYSTEM, "images received after signature", study.study_instance_uid, arrival)
    if study.state is StudyState.CONFLICT:
        return
    refusal = one_patient([*_patients(_headers(current_images(session, storage, study.id))), patient]).refusal
    if refusal is None:
        withdrawn = study.reason.startswith(WITHDRAWN)
        study.reason = f"{WITHDRAWN}; {LATE}" if withdrawn else LATE
        return
    study.state = StudyState.CONFLICT
    study.reason = f"an image since signature is of another patient: {refusal}: decide whose study it is"
    detail = {"image_revision": study.image_revision, "reason": refusal, "signed": True}
    audit.append(session, audit.SYSTEM, "patient conflict", study.study_instance_uid, detail)


def queue_draft(session: Session, study: StudyRow, run_after: datetime.datetime | None = None) -> None:
    """Have a study drafted, once for each state of its images; not before `run_after`, where it waits for priors."""
    study.state, study.reason = StudyState.WAITING, ""
    payload = {"study_id": study.id, "image_revision": study.image_revision}
    queue.add(session, JobKind.DRAFT, f"draft:{study.id}:{study.image_revision}", payload, run_after)


def locked(session: Session, study_id: int) -> StudyRow:
    """A study's row, which no other transaction changes before this one ends."""
    return session.execute(select(StudyRow).where(StudyRow.id == study_id).with_for_update()).scalar_one()


def stated_patient(header: Header) -> dict[str, str]:
    """What a header says of the patient, as both the image's and the study's row have it."""
    patient = patient_of(header)
    return {
        "patient_key": patient.key,
        "patient_id": header.text("PatientID")[:256],
        "issuer_of_patient_id": header.text("IssuerOfPatientID")[:256],
        "patient_name": header.text("PatientName")[:320],
        "birth_date": patient.birth_date.isoformat() if patient.birth_date else "",
        "sex": patient.sex,
    }


def stated_order(header: Header) -> dict[str, str]:
    """What a header says of the order and the day of the study, as its row has it."""
    return {
        "accession_number": header.text("AccessionNumber")[:64],
        "study_date": header.text("StudyDate").replace(".", "")[:8],  # ACR-NEMA wrote 2020.01.31
    }


def _restate(study: StudyRow, headers: Sequence[Header | None]) -> None:
    """Have a study's row say what the images say that it has now: those that it was made of may have been corrected."""
    header = next(filter(None, headers), None)
    if header is not None:
        for field, value in (stated_patient(header) | stated_order(header)).items():
            setattr(study, field, value)


def _headers(images: Sequence[StoredImage]) -> list[Header | None]:
    """The headers of images; None for one that cannot be read any more."""
    found: list[Header | None] = []
    for image in images:
        try:
            found.append(read_header(image.file))
        except ImagingError:
            found.append(None)
    return found


def _patients(headers: Sequence[Header | None]) -> list[Patient]:
    """What the images say of their patient; one that cannot be read any more says nothing."""
    return [Patient() if header is None else patient_of(header) for header in headers]


def names_several_patients(session: Session, study: StudyRow) -> bool:
    """Whether the rows of a study's images name patients who are not one beyond doubt, before its files are read."""
    patients = [patient_of(_patient_header(row)) for row in session.scalars(current_rows(study.id))]
    return bool(patients) and one_patient(patients).refusal is not None


def _patient_header(row: InstanceRow) -> Header:
    """What an image's row has of its header."""
    stated = {
        "PatientID": row.patient_id,
        "IssuerOfPatientID": row.issuer_of_patient_id,
        "PatientName": row.patient_name,
        "PatientBirthDate": row.birth_date.replace("-", ""),
        "PatientSex": row.sex,
    }
    return Header({keyword: (value,) for keyword, value in stated.items()})


def resolve_conflict(
    session: Session, storage: Storage, study: StudyRow, patient_id: str, actor: str, issuer: str | None = None
) -> None:
    """Decide that a study is of one of the patients that its images name, and have it drafted, unless it was signed.

    The images of other patients stay stored, set aside with the reason; a later decision for one of them takes theirs
    back. `issuer` is named where several gave the same PatientID. `actor` is recorded in the audit trail.

    Raises:
        ConflictError: the study has no conflict, or none of its images is of that patient.
    """
    candidates = (InstanceRow.study_id == study.id, InstanceRow.current, InstanceRow.set_aside.in_(("", OF_ANOTHER)))
    images = session.scalars(select(InstanceRow).where(*candidates).order_by(InstanceRow.id)).all()
    if study.state is not StudyState.CONFLICT and all(image.set_aside == "" for image in images):
        raise ConflictError(f"the study is {study.state}; only one with a patient conflict needs a decision")
    hers = [
        image
        for image in images
        if _is_same_id(image.patient_id, patient_id) and issuer in (None, image.issuer_of_patient_id)
    ]
    if not hers:
        raise ConflictError("none of the study's images is of the patient named; name one that they state")
    for image in images:
        image.set_aside = "" if image in hers else OF_ANOTHER
    for field in ("patient_key", "patient_id", "issuer_of_patient_id", "patient_name", "birth_date", "sex"):
        setattr(study, field, getattr(hers[0], field))
    _restate(study, _headers([_stored(image, storage) for image in hers]))
    if was_signed(session, study):
        withdrawn = [WITHDRAWN] if study.reason.startswith(WITHDRAWN) else []
        study.state, study.reason = (
            StudyState.SIGNED,
            "; ".join([*withdrawn, f"a patient conflict was resolved; {LATE}"]),
        )
    else:
        study.image_revision += 1
        queue_draft(session, study)
    detail = {"images": len(hers), "set_aside": len(images) - len(hers)}
    audit.append(session, actor, "patient conflict resolved", study.study_instance_uid, detail)


def study_failed(session: Session, study_id: int, image_revision: int, reason: str) -> None:
    """State that a study will not be drafted, unless more images arrived meanwhile."""
    study = locked(session, study_id)
    if study.image_revision == image_revision and study.state is StudyState.WAITING:
        study.state, study.reason = StudyState.FAILED, reason


def _is_same_id(one: str, other: str) -> bool:
    """Whether two PatientIDs are one but for their spelling."""
    patients = [Patient(spelling=text, identifier=text.strip()) for text in (one, other)]
    return one_patient(patients).refusal is None and bool(one.strip()) == bool(other.strip())


def new_images_since_signature(session: Session, study: StudyRow) -> int:
    """How many images arrived after the study's last signed version was drafted; 0 where nothing is signed."""
    signed = session.scalars(
        select(VersionRow)
        .where(VersionRow.study_id == study.id, VersionRow.status.in_(_SIGNED))
        .order_by(VersionRow.number.desc())
        .limit(1)
    ).one_or_none()
    return 0 if signed is None else study.image_revision - signed.image_revision


def prior_images(session: Session, storage: Storage, study: StudyRow) -> list[StoredImage]:
    """The images of the patient's earlier studies that may be hers; `amrg.imaging` decides by the files."""
    if not study.patient_id.strip() or not study.study_date:
        return []
    earlier = session.scalars(
        select(StudyRow.id)
        .where(
            func.trim(StudyRow.patient_id) == study.patient_id.strip(),
            StudyRow.id != study.id,
            StudyRow.study_date < study.study_date,
            StudyRow.study_date != "",
            StudyRow.state != StudyState.CONFLICT,
        )
        .order_by(StudyRow.study_date.desc())
        .limit(3)
    )
    return [image for number in earlier for image in current_images(session, storage, number)]
