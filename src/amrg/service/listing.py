"""Studies as the command line lists and names them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from amrg.core.errors import AmrgError
from amrg.service.database.tables import DeliveryRow, JobRow, JobState, StudyRow, StudyState, VersionRow
from amrg.service.versions import newest_version


class NoSuchStudy(AmrgError):
    """A study that is not here, or a name that several have."""


@dataclass(frozen=True)
class ListedStudy:
    """A study and the newest version of its report, None where it has none."""

    study: StudyRow
    newest: VersionRow | None


def list_studies(session: Session, state: StudyState | None, limit: int) -> list[ListedStudy]:
    """The studies that arrived last, newest first; those of one state where it is named."""
    found = select(StudyRow).order_by(StudyRow.id.desc()).limit(limit)
    rows = session.scalars(found if state is None else found.where(StudyRow.state == state))
    return [ListedStudy(study, newest_version(session, study)) for study in rows]


def find_study(session: Session, name: str) -> StudyRow:
    """The study of a Study Instance UID, or of an accession number that one study has.

    Raises:
        NoSuchStudy: there is none, or several have the accession number.
    """
    rows: Sequence[StudyRow] = session.scalars(
        select(StudyRow).where(or_(StudyRow.study_instance_uid == name, StudyRow.accession_number == name)).limit(2)
    ).all()
    if not name or not rows:
        raise NoSuchStudy(f"study {name[:64]!r}: not here; expected a Study Instance UID or an accession number")
    exact = [row for row in rows if row.study_instance_uid == name]
    if len(rows) > 1 and not exact:
        raise NoSuchStudy(f"accession number {name[:64]!r}: several studies have it; name a Study Instance UID")
    return (exact or rows)[0]


class DeliveryState(StrEnum):
    """Where a delivery is: a person decides what becomes of one that was set aside."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    SET_ASIDE = "set aside"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class ListedDelivery:
    """A delivery, the study and the number of the version that it is of, and where it is."""

    row: DeliveryRow
    study_instance_uid: str
    version: int
    state: DeliveryState


def listed_deliveries(session: Session, rows: Sequence[DeliveryRow]) -> list[ListedDelivery]:
    """Deliveries as they are listed, in the same order."""
    found = (
        select(DeliveryRow.id, StudyRow.study_instance_uid, VersionRow.number, JobRow.state)
        .join(VersionRow, VersionRow.id == DeliveryRow.version_id)
        .join(StudyRow, StudyRow.id == VersionRow.study_id)
        .outerjoin(JobRow, JobRow.id == DeliveryRow.job_id)
        .where(DeliveryRow.id.in_([row.id for row in rows]))
    )
    facts = {id_: (uid, number, job) for id_, uid, number, job in session.execute(found)}
    return [ListedDelivery(row, *facts[row.id][:2], _state_of(row, facts[row.id][2])) for row in rows]


def deliveries_of_study(session: Session, study: StudyRow) -> list[ListedDelivery]:
    """What was, or is to be, delivered of a study, in the order in which it was queued."""
    of_it = select(DeliveryRow).join(VersionRow, VersionRow.id == DeliveryRow.version_id)
    rows = session.scalars(of_it.where(VersionRow.study_id == study.id).order_by(DeliveryRow.id)).all()
    return listed_deliveries(session, rows)


def _state_of(delivery: DeliveryRow, job: JobState | None) -> DeliveryState:
    if delivery.delivered_at is not None:
        return DeliveryState.DELIVERED
    settled = {JobState.DEAD: DeliveryState.SET_ASIDE, JobState.DONE: DeliveryState.SKIPPED}
    return DeliveryState.WAITING if job is None else settled.get(job, DeliveryState.WAITING)
