"""Jobs as an operator sees them: what each is about, and what becomes of one that was set aside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from amrg.service import audit, queue
from amrg.service.database.engine import database_now
from amrg.service.database.tables import DeliveryRow, JobKind, JobRow, JobState, StudyRow, VersionRow
from amrg.service.delivering import skip_delivery
from amrg.service.queue import NoSuchJob


@dataclass(frozen=True)
class ListedJob:
    """A job, the study that it is about (empty for a pull by other keys), and its partner, where it has one."""

    row: JobRow
    study_instance_uid: str
    partner: str


def list_jobs(session: Session, state: JobState | None, kind: JobKind | None, limit: int) -> list[ListedJob]:
    """The newest jobs first; those of one state or kind where they are named."""
    found = select(JobRow).order_by(JobRow.id.desc()).limit(limit)
    if state is not None:
        found = found.where(JobRow.state == state)
    if kind is not None:
        found = found.where(JobRow.kind == kind)
    return listed_jobs(session, session.scalars(found).all())


def find_job(session: Session, job_id: int) -> ListedJob:
    """The job of a number.

    Raises:
        NoSuchJob: there is none.
    """
    row = session.get(JobRow, job_id)
    if row is None:
        raise NoSuchJob(f"job {job_id}: does not exist; `amrg jobs list` has those that do")
    return listed_jobs(session, [row])[0]


def listed_jobs(session: Session, rows: Sequence[JobRow]) -> list[ListedJob]:
    """Jobs as they are listed, in the same order."""
    deliveries = {
        number: (study, destination)
        for number, destination, study in session.execute(
            select(DeliveryRow.id, DeliveryRow.destination, StudyRow.study_instance_uid)
            .join(VersionRow, VersionRow.id == DeliveryRow.version_id)
            .join(StudyRow, StudyRow.id == VersionRow.study_id)
            .where(DeliveryRow.id.in_(_numbers(rows, "delivery_id")))
        )
    }
    by_number = select(StudyRow.id, StudyRow.study_instance_uid)
    of = [*_numbers(rows, "study_id"), *_numbers(rows, "for_study")]
    studies = {row.id: row.study_instance_uid for row in session.execute(by_number.where(StudyRow.id.in_(of)))}
    return [_listed(row, deliveries, studies) for row in rows]


def _numbers(rows: Sequence[JobRow], name: str) -> list[int]:
    return [row.payload[name] for row in rows if row.payload.get(name) is not None]


def _listed(row: JobRow, deliveries: dict[int, tuple[str, str]], studies: dict[int, str]) -> ListedJob:
    payload = row.payload
    if row.kind is JobKind.DELIVER:
        return ListedJob(row, *deliveries.get(payload["delivery_id"], ("", "")))
    study = payload.get("study_instance_uid") or studies.get(payload.get("study_id") or payload.get("for_study") or 0)
    return ListedJob(row, study or "", payload.get("source", ""))


def skip_job(session: Session, job_id: int, actor: str) -> JobRow:
    """Settle a job that was set aside without doing it; what waits for it can continue. Recorded in the audit trail.

    Raises:
        NoSuchJob: there is none of that number, or it was not set aside.
    """
    job = session.get(JobRow, job_id, with_for_update=True)
    if job is None or job.state is not JobState.DEAD:
        found = "does not exist" if job is None else f"is {job.state}"
        raise NoSuchJob(f"job {job_id}: {found}; only a dead job is skipped")
    if job.kind is JobKind.DELIVER:
        skip_delivery(session, int(job.payload["delivery_id"]), actor)
        return job
    job.state, job.finished_at = JobState.DONE, database_now(session)
    audit.append(session, actor, "job skipped", job.key, {"job": job.id})
    return job


def retry_all(session: Session, kind: JobKind | None, actor: str) -> list[JobRow]:
    """Run all jobs again that were set aside, or those of a kind."""
    dead = select(JobRow.id).where(JobRow.state == JobState.DEAD).order_by(JobRow.id)
    found = session.scalars(dead if kind is None else dead.where(JobRow.kind == kind)).all()
    return [queue.retry(session, number, actor) for number in found]
