"""Deliveries: of each new version one to every destination that wants it, in order, each exactly once.

A delivery has the identity of its document before the first attempt, so an attempt after a crash sends the same
document again and changes nothing. Of one study, or one accession number, a destination gets the versions in the order
they were made in: a correction waits until the report before it is settled, delivered or skipped by a person.
"""

from __future__ import annotations

import datetime
import logging
import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydicom.dataset import Dataset
from sqlalchemy import ColumnElement, Select, and_, func, or_, select, update
from sqlalchemy.orm import Session, sessionmaker

from amrg.birads import SIGNED, ReportVersion, Status
from amrg.core.errors import AmrgError
from amrg.delivery.errors import DeliveryError
from amrg.delivery.formats import FORMATS, OF_WHOLE_STUDY, PICTURED, Outgoing
from amrg.delivery.pictures import view_picture
from amrg.delivery.source import SourceStudy, read_source
from amrg.imaging import ImagingError, read_studies
from amrg.service import audit, queue
from amrg.service.database.engine import database_now, reading
from amrg.service.database.tables import (
    DeliveryRow,
    InstanceRow,
    JobKind,
    JobRow,
    JobState,
    StudyRow,
    StudyState,
    VersionRow,
)
from amrg.service.queue import Lease
from amrg.service.senders import DocumentSender, Outcome, OutgoingDocument, Parked, Retry, Sent, open_sender
from amrg.service.settings import AnyDestination, FhirDestination, MllpDestination, Sends, Settings
from amrg.service.storage import Storage
from amrg.service.studies import current_rows
from amrg.service.versions import read_version

log = logging.getLogger(__name__)

_UNSIGNED = (str(Status.DRAFT), str(Status.PRELIMINARY))
HELD_SECONDS = 30
"""After how long a delivery that must wait for another one is looked at again; what it waits for wakes it earlier."""


class NotDelivered(AmrgError):
    """A partner did not take a document; it may take it later."""


class NoSuchDelivery(AmrgError):
    """A delivery that does not exist, or that was not set aside."""


def queue_deliveries(session: Session, row: VersionRow, settings: Settings) -> list[DeliveryRow]:
    """Deliveries of a new version and their jobs, in the transaction that adds it; those that are there stay.

    Unsigned versions are for destinations that want them. A withdrawal is for those that were to get what it withdraws.
    """
    version, study = read_version(row), session.get_one(StudyRow, row.study_id)
    wanted = [
        (destination.name, format_)
        for destination in settings.destinations
        for format_ in destination.formats
        if _is_wanted(session, row, version, destination, format_)
    ]
    queued = [_queued(session, row, version, study, name, format_) for name, format_ in wanted]
    if version.status is Status.WITHDRAWN:
        for delivery in queued:
            _wake_held_back(session, delivery, study)
    return queued


def _is_wanted(
    session: Session, row: VersionRow, version: ReportVersion, destination: AnyDestination, format_: str
) -> bool:
    if version.status is Status.WITHDRAWN:
        earlier = select(DeliveryRow.id).join(VersionRow, DeliveryRow.version_id == VersionRow.id)
        to_it = (DeliveryRow.destination == destination.name, DeliveryRow.format == format_)
        return session.scalar(earlier.where(VersionRow.study_id == row.study_id, *to_it).limit(1)) is not None
    return version.status in SIGNED or destination.sends is Sends.ALL


def _queued(
    session: Session, row: VersionRow, version: ReportVersion, study: StudyRow, destination: str, format_: str
) -> DeliveryRow:
    same = (DeliveryRow.version_id == row.id, DeliveryRow.destination == destination, DeliveryRow.format == format_)
    delivery = session.scalar(select(DeliveryRow).where(*same))
    if delivery is None:
        delivery = DeliveryRow(
            version_id=row.id,
            destination=destination,
            format=format_,
            uid=FORMATS[format_].identify(version, _identity(study)),
            created_at=database_now(session),
        )
        session.add(delivery)
        session.flush()
        job = queue.add(
            session, JobKind.DELIVER, f"deliver:{row.id}:{destination}:{format_}", {"delivery_id": delivery.id}
        )
        delivery.job_id = job.id
    return delivery


def _identity(study: StudyRow) -> SourceStudy:
    """The study as far as identities follow from it, without reading a file."""
    header = Dataset()
    header.StudyInstanceUID = study.study_instance_uid
    header.PatientID, header.IssuerOfPatientID = study.patient_id, study.issuer_of_patient_id
    return SourceStudy((header,))


