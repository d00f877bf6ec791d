"""What became of every task, a file each, written whole: what an interrupted run resumes from.

A record holds for the same software, model, options and files only. The files are compared by size and time, as git
does; where those differ, by content, so that a copy of the input counts as the same.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from enum import StrEnum
from functools import cache
from importlib.resources import files
from pathlib import Path

from pydantic import ValidationError

import amrg
from amrg.core.files import write_text
from amrg.core.hashing import sha256_of_file, sha256_of_lines, sha256_of_text
from amrg.core.values import Value
from amrg.generation.bulk.index import StudyTask
from amrg.generation.drafting import DraftOptions
from amrg.generation.engines.base import Engine
from amrg.generation.outputs import FORMATS, withdraw_folder
from amrg.generation.saving import read_manifest
from amrg.imaging import Problem, SetAside
from amrg.imaging.containers import DRAFT_MANIFEST
from amrg.imaging.intake import DECODER_ENDED

RECORDS = ".records"
"""The folder of records inside the folder of reports; hidden, so that `*/` is the studies."""
ATTEMPTS = f"{RECORDS}/attempts"
"""The folder of what is in work, inside it."""
_ROOMS = ("birads", "core", "generation", "imaging", "models")  # the code that a draft depends on


class StudyStatus(StrEnum):
    """What became of a study."""

    DRAFTED = "drafted"
    REFUSED = "refused"
    UNREADABLE = "unreadable"
    UNANSWERED = "unanswered"
    NO_VIEW = "no_view"
    FAILED = "failed"


RETRIED = (StudyStatus.UNREADABLE, StudyStatus.UNANSWERED, StudyStatus.FAILED)
"""What another attempt may change; a refused study is refused again, and one without a screening view has none."""


class StudyOutcome(Value):
    """What became of one study: its draft's folder and document, or why there is none, by kind and in one line.

    `images` is how many views were read; `missing` names views that the study lacks; `edited`, `removed`
    and `written` are names of files as in `Saved`. `folder` is a name in the folder of reports.
    """

    study_instance_uid: str
    status: StudyStatus
    date: str = ""
    folder: str = ""
    document: str = ""
    images: int = 0
    kind: str = ""
    message: str = ""
    missing: tuple[str, ...] = ()
    edited: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    written: tuple[str, ...] = ()


class TaskRecord(Value):
    """What became of a task's studies and of its files that are part of none.

    `key` and `content` say what the outcomes were made with and of; `stat` is the files' sizes and times.
    `batch_size` is how many studies the engine took together at most: in bfloat16 a text may depend on it.
    """

    key: str
    stat: str
    content: str
    batch_size: int = 1
    rows: tuple[StudyOutcome, ...] = ()
    set_aside: tuple[SetAside, ...] = ()
    problems: tuple[Problem, ...] = ()


def run_key(engine: Engine, options: DraftOptions, identified: bool) -> str:
    """A hash of all that a draft depends on besides the study: the software, the model, its settings, the options."""
    made_with = (engine.identity.model_dump_json(), engine.settings.model_dump_json(), repr(options), str(identified))
    return sha256_of_text(_software(), *made_with)


@cache
def _software() -> str:
    """A hash of amrg's own code, so that a changed checkout drafts again."""
    root = Path(str(files(amrg)))
    sources = sorted(path for room in _ROOMS for path in (root / room).rglob("*.py"))
    return sha256_of_lines(
        (amrg.__version__, *(f"{path.relative_to(root)} {sha256_of_file(path)}" for path in sources))
    )


