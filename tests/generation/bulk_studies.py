"""Many small studies on disk, engines that a worker process can load, and a command that drafts such studies."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from amrg.core.attempts import Attempts, new_session
from amrg.generation import DraftOptions
from amrg.generation.bulk.drafting import BulkOptions, TaskDrafter, TaskResult, withdrawing
from amrg.generation.bulk.index import StudyIndex
from amrg.generation.bulk.processes import WorkerPlan, WorkerReady, draft_in_processes
from amrg.generation.bulk.records import ATTEMPTS
from amrg.generation.engines.base import EngineDrifted, Generation, Request
from amrg.generation.engines.fixed import FixedEngine
from amrg.imaging.containers import walk_files
from amrg.imaging.scanning import scan_file
from tests.imaging.changed import change_all, put, write_exam

FORMATS = ("text", "json")


CRASH = """
import os, signal, sys, traceback

def crash(event, arguments):
    if event == "open" and str(arguments[0]).endswith("1.2.2/LMLO.dcm"):
        if any(frame.f_code.co_name == "read_pixel_element" for frame, _ in traceback.walk_stack(None)):  # its pixels
            os.kill(os.getpid(), signal.SIGSEGV)

sys.addaudithook(crash)
"""
"""A `sitecustomize.py` with which reading the pixels of one file ends the process, as a decoder's crash does."""


def write_studies(folder: Path, count: int) -> Path:
    """Studies 1.2.1, 1.2.2, ... of four views and of a patient each, in folders of those names."""
    for number in range(1, count + 1):
        uids = {"StudyInstanceUID": f"1.2.{number}", "PatientID": f"P{number}", "StudyDate": f"202401{number:02d}"}
        change_all(write_exam(folder / f"1.2.{number}"), put(**uids))
    return folder


def index_of(folder: Path) -> StudyIndex:
    return StudyIndex(map(scan_file, walk_files(folder)))


def options_of(out: Path, **changes: object) -> BulkOptions:
    return BulkOptions(out, FORMATS, DraftOptions(force=True), **changes)  # type: ignore[arg-type]


@dataclass(frozen=True)
class FatalEngine(FixedEngine):
    """Ends its process over a study of two views."""

    def generate(self, requests: Sequence[Request]) -> Iterator[Generation]:
        if any(len(request.views) == 2 for request in requests):
            os._exit(7)
        return super().generate(requests)


@dataclass(frozen=True)
class FailingEngine(FixedEngine):
    """Raises over a study of two views, with a text that quotes it."""

    def generate(self, requests: Sequence[Request]) -> Iterator[Generation]:
        if any(len(request.views) == 2 for request in requests):
            raise KeyError("Doe^Jane")
        return super().generate(requests)


@dataclass(frozen=True)
class DriftingEngine(FixedEngine):
    """Is seen to answer otherwise at the sixth study; the second was the last before it was seen to answer alike."""

    asked: list[float] = field(default_factory=list)

    def generate(self, requests: Sequence[Request]) -> Iterator[Generation]:
        self.asked.append(time.time())
        if len(self.asked) == 6:
            raise EngineDrifted("another answer", self.asked[2])
        return super().generate(requests)


@dataclass(frozen=True)
class DriftingBesideEngine(FixedEngine):
    """Of two workers that draft into `out`: one is seen to answer otherwise when the other has drafted three studies.

    The first of these was drafted before that one was last seen to answer alike; the other's fourth never ends.
    """

    out: Path = Path()
    drafted: list[int] = field(default_factory=list)

    def generate(self, requests: Sequence[Request]) -> Iterator[Generation]:
        marks = self.out.parent / "marks"
        marks.mkdir(exist_ok=True)
        if not self.drafted and _is_first(marks / "drifting"):
            self._wait(lambda: self._records() == 1)
            since = time.time()
            (marks / "alike").touch()
            self._wait(lambda: self._records() == 3)
            raise EngineDrifted("another answer", since)
        self.drafted.append(1)
        self._wait(lambda: len(self.drafted) == 1 or (len(self.drafted) < 4 and (marks / "alike").exists()))
        return super().generate(requests)

    def _records(self) -> int:
        return len(list(self.out.glob(".records/??/*.json")))

    @staticmethod
    def _wait(until: Callable[[], bool]) -> None:
        while not until():
            time.sleep(0.01)


def _is_first(mark: Path) -> bool:
    try:
        mark.touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def draft_here(source: Path, options: BulkOptions, engine: FixedEngine | None = None) -> list[TaskResult]:
    attempts = Attempts(options.folder / ATTEMPTS, new_session(), "here")
    with withdrawing(options.folder), closing(index_of(source)) as index:
        return list(TaskDrafter(engine or FixedEngine(), options, attempts).run(index.tasks()))


def draft_beside(
    source: Path, options: BulkOptions, load: Callable[[], FixedEngine], workers: int
) -> Iterator[TaskResult]:
    plan = WorkerPlan(load, options, new_session())
    with closing(index_of(source)) as index:
        for message in draft_in_processes(index.tasks(), plan, workers):
            if not isinstance(message, WorkerReady):
                yield message


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def main() -> None:
    """Draft a folder into another with some worker processes; a line a study."""
    source, out, workers = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    for result in draft_beside(source, options_of(out), FixedEngine, workers):
        print(result.record.rows[0].study_instance_uid, result.resumed, flush=True)


if __name__ == "__main__":
    main()
