"""Storage commitment, Push Model (PS3.4 J): a request is stored, and its report is a job that is retried."""

from __future__ import annotations

from typing import Any

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pynetdicom import AE, build_role
from pynetdicom.sop_class import StorageCommitmentPushModel, StorageCommitmentPushModelInstance
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from amrg.core.errors import AmrgError
from amrg.imaging.grouping import is_uid
from amrg.service import queue
from amrg.service.database.engine import database_now, reading
from amrg.service.database.tables import CommitmentRow, InstanceRow, JobKind, JobState
from amrg.service.settings import Sender, Settings
from amrg.service.storage import Storage

SUCCESS, DUPLICATE, NO_SUCH_INSTANCE, INVALID_ARGUMENT, CLASS_CONFLICT, FAILURE = 0, 0x111, 0x112, 0x115, 0x119, 0x110
_ALL_STORED, _SOME_FAILED = 1, 2  # event types, PS3.4 J.3.3


class NotReported(AmrgError):
    """A report of storage commitment that its sender did not take: it is tried again."""


def request_commitment(sessions: sessionmaker[Session], settings: Settings, sender: str, information: Dataset) -> int:
    """Answer an N-ACTION: the request is stored and its report queued, in one transaction; the same again is the same.

    A station whose port is not in the settings cannot be reported to, and is answered with a failure.
    """
    if listener(settings, sender) is None:
        return FAILURE
    transaction = str(information.get("TransactionUID") or "")
    items = information.get("ReferencedSOPSequence") or []
    references = [
        (str(item.get("ReferencedSOPClassUID") or ""), str(item.get("ReferencedSOPInstanceUID") or ""))
        for item in items
    ]
    if not is_uid(transaction) or not references or not all(is_uid(uid) for both in references for uid in both):
        return INVALID_ARGUMENT
    with sessions.begin() as session:
        row = session.get(CommitmentRow, transaction, with_for_update=True)
        if row is not None and row.sender != sender:
            return DUPLICATE
        if row is None:
            request = {"references": references}
            session.add(
                CommitmentRow(
                    transaction_uid=transaction, sender=sender, request=request, created_at=database_now(session)
                )
            )
        job = queue.add(session, JobKind.COMMITMENT, f"commitment:{transaction}", {"transaction_uid": transaction})
        if job.state in (JobState.DONE, JobState.DEAD):  # it asks again: the report did not reach it
            job.state, job.attempts, job.losses, job.run_after = JobState.WAITING, 0, 0, database_now(session)
    return SUCCESS


def listener(settings: Settings, sender: str) -> Sender | None:
    """The station of an AE title, where its host and port are known."""
    known = [s for s in settings.dicom.senders if s.ae_title.strip() == sender and s.port is not None]
    return next((s for s in known if s.host or "/" not in s.address), None)


def report_commitment(
    sessions: sessionmaker[Session], storage: Storage, settings: Settings, transaction_uid: str
) -> None:
    """Check every file of a request on the disk, and report to its sender on a new association.

    Raises:
        NotReported: the sender cannot be reached, or did not take the report.
    """
    with reading(sessions) as session:
        row = session.get_one(CommitmentRow, transaction_uid)
        references = [(str(a), str(b)) for a, b in row.request["references"]]
        station = listener(settings, row.sender)
    if station is None:
        raise NotReported("the settings name no port of the station any more")
    failures = {uid: _failure(sessions, storage, kind, uid) for kind, uid in references}
    information = Dataset()
    information.TransactionUID = transaction_uid
    stored = [_item(kind, uid) for kind, uid in references if failures[uid] is None]
    if stored:
        information.ReferencedSOPSequence = Sequence(stored)
    failed = [_item(kind, uid, failures[uid]) for kind, uid in references if failures[uid] is not None]
    if failed:
        information.FailedSOPSequence = Sequence(failed)
    _send(settings, station, information, _SOME_FAILED if failed else _ALL_STORED)


def _failure(sessions: sessionmaker[Session], storage: Storage, sop_class: str, uid: str) -> int | None:
    """Why custody of an instance is not taken; None where its file is there, as it was received."""
    with reading(sessions) as session:
        rows = session.scalars(select(InstanceRow).where(InstanceRow.sop_instance_uid == uid, InstanceRow.current))
        found = [(row.sop_class_uid, row.path, row.sha256) for row in rows]
    if not found:
        return NO_SUCH_INSTANCE
    if all(known != sop_class for known, _, _ in found):
        return CLASS_CONFLICT
    return None if all(storage.is_intact(path, sha256) for _, path, sha256 in found) else FAILURE


def _item(sop_class: str, uid: str, failure: int | None = None) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class, uid
    if failure is not None:
        item.FailureReason = failure
    return item


def _send(settings: Settings, station: Sender, information: Dataset, event_type: int) -> None:
    """The N-EVENT-REPORT, in the role of the SCP that we negotiate for (PS3.4 J.3.3.1.2)."""
    entity = AE(settings.dicom.ae_title)
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = 30
    entity.connection_timeout = 10
    entity.add_requested_context(StorageCommitmentPushModel)
    role = build_role(StorageCommitmentPushModel, scp_role=True)
    host = station.host or station.address or "127.0.0.1"
    association: Any = entity.associate(host, station.port, ae_title=station.ae_title, ext_neg=[role])
    if not association.is_established:
        raise NotReported("the station cannot be reached, or refused the association")
    try:
        status, _ = association.send_n_event_report(
            information, event_type, StorageCommitmentPushModel, StorageCommitmentPushModelInstance
        )
    except (ValueError, RuntimeError) as error:
        raise NotReported(f"the station did not accept the report: {type(error).__name__}") from error
    finally:
        association.release()
    if not status or status.Status != SUCCESS:
        raise NotReported("the station did not take the report")
