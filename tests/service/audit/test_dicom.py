"""Rows of the trail as DICOM audit messages: the elements and attributes that PS3.15 A.5.1 requires, in its order."""

from __future__ import annotations

import base64
import datetime
from xml.etree.ElementTree import fromstring

import pytest

from amrg.service.audit import SYSTEM
from amrg.service.audit.dicom import audit_message
from amrg.service.audit.events import kind_of
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


@pytest.mark.parametrize(
    ("action", "kind"),
    [
        ("login", ("110114", "E", "0")),
        ("user changed", ("110113", "E", "0")),
        ("study received", ("110104", "C", "0")),
        ("images received after signature", ("110104", "C", "0")),
        ("study pulled", ("110104", "C", "0")),
        ("priors queried", ("110112", "E", "0")),
        ("report delivered", ("110106", "R", "0")),
        ("delivery set aside", ("110106", "R", "4")),
        ("delivery skipped", ("110106", "R", "4")),
        ("export deidentified", ("110106", "R", "0")),
        ("audit verified", ("110101", "R", "0")),
        ("report read", ("110110", "R", "0")),
        ("study read", ("110110", "R", "0")),
        ("report signed", ("110110", "C", "0")),
        ("report withdrawn", ("110110", "U", "0")),
        ("study not drafted", ("110110", "U", "4")),
    ],
)
def test_what_was_done_and_whether_it_succeeded(action: str, kind: tuple[str, str, str]) -> None:
    """The action of each event is the one that PS3.15 A.5.3 has for it."""
    found = kind_of(AuditRow(number=1, at=NOW, actor="anna", action=action, subject="1.2.3", detail={}, sha256=""))
    assert (found.code, found.action, found.outcome) == kind
