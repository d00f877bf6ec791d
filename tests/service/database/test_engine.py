from __future__ import annotations

import datetime
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, select, text
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.orm import Session, sessionmaker

from amrg.service.database import upgrading
from amrg.service.database.engine import DatabaseError, database_now, open_database, reading
from amrg.service.database.tables import InstanceRow, ServiceTable, StudyRow
from amrg.service.database.upgrading import NewerDatabase
from tests.service.databases import Server

NOW = datetime.datetime(2026, 3, 29, 1, 30, tzinfo=datetime.UTC)


def engine_of(sessions: sessionmaker[Session]) -> Engine:
    engine = sessions.kw["bind"]
    assert isinstance(engine, Engine)
    return engine


def a_study(session: Session, uid: str = "1.2.3") -> StudyRow:
    study = StudyRow(study_instance_uid=uid, received_at=NOW, created_at=NOW)
    session.add(study)
    return study


def test_the_steps_make_the_tables_that_the_code_has(sessions: sessionmaker[Session]) -> None:
    with engine_of(sessions).connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), ServiceTable.metadata) == []


def test_opening_again_changes_nothing(sessions: sessionmaker[Session], database_url: str) -> None:
    with sessions.begin() as session:
        a_study(session)
    again = open_database(database_url)
    with reading(again) as session:
        assert session.scalars(select(StudyRow.study_instance_uid)).all() == ["1.2.3"]
    engine_of(again).dispose()


def test_an_error_of_a_statement_names_no_patient(sessions: sessionmaker[Session]) -> None:
    with sessions() as session:
        for _ in range(2):
            a_study(session).patient_name = "ZZTOPSECRET^Phi"
        with pytest.raises(IntegrityError) as twice:
            session.flush()
    assert "ZZTOPSECRET" not in str(twice.value)


def test_times_come_back_with_their_zone(sessions: sessionmaker[Session]) -> None:
    summer = NOW.astimezone(datetime.timezone(datetime.timedelta(hours=2)))
    with sessions.begin() as session:
        session.add(StudyRow(study_instance_uid="1.2", received_at=summer, created_at=NOW))
    with reading(sessions) as session:
        (study,) = session.scalars(select(StudyRow))
        assert study.received_at == NOW
        assert abs(database_now(session) - datetime.datetime.now(datetime.UTC)) < datetime.timedelta(minutes=5)


def test_a_database_of_a_newer_amrg_is_refused(sessions: sessionmaker[Session], database_url: str) -> None:
    with sessions.begin() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(NewerDatabase, match=r"9999.*newer amrg"):
        open_database(database_url)


@pytest.mark.parametrize("url", ["mysql://host/db", "sqlite://", "sqlite:///:memory:", "nonsense"])
def test_other_databases_are_refused_in_words(url: str) -> None:
    with pytest.raises(DatabaseError, match="expected sqlite:///FILE or postgresql://"):
        open_database(url)


def test_a_server_that_is_away_is_reported_without_its_password() -> None:
    with pytest.raises(DatabaseError) as caught:
        open_database("postgresql://amrg:secret@127.0.0.1:1/amrg")
    assert "secret" not in str(caught.value)


def test_sqlite_is_set_up_for_many_processes(tmp_path: Path) -> None:
    sessions = open_database(f"sqlite:///{tmp_path / 'deep' / 'amrg.sqlite3'}")
    with sessions() as session:
        found = {p: session.scalar(text(f"PRAGMA {p}")) for p in ("journal_mode", "foreign_keys", "synchronous")}
    assert found == {"journal_mode": "wal", "foreign_keys": 1, "synchronous": 2}
    engine_of(sessions).dispose()


def test_a_reader_does_not_wait_for_a_writer(sessions: sessionmaker[Session]) -> None:
    with sessions.begin() as writer:
        a_study(writer)
        writer.flush()
        with reading(sessions) as reader:
            assert reader.scalars(select(StudyRow)).all() == []


ADD = """
import sys
from sqlalchemy import select
from amrg.service.database.engine import open_database
from amrg.service.database.tables import StudyRow
sessions = open_database(sys.argv[1])
for _ in range(20):
    with sessions.begin() as session:
        session.scalars(select(StudyRow).with_for_update()).one().image_revision += 1
"""


