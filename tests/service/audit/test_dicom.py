"""Rows of the trail as DICOM audit messages: the elements and attributes that PS3.15 A.5.1 requires, in its order."""

from __future__ import annotations

import base64
import datetime
from xml.etree.ElementTree import fromstring

import pytest

from amrg.service.audit import SYSTEM
from amrg.service.audit.dicom import audit_message
from amrg.service.database.tables import AuditRow

NOW = datetime.datetime(2026, 11, 28, 12, 0, tzinfo=datetime.UTC)


@pytest.mark.parametrize(
    ("actor", "action", "subject", "code", "outcome"),
    [
        ("anna", "report signed", "1.2.3", "110110", "0"),
        (SYSTEM, "login refused", "", "110114", "4"),
        ("boss", 'export "deidentified" <&>\n', "1.2.3", "110106", "0"),
    ],
)
def test_a_message(actor: str, action: str, subject: str, code: str, outcome: str) -> None:
    row = AuditRow(
        number=7, at=NOW, actor=actor, action=action, subject=subject, detail={"why": "ä < b"}, sha256="ab" * 32
    )
    line = audit_message(row, "General Hospital")
    assert "\n" not in line
    message = fromstring(line)
    assert [part.tag for part in message] == [
        "EventIdentification",
        "ActiveParticipant",
        "AuditSourceIdentification",
        "ParticipantObjectIdentification",
    ]
    event, person, source, about = message
    assert (event[0].get("csd-code"), event.get("EventOutcomeIndicator")) == (code, outcome)
    assert datetime.datetime.fromisoformat(event.get("EventDateTime") or "") == NOW
    assert (person.get("UserID"), person.get("UserIsRequestor")) == (actor, str(actor != SYSTEM).lower())
    assert source.get("AuditSourceID") == "General Hospital"
    assert about.get("ParticipantObjectID") == (subject or "7")
    details = {part.get("type"): base64.b64decode(part.get("value") or "").decode() for part in about[1:]}
    assert details == {"why": "ä < b", "number": "7", "sha256": "ab" * 32}
