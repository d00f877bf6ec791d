"""The worker's loop, and what it does with a job: a study read, drafted and committed."""

from __future__ import annotations

import logging
import threading

from sqlalchemy import update
from sqlalchemy.orm import Session, sessionmaker

from amrg.birads import Draft, Status
from amrg.birads.version import unsigned_version
from amrg.core.errors import AmrgError
from amrg.generation import Drafted, Engine, NoAnswer, NotDrafted, Prepared, draft_prepared
from amrg.generation.engines.base import EngineLost, ServerLost
from amrg.service import audit, queue
from amrg.service.database.engine import database_now, reading
from amrg.service.database.tables import JobKind, StudyRow, StudyState, VersionRow
from amrg.service.delivering import queue_deliveries
from amrg.service.processes.job_loop import JobLoop
from amrg.service.queue import Away, Lease
from amrg.service.settings import Settings
from amrg.service.storage import Storage
from amrg.service.studies import locked
from amrg.service.versions import add_version, newest_version, read_version
from amrg.service.worker.engine import load
from amrg.service.worker.reading import ReadAhead, find_waiting, is_due, read_waiting

log = logging.getLogger(__name__)


def run_worker(settings: Settings, sessions: sessionmaker[Session], worker: str, stop: threading.Event) -> None:
    """Draft until stopped.

    Raises:
        Away: the engine's server does not answer, or not as at the start.
        EngineNameError, ModelError: the model or its engine is missing or cannot be used.
    """
    try:
        engine = load(settings.model, settings.engine)
    except ServerLost as error:
        raise Away(str(error)) from error
    for note in engine.notes:
        log.warning("%s", note)
    drafting = Drafting(settings, sessions, Storage(settings.images), engine)
    JobLoop(sessions, worker, {JobKind.DRAFT: drafting.draft}, settings.jobs, stop, drafting.confirm).run()


class Drafting:
    """Drafts of the service's studies by one engine."""

    def __init__(self, settings: Settings, sessions: sessionmaker[Session], storage: Storage, engine: Engine) -> None:
        """`engine` drafts one study after another; the next one is read meanwhile."""
        self.settings, self.sessions, self.storage, self.engine = settings, sessions, storage, engine
        self._ahead = ReadAhead(lambda waiting: read_waiting(storage, waiting, engine))

    def draft(self, lease: Lease) -> None:
        """Draft a study and commit the draft with the end of the job, or discard it where more images have arrived.

        Raises:
            Away: the engine's server does not answer, or not as at the start.
            LeaseLost: another worker has the job by now.
            NoAnswer: the engine gave no complete answer.
        """
        with reading(self.sessions) as session:
            waiting = find_waiting(session, self.storage, lease.payload)
        if waiting is None:
            with self.sessions.begin() as session:
                queue.finish(session, lease)
            return
        prepared = self._ahead.take(waiting)
        if lease.attempt == 1 and self.settings.jobs.losses > 1:
            self._begin_next()  # not beside a study that may have ended a worker: which one does must be known
        result = prepared if isinstance(prepared, str) else self._result(prepared)
        with self.sessions.begin() as session:
            study = locked(session, waiting.study_id)
            queue.finish(session, lease)
            if is_due(study, waiting.image_revision):
                _commit(session, study, result, self.settings)

    def confirm(self) -> None:
        """What the engine answered last is of the model that it was at the start.

        Raises:
            Away: it is not, or the engine's server does not answer.
        """
        try:
            self.engine.confirm()
        except AmrgError as error:
            raise Away(str(error)) from error

    def _begin_next(self) -> None:
        with reading(self.sessions) as session:
            payload = queue.next_payload(session, JobKind.DRAFT)
            waiting = None if payload is None else find_waiting(session, self.storage, payload)
        if waiting is not None:
            self._ahead.begin(waiting)

    def _result(self, prepared: Prepared) -> Draft | str:
        """The draft of a study, or why it has none."""
        try:
            (outcome,) = draft_prepared([prepared], self.engine)
        except EngineLost as error:
            raise Away(str(error)) from error
        if isinstance(outcome, NotDrafted):
            raise NoAnswer(outcome.message)
        return outcome.draft if isinstance(outcome, Drafted) else outcome.message


def _commit(session: Session, study: StudyRow, result: Draft | str, settings: Settings) -> None:
    """A new version that supersedes the last, with its deliveries; or why there is none."""
    if isinstance(result, str):
        stale = (VersionRow.study_id == study.id, ~VersionRow.superseded)
        session.execute(update(VersionRow).where(*stale).values(superseded=True))
        study.state, study.reason = StudyState.NOT_DRAFTED, result
        audit.append(session, audit.SYSTEM, "study not drafted", study.study_instance_uid, {"reason": result})
        return
    last = newest_version(session, study)
    number = 1 if last is None else last.number + 1
    version = unsigned_version(result, database_now(session), number, "" if last is None else _replaced(last))
    row = add_version(session, study, version, study.image_revision, audit.SYSTEM)
    study.state, study.reason = StudyState.DRAFTED, ""
    queue_deliveries(session, row, settings)
    detail = {"version": row.number, "image_revision": row.image_revision, "sha256": row.sha256}
    audit.append(session, audit.SYSTEM, "study drafted", study.study_instance_uid, detail)


def _replaced(last: VersionRow) -> str:
    """Which changes of readers a draft in place of a version has not; those that nobody acknowledged since, too."""
    version = read_version(last)
    if version.status is not Status.PRELIMINARY:
        return version.reason if version.status is Status.DRAFT else ""
    changes = f"new images were drafted; this draft has none of the changes of version {last.number} by {last.author}"
    return f"{changes}; {version.reason}" if version.reason else changes
