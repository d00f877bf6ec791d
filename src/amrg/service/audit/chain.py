"""The chain: every row's digest is of the row and of the digest before it.

What a chain proves: a row that was altered, removed, inserted or moved shows, unless every later digest was computed
again. Whoever can write the database can do that, and can cut off the end; both show only against a head that was
noted outside the database (`head_file`, or a copy that `amrg audit show --head` printed). What was never written, and
who really sat at the keyboard, no chain proves.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from amrg.core.errors import AmrgError
from amrg.core.hashing import sha256_of_text
from amrg.service.database.tables import AuditRow

SYSTEM = "amrg"
"""The actor of what amrg does by itself: receive, draft, deliver."""

NEW_HEAD = "amrg.audit.head"
"""Where a session's `info` notes the head that its commit will make."""

_START = "0" * 64
_ADVISORY_LOCK = 4_726_012  # any number, not that of another lock: one writer at a time on PostgreSQL


@dataclass(frozen=True)
class Head:
    """The last row of the trail, written `NUMBER:SHA256`."""

    number: int
    sha256: str

    def __str__(self) -> str:
        """`NUMBER:SHA256`."""
        return f"{self.number}:{self.sha256}"

    @staticmethod
    def read(text: str) -> Head:
        """A head from its text.

        Raises:
            HeadError: it is none.
        """
        number, _, digest = text.strip().partition(":")
        if not number.isdecimal() or len(digest) != 64 or set(digest) - set("0123456789abcdef"):
            raise HeadError(f"head of the audit trail: {text.strip()[:80]!r}; expected NUMBER:SHA256")
        return Head(int(number), digest)


class HeadError(AmrgError):
    """A noted head that cannot be read."""


@dataclass(frozen=True)
class AuditFinding:
    """What is wrong with the trail, and at which number."""

    number: int
    message: str

    def __str__(self) -> str:
        """One line."""
        return f"row {self.number}: {self.message}"


def append(session: Session, actor: str, action: str, subject: str, detail: Mapping[str, Any]) -> AuditRow:
    """Add a row, in the session's transaction: it is there if and only if what it records is.

    Call it last in a transaction: on PostgreSQL all other writers of the trail wait from here to the commit. Numbers
    have no gaps, and order the rows whatever the clock does.

    Args:
        session: What else is pending in it is written first, so that no other lock is taken after that of the trail.
        actor: The user's login, an AE title, or `SYSTEM`.
        action: What was done, as `study received`, `report signed`.
        subject: What it was done to: a Study Instance UID, a user's login.
        detail: More of it, as JSON has it. No names or numbers of patients.
    """
    session.flush()
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_advisory_xact_lock(_ADVISORY_LOCK)))
    last = head(session)
    row = AuditRow(
        number=last.number + 1 if last else 1,
        at=datetime.datetime.now(datetime.UTC),
        actor=actor,
        action=action,
        subject=subject,
        detail=json.loads(_canonical(detail)),
    )
    row.sha256 = _digest(row, last.sha256 if last else _START)
    session.add(row)
    session.flush()
    session.info[NEW_HEAD] = Head(row.number, row.sha256)
    return row


def head(session: Session) -> Head | None:
    """The last row, None where there is none."""
    found = session.execute(select(AuditRow.number, AuditRow.sha256).order_by(AuditRow.number.desc()).limit(1)).first()
    return None if found is None else Head(found.number, found.sha256)


def verify(session: Session, noted: Iterable[Head] = ()) -> list[AuditFinding]:
    """What is wrong with the trail: rows altered, removed or moved; against noted heads, also cut off or rewritten.

    Empty for a trail that is whole. Reads row by row: memory does not grow with the trail.
    """
    waiting = {known.number: known for known in noted}
    findings: list[AuditFinding] = []
    expected, previous = 1, _START
    for row in session.scalars(select(AuditRow).order_by(AuditRow.number).execution_options(yield_per=500)):
        if row.number != expected:
            missing = str(expected) if row.number == expected + 1 else f"{expected} to {row.number - 1}"
            findings.append(AuditFinding(row.number, f"removed before it: {missing}"))
        elif _digest(row, previous) != row.sha256:
            findings.append(
                AuditFinding(row.number, "altered, or the row before it is another one: its digest differs")
            )
        known = waiting.pop(row.number, None)
        if known is not None and known.sha256 != row.sha256:
            findings.append(AuditFinding(row.number, "rewritten: its digest is not the one that was noted outside"))
        expected, previous = row.number + 1, row.sha256
        session.expunge(row)
    findings += [
        AuditFinding(number, f"cut off: it was noted outside, but the trail ends at {expected - 1}")
        for number in sorted(waiting)
    ]
    return findings


def _canonical(document: object) -> str:
    """JSON with one spelling only.

    Raises:
        TypeError: something in it is no JSON.
        ValueError: a number in it is not finite.
    """
    return json.dumps(document, sort_keys=True, ensure_ascii=True, allow_nan=False, separators=(",", ":"))


def _digest(row: AuditRow, previous: str) -> str:
    at = row.at.astimezone(datetime.UTC).isoformat(timespec="microseconds")
    return sha256_of_text(_canonical([previous, row.number, at, row.actor, row.action, row.subject, row.detail]))
