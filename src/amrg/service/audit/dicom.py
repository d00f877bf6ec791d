"""Rows of the trail as DICOM audit messages (PS3.15 A.5.1, the schema that replaced RFC 3881), for a log server."""

from __future__ import annotations

import base64
import datetime
from xml.etree.ElementTree import Element, SubElement, tostring

from amrg.service.audit.chain import SYSTEM
from amrg.service.audit.events import is_uid, kind_of
from amrg.service.database.tables import AuditRow

_SERVER_PROCESS = "4"  # AuditSourceTypeCode: application server process or thread
_SYSTEM_OBJECT, _REPORT, _USER = "2", "3", "11"  # ParticipantObjectTypeCode; its roles report and security user entity


def audit_message(row: AuditRow, site: str) -> str:
    """A row as one line of XML; its number and digest are among the details.

    Args:
        row: a row of the trail.
        site: who observed the event: the facility's name, or the node's.
    """
    message, kind = Element("AuditMessage"), kind_of(row)
    event = SubElement(
        message,
        "EventIdentification",
        EventActionCode=kind.action,
        EventDateTime=row.at.astimezone(datetime.UTC).isoformat(timespec="milliseconds"),
        EventOutcomeIndicator=kind.outcome,
    )
    _coded(event, "EventID", kind.code, "DCM", kind.meaning)
    _coded(event, "EventTypeCode", row.action.replace(" ", "-"), "99AMRG", row.action)
    person = row.actor != SYSTEM
    SubElement(message, "ActiveParticipant", UserID=row.actor, UserIsRequestor="true" if person else "false")
    source = SubElement(message, "AuditSourceIdentification", AuditSourceID=site)
    SubElement(source, "AuditSourceTypeCode", {"csd-code": _SERVER_PROCESS})
    study = is_uid(row.subject)
    about = SubElement(
        message,
        "ParticipantObjectIdentification",
        ParticipantObjectID=row.subject or str(row.number),
        ParticipantObjectTypeCode=_SYSTEM_OBJECT,
        ParticipantObjectTypeCodeRole=_REPORT if study else _USER,
    )
    if study:
        _coded(about, "ParticipantObjectIDTypeCode", "110180", "DCM", "Study Instance UID")
    else:
        _coded(about, "ParticipantObjectIDTypeCode", "subject", "99AMRG", "Login or key of a job")
    details = {**row.detail, "number": row.number, "sha256": row.sha256}
    for name, value in sorted(details.items()):
        encoded = base64.b64encode(str(value).encode()).decode("ascii")
        SubElement(about, "ParticipantObjectDetail", type=name, value=encoded)
    return tostring(message, encoding="unicode")


def _coded(parent: Element, tag: str, code: str, system: str, meaning: str) -> None:
    SubElement(parent, tag, {"csd-code": code, "codeSystemName": system, "originalText": meaning})
