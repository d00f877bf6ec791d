"""Clocks that jump and workers that are halted: what holds a job is a number that only grows."""

from __future__ import annotations

import ast
import datetime
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

import amrg.service
from amrg.service import queue
from amrg.service.database.engine import database_now, open_database, reading
from amrg.service.database.tables import JobKind, JobRow, JobState
from amrg.service.queue import LeaseLost
from amrg.service.settings import JobSettings
from tests.service.nodes import wait_until

JOBS = JobSettings(lease_seconds=60, attempts=3, losses=9, backoff_seconds=0)


@pytest.mark.parametrize("jump", [datetime.timedelta(days=1), -datetime.timedelta(hours=1)])
def test_when_the_databases_clock_jumps_a_job_is_still_finished_once(
    sessions: sessionmaker[Session], monkeypatch: pytest.MonkeyPatch, jump: datetime.timedelta
) -> None:
    with sessions.begin() as session:
        number = queue.add(session, JobKind.DRAFT, "draft:1:1", {}).id
    first = queue.take(sessions, [JobKind.DRAFT], "one", JOBS)
    assert first is not None
    monkeypatch.setattr(queue, "database_now", lambda session: database_now(session) + jump)
    second = queue.take(sessions, [JobKind.DRAFT], "two", JOBS)
    assert (second is None) is (jump < datetime.timedelta())  # forward: the lease looks as if it had run out
    if second is not None:
        with pytest.raises(LeaseLost), sessions.begin() as session:
            queue.finish(session, first)
    with sessions.begin() as session:
        queue.renew(session, second or first)
        queue.finish(session, second or first)
    with reading(sessions) as session:
        job = session.scalars(select(JobRow).where(JobRow.id == number)).one()
    assert (job.state, job.fence) == (JobState.DONE, 2 if second else 1)
    assert queue.take(sessions, [JobKind.DRAFT], "three", JOBS) is None


def test_nothing_in_the_service_reads_the_wall_clock_but_the_audit_trail() -> None:
    """Leases and quiet periods are by the database's clock, waits by a monotonic one, the trail by number."""
    folder = Path(amrg.service.__file__).parent
    wall = {"now", "today", "utcnow", "time"}
    found = set()
    for file in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in wall:
                owner = ast.unparse(node.func.value)
                if owner.split(".")[-1] in ("time", "datetime", "date"):
                    found.add(file.relative_to(folder).as_posix())
    assert found == {"audit/chain.py"}


WORKER = """
import sys, time
from amrg.service import queue
from amrg.service.database.engine import open_database
from amrg.service.database.tables import JobKind
from amrg.service.settings import JobSettings
sessions = open_database(sys.argv[1])
lease = queue.take(sessions, [JobKind.DRAFT], "halted", JobSettings(lease_seconds=1))
with queue.heartbeat(sessions, lease):
    print("holds it", flush=True)
    sys.stdin.readline()
    try:
        with sessions.begin() as session:
            queue.finish(session, lease)
        print("finished", flush=True)
    except queue.LeaseLost:
        print("lost", flush=True)
"""


def test_a_worker_that_was_halted_loses_its_job_and_commits_nothing(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'amrg.sqlite3'}"
    sessions = open_database(url)
    with sessions.begin() as session:
        queue.add(session, JobKind.DRAFT, "draft:1:1", {})
    command = [sys.executable, "-c", WORKER, url]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "holds it\n"
        os.kill(process.pid, signal.SIGSTOP)
        taken: list[queue.Lease] = []
        wait_until(lambda: taken or _take(sessions, taken), "the lease of the halted worker to run out")
        with sessions.begin() as session:
            queue.finish(session, taken[0])
        os.kill(process.pid, signal.SIGCONT)
        assert process.communicate("go on\n", timeout=120)[0] == "lost\n"


def _take(sessions: sessionmaker[Session], taken: list[queue.Lease]) -> bool:
    lease = queue.take(sessions, [JobKind.DRAFT], "other", JOBS)
    taken += [lease] if lease is not None else []
    return bool(taken)
