"""Jobs: rows that workers hold by leases, in the same database as what they change.

A job is added, and finished, in the transaction of the change that it belongs to: both are there or neither is. A
worker holds a job until a time of the database's clock, and renews that while it works. Every lease has the next
`fence` number, and only its holder may finish the job: a worker that was stopped for too long can neither commit nor
send what it made. See docs/decisions/0029.
"""

from __future__ import annotations

import datetime
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, and_, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import CursorResult
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from amrg.core.errors import AmrgError
from amrg.core.threads import repeated
from amrg.service import audit
from amrg.service.database.engine import database_now
from amrg.service.database.tables import JobKind, JobRow, JobState, StudyRow, StudyState
from amrg.service.settings import JobSettings

_LONGEST_ERROR = 1000


class LeaseLost(AmrgError):
    """A job that another worker may have by now: nothing of it may be committed or sent."""


class Away(AmrgError):
    """What every job of a worker needs is away: its process ends, and the supervisor starts it again after a while."""


class NoSuchJob(AmrgError):
    """A job that does not exist, or is not in a state to be run again."""


@dataclass(frozen=True)
class Lease:
    """A job that this worker holds. `attempt` counts from 1; `seconds` is how long a renewal lasts."""

    job_id: int
    kind: JobKind
    key: str
    payload: Mapping[str, Any]
    fence: int
    attempt: int
    seconds: float


def add(
    session: Session,
    kind: JobKind,
    key: str,
    payload: Mapping[str, Any],
    run_after: datetime.datetime | None = None,
) -> JobRow:
    """The job of a key: a new one, or the one that is there already, whatever became of it.

    It is there for workers when the session's transaction commits.
    """
    now = database_now(session)
    values = {
        "kind": kind,
        "key": key,
        "payload": dict(payload),
        "state": JobState.WAITING,
        "attempts": 0,
        "losses": 0,
        "fence": 0,
        "worker": "",
        "error": "",
        "run_after": run_after or now,
        "created_at": now,
    }
    insert = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
    session.execute(insert(JobRow).values(**values).on_conflict_do_nothing(index_elements=["key"]))
    return session.execute(select(JobRow).where(JobRow.key == key)).scalar_one()


def take(
    sessions: sessionmaker[Session],
    kinds: Iterable[JobKind],
    worker: str,
    settings: JobSettings,
    died: Callable[[Session, JobRow], None] | None = None,
) -> Lease | None:
    """The job whose turn it is, leased to a worker; None where none is.

    A job whose lease ran out is taken again. One that `settings.losses` workers did not survive is set aside: it may be
    what ends them. `died` is called for it, in the transaction that sets it aside.
    """
    kinds = tuple(kinds)
    with sessions.begin() as session:
        while (job := _next(session, kinds)) is not None:
            if job.state is JobState.RUNNING:
                job.losses += 1
                if job.losses >= settings.losses:
                    _bury(session, job, f"set aside: the worker ended {job.losses} times while it had this job")
                    if died is not None:
                        died(session, job)
                    continue
            job.state = JobState.RUNNING
            job.attempts += 1
            job.fence += 1
            job.worker = worker
            job.leased_until = database_now(session) + datetime.timedelta(seconds=settings.lease_seconds)
            return Lease(job.id, job.kind, job.key, dict(job.payload), job.fence, job.attempts, settings.lease_seconds)
    return None


def next_payload(session: Session, kind: JobKind) -> Mapping[str, Any] | None:
    """The payload of the job of a kind whose turn is next, which stays for whoever takes it; None where none waits."""
    job = session.scalar(_due(session, [kind]))
    return job.payload if job is not None and job.state is JobState.WAITING else None


def _next(session: Session, kinds: Iterable[JobKind]) -> JobRow | None:
    return session.execute(_due(session, kinds).with_for_update(skip_locked=True)).scalar_one_or_none()


def _due(session: Session, kinds: Iterable[JobKind]) -> Select[JobRow]:
    """The job whose turn is next."""
    now = database_now(session)
    due = or_(
        and_(JobRow.state == JobState.WAITING, JobRow.run_after <= now),
        and_(JobRow.state == JobState.RUNNING, JobRow.leased_until < now),
    )
    return select(JobRow).where(JobRow.kind.in_(list(kinds)), due).order_by(JobRow.run_after, JobRow.id).limit(1)


def renew(session: Session, lease: Lease) -> None:
    """Hold a job for longer.

    Raises:
        LeaseLost: the lease has run out, or another worker has the job.
    """
    now = database_now(session)
    until = now + datetime.timedelta(seconds=lease.seconds)
    _change(session, lease, JobRow.leased_until >= now, leased_until=until)


def finish(session: Session, lease: Lease) -> None:
    """Mark a job as done, in the transaction of what it changed.

    Raises:
        LeaseLost: another worker has the job by now. The transaction must not commit.
    """
    _change(session, lease, state=JobState.DONE, finished_at=database_now(session), leased_until=None, error="")


