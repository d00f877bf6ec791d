"""A node for tests, with the stations that send to it: dcmtk's programs and raw connections."""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pydicom
import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session, sessionmaker

from amrg.phantom import POPULATIONS, Size, draw_set
from amrg.service.database.engine import open_database, reading
from amrg.service.database.tables import InstanceRow, StudyRow
from amrg.service.node.server import Node
from amrg.service.settings import DicomSettings, Settings
from amrg.service.storage import Storage
from tests.imaging.changed import change, write_exam
from tests.service.databases import sqlite_with_tables

GENEROUS = 120


def wait_until(true: Callable[[], object], what: str) -> None:
    """Wait for an event, for longer than any machine needs."""
    pause = threading.Event()
    for _ in range(GENEROUS * 20):
        if true():
            return
        pause.wait(0.05)
    pytest.fail(f"waited for {what}")


@dataclass(frozen=True)
class RunningNode:
    """A node in this process, with its database and its files."""

    node: Node
    settings: Settings
    sessions: sessionmaker[Session]
    storage: Storage

    def images(self) -> list[InstanceRow]:
        """All rows of received images."""
        with reading(self.sessions) as session:
            return list(session.scalars(select(InstanceRow).order_by(InstanceRow.id)))

    def studies(self) -> list[StudyRow]:
        """All rows of studies."""
        with reading(self.sessions) as session:
            return list(session.scalars(select(StudyRow).order_by(StudyRow.id)))

    def send(self, *files: Path, options: tuple[str, ...] = (), calling: str = "STATION") -> int:
        """Send files by dcmtk's storescu; its exit status."""
        return dcmtk("storescu", *options, "-aet", calling, "-aec", "AMRG", "127.0.0.1", str(self.node.port), *files)

    def echo(self) -> int:
        """Verify by dcmtk's echoscu; its exit status."""
        return dcmtk("echoscu", "-to", "30", "-aec", "AMRG", "127.0.0.1", str(self.node.port))


def dcmtk(program: str, *arguments: str | Path) -> int:
    """Run one of dcmtk's programs; skips the test where it is not installed."""
    return station(program, *arguments).returncode


def station(program: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """The same, with what it prints."""
    if shutil.which(program) is None:
        pytest.skip(f"{program} of dcmtk is not installed")
    return subprocess.run([program, *arguments], capture_output=True, text=True, check=False, timeout=GENEROUS)


@contextmanager
def running_node(
    folder: Path, dicom: DicomSettings | None = None, storage: Storage | None = None, port: int = 0, **settings: object
) -> Iterator[RunningNode]:
    """A node on a free port, or the one named, for as long as the block runs."""
    dicom = (dicom or DicomSettings()).model_copy(update={"port": port})
    values = Settings.model_validate({"folder": folder, "quiet_seconds": 0, "reserve_megabytes": 0, **settings})
    values = values.model_copy(update={"dicom": dicom})
    sessions = open_database(sqlite_with_tables(values.folder / "amrg.sqlite3"))
    storage = storage or Storage(values.images)
    node = Node(values, sessions, storage)
    node.start()
    try:
        yield RunningNode(node, values, sessions, storage)
    finally:
        node.stop(0)
        engine = sessions.kw["bind"]
        assert isinstance(engine, Engine)
        engine.dispose()


def draw_study(folder: Path, key: str = "one") -> list[Path]:
    """The files of a small four-view study."""
    return sorted(write_exam(folder, key).glob("*.dcm"))


def draw_phantom(folder: Path, seed: int = 1_000_004) -> list[Path]:
    """The files of a small drawn exam, which looks like a mammogram to the model's guard."""
    for _ in draw_set(1, seed, folder, Size.SMALL, POPULATIONS["screening"], 1):
        pass
    return sorted(folder.rglob("*.dcm"))


def changed(file: Path, to: Path, **values: object) -> Path:
    """A copy of a file with other values of attributes; a SOP Instance UID is changed in the file meta as well."""

    def how(dataset: pydicom.Dataset) -> None:
        for keyword, value in values.items():
            setattr(dataset, keyword, value)
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID

    return change(file, how, to)


def open_sockets(port: int) -> int:
    """How many established connections this process has on a port of its own."""
    wanted, found = f":{port:04X}", 0
    own = {str(link.readlink()) for link in Path("/proc/self/fd").iterdir() if link.is_symlink()}
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        found += fields[1].endswith(wanted) and fields[3] == "01" and f"socket:[{fields[9]}]" in own
    return found


def peak_kilobytes() -> int:
    """The most memory that this process has had."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0])
