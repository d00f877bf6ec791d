"""The worker: drafts the studies that are complete. A process of its own, and the only one that loads a model."""

from __future__ import annotations

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
from amrg.generation import Drafted, Engine, draft_studies
from amrg.generation.engines.fixed import FixedEngine
from amrg.imaging import Intake, read_studies
from amrg.service import audit, queue
from amrg.service.database.engine import database_now, reading
from amrg.service.database.tables import JobKind, StudyRow, StudyState, VersionRow
from amrg.service.delivering import queue_deliveries
from amrg.service.processes.job_loop import JobLoop
from amrg.service.queue import Lease
from amrg.service.settings import Settings
from amrg.service.storage import Storage
from amrg.service.studies import StoredImage, current_images, locked, prior_images
from amrg.service.versions import add_version, newest_version

FIXED = "fixed"
"""The name of the engine that writes a constant text: for trying the service without a model."""


def run_worker(settings: Settings, sessions: sessionmaker[Session], worker: str, stop: threading.Event) -> None:
    """Draft until stopped.

    Raises:
        ModelError: the model is missing or cannot be used.
    """
    drafting = Drafting(settings, sessions, Storage(settings.images), load(settings.model))
    JobLoop(sessions, worker, {JobKind.DRAFT: drafting.draft}, settings.jobs, stop).run()


def load(model: str | None) -> Engine:
    """The engine of a model by its folder or name, None for the embedded one.

    Raises:
        ModelError: the model is missing or cannot be used.
    """
    if model == FIXED:
        return FixedEngine()
    from amrg.generation.engines.loading import load_engine  # noqa: PLC0415  (torch, which `fixed` does without)

    return load_engine(model)


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
            LeaseLost: another worker has the job by now.
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
        (outcome,) = draft_studies([found[0].model_copy(update={"study_instance_uid": uid})], self.engine)
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
