"""The states of a report under any order of acts by anybody: what is refused changes nothing, what is not adds one."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session, sessionmaker

from amrg.birads import Composition, Decision, FindingDecision, ReportVersion, Status
from amrg.service import audit, signing
from amrg.service.database.engine import open_database, reading
from amrg.service.database.tables import StudyRow, UserRole, VersionRow
from amrg.service.signing import Edit, Read, SigningError
from amrg.service.versions import document_sha256, read_version
from tests.service.databases import sqlite_with_tables
from tests.service.reports import STUDY, a_draft, add_study, add_user

READERS, OTHERS = ("anna", "otto"), ("disabled", "admin", "pacs", "nobody")
NEXT = {
    "edit": {Status.DRAFT: Status.PRELIMINARY, Status.PRELIMINARY: Status.PRELIMINARY},
    "sign": {Status.DRAFT: Status.FINAL, Status.PRELIMINARY: Status.FINAL},
    "addendum": dict.fromkeys((Status.FINAL, Status.AMENDED, Status.APPENDED), Status.APPENDED),
    "correct": dict.fromkeys((Status.FINAL, Status.AMENDED, Status.APPENDED, Status.WITHDRAWN), Status.AMENDED),
    "withdraw": dict.fromkeys((Status.FINAL, Status.AMENDED, Status.APPENDED), Status.WITHDRAWN),
}
EDITS = (
    Edit(composition=Composition.C),
    Edit(decisions=(FindingDecision(finding=1, decision=Decision.REJECTED),)),
    Edit(text="Right breast: irregular spiculated mass. BI-RADS 4C. Biopsy."),
    Edit(text=None),
)


class Signing(RuleBasedStateMachine):
    """One study, two readers, others who may not sign, and versions that were read long ago."""

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.sessions: sessionmaker[Session] = open_database(sqlite_with_tables(Path(self.folder.name) / "one.sqlite3"))
        for login in READERS:
            add_user(self.sessions, login)
        add_user(self.sessions, "disabled", active=False)
        add_user(self.sessions, "admin", role=UserRole.ADMINISTRATOR)
        add_user(self.sessions, "pacs", role=UserRole.SERVICE)
        add_study(self.sessions)
        self.statuses = [Status.DRAFT]
        self.delivered: list[int] = []
        self.first = self.versions()[0]

    def versions(self) -> list[ReportVersion]:
        with reading(self.sessions) as session:
            rows = session.scalars(select(VersionRow).order_by(VersionRow.number)).all()
            assert all(row.sha256 == document_sha256(row.document) for row in rows)
            assert [row.superseded for row in rows] == [True] * (len(rows) - 1) + [False]
            return [read_version(row) for row in rows]

    def act(self, session: Session, name: str, read: Read, changes: Edit) -> VersionRow:
        keys = tuple(c.key for c in self.cautions(session, name, changes))
        if name == "edit":
            return signing.edit(session, read, changes, self.deliver)
        if name == "sign":
            return signing.sign(session, read, keys, self.deliver)
        if name == "addendum":
            return signing.add_addendum(session, read, "Compared.", keys, self.deliver)
        if name == "correct":
            return signing.correct(session, read, changes, "Misread", keys, self.deliver)
        return signing.withdraw(session, read, "Wrong patient", self.deliver)

    def cautions(self, session: Session, name: str, changes: Edit) -> tuple[signing.Caution, ...]:
        """What the act would have to acknowledge: found by trying it."""
        acts = {
            "sign": lambda r: signing.sign(session, r, (), self.nothing),
            "addendum": lambda r: signing.add_addendum(session, r, "Compared.", (), self.nothing),
            "correct": lambda r: signing.correct(session, r, changes, "Misread", (), self.nothing),
        }
        savepoint = session.begin_nested()
        try:
            acts[name](Read(STUDY, len(self.statuses), "anna"))
        except signing.NotAcknowledged as refused:
            return refused.cautions
        except (SigningError, KeyError):
            return ()
        finally:
            savepoint.rollback()
        return ()

    def nothing(self, session: Session, row: VersionRow) -> None:
        """Deliver nothing."""

    def deliver(self, session: Session, row: VersionRow) -> None:
        self.delivered.append(row.number)

    @rule(name=st.sampled_from(list(NEXT)), login=st.sampled_from(READERS), changes=st.sampled_from(EDITS))
    def a_reader_acts_on_the_newest(self, name: str, login: str, changes: Edit) -> None:
        following = NEXT[name].get(self.statuses[-1])
        with self.sessions() as session:
            try:
                made = read_version(self.act(session, name, Read(STUDY, len(self.statuses), login), changes))
            except signing.WrongStatus:
                assert following is None
                session.rollback()
                return
            session.commit()
        assert made.status is following
        assert (made.signature is not None) == (name != "edit")
        assert made.number == len(self.statuses) + 1
        self.statuses.append(made.status)

    @precondition(lambda self: len(self.statuses) > 1)
    @rule(name=st.sampled_from(list(NEXT)), data=st.data())
    def a_reader_acts_on_an_old_version(self, name: str, data: st.DataObject) -> None:
        number = data.draw(st.integers(1, len(self.statuses) - 1))
        self.refused(name, Read(STUDY, number, "anna"), signing.StaleVersion)

    @rule(name=st.sampled_from(list(NEXT)), login=st.sampled_from(OTHERS))
    def somebody_acts_who_may_not(self, name: str, login: str) -> None:
        self.refused(name, Read(STUDY, len(self.statuses), login), signing.NotAllowed)

    def refused(self, name: str, read: Read, kind: type[SigningError]) -> None:
        with self.sessions() as session:
            try:
                self.act(session, name, read, EDITS[0])
            except kind:
                session.rollback()
                return
        raise AssertionError(f"{name} by {read.login} was not refused")

    @invariant()
    def nothing_is_lost(self) -> None:
        versions = self.versions()
        assert [version.status for version in versions] == self.statuses
        assert all(version.draft == a_draft() for version in versions)
        assert versions[0] == self.first
        assert self.delivered == [v.number for v in versions[1:]]
        with reading(self.sessions) as session:
            assert audit.verify(session) == []
            assert list(signing.altered_versions(session)) == []
            assert session.scalars(select(StudyRow.state)).one() == (
                "signed" if any(v.signature for v in versions) else "drafted"
            )

    def teardown(self) -> None:
        if hasattr(self, "sessions"):
            engine = self.sessions.kw["bind"]
            assert isinstance(engine, Engine)
            engine.dispose()
            self.folder.cleanup()


TestSigning = Signing.TestCase
TestSigning.settings = settings(
    max_examples=12, stateful_step_count=12, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
