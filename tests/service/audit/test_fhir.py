"""Rows of the trail as FHIR AuditEvents that the library's model of R4B accepts."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fhir.resources.R4B.auditevent import AuditEvent
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from amrg.service.audit import SYSTEM, append
from amrg.service.audit.fhir import audit_event
from amrg.service.database.tables import AuditRow


@pytest.mark.parametrize(
    ("actor", "action", "subject", "code", "outcome"),
    [
        ("anna", "login", "anna", "110114", "0"),
        (SYSTEM, "login refused", "", "110114", "4"),
        ("admin", "user added", "anna", "110113", "0"),
        ("anna", "report signed", "1.2.3", "110110", "0"),
        (SYSTEM, "report delivered", "1.2.3", "110106", "0"),
        ("admin", "audit verified", "", "110101", "0"),
    ],
)
def test_an_event(
    sessions: sessionmaker[Session], actor: str, action: str, subject: str, code: str, outcome: str
) -> None:
    with sessions.begin() as session:
        append(session, actor, action, subject, {"version": 2, "by": "", "acknowledged": ["a"]})
    with sessions() as session:
        row = session.scalars(select(AuditRow)).one()
    document: dict[str, Any] = json.loads(audit_event(row, "General Hospital").model_dump_json())
    assert AuditEvent.model_validate(document) is not None
    assert document["resourceType"] == "AuditEvent"
    assert (document["id"], document["type"]["code"], document["outcome"]) == ("1", code, outcome)
    assert document["agent"][0]["requestor"] is (actor != SYSTEM)
    (entity,) = document["entity"]
    assert {"type": "sha256", "valueString": row.sha256} in entity["detail"]
    assert entity.get("what", {}).get("identifier", {}).get("value", "").endswith(subject)