class RecordStore:
    """The records of a folder of reports."""

    def __init__(self, folder: Path, key: str, formats: Sequence[str], retry_failed: bool = False) -> None:
        """Records of runs with one `run_key`, finished where `formats` are written."""
        self.folder, self._key, self._retry = folder, key, retry_failed
        self._files = [FORMATS[name].file for name in formats]

    def finished(self, task: StudyTask) -> TaskRecord | None:
        """The record of a task that needs no further work, its rows as the folder is now; None where it does."""
        record = read_record(self._path(task))
        if record is None or record.key != self._key or not self._same_files(task, record):
            return None
        if self._retry and any(row.status in RETRIED for row in record.rows):
            return None
        rows = [self._checked(row) for row in record.rows]
        found = [row for row in rows if row is not None]
        return record.model_copy(update={"rows": tuple(found)}) if len(found) == len(rows) else None

    def new(self, task: StudyTask) -> TaskRecord:
        """An empty record of a task's files as they are now. One with a file that cannot be read holds for no rerun."""
        try:
            return TaskRecord(key=self._key, stat=_stat(task), content=_content(task))
        except OSError:
            return TaskRecord(key="", stat="", content="")

    def write(self, task: StudyTask, record: TaskRecord) -> None:
        """Write a task's record, whole or not at all; its file's time is when the task ended."""
        path = self._path(task)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, [record.model_dump_json(exclude_defaults=True)])
        now = time.time()
        os.utime(path, (now, now))  # by this machine's clock, as engines are: a file server may have another

    def _path(self, task: StudyTask) -> Path:
        return _record_path(self.folder, task)

    @staticmethod
    def _same_files(task: StudyTask, record: TaskRecord) -> bool:
        try:
            return record.stat == _stat(task) or record.content == _content(task)
        except OSError:
            return False

    def _checked(self, row: StudyOutcome) -> StudyOutcome | None:
        """A row with the files that a person edited since; None where a draft is not there as it was written."""
        if row.status is not StudyStatus.DRAFTED:
            return row.model_copy(update={"removed": ()})
        folder, edited = self.folder / row.folder, []
        written = read_manifest(folder).files
        for name in self._files:
            if not (folder / name).is_file():
                return None
            known = written.get(name)
            if known is not None and known.document != row.document:
                return None
            if known is None or sha256_of_file(folder / name) != known.sha256:
                edited.append(name)
        return row.model_copy(update={"edited": tuple(edited), "removed": ()})


def read_record(path: Path) -> TaskRecord | None:
    """A record; None where there is none or it is damaged."""
    try:
        return TaskRecord.model_validate_json(path.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


def ended_a_decoder(folder: Path, task: StudyTask) -> bool:
    """Whether a file of a task ended the process that read it when its record was made, by whatever model."""
    record = read_record(_record_path(folder, task))
    return record is not None and any(DECODER_ENDED in problem.message for problem in record.problems)


def _record_path(folder: Path, task: StudyTask) -> Path:
    return folder / RECORDS / task.name[:2] / f"{task.name}.json"


def failed_rows(folder: Path) -> Iterator[StudyOutcome]:
    """The rows of studies without a draft among all records, in the order of the records' names."""
    for path in sorted(_records(folder)):
        record = read_record(path)
        yield from (row for row in record.rows if row.status is not StudyStatus.DRAFTED) if record else ()


def withdraw_since(folder: Path, since: float) -> int:
    """Remove the drafts that were written since a time (seconds since 1970), and the records; how many drafts.

    The next run drafts all of them again. A file that a person changed is left.
    """
    ended = [path for path in _records(folder) if path.stat().st_mtime >= since]
    rows = [row for path in ended if (record := read_record(path)) for row in record.rows]
    drafts = {folder / row.folder for row in rows if row.status is StudyStatus.DRAFTED}
    # A process that was ended may have written a draft without its record.
    drafts |= {path.parent for path in folder.glob(f"*/{DRAFT_MANIFEST}") if path.stat().st_mtime >= since}
    for path in ended:
        path.unlink()
    for draft in drafts:
        withdraw_folder(draft)
    return len(drafts)


def _records(folder: Path) -> Iterator[Path]:
    """The files of all records in a folder of reports."""
    return (folder / RECORDS).glob("??/*.json")


def _stat(task: StudyTask) -> str:
    """A hash of the files' names, sizes and times."""
    found = [(path.name, path.stat()) for path in task.files]
    return sha256_of_lines(f"{name} {stat.st_size} {stat.st_mtime_ns}" for name, stat in found)


def _content(task: StudyTask) -> str:
    """A hash of the studies' UIDs and of the files' names and contents."""
    contents = sorted(f"{path.name} {sha256_of_file(path)}" for path in task.files)
    return sha256_of_lines((*task.studies, *contents))
