"""The files of an input, put together to what must be read together, on disk: memory does not grow with the input."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from amrg.core.hashing import sha256_of_text
from amrg.imaging.scanning import ScannedFile

_TABLE = "CREATE TABLE files (path BLOB, study TEXT, date TEXT, task TEXT)"
_INDICES = ("CREATE INDEX by_task ON files (task)", "CREATE INDEX by_study ON files (study)")


@dataclass(frozen=True)
class StudyTask:
    """Files that are read together: those of one study, or of all studies of one patient.

    `name` is stable for the same studies wherever their files are; `studies` are their UIDs.
    """

    name: str
    files: tuple[Path, ...]
    studies: tuple[str, ...]


class StudyIndex:
    """Scanned files in a private database on disk, which is removed when it is closed."""

    def __init__(self, files: Iterable[ScannedFile]) -> None:
        """Index files; each is scanned as it is drawn."""
        self._database = sqlite3.connect("")
        self._database.execute(_TABLE)
        self._database.executemany("INSERT INTO files VALUES (?, ?, ?, ?)", map(_row, files))
        for statement in _INDICES:
            self._database.execute(statement)
        self._join()

    def __len__(self) -> int:
        """How many tasks there are."""
        return self._count("SELECT count(DISTINCT task) FROM files")

    def close(self) -> None:
        """Remove the database."""
        self._database.close()

    @property
    def studies(self) -> int:
        """How many studies the files name."""
        return self._count("SELECT count(DISTINCT study) FROM files WHERE study != ''")

    def tasks(self) -> Iterator[StudyTask]:
        """Every task: those with as many files next to one another, which is how batches profit, then by date."""
        order = "SELECT task FROM files GROUP BY task ORDER BY count(*), min(date), task"
        for (task,) in self._database.execute(order):
            rows = self._database.execute("SELECT path, study FROM files WHERE task = ? ORDER BY path", [task])
            paths, studies = zip(*rows, strict=True)
            named = tuple(sorted(set(studies) - {""}))
            yield StudyTask(sha256_of_text(task)[:32], tuple(Path(os.fsdecode(path)) for path in paths), named)

    def _join(self) -> None:
        """Make one task of all that share a study: its files may name their patient in several ways."""
        shared = "SELECT study FROM files WHERE study != '' GROUP BY study HAVING count(DISTINCT task) > 1"
        for (study,) in self._database.execute(shared).fetchall():
            tasks = [t for (t,) in self._database.execute("SELECT DISTINCT task FROM files WHERE study = ?", [study])]
            self._database.executemany("UPDATE files SET task = ? WHERE task = ?", [(min(tasks), t) for t in tasks])

    def _count(self, query: str) -> int:
        (count,) = self._database.execute(query).fetchone()
        return int(count)


def _row(file: ScannedFile) -> tuple[bytes, str, str, str]:
    """A file's row: a task is a patient's files, or those of a study without PatientID, or a file without a header."""
    path = os.fsencode(file.path)  # names in no UTF-8 too
    alone = f"file {path.decode(errors='backslashreplace')}"
    task = f"patient {file.patient}" if file.patient else f"study {file.study}" if file.study else alone
    return path, file.study, file.date, task