def skip_delivery(session: Session, delivery_id: int, actor: str) -> DeliveryRow:
    """Settle a delivery that was set aside without sending it, so that what waits for it is sent; recorded.

    Raises:
        NoSuchDelivery: there is none of that number, or it was not set aside.
    """
    delivery = session.get(DeliveryRow, delivery_id)
    job = None if delivery is None else session.get(JobRow, delivery.job_id, with_for_update=True)
    if delivery is None or job is None or job.state is not JobState.DEAD:
        found = "does not exist" if delivery is None else "was not set aside"
        raise NoSuchDelivery(f"delivery {delivery_id}: {found}; only one that was set aside can be skipped")
    job.state = JobState.DONE
    _wake(session, delivery)
    version = session.get_one(VersionRow, delivery.version_id)
    subject = session.get_one(StudyRow, version.study_id).study_instance_uid
    audit.append(session, actor, "delivery skipped", subject, _detail(delivery, version.number))
    return delivery


@dataclass(frozen=True)
class _Task:
    """What is to be delivered, as read before the attempt.

    `earlier` are the versions that were for this destination too: nothing of others may reach it. `waits` says why it
    must wait, empty where it need not; `overtaken`, that the destination has a later version already; `withdrawn`, that
    the report was withdrawn while the version was held back, so that it is not sent.
    """

    delivery_id: int
    uid: str
    destination: str
    format: str
    study_instance_uid: str
    version: ReportVersion
    earlier: tuple[ReportVersion, ...]
    files: tuple[Path, ...]
    settled: bool
    overtaken: bool
    withdrawn: bool
    waits: str


@dataclass(frozen=True)
class Deliverer:
    """Delivers what was queued; `open_sender` makes the sender of a destination, for this node's AE title."""

    settings: Settings
    sessions: sessionmaker[Session]
    storage: Storage
    open_sender: Callable[[AnyDestination, str], DocumentSender] = open_sender

    def deliver(self, lease: Lease) -> None:
        """One attempt, and all that follows from its outcome.

        Raises:
            NotDelivered: the partner may take it later: an attempt of the job is used up.
            LeaseLost: another worker has the job by now; where it was lost before the attempt, nothing was sent.
        """
        with reading(self.sessions) as session:
            task = _read_task(session, self.storage, int(lease.payload["delivery_id"]))
        if task.waits:
            self._hold(lease, task)
            return
        outcome: Outcome = Sent() if task.settled or task.withdrawn else self._attempt(lease, task)
        if isinstance(outcome, Retry):
            self._note(task, outcome.reason)
            raise NotDelivered(f"{task.destination}: {outcome.reason}")
        with self.sessions.begin() as session:
            self._settle(session, lease, task, outcome)

    def _attempt(self, lease: Lease, task: _Task) -> Outcome:
        """Write the document and send it, unless it can never be sent."""
        if task.overtaken:
            return Parked("the destination has a later version of the report; an earlier one would replace it")
        destination = next((d for d in self.settings.destinations if d.name == task.destination), None)
        if destination is None:
            return Parked(f"the settings have no destination {task.destination}")
        try:
            content = FORMATS[task.format].write(self._outgoing(task, destination))
            sender = self.open_sender(destination, self.settings.dicom.ae_title)
        except (DeliveryError, ImagingError) as error:
            return Parked(str(error))
        with self.sessions.begin() as session:
            queue.renew(session, lease)  # nothing is sent under a lease that was lost
        return sender.send(OutgoingDocument(task.uid, content))

    def _outgoing(self, task: _Task, destination: AnyDestination) -> Outgoing:
        made = Outgoing(task.version, read_source(task.files), task.earlier, self._picture(task))
        if isinstance(destination, MllpDestination):
            return Outgoing(made.version, made.source, made.earlier, receiver=destination.receiver)
        if isinstance(destination, FhirDestination):
            return Outgoing(made.version, made.source, made.earlier, made.picture, server=destination.server)
        return made

    def _picture(self, task: _Task) -> bytes | None:
        """The marked views, where the format shows them."""
        if task.format not in PICTURED:
            return None
        with tempfile.TemporaryDirectory(dir=self.storage.folder) as folder:
            for number, file in enumerate(task.files):
                os.link(file, Path(folder) / f"{number}.dcm")
            found = [s for s in read_studies(Path(folder)).studies if s.study_instance_uid == task.study_instance_uid]
            return view_picture(task.version, found[0]) if found else None

    def _hold(self, lease: Lease, task: _Task) -> None:
        """Put the job back until what it waits for is settled; that costs no attempt.

        What it waits for is held meanwhile, so that its end cannot be missed.
        """
        with self.sessions.begin() as session:
            delivery = session.get_one(DeliveryRow, task.delivery_id)
            study = session.get_one(StudyRow, session.get_one(VersionRow, delivery.version_id).study_id)
            before = session.scalars(_unsettled(delivery, study).with_for_update(of=JobRow)).all()
            queue.put_back(session, lease)
            if not before and not _doubt(session, study, task.version):
                return  # it was settled just now
            later = database_now(session) + datetime.timedelta(seconds=HELD_SECONDS)
            session.execute(update(JobRow).where(JobRow.id == lease.job_id).values(run_after=later, error=task.waits))

    def _note(self, task: _Task, reason: str) -> None:
        with self.sessions.begin() as session:
            session.get_one(DeliveryRow, task.delivery_id).error = reason

    def _settle(self, session: Session, lease: Lease, task: _Task, outcome: Sent | Parked) -> None:
        delivery = session.get_one(DeliveryRow, task.delivery_id)
        detail = _detail(delivery, task.version.number)
        if isinstance(outcome, Parked):
            queue.give_up(session, lease, outcome.reason)
            delivery.error = outcome.reason
            log.error("delivery %d to %s is set aside: %s", delivery.id, task.destination, outcome.reason)
            audit.append(
                session,
                audit.SYSTEM,
                "delivery set aside",
                task.study_instance_uid,
                {**detail, "error": outcome.reason},
            )
            return
        queue.finish(session, lease)
        _wake(session, delivery)
        if task.withdrawn:
            delivery.error = "the report was withdrawn before it was sent"
            audit.append(session, audit.SYSTEM, "delivery skipped", task.study_instance_uid, detail)
        elif not task.settled:
            delivery.delivered_at, delivery.error = database_now(session), ""
            audit.append(session, audit.SYSTEM, "report delivered", task.study_instance_uid, detail)