def test_writers_of_several_processes_lose_no_change(sessions: sessionmaker[Session], database_url: str) -> None:
    with sessions.begin() as session:
        a_study(session)
    writers = [subprocess.Popen([sys.executable, "-c", ADD, database_url]) for _ in range(3)]
    assert [w.wait(120) for w in writers] == [0, 0, 0]
    with reading(sessions) as session:
        assert session.scalars(select(StudyRow.image_revision)).one() == 60


STEP = """
import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade():
    with op.batch_alter_table("studies") as batch:
        batch.alter_column("accession_number", existing_type=sa.Text(), type_=sa.String(64), existing_nullable=False)
    {more}
"""


def test_a_step_that_changes_a_table_keeps_all_rows(
    sessions: sessionmaker[Session], database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On SQLite it copies, drops and renames the table, with foreign keys on in production."""
    with sessions.begin() as session:
        study = a_study(session)
        session.flush()
        session.add_all(an_instance(study.id, number) for number in range(3))
    add_step(tmp_path, monkeypatch, "")
    upgraded = open_database(database_url)
    with reading(upgraded) as session:
        assert len(session.scalars(select(InstanceRow)).all()) == 3
        assert session.scalars(select(StudyRow.study_instance_uid)).all() == ["1.2.3"]
        assert session.scalar(text("SELECT version_num FROM alembic_version")) == "0002"
    engine_of(upgraded).dispose()


def test_a_step_that_fails_leaves_everything_as_it_was(
    sessions: sessionmaker[Session], database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with sessions.begin() as session:
        a_study(session)
    add_step(tmp_path, monkeypatch, 'op.execute("UPDATE nowhere SET x = 1")')
    with pytest.raises(DatabaseError, match="not usable"):
        open_database(database_url)
    with reading(sessions) as session:
        assert session.scalars(select(StudyRow.study_instance_uid)).all() == ["1.2.3"]
        assert session.scalar(text("SELECT version_num FROM alembic_version")) == "0001"


def an_instance(study_id: int, number: int) -> InstanceRow:
    return InstanceRow(
        study_id=study_id,
        sop_instance_uid=f"1.2.3.{number}",
        sop_class_uid="1.2",
        series_instance_uid="1.2.3.9",
        transfer_syntax_uid="1.2",
        path=f"{number}.dcm",
        sha256=f"{number}",
        size=1,
        received_at=NOW,
    )


def add_step(folder: Path, monkeypatch: pytest.MonkeyPatch, more: str) -> None:
    """A step after the last one, as the next release may have it."""
    steps = folder / "steps"
    steps.mkdir()
    (steps / "r0002_next.py").write_text(STEP.format(more=more))
    config = upgrading._config()
    known = config.get_main_option("version_locations")
    config.set_main_option("version_locations", f"{known}\n{steps}")
    monkeypatch.setattr(upgrading, "_config", lambda: config)


def test_a_server_that_restarts_costs_no_restart_of_amrg(postgresql: Server) -> None:
    sessions = open_database(postgresql.make("restarted"))
    with sessions.begin() as session:
        a_study(session)
    postgresql.stop()
    with pytest.raises(OperationalError):
        write_one(sessions, "1.2.4")
    postgresql.start()
    with sessions.begin() as session:
        a_study(session, "1.2.5")
    with reading(sessions) as session:
        assert session.scalars(select(StudyRow.study_instance_uid).order_by(StudyRow.id)).all() == ["1.2.3", "1.2.5"]
        session.execute(text("SELECT 1"))
    with pytest.raises(OperationalError), sessions.begin() as session:
        session.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
    with reading(sessions) as session:
        assert len(session.scalars(select(StudyRow)).all()) == 2
    engine_of(sessions).dispose()


def test_a_server_that_halts_for_a_while_costs_no_restart_of_amrg(postgresql: Server) -> None:
    sessions = open_database(postgresql.make("halted"))
    postgresql.hold(signal.SIGSTOP)
    writer = threading.Thread(target=lambda: write_one(sessions))
    writer.start()
    writer.join(0.5)
    postgresql.hold(signal.SIGCONT)
    writer.join()
    with reading(sessions) as session:
        assert len(session.scalars(select(StudyRow)).all()) == 1
    engine_of(sessions).dispose()


def write_one(sessions: sessionmaker[Session], uid: str = "1.2.3") -> None:
    with sessions.begin() as session:
        a_study(session, uid)
