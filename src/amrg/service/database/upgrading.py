"""Tables brought up to the version that this amrg has, by the steps in `service/migrations` (Alembic)."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

from amrg.core.errors import AmrgError

_ADVISORY_LOCK = 4_726_011  # any number: one process at a time upgrades a PostgreSQL database


class NewerDatabase(AmrgError):
    """A database whose tables a newer amrg made."""


def upgrade_database(engine: Engine, revision: str = "head") -> None:
    """Run the steps that the database lacks, one process at a time; rows stay.

    SQLite changes a table by copying and dropping it, so foreign keys are off during the steps and checked before the
    commit (https://sqlite.org/lang_altertable.html#otheralter).

    Raises:
        NewerDatabase: it has a step that this amrg does not know.
    """
    config = _config()
    script = ScriptDirectory.from_config(config)
    with engine.connect().execution_options(amrg_reading=True) as connection:
        if revision == "head" and _version(connection, script) == script.get_current_head():
            return
    with engine.connect() as connection:
        is_sqlite = connection.dialect.name == "sqlite"
        if is_sqlite:
            connection.connection.cursor().execute("PRAGMA foreign_keys=OFF").close()
        try:
            with connection.begin():
                if not is_sqlite:
                    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
                _version(connection, script)
                config.attributes["connection"] = connection
                command.upgrade(config, revision)
                if is_sqlite and (broken := connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()):
                    raise RuntimeError(f"the upgrade would leave {len(broken)} rows without the row they belong to")
        finally:
            if is_sqlite:
                connection.connection.cursor().execute("PRAGMA foreign_keys=ON").close()


def _version(connection: Connection, script: ScriptDirectory) -> str | None:
    """The step that the database is at, None where it is empty."""
    version = MigrationContext.configure(connection).get_current_revision()
    if version is not None and version not in {step.revision for step in script.walk_revisions()}:
        raise NewerDatabase(
            f"database: its tables are of version {version}, which this amrg does not know: a newer amrg made them. "
            "Start that one, or restore the backup from before the upgrade"
        )
    return version


def _config() -> Config:
    here = Path(__file__).parent
    config = Config()
    config.set_main_option("script_location", str(here).replace("%", "%%"))
    config.set_main_option("version_locations", str(here.parent / "migrations").replace("%", "%%"))
    config.set_main_option("path_separator", "newline")
    return config
