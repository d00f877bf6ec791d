"""The database, opened: SQLite in a file or PostgreSQL, its tables brought up to date, and its clock.

A session is a transaction that writes: on SQLite it begins with the write lock (BEGIN IMMEDIATE), so that what was read
in it is still true when it commits, and no transaction fails for having read first. `reading` is for what only reads:
it takes no lock. No transaction may hold while a model, a disk or a partner is waited for.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from amrg.core.errors import AmrgError, first_line
from amrg.service.database.upgrading import NewerDatabase, upgrade_database

_BUSY_MILLISECONDS = 30_000
_READING = "amrg_reading"
_DRIVERS = {"sqlite": "sqlite+pysqlite", "postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg"}
_POSTGRESQL = {
    "connect_timeout": 10,
    "keepalives_idle": 15,  # a server that vanished is noticed within half a minute
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
    "options": "-c timezone=UTC -c lock_timeout=30s -c idle_in_transaction_session_timeout=60s",
}

_POOL: dict[str, Any] = {"pool_size": 10, "max_overflow": 50, "hide_parameters": True}
"""Errors quote the statement alone: its values name patients."""


class DatabaseError(AmrgError):
    """A database that cannot be used: no such place, or not reachable."""


def open_database(url: str) -> sessionmaker[Session]:
    """Sessions of the database at a URL of SQLAlchemy, `sqlite:///FILE` or `postgresql://USER@HOST/NAME`.

    Its tables are made where there are none, and upgraded where they are of an earlier version. A connection that died
    is replaced when it is next used.

    Raises:
        DatabaseError: it cannot be reached, or a step of the upgrade failed; its rows are as before.
        NewerDatabase: its tables are of a newer version of amrg.
    """
    engine = _engine(_url(url))
    try:
        upgrade_database(engine)
    except NewerDatabase:
        engine.dispose()
        raise
    except (SQLAlchemyError, OSError) as error:
        engine.dispose()
        raise DatabaseError(f"database: not usable: {first_line(error)}; check database_url in the settings") from error
    return sessionmaker(engine, expire_on_commit=False)


@contextmanager
def reading(sessions: sessionmaker[Session]) -> Iterator[Session]:
    """A session that only reads, of one moment of the database, and waits for no writer."""
    with sessions() as session:
        session.connection(execution_options={_READING: True})
        yield session


def database_now(session: Session) -> datetime.datetime:
    """The time by the database's clock, the one clock that all processes share, UTC."""
    if session.get_bind().dialect.name == "sqlite":
        found = session.scalar(text("SELECT strftime('%Y-%m-%d %H:%M:%f', 'now')"))
        return datetime.datetime.fromisoformat(str(found)).replace(tzinfo=datetime.UTC)
    now = session.scalar(text("SELECT clock_timestamp()"))
    assert isinstance(now, datetime.datetime)
    return now.astimezone(datetime.UTC)


def _url(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise DatabaseError(
            f"database_url: {first_line(error)}; expected sqlite:///FILE or postgresql://..."
        ) from error
    name = parsed.drivername.split("+")[0]
    if name not in _DRIVERS or (name == "sqlite" and parsed.database in (None, "", ":memory:")):
        raise DatabaseError(
            f"database_url is {parsed.render_as_string()}; expected sqlite:///FILE or postgresql://USER@HOST/NAME"
        )
    return parsed.set(drivername=_DRIVERS[name])


def _engine(url: URL) -> Engine:
    if url.get_backend_name() == "postgresql":
        return create_engine(url, pool_pre_ping=True, pool_recycle=1800, connect_args=_POSTGRESQL, **_POOL)
    assert url.database is not None
    try:
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DatabaseError(f"{url.database}: its folder cannot be made: {error.strerror}") from error
    engine = create_engine(url, connect_args={"timeout": _BUSY_MILLISECONDS / 1000}, **_POOL)
    event.listen(engine, "connect", _set_up_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _set_up_sqlite(connection: Any, _record: object) -> None:
    """Pragmas of a new connection. FULL: what was committed is on the disk, as a 0000 to the sender promises."""
    connection.isolation_level = None  # transactions are begun by `_begin_sqlite`, not by the driver
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"busy_timeout={_BUSY_MILLISECONDS}"):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin_sqlite(connection: Connection) -> None:
    reads = connection.get_execution_options().get(_READING, False)
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")
