"""Routes for the audit trail, for administrators."""

from __future__ import annotations

import datetime
from typing import Any

from fastapi import APIRouter
from sqlalchemy import select

from amrg.core.values import Value
from amrg.service import audit
from amrg.service.api.context import Administrator, Held, Reading
from amrg.service.api.pages import Before, Limit, Page, rows_of_page
from amrg.service.audit.head_file import HEAD_FILE, noted_head
from amrg.service.database.engine import reading
from amrg.service.database.tables import AuditRow

router = APIRouter(tags=["audit"])


class Step(Value):
    """A row of the trail."""

    number: int
    at: datetime.datetime
    actor: str
    action: str
    subject: str
    detail: dict[str, Any]
    sha256: str


class Verification(Value):
    """Whether the trail is whole: `findings` are empty, and `head` is the one to note outside."""

    head: str | None
    findings: tuple[str, ...]


@router.get("/audit")
def list_steps(
    _: Administrator, session: Reading, subject: str | None = None, limit: Limit = 50, before: Before = None
) -> Page[Step]:
    """The trail, newest first; of one study or one account with `subject`."""
    found = select(AuditRow)
    if subject is not None:
        found = found.where(AuditRow.subject == subject.replace("\x00", ""))
    rows, following = rows_of_page(session, found, AuditRow.number, limit, before)
    items = tuple(Step.model_validate({name: getattr(row, name) for name in Step.model_fields}) for row in rows)
    return Page(items=items, next=following)


@router.post("/audit/verification")
def verify(caller: Administrator, held: Held) -> Verification:
    """Check the whole trail, also against the head that is noted outside the database."""
    noted = noted_head(held.settings.folder / HEAD_FILE)
    with reading(held.sessions) as session:
        last = audit.head(session)
        findings = tuple(str(finding) for finding in audit.verify(session, [noted] if noted else []))
    with held.sessions.begin() as session:
        audit.append(session, caller.login, "audit verified", "", {"findings": len(findings)})
    return Verification(head=str(last) if last else None, findings=findings)
