"""The worker: drafts the studies that are complete. A process of its own, and the only one that loads a model."""

from __future__ import annotations

import logging
import os
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import update
from sqlalchemy.orm import Session, sessionmaker

from amrg.birads import Draft
from amrg.birads.version import unsigned_version
from amrg.core.errors import AmrgError
from amrg.generation import Drafted, Engine, NoAnswer, draft_studies
from amrg.generation.batch import NotDrafted
from amrg.generation.engines.base import EngineLost, ServerLost
from amrg.generation.engines.fixed import FixedEngine
from amrg.generation.engines.loading import LOCAL, OPENAI, load_engine, refuse_missing
from amrg.imaging import Intake, read_studies
from amrg.service import audit, queue
from amrg.service.database.engine import database_now, reading
from amrg.service.database.tables import JobKind, StudyRow, StudyState, VersionRow
from amrg.service.delivering import queue_deliveries
from amrg.service.processes.job_loop import JobLoop
from amrg.service.queue import Away, Lease
from amrg.service.settings import Settings
from amrg.service.storage import Storage
from amrg.service.studies import StoredImage, current_images, locked, prior_images
from amrg.service.versions import add_version, newest_version

log = logging.getLogger(__name__)

FIXED = "fixed"
"""The name of the engine that writes a constant text: for trying the service without a model."""


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
    JobLoop(sessions, worker, {JobKind.DRAFT: drafting.draft}, settings.jobs, stop).run()


def load(model: str | None, engine: str = LOCAL) -> Engine:
    """The engine of a model by its folder or name, None for the embedded one; `engine` is where it runs.

    Raises:
        EngineNameError: there is no such engine, or none that runs this model.
        ModelError: the model is missing or cannot be used, or a server is not trusted with it.
        ServerLost: the server does not answer.
    """
    return FixedEngine() if model == FIXED and engine == LOCAL else load_engine(model, engine=engine)


def missing_engine(settings: Settings) -> str:
    """What the settings lack for their engine, as far as this machine knows; empty where nothing is."""
    if settings.model == FIXED and settings.engine == LOCAL:
        return ""
    try:
        refuse_missing(settings.engine, settings.model)
    except AmrgError as error:
        return str(error)
    return ""


def refused_server(settings: Settings) -> str:
    """Why the server that the settings name may not draft; empty where it may, or none is named."""
    try:
        if settings.engine.startswith(OPENAI):
            load(settings.model, settings.engine)
    except AmrgError as error:
        return f"engine: {error}"
    return ""


@dataclass(frozen=True)
class Drafting:
    """Drafts of the service's studies by one engine."""

    settings: Settings
    sessions: sessionmaker[Session]
    storage: Storage
    engine: Engine

    def draft(self, lease: Lease) -> None:
        """Draft a study and commit the draft with the end of the job, or discard it where more images have arrived.

        Raises:
            Away: the engine's server does not answer, or not as at the start.
            LeaseLost: another worker has the job by now.
            NoAnswer: the engine gave no complete answer.
        """
        study_id, revision = int(lease.payload["study_id"]), int(lease.payload["image_revision"])
        with reading(self.sessions) as session:
            study = session.get_one(StudyRow, study_id)
            uid, due = study.study_instance_uid, _is_due(study, revision)
            images = current_images(session, self.storage, study_id)
            priors = prior_images(session, self.storage, study)
        if not due:
            with self.sessions.begin() as session:
                queue.finish(session, lease)
            return
        with self._together([*images, *priors]) as folder:
            result = self._result(read_studies(folder), uid, {_name(image) for image in images})
        with self.sessions.begin() as session:
            study = locked(session, study_id)
            queue.finish(session, lease)
            if _is_due(study, revision):
                _commit(session, study, result, self.settings)

    def _result(self, intake: Intake, uid: str, names: set[str]) -> Draft | str:
        """The draft of a study, or why it has none."""
        found = [study for study in intake.studies if any(m.source.name in names for m in study.mammograms)]
        if not found:
            problems = [problem.message for problem in intake.problems if problem.file in names]
            aside = sorted({item.reason for item in intake.set_aside if item.file in names})
            return problems[0] if problems else f"no screening view: {'; '.join(aside) or 'no image'}"
        if len(found) > 1:
            return f"its images are of {len(found)} exams by their headers; send each exam as a study of its own"
        # A collection may group its files by another identifier than the study that was sent.
        study = found[0].model_copy(update={"study_instance_uid": uid})
        try:
            (outcome,) = draft_studies([study], self.engine)
        except EngineLost as error:
            raise Away(str(error)) from error
        if isinstance(outcome, NotDrafted):
            raise NoAnswer(outcome.message)
        return outcome.draft if isinstance(outcome, Drafted) else outcome.message

    @contextmanager
    def _together(self, images: Sequence[StoredImage]) -> Iterator[Path]:
        """A folder with links to images, by names of our own."""
        place = self.storage.folder / "drafting"
        place.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=place) as folder:
            for image in images:
                if image.file.exists():
                    os.link(image.file, Path(folder) / _name(image))
            yield Path(folder)


def _name(image: StoredImage) -> str:
    return f"image-{image.instance_id}.dcm"


def _is_due(study: StudyRow, revision: int) -> bool:
    """Whether a study still waits for a draft of the images that a job names."""
    return study.state is StudyState.WAITING and study.image_revision == revision


def _commit(session: Session, study: StudyRow, result: Draft | str, settings: Settings) -> None:
    """A new version that supersedes the last, with its deliveries; or why there is none."""
    if isinstance(result, str):
        stale = (VersionRow.study_id == study.id, ~VersionRow.superseded)
        session.execute(update(VersionRow).where(*stale).values(superseded=True))
        study.state, study.reason = StudyState.NOT_DRAFTED, result
        audit.append(session, audit.SYSTEM, "study not drafted", study.study_instance_uid, {"reason": result})
        return
    last = newest_version(session, study)
    version = unsigned_version(result, database_now(session), 1 if last is None else last.number + 1)
    row = add_version(session, study, version, study.image_revision, audit.SYSTEM)
    study.state, study.reason = StudyState.DRAFTED, ""
    queue_deliveries(session, row, settings)
    detail = {"version": row.number, "image_revision": row.image_revision, "sha256": row.sha256}
    audit.append(session, audit.SYSTEM, "study drafted", study.study_instance_uid, detail)