def fail(session: Session, lease: Lease, error: str, settings: JobSettings) -> JobState:
    """Put a job back, to be tried later, or set it aside after its last attempt; returns which.

    `error` must name no patient. Waits double from `backoff_seconds` on. What depends on a partner has more attempts.

    Raises:
        LeaseLost: another worker has the job by now.
    """
    alone = lease.kind is JobKind.DRAFT
    if lease.attempt >= (settings.attempts if alone else settings.partner_attempts):
        give_up(session, lease, error)
        return JobState.DEAD
    now = database_now(session)
    wait = min(settings.backoff_seconds * 2 ** min(lease.attempt - 1, 30), settings.longest_backoff_seconds)
    _change(
        session,
        lease,
        state=JobState.WAITING,
        run_after=now + datetime.timedelta(seconds=wait),
        leased_until=None,
        error=error[:_LONGEST_ERROR],
    )
    return JobState.WAITING


def give_up(session: Session, lease: Lease, error: str) -> None:
    """Set a job aside that no further attempt would help.

    Raises:
        LeaseLost: another worker has the job by now.
    """
    now = database_now(session)
    _change(session, lease, state=JobState.DEAD, finished_at=now, leased_until=None, error=error[:_LONGEST_ERROR])


def release(session: Session, worker: str) -> int:
    """End the leases of a worker that is known to have ended, so that its jobs need not wait; returns how many."""
    now = database_now(session) - datetime.timedelta(seconds=1)
    held = update(JobRow).where(JobRow.worker == worker, JobRow.state == JobState.RUNNING, JobRow.leased_until > now)
    return _count(session.execute(held.values(leased_until=now)))


def put_back(session: Session, lease: Lease) -> None:
    """Return a job that was not begun, or not finished, because the worker is stopping: it costs no attempt.

    Raises:
        LeaseLost: another worker has the job by now.
    """
    now = database_now(session)
    _change(session, lease, state=JobState.WAITING, run_after=now, leased_until=None, attempts=lease.attempt - 1)


def retry(session: Session, job_id: int, actor: str) -> JobRow:
    """Run a job again that was set aside, from its first attempt on; recorded in the audit trail.

    Raises:
        NoSuchJob: there is none of that number, or it was not set aside.
    """
    job = session.get(JobRow, job_id, with_for_update=True)
    if job is None or job.state is not JobState.DEAD:
        raise NoSuchJob(
            f"job {job_id}: {'does not exist' if job is None else f'is {job.state}'}; only a dead job is run again"
        )
    job.state, job.attempts, job.losses, job.finished_at = JobState.WAITING, 0, 0, None
    job.run_after = database_now(session)
    if job.kind is JobKind.DRAFT:
        its = (StudyRow.id == job.payload.get("study_id"), StudyRow.image_revision == job.payload.get("image_revision"))
        failed = update(StudyRow).where(*its, StudyRow.state == StudyState.FAILED)
        session.execute(failed.values(state=StudyState.WAITING, reason="", revision=StudyRow.revision + 1))
    audit.append(session, actor, "job run again", job.key, {"job": job.id})
    return job


def counts(session: Session) -> dict[tuple[JobKind, JobState], int]:
    """How many jobs there are of each kind in each state."""
    rows = session.execute(select(JobRow.kind, JobRow.state, func.count()).group_by(JobRow.kind, JobRow.state))
    return {(kind, state): number for kind, state, number in rows}


def is_full(session: Session, settings: JobSettings) -> bool:
    """Whether so many studies wait to be drafted that no more should be sent: senders are asked to come again."""
    waiting = select(func.count()).where(JobRow.kind == JobKind.DRAFT, JobRow.state == JobState.WAITING)
    return (session.scalar(waiting) or 0) >= settings.most_waiting


@contextmanager
def heartbeat(sessions: sessionmaker[Session], lease: Lease) -> Iterator[threading.Event]:
    """Renew a lease at a third of its length while the block runs; the event is set where that fails for good."""
    lost = threading.Event()

    def beat() -> bool:
        try:
            with sessions.begin() as session:
                renew(session, lease)
        except LeaseLost:
            lost.set()
        except SQLAlchemyError:
            pass  # the database is away: the next beat tries again, and the commit checks the fence
        return not lost.is_set()

    with repeated(beat, lease.seconds / 3, f"lease-{lease.job_id}"):
        yield lost


def _change(session: Session, lease: Lease, *also: Any, **values: Any) -> None:
    """Change a job that this worker holds.

    Raises:
        LeaseLost: it does not hold it any more.
    """
    mine = (JobRow.id == lease.job_id, JobRow.fence == lease.fence, JobRow.state == JobState.RUNNING, *also)
    changed = session.execute(update(JobRow).where(*mine).values(**values))
    if _count(changed) != 1:
        raise LeaseLost(f"job {lease.job_id}: its lease {lease.fence} has ended; the work is discarded")


def _bury(session: Session, job: JobRow, error: str) -> None:
    job.state, job.error, job.leased_until = JobState.DEAD, error, None
    job.finished_at = database_now(session)
    session.flush()


def _count(result: Any) -> int:
    assert isinstance(result, CursorResult)
    return result.rowcount
