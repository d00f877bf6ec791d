"""Databases for the service's tests: an SQLite file, and a PostgreSQL server that the tests start."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
from sqlalchemy import Engine

from amrg.service.database.engine import open_database

HUNG = "60"


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@dataclass(frozen=True)
class Server:
    """A PostgreSQL server. Every test takes a database of its own from it."""

    programs: Path
    folder: Path
    port: int
    user: str | None

    def call(self, program: str, *arguments: str) -> None:
        """Run one of PostgreSQL's programs."""
        subprocess.run(
            [self.programs / program, *arguments], user=self.user, cwd=self.folder, check=True, capture_output=True
        )

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        log = str(self.folder / "log")
        self.call("pg_ctl", "-D", f"{self.folder}/db", "-o", options, "-l", log, "-w", "-t", HUNG, "start")

    def stop(self) -> None:
        """End it, whoever is connected."""
        self.call("pg_ctl", "-D", f"{self.folder}/db", "-m", "immediate", "-w", "-t", HUNG, "stop")

    def hold(self, how: signal.Signals) -> None:
        """Stop or continue all its processes."""
        first = int((self.folder / "db" / "postmaster.pid").read_text().splitlines()[0])
        listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(first)], capture_output=True, text=True, check=True)
        for process in (first, *map(int, listed.stdout.split())):
            os.kill(process, how)

    def make(self, name: str, template: str = "template1") -> str:
        """The URL of a new database: empty, or a copy of another that nobody is connected to."""
        import psycopg

        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"'.encode())
        return self.url(name)

    def url(self, name: str) -> str:
        """The URL of one of its databases."""
        return f"postgresql://amrg@127.0.0.1:{self.port}/{name}"


def sqlite_with_tables(file: Path) -> str:
    """The URL of a new database at a file with the service's tables: the steps that make them are run once."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(_tables())
    return f"sqlite:///{file}"


@cache
def _tables() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "amrg.sqlite3"
        make_tables(f"sqlite:///{file}")
        return file.read_bytes()


def make_tables(url: str) -> None:
    """Run the steps on an empty database, and leave it."""
    engine = open_database(url).kw["bind"]
    assert isinstance(engine, Engine)
    engine.dispose()


@contextmanager
def postgresql_server() -> Iterator[Server]:
    """A server for as long as the block runs; skips the test where none is installed."""
    pytest.importorskip("psycopg", reason="the PostgreSQL driver is not installed")
    places = [Path(p).parent for p in [shutil.which("initdb")] if p] + sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not places:
        pytest.skip("no PostgreSQL server is installed here")
    user = "postgres" if os.getuid() == 0 else None  # the server refuses to run as root
    folder = Path(tempfile.mkdtemp(prefix="amrg-postgresql-"))
    if user:
        shutil.chown(folder, user)
    server = Server(places[-1], folder, free_port(), user)
    server.call("initdb", "-D", f"{folder}/db", "-U", "amrg", "--auth", "trust", "--no-sync")
    server.start()
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)