def _detail(delivery: DeliveryRow, number: int) -> dict[str, object]:
    return {"destination": delivery.destination, "format": delivery.format, "uid": delivery.uid, "version": number}


def _read_task(session: Session, storage: Storage, delivery_id: int) -> _Task:
    delivery = session.get_one(DeliveryRow, delivery_id)
    row = session.get_one(VersionRow, delivery.version_id)
    study = session.get_one(StudyRow, row.study_id)
    version = read_version(row)
    to_it = (DeliveryRow.destination == delivery.destination, DeliveryRow.format == delivery.format)
    before = (
        select(VersionRow)
        .join(DeliveryRow, DeliveryRow.version_id == VersionRow.id)
        .where(VersionRow.study_id == study.id, VersionRow.number < row.number, *to_it)
    )
    settled = delivery.delivered_at is not None
    withdrawn = not settled and _is_withdrawn(session, study, version)
    return _Task(
        delivery_id=delivery.id,
        uid=delivery.uid,
        destination=delivery.destination,
        format=delivery.format,
        study_instance_uid=study.study_instance_uid,
        version=version,
        earlier=tuple(map(read_version, session.scalars(before.order_by(VersionRow.number)))),
        files=tuple(storage.path_of(image.path) for image in _images_for(session, study, row, delivery.format)),
        settled=settled,
        overtaken=_is_overtaken(session, delivery, study),
        withdrawn=withdrawn,
        waits="" if withdrawn else _waits_for(session, delivery, study, version),
    )


def _images_for(session: Session, study: StudyRow, row: VersionRow, format_: str) -> list[InstanceRow]:
    """The images that a format is written of: first those that the version is of."""
    images = _images(session, study, read_version(row))
    return images + (_not_drafted(session, row, images) if format_ in OF_WHOLE_STUDY else [])


def _not_drafted(session: Session, row: VersionRow, drafted: Sequence[InstanceRow]) -> list[InstanceRow]:
    """The images that the study had when a version's draft was made, and that are not in it."""
    same = (VersionRow.study_id == row.study_id, VersionRow.image_revision == row.image_revision)
    made = select(func.min(VersionRow.created_at)).where(*same).scalar_subquery()
    found = session.scalars(current_rows(row.study_id).where(InstanceRow.received_at <= made))
    return [image for image in found if image not in drafted]


def _images(session: Session, study: StudyRow, version: ReportVersion) -> list[InstanceRow]:
    """The images that a version is of: what arrived since is of a later one."""
    found = select(InstanceRow).where(InstanceRow.study_id == study.id, InstanceRow.current).order_by(InstanceRow.id)
    images, drafted = list(session.scalars(found)), version.draft.study
    if drafted is None:
        return images
    of_it = {image.sop_instance_uid for image in drafted.images}
    return [image for image in images if image.sop_instance_uid in of_it]


