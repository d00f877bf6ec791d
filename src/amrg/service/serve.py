"""The supervisor: starts the processes of the service, starts again what ends, and stops all of them together."""

from __future__ import annotations

import contextlib
import logging
import secrets
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from amrg.core.errors import AmrgError
from amrg.service import queue
from amrg.service.database.engine import open_database
from amrg.service.processes.entry import KINDS, USELESS, set_up_logs
from amrg.service.processes.starting import exposed, ports_in_use, sole_service
from amrg.service.settings import Settings

log = logging.getLogger("amrg.service")

_STOP_SECONDS = 60.0
_LONGEST_WAIT = 30.0
_PORT_SECONDS = 5.0
_STEADY_SECONDS = 60.0  # after so long a process has not failed at its start


class ServeError(AmrgError):
    """A service that cannot start as the settings have it."""


def serve(settings: Settings) -> int:
    """Run the service until SIGTERM or SIGINT; the exit status.

    Raises:
        ServeError: the settings would let strangers in, or the service cannot run with them.
        DatabaseError: the database cannot be used.
    """
    if (reason := next(exposed(settings), None)) is not None:
        raise ServeError(reason)
    set_up_logs()
    settings = settings.model_copy(update={"folder": settings.folder.resolve()})
    with sole_service(settings.folder) as alone:
        if not alone:
            raise ServeError(f"{settings.folder}: another `amrg serve` uses it; stop that one, or name another folder")
        _require_free_ports(settings)
        sessions = open_database(settings.database)
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        return Supervisor(settings, sessions, stop).run()


def _require_free_ports(settings: Settings) -> None:
    """Wait a little for ports that processes of a killed supervisor still have.

    Raises:
        ServeError: one is in use.
    """
    end = time.monotonic() + _PORT_SECONDS
    while (taken := next(ports_in_use(settings), None)) is not None:
        if time.monotonic() > end:
            raise ServeError(taken)
        time.sleep(0.2)


@dataclass
class _Child:
    """A process, and when it is started again after it ended."""

    kind: str
    process: subprocess.Popen[str] | None = None
    name: str = ""
    started: float = 0
    due: float = 0
    failures: int = 0
    proven: bool = False  # it has run for a while: what it meets now passes


@dataclass
class Supervisor:
    """The processes of a service. All waits are on the monotonic clock."""

    settings: Settings
    sessions: sessionmaker[Session]
    stop: threading.Event
    children: list[_Child] = field(default_factory=lambda: [_Child(kind) for kind in KINDS])

    def run(self) -> int:
        """Start all, and again what ends, until stopped; the exit status.

        Raises:
            ServeError: a process cannot run with these settings.
        """
        try:
            while not self.stop.wait(0.2):
                for child in self.children:
                    self._look_after(child)
        finally:
            self._end_all()
        return 0

    def _look_after(self, child: _Child) -> None:
        now = time.monotonic()
        if child.process is None:
            if now >= child.due:
                self._start(child)
            return
        status = child.process.poll()
        if status is None:
            return
        self._release(child)
        steady = now - child.started > _STEADY_SECONDS
        child.proven = child.proven or steady
        if status == USELESS and not child.proven:
            raise ServeError(f"the {child.kind} process cannot run; the line above says why")
        child.failures = 0 if steady else child.failures + 1
        wait = min(2.0 ** (child.failures - 1), _LONGEST_WAIT) if child.failures else 0.0
        child.process, child.due = None, now + wait
        log.warning("the %s process ended (%d) and is started again in %.0f s", child.kind, status, wait)

    def _start(self, child: _Child) -> None:
        child.name = f"{child.kind}-{secrets.token_hex(4)}"
        child.started = time.monotonic()
        child.process = subprocess.Popen(
            [sys.executable, "-m", "amrg.service.processes.entry", child.kind, child.name],
            stdin=subprocess.PIPE,
            text=True,
        )
        assert child.process.stdin is not None
        try:
            child.process.stdin.write(self.settings.model_dump_json() + "\n")
            child.process.stdin.flush()
        except BrokenPipeError:
            return  # it ended already: the next look finds that
        log.info("the %s process is %d", child.kind, child.process.pid)

    def _release(self, child: _Child) -> None:
        """Give back the jobs of a process that ended, so that they do not wait for the end of its leases."""
        try:
            with self.sessions.begin() as session:
                queue.release(session, child.name)
        except SQLAlchemyError:
            log.warning("the jobs of %s wait for the end of their leases: the database is away", child.name)

    def _end_all(self) -> None:
        running = [child for child in self.children if child.process is not None]
        for child in running:
            assert child.process is not None
            child.process.terminate()
        deadline = time.monotonic() + _STOP_SECONDS
        for child in running:
            assert child.process is not None
            try:
                child.process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                child.process.kill()
                child.process.wait()
            if child.process.stdin is not None:
                with contextlib.suppress(BrokenPipeError):
                    child.process.stdin.close()
            self._release(child)


def default_config() -> Path | None:
    """`amrg.toml` of the current folder, where there is one."""
    file = Path("amrg.toml")
    return file if file.is_file() else None
