"""From a received file to its row and its study, in one transaction."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from amrg.core.errors import AmrgError
from amrg.imaging import ImagingError
from amrg.imaging.evidence.patients import patient_of
from amrg.imaging.grouping import is_uid
from amrg.imaging.header import Header, read_header
from amrg.service.database.engine import database_now, reading
from amrg.service.database.tables import DeliveryRow, InstanceRow, StudyRow, StudyState, VersionRow
from amrg.service.storage import Spool, Storage
from amrg.service.studies import arrived_late, stated_order, stated_patient, was_signed

DEFLATED = "1.2.840.10008.1.2.1.99"
_UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID")


class NotReceived(AmrgError):
    """An object that is not stored, and what is wrong with it; names no patient.

    `status` is what a C-STORE answers (PS3.7 C) and a STOW-RS gives as failure reason (PS3.18 10.5.3.2).
    """

    status = 0x0110  # processing failure


class InvalidInstance(NotReceived):
    """An object whose UIDs are not UIDs (PS3.5 9.1)."""

    status = 0x0117  # invalid object instance


class OtherInstance(NotReceived):
    """An object that is not the one that the sender announced."""

    status = 0xA900  # data set does not match SOP class


@dataclass(frozen=True)
class Received:
    """What became of an object: its study's row, and whether it was there already, byte for byte."""

    study_id: int
    instance_id: int
    duplicate: bool


def receive(
    sessions: sessionmaker[Session],
    storage: Storage,
    spool: Spool,
    sender: str,
    announced: tuple[str, str] | None = None,
) -> Received:
    """Store a complete file: on return it and its row are durable. The file is given up where anything fails.

    A content that is here already is not stored twice; it takes the place of a file of it that was lost.

    `announced` are the SOP Class and SOP Instance UID that the sender named for it.

    Raises:
        NotReceived: no DICOM object, or its UIDs are not UIDs or not those announced.
        OSError: no room, or the disk fails.
        TooLarge: larger than allowed.
        SQLAlchemyError: the database is away.
    """
    spool.make_durable()
    header = _header(spool, announced)
    path = storage.store(spool)
    row = InstanceRow(
        sop_instance_uid=header.text("SOPInstanceUID"),
        sop_class_uid=header.text("SOPClassUID"),
        series_instance_uid=header.text("SeriesInstanceUID"),
        transfer_syntax_uid=header.transfer_syntax,
        **stated_patient(header),
        path=path,
        sha256=spool.sha256,
        size=spool.size,
        sender=sender[:64],
    )
    try:
        received = _add_row(sessions, storage, header, row)
    except IntegrityError:  # the same bytes came twice in the same moment: the other one is the row
        received = _existing(sessions, row)
    except SQLAlchemyError:
        storage.remove(path)
        raise
    if received.duplicate:
        _keep_one(sessions, storage, received.instance_id, path)
    return received


def _keep_one(sessions: sessionmaker[Session], storage: Storage, instance_id: int, path: str) -> None:
    """Of two files with the same content retain the first, unless it was lost or damaged since."""
    with reading(sessions) as session:
        row = session.get_one(InstanceRow, instance_id)
        before = row.path
    if storage.is_intact(before, row.sha256):
        storage.remove(path)
        return
    with sessions.begin() as session:
        session.execute(update(InstanceRow).where(InstanceRow.id == instance_id).values(path=path))
    storage.remove(before)


def touch(sessions: sessionmaker[Session], study_instance_uid: str) -> None:
    """Restart the quiet period of a study of which bytes are arriving."""
    with sessions.begin() as session:
        session.execute(
            update(StudyRow)
            .where(StudyRow.study_instance_uid == study_instance_uid, StudyRow.state == StudyState.RECEIVING)
            .values(received_at=database_now(session))
        )


def _header(spool: Spool, announced: tuple[str, str] | None) -> Header:
    try:
        header = read_header(spool.path)
    except ImagingError as error:
        raise NotReceived("no DICOM object, or damaged before its pixels; expected a DICOM data set") from error
    if header.transfer_syntax == DEFLATED:
        raise NotReceived("the deflated transfer syntax is not accepted; send another one")
    for keyword in _UIDS:
        if not is_uid(header.text(keyword)):
            raise InvalidInstance(f"{keyword} is missing or no UID (PS3.5 9.1); expected digits and dots, 64 at most")
    if announced is not None and announced != (header.text("SOPClassUID"), header.text("SOPInstanceUID")):
        raise OtherInstance("SOP Class or SOP Instance UID of the data set is not the one that the request names")
    return header


def _add_row(sessions: sessionmaker[Session], storage: Storage, header: Header, row: InstanceRow) -> Received:
    with sessions.begin() as session:
        now = database_now(session)
        study = _study(session, header, now)
        row.study_id, row.received_at = study.id, now
        earlier = _earlier(session, row)
        same = next((there for there in earlier if there.sha256 == row.sha256), None)
        if study.state is StudyState.RECEIVING:
            study.received_at = now
        if same is None:
            session.add(row)
        elif same.current:
            return Received(study.id, same.id, duplicate=True)
        else:  # an earlier content again, in place of the one that replaced it
            same.current, same.received_at, same.sender = True, now, row.sender
        for there in earlier:
            there.current = there is same
        if not _is_own(session, row):
            study.received_at = now
            study.image_revision += 1
            if study.state is not StudyState.RECEIVING and was_signed(session, study):  # what is signed is not received
                arrived_late(session, study, storage, patient_of(header), row.sender)
            else:
                study.state, study.reason = StudyState.RECEIVING, ""
        session.flush()
        stored = same or row
        return Received(study.id, stored.id, duplicate=stored is same)


def _is_own(session: Session, row: InstanceRow) -> bool:
    """Whether an object is one that amrg delivers itself: a PACS that sends it back brings nothing new to draft."""
    its = (VersionRow.study_id == row.study_id, DeliveryRow.uid == row.sop_instance_uid)
    found = select(DeliveryRow.id).join(VersionRow, DeliveryRow.version_id == VersionRow.id).where(*its)
    return session.scalar(found.limit(1)) is not None


def _existing(sessions: sessionmaker[Session], row: InstanceRow) -> Received:
    with sessions.begin() as session:
        there = session.scalars(
            select(InstanceRow).where(
                InstanceRow.sop_instance_uid == row.sop_instance_uid, InstanceRow.sha256 == row.sha256
            )
        ).one()
        return Received(there.study_id, there.id, duplicate=True)


def _earlier(session: Session, row: InstanceRow) -> Sequence[InstanceRow]:
    """Every content that arrived for the study under the same SOP Instance UID; another study's is its own."""
    its = (InstanceRow.study_id == row.study_id, InstanceRow.sop_instance_uid == row.sop_instance_uid)
    return session.scalars(select(InstanceRow).where(*its)).all()


def _study(session: Session, header: Header, now: datetime.datetime) -> StudyRow:
    """The locked row of an object's study; made where it is the first object of it."""
    uid = header.text("StudyInstanceUID")
    its = select(StudyRow).where(StudyRow.study_instance_uid == uid).with_for_update()
    if (there := session.scalars(its).one_or_none()) is not None:
        return there
    values = {
        "study_instance_uid": uid,
        **stated_patient(header),
        **stated_order(header),
        "state": StudyState.RECEIVING,
        "reason": "",
        "image_revision": 0,
        "received_at": now,
        "created_at": now,
        "revision": 1,
    }
    insert = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
    session.execute(insert(StudyRow).values(**values).on_conflict_do_nothing(index_elements=["study_instance_uid"]))
    return session.scalars(its).one()
