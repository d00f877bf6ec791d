"""The loop of every worker: take a job, hold it while it is done, and account for whatever becomes of it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from amrg.core.errors import AmrgError
from amrg.service import audit, queue
from amrg.service.database.tables import JobKind, JobRow, JobState
from amrg.service.queue import Away, Lease, LeaseLost
from amrg.service.settings import JobSettings
from amrg.service.studies import study_failed

log = logging.getLogger(__name__)

IDLE_SECONDS = 0.5


class Permanent(AmrgError):
    """A job that no further attempt would help."""


Handler = Callable[[Lease], None]
"""Does a job and commits it, `queue.finish` included. Raises where it could not; `Permanent` where it never will."""


def _nothing() -> None:
    """What most workers do when they have no job."""


@dataclass(frozen=True)
class JobLoop:
    """A worker: its name, its jobs by kind, and when it stops; `idle` is called whenever it finds no job, and last."""

    sessions: sessionmaker[Session]
    worker: str
    handlers: dict[JobKind, Handler]
    settings: JobSettings
    stop: threading.Event
    idle: Callable[[], None] = _nothing

    def run(self) -> None:
        """Do jobs until the worker is stopped; the one that has begun is done first.

        Raises:
            Away: what all of them need is away.
        """
        while not self.stop.is_set():
            try:
                lease = queue.take(self.sessions, self.handlers, self.worker, self.settings, self._died)
            except SQLAlchemyError as error:
                log.warning("%s: the database is away (%s)", self.worker, type(error).__name__)
                self.stop.wait(1)
                continue
            if lease is None:
                self.idle()
                self.stop.wait(IDLE_SECONDS)
            else:
                self.do(lease)
        self.idle()

    def do(self, lease: Lease) -> None:
        """Do one job. What went wrong is in the job's row.

        Raises:
            Away: what every job needs is away; this one failed.
        """
        try:
            with queue.heartbeat(self.sessions, lease):
                self.handlers[lease.kind](lease)
        except LeaseLost:
            log.warning("job %d: its lease was lost, what was done is discarded", lease.job_id)
        except Away as error:
            self._failed(lease, error)
            raise
        except Exception as error:
            log.warning("job %d failed in attempt %d: %s", lease.job_id, lease.attempt, _why(error))
            self._failed(lease, error)

    def _failed(self, lease: Lease, error: Exception) -> None:
        why = _why(error)
        try:
            with self.sessions.begin() as session:
                if isinstance(error, Permanent):
                    queue.give_up(session, lease, why)
                    state = JobState.DEAD
                else:
                    state = queue.fail(session, lease, why, self.settings)
                if state is JobState.DEAD:
                    self._died(session, session.get_one(JobRow, lease.job_id))
        except (LeaseLost, SQLAlchemyError) as second:
            log.warning("job %d: its failure could not be recorded (%s)", lease.job_id, type(second).__name__)

    def _died(self, session: Session, job: JobRow) -> None:
        """What a job that was given up means for its study; in the transaction that gives it up."""
        session.refresh(job)
        if job.kind is JobKind.DRAFT:
            study_failed(session, job.payload["study_id"], job.payload["image_revision"], job.error)
        audit.append(session, audit.SYSTEM, "job set aside", job.key, {"job": job.id, "error": job.error})


def _why(error: Exception) -> str:
    """What went wrong: only amrg's own messages are sure to name no patient."""
    return str(error) if isinstance(error, AmrgError) else type(error).__name__
