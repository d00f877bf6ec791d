from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session, sessionmaker

from amrg.service.database.engine import open_database
from tests.service.databases import Server, make_tables, postgresql_server, sqlite_with_tables

TABLES = "tables"  # the database that the others are copies of

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Server]:
    with postgresql_server() as server:
        make_tables(server.make(TABLES))
        yield server


@pytest.fixture(autouse=True)
def in_no_time(cheap_passwords: None) -> None:
    """Every test here may log in."""


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database with the service's tables and no rows, once of each kind."""
    if request.param == "sqlite":
        return sqlite_with_tables(tmp_path / "amrg.sqlite3")
    server: Server = request.getfixturevalue("postgresql")
    return server.make(f"amrg{next(_numbers)}", TABLES)


@pytest.fixture
def sessions(database_url: str) -> Iterator[sessionmaker[Session]]:
    """Sessions of such a database."""
    opened = open_database(database_url)
    yield opened
    engine = opened.kw["bind"]
    assert isinstance(engine, Engine)
    engine.dispose()
