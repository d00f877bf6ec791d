"""A service under load, for chaos.py and soak.py: started, fed by storescu, killed, and counted afterwards."""

from __future__ import annotations

import datetime
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydicom
from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session, sessionmaker

from amrg.phantom import POPULATIONS, Size, draw_set
from amrg.service.database.engine import open_database, reading
from amrg.service.database.tables import DeliveryRow, JobKind, JobRow, JobState, StudyRow, StudyState, VersionRow
from amrg.service.settings import Settings

KINDS = ("node", "worker", "partners")
_OPEN = (JobState.WAITING, JobState.RUNNING)
UNSETTLED = (StudyState.RECEIVING, StudyState.WAITING)


@dataclass(frozen=True)
class LoadedService:
    """A running `amrg serve`, its log and its database."""

    process: subprocess.Popen[bytes]
    log: Path
    port: int
    sessions: sessionmaker[Session]

    def pid(self, kind: str) -> int:
        """The process of a kind that was started last; 0 before the first."""
        found = re.findall(rf"the {kind} process is (\d+)", self.log.read_text(encoding="utf-8"))
        return int(found[-1]) if found else 0

    def send(self, files: list[Path]) -> int:
        """Send a study until all of it is acknowledged, as a modality does; how often that took."""
        command = ["storescu", "-R", "-to", "30", "-ta", "60", "-td", "60", "-aec", "AMRG", "127.0.0.1", str(self.port)]
        for attempt in range(1, 1000):
            if subprocess.run([*command, *map(str, files)], capture_output=True, check=False).returncode == 0:
                return attempt
            time.sleep(1)
        raise SystemExit("a study could not be sent in 1000 attempts")

    def states(self) -> Counter[str]:
        """How many studies are in each state."""
        with reading(self.sessions) as session:
            return Counter(str(state) for state in session.scalars(select(StudyRow.state)))

    def drafted_at(self) -> list[datetime.datetime]:
        """When each draft was committed, in order, by the database's clock. Ends the program where a study got none."""
        with reading(self.sessions) as session:
            self._expect_drafts(session)
            return list(session.scalars(select(VersionRow.created_at).order_by(VersionRow.id)))

    def drafts(self) -> int:
        """How many drafts there are. Ends the program where a study got none, so that nobody waits for it."""
        with reading(self.sessions) as session:
            self._expect_drafts(session)
        return self._count(select(VersionRow.id))

    def _expect_drafts(self, session: Session) -> None:
        ended = select(StudyRow.state).where(StudyRow.state.not_in((*UNSETTLED, StudyState.DRAFTED)))
        if (state := session.scalar(ended.limit(1))) is not None:
            raise SystemExit(f"a study is {state}, expected all to be drafted; see {self.log}")

    def is_busy(self) -> bool:
        """Whether a study has not ended in a state yet."""
        states = self.states()
        return any(str(state) in states for state in UNSETTLED)

    def settle(self) -> Counter[str]:
        """Wait until every study has ended in a state."""
        while self.is_busy() or not self.states():
            time.sleep(1)
        return self.states()

    def deliver(self) -> tuple[int, int]:
        """Wait until nothing is to be delivered any more; how many deliveries there were, and arrived."""
        while self._count(select(JobRow).where(JobRow.kind == JobKind.DELIVER, JobRow.state.in_(_OPEN))):
            time.sleep(1)
        arrived = select(DeliveryRow).where(DeliveryRow.delivered_at.is_not(None))
        return self._count(select(DeliveryRow)), self._count(arrived)

    def _count(self, rows: Select[*tuple[Any, ...]]) -> int:
        with reading(self.sessions) as session:
            return session.scalar(select(func.count()).select_from(rows.subquery())) or 0

    def twice(self) -> int:
        """How many drafts there are beyond one for each state of a study's images."""
        pairs = select(VersionRow.study_id, VersionRow.image_revision)
        return self._count(pairs) - self._count(pairs.distinct())

    def dead(self) -> int:
        """How many jobs were set aside."""
        return self._count(select(JobRow.id).where(JobRow.state == JobState.DEAD))


@contextmanager
def loaded_service(
    folder: Path, model: str, losses: int = 2, database: str = "", more: str = ""
) -> Iterator[LoadedService]:
    """`amrg serve` in a folder, until the block ends; `more` are lines of its settings."""
    folder.mkdir(parents=True, exist_ok=True)
    ports = [_free_port(), _free_port()]
    config = folder / "amrg.toml"
    config.write_text(
        f'folder = "{folder.resolve() / "data"}"\ndatabase_url = "{database}"\nquiet_seconds = 2\n'
        + (f'model = "{model}"\n' if model else "")
        + f"reserve_megabytes = 0\n[dicom]\nport = {ports[0]}\n[http]\nport = {ports[1]}\n[jobs]\nlosses = {losses}\n"
        f"{more}",
        encoding="utf-8",
    )
    sessions = open_database(database or Settings(folder=folder.resolve() / "data").database)
    with (folder / "log").open("wb") as log:
        command = [sys.executable, "-m", "amrg.cli", "serve", "--config", str(config)]
        process = subprocess.Popen(command, stdout=log, stderr=log)
    service = LoadedService(process, folder / "log", ports[0], sessions)
    try:
        while "DICOM node" not in service.log.read_text(encoding="utf-8"):
            if process.poll() is not None:
                raise SystemExit(service.log.read_text(encoding="utf-8"))
            time.sleep(0.2)
        yield service
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(120)


def make_studies(folder: Path, count: int) -> Iterator[list[Path]]:
    """Studies as `write_studies` has them, each removed when the next is asked for."""
    for files in write_studies(folder, count):
        yield files
        shutil.rmtree(files[0].parent)


def write_studies(folder: Path, count: int) -> Iterator[list[Path]]:
    """Studies of one small drawn exam under identifiers of their own, a folder each, written as they are asked for."""
    for _ in draw_set(1, 1_000_004, folder / "drawn", Size.SMALL, POPULATIONS["screening"], 1):
        pass
    images = [pydicom.dcmread(file) for file in sorted((folder / "drawn").rglob("*.dcm"))]
    for number in range(count):
        files, own = [], folder / str(number)
        own.mkdir()
        for view, image in enumerate(images):
            image.StudyInstanceUID, image.SOPInstanceUID = f"1.2.826.{number}", f"1.2.826.{number}.{view}"
            image.PatientID, image.file_meta.MediaStorageSOPInstanceUID = f"P{number}", image.SOPInstanceUID
            files.append(own / f"{view}.dcm")
            image.save_as(files[-1])
        yield files


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
