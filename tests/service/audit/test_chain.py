"""The audit trail: in order without gaps under concurrent writers, closed to changes, and telling of each of them."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session, sessionmaker

from amrg.service.audit import Head, append, head, verify
from amrg.service.audit.chain import HeadError
from amrg.service.audit.head_file import note_heads, noted_head

Sessions = sessionmaker[Session]


def fill(sessions: Sessions, count: int = 5) -> None:
    for number in range(1, count + 1):
        with sessions.begin() as session:
            append(session, "reader", "report signed", f"1.2.{number}", {"version": number, "länge": 0.1})


def unprotect(session: Session) -> None:
    """What an administrator of the database can do."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("ALTER TABLE audit DISABLE TRIGGER ALL"))
    else:
        for trigger in ("audit_no_update", "audit_no_delete", "audit_in_order"):
            session.execute(text(f"DROP TRIGGER {trigger}"))


def test_numbers_have_no_gaps_and_the_trail_verifies(sessions: Sessions) -> None:
    assert verify_all(sessions) == []
    fill(sessions)
    with sessions() as session:
        append(session, "reader", "report signed", "1.2.6", {})
        session.rollback()
    fill(sessions, 1)
    with sessions() as session:
        last = head(session)
    assert last is not None
    assert last.number == 6
    assert verify_all(sessions, last) == []


def verify_all(sessions: Sessions, *noted: Head) -> list[str]:
    with sessions() as session:
        return [str(finding) for finding in verify(session, noted)]


def test_concurrent_writers_wait_for_each_other(sessions: Sessions, tmp_path: Path) -> None:
    note_heads(sessions, tmp_path / "head")
    start, failures = threading.Barrier(8), []

    def write(name: str) -> None:
        start.wait()
        try:
            for _ in range(5):
                with sessions.begin() as session:
                    append(session, name, "study received", "1.2.3", {})
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(f"writer{i}",)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with sessions() as session:
        last = head(session)
        assert session.scalar(text("SELECT count(*) FROM audit")) == 40
    assert last is not None
    assert last.number == 40
    assert noted_head(tmp_path / "head") == last
    assert verify_all(sessions, last) == []


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET actor = 'another' WHERE number = 2",
        "DELETE FROM audit WHERE number = 5",
        "INSERT INTO audit SELECT 9, at, actor, action, subject, detail, sha256 FROM audit WHERE number = 1",
    ],
)
def test_the_database_refuses_changes(sessions: Sessions, statement: str) -> None:
    fill(sessions)
    with pytest.raises(DBAPIError, match="audit: "), sessions.begin() as session:
        session.execute(text(statement))
    assert verify_all(sessions) == []


CHANGES: dict[str, tuple[list[str], str]] = {
    "altered": (["UPDATE audit SET actor = 'another' WHERE number = 2"], "row 2: altered"),
    "removed": (["DELETE FROM audit WHERE number = 3"], "row 4: removed before it: 3"),
    "first removed": (["DELETE FROM audit WHERE number <= 2"], "row 3: removed before it: 1 to 2"),
    "reordered": (
        [f"UPDATE audit SET number = {new} WHERE number = {old}" for old, new in ((2, 9), (3, 2), (9, 3))],
        "row 2: altered",
    ),
    "detail": (["UPDATE audit SET detail = '{\"version\": 9}' WHERE number = 5"], "row 5: altered"),
    "cut off": (
        ["DELETE FROM audit WHERE number >= 4"],
        "row 5: cut off: it was noted outside, but the trail ends at 3",
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_was_changed_past_the_triggers_shows(sessions: Sessions, change: str) -> None:
    fill(sessions)
    with sessions() as session:
        last = head(session)
    assert last is not None
    statements, expected = CHANGES[change]
    with sessions.begin() as session:
        unprotect(session)
        for statement in statements:
            session.execute(text(statement))
    assert verify_all(sessions, last)[0].startswith(expected)


def test_a_trail_written_again_shows_against_a_noted_head_only(sessions: Sessions) -> None:
    fill(sessions)
    with sessions() as session:
        last = head(session)
    assert last is not None
    with sessions.begin() as session:
        unprotect(session)
        session.execute(text("DELETE FROM audit WHERE number >= 3"))
    for number in (3, 4, 5):
        with sessions.begin() as session:
            append(session, "another", "report signed", f"1.2.{number}", {})
    assert verify_all(sessions) == []
    assert [line.split(":")[0] for line in verify_all(sessions, last)] == ["row 5"]


@pytest.mark.parametrize("detail", [{"x": object()}, {"x": float("nan")}])
def test_what_is_no_json_is_refused(sessions: Sessions, detail: dict[str, object]) -> None:
    with pytest.raises((TypeError, ValueError)), sessions.begin() as session:
        append(session, "reader", "report signed", "1.2.3", detail)
    assert verify_all(sessions) == []


def test_the_file_moves_forward_only(sessions: Sessions, tmp_path: Path) -> None:
    file = tmp_path / "head"
    assert noted_head(file) is None
    fill(sessions, 2)
    note_heads(sessions, file)
    with sessions() as session:
        append(session, "reader", "login", "reader", {})
        session.rollback()
    assert noted_head(file) is None
    fill(sessions, 1)
    first = noted_head(file)
    assert first is not None
    assert first.number == 3
    later = Head(99, "f" * 64)
    file.write_text(f"{later.number:020d}:{later.sha256}\n", encoding="ascii")
    fill(sessions, 1)
    assert noted_head(file) == later


@pytest.mark.parametrize("text", ["", "1", "x:" + "0" * 64, "1:" + "g" * 64, "1:" + "0" * 63])
def test_no_head(text: str) -> None:
    with pytest.raises(HeadError, match="expected NUMBER:SHA256"):
        Head.read(text)
