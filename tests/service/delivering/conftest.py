from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session, sessionmaker

from amrg.service.database.engine import open_database
from tests.service.databases import sqlite_with_tables


@pytest.fixture
def sqlite_sessions(tmp_path: Path) -> Iterator[sessionmaker[Session]]:
    """One database, for tests whose partner takes long to start."""
    opened = open_database(sqlite_with_tables(tmp_path / "one.sqlite3"))
    yield opened
    engine = opened.kw["bind"]
    assert isinstance(engine, Engine)
    engine.dispose()