def _doubt(session: Session, study: StudyRow, version: ReportVersion) -> str:
    """Until when a version may not be sent, since its patient is in doubt; empty where it may. A withdrawal always may.

    A person who decided that the study is another patient's has decided that this report must not reach anybody.
    """
    if version.status is Status.WITHDRAWN:
        return ""
    if study.state is StudyState.CONFLICT:
        return "until a person decides which patient the study is of"
    if any(image.set_aside for image in _images(session, study, version)):
        return "until the report is withdrawn, or its images are decided to be of the study's patient"
    return ""


def _is_withdrawn(session: Session, study: StudyRow, version: ReportVersion) -> bool:
    """Whether a version that is held back was withdrawn meanwhile."""
    later = (VersionRow.study_id == study.id, VersionRow.number > version.number)
    withdrawal = select(VersionRow.id).where(*later, VersionRow.status == str(Status.WITHDRAWN)).limit(1)
    return bool(_doubt(session, study, version)) and session.scalar(withdrawal) is not None


def _waits_for(session: Session, delivery: DeliveryRow, study: StudyRow, version: ReportVersion) -> str:
    """What a delivery has to wait for: a person's decision on the patient, or a delivery before it.

    A draft that was set aside holds up nothing: what was signed says all that it said.
    """
    if doubt := _doubt(session, study, version):
        return f"waits {doubt}"
    first = session.scalar(_unsettled(delivery, study).limit(1))
    return "" if first is None else f"waits until delivery {first} is settled"


def _is_overtaken(session: Session, delivery: DeliveryRow, study: StudyRow) -> bool:
    """Whether a later version is delivered: a draft that was set aside, and is tried again, comes too late."""
    later = (VersionRow.study_id == study.id, DeliveryRow.id > delivery.id, DeliveryRow.delivered_at.is_not(None))
    found = select(DeliveryRow.id).join(VersionRow, DeliveryRow.version_id == VersionRow.id)
    return session.scalar(found.where(*_in_line(delivery, study), *later).limit(1)) is not None


def _unsettled(delivery: DeliveryRow, study: StudyRow) -> Select[int]:
    """The deliveries before one in its line that are neither delivered nor skipped."""
    return (
        select(DeliveryRow.id)
        .join(JobRow, DeliveryRow.job_id == JobRow.id)
        .join(VersionRow, DeliveryRow.version_id == VersionRow.id)
        .where(*_in_line(delivery, study), DeliveryRow.id < delivery.id, JobRow.state != JobState.DONE)
        .where(or_(JobRow.state != JobState.DEAD, VersionRow.status.not_in(_UNSIGNED)))
        .order_by(DeliveryRow.id)
    )


def _wake(session: Session, delivery: DeliveryRow) -> None:
    """Let what waits for a delivery be looked at now."""
    session.flush()
    study = session.get_one(StudyRow, session.get_one(VersionRow, delivery.version_id).study_id)
    _look_at_now(session, *_in_line(delivery, study), DeliveryRow.id > delivery.id)


def _wake_held_back(session: Session, withdrawal: DeliveryRow, study: StudyRow) -> None:
    """Let what waits before a withdrawal be looked at now: what a patient conflict holds back is not sent any more.

    The rows are locked in the order in which a delivery that must wait locks them.
    """
    before = session.scalars(_unsettled(withdrawal, study).with_for_update(of=JobRow)).all()
    _look_at_now(session, DeliveryRow.id.in_(before))


def _look_at_now(session: Session, *which: ColumnElement[bool]) -> None:
    waiting = select(DeliveryRow.job_id).where(*which)
    held = update(JobRow).where(JobRow.id.in_(waiting), JobRow.state == JobState.WAITING, JobRow.error.like("waits %"))
    session.execute(held.values(run_after=database_now(session), error=""))


def _in_line(delivery: DeliveryRow, study: StudyRow) -> tuple[ColumnElement[bool], ...]:
    """Deliveries of the same study or accession number to the same destination in the same format."""
    of = [StudyRow.id == study.id]
    if study.accession_number:
        same_patient = (
            StudyRow.patient_id == study.patient_id,
            StudyRow.issuer_of_patient_id == study.issuer_of_patient_id,
        )
        of.append(and_(StudyRow.accession_number == study.accession_number, *same_patient))
    versions = select(VersionRow.id).join(StudyRow, VersionRow.study_id == StudyRow.id).where(or_(*of))
    return (
        DeliveryRow.version_id.in_(versions),
        DeliveryRow.destination == delivery.destination,
        DeliveryRow.format == delivery.format,
    )
