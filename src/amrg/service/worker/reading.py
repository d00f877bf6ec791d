"""Received images read for the engine: those of the study whose turn is next, while the engine drafts another."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from amrg.generation import Engine, Prepared, prepare_study
from amrg.imaging import Intake, read_studies
from amrg.service.database.tables import StudyRow, StudyState
from amrg.service.storage import Storage
from amrg.service.studies import StoredImage, current_images, prior_images


@dataclass(frozen=True)
class WaitingStudy:
    """A study that waits for the draft of the images that it has now, and those images."""

    study_id: int
    image_revision: int
    study_instance_uid: str
    images: tuple[StoredImage, ...]
    priors: tuple[StoredImage, ...]


def find_waiting(session: Session, storage: Storage, payload: Mapping[str, Any]) -> WaitingStudy | None:
    """The study of a job to draft; None where it waits no longer for a draft of the images that the job names."""
    study = session.get_one(StudyRow, int(payload["study_id"]))
    revision = int(payload["image_revision"])
    if not is_due(study, revision):
        return None
    images, priors = current_images(session, storage, study.id), prior_images(session, storage, study)
    return WaitingStudy(study.id, revision, study.study_instance_uid, tuple(images), tuple(priors))


def is_due(study: StudyRow, image_revision: int) -> bool:
    """Whether a study still waits for a draft of the images that a job names."""
    return study.state is StudyState.WAITING and study.image_revision == image_revision


def read_waiting(storage: Storage, waiting: WaitingStudy, engine: Engine) -> Prepared | str:
    """A study ready for an engine, or why it has no draft."""
    names = {_name(image) for image in waiting.images}
    with _together(storage, [*waiting.images, *waiting.priors]) as folder:
        intake = read_studies(folder)
        found = [study for study in intake.studies if any(m.source.name in names for m in study.mammograms)]
        if len(found) != 1:
            return _no_exam(intake, names) if not found else _several_exams(len(found))
        # A collection may group its files by another identifier than the study that was sent.
        study = found[0].model_copy(update={"study_instance_uid": waiting.study_instance_uid})
        return prepare_study(study, engine)


def _no_exam(intake: Intake, names: set[str]) -> str:
    problems = [problem.message for problem in intake.problems if problem.file in names]
    aside = sorted({item.reason for item in intake.set_aside if item.file in names})
    return problems[0] if problems else f"no screening view: {'; '.join(aside) or 'no image'}"


def _several_exams(count: int) -> str:
    return f"its images are of {count} exams by their headers; send each exam as a study of its own"


@contextmanager
def _together(storage: Storage, images: Sequence[StoredImage]) -> Iterator[Path]:
    """A folder with links to images, by names of our own."""
    place = storage.folder / "drafting"
    place.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place) as folder:
        for image in images:
            if image.file.exists():
                os.link(image.file, Path(folder) / _name(image))
        yield Path(folder)


def _name(image: StoredImage) -> str:
    """A name that a person finds in the API: UIDs are digits and dots, and another study may have the same one."""
    return f"{image.sop_instance_uid}-{image.instance_id}.dcm"


class ReadAhead:
    """Reads one study in a thread, until it is asked for; another one that is asked for is read at that moment."""

    def __init__(self, read: Callable[[WaitingStudy], Prepared | str]) -> None:
        """`read` is what reads a study; it is used in both threads."""
        self._read = read
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="read-ahead")
        self._begun: tuple[WaitingStudy, Future[Prepared | str]] | None = None

    def begin(self, waiting: WaitingStudy) -> None:
        """Begin to read the study that is expected next, in place of any other."""
        if self._begun is not None:
            self._begun[1].cancel()
        self._begun = waiting, self._thread.submit(self._read, waiting)

    def take(self, waiting: WaitingStudy) -> Prepared | str:
        """A study as it was read. One whose images have changed since it was begun is read again.

        Raises:
            Exception: what `read` raised over it.
        """
        begun, self._begun = self._begun, None
        if begun is None:
            return self._read(waiting)
        expected, future = begun
        if expected == waiting:
            return future.result()
        future.cancel()
        return self._read(waiting)
