"""Rows of the trail as FHIR R4 AuditEvent (the profile of IHE BALP has the same fields as a DICOM audit message)."""

from __future__ import annotations

import datetime
from typing import Any

from fhir.resources.R4B.auditevent import AuditEvent

from amrg.service.audit.chain import SYSTEM
from amrg.service.database.tables import AuditRow

_DCM = "http://dicom.nema.org/resources/ontology/DCM"
_TYPES = (
    # What an action begins with, and the event that PS3.15 A.5.3 and PS3.16 CID 400 have for it.
    (("login", "logout"), ("110114", "User Authentication")),
    (("user", "password", "token", "role"), ("110113", "Security Alert")),
    (("study received", "images received"), ("110104", "DICOM Instances Transferred")),
    (("report delivered", "delivery", "export"), ("110106", "Export")),
    (("audit",), ("110101", "Audit Log Used")),
)
_OTHER = ("110110", "Patient Record")
_CREATES = ("added", "received", "drafted", "signed", "made")


def audit_event(row: AuditRow, site: str) -> AuditEvent:
    """A row as AuditEvent; its `id` is the row's number, and its digest is among the details.

    Args:
        row: a row of the trail.
        site: who observed the event: the facility's name, or the node's.
    """
    code, display = next((event for starts, event in _TYPES if row.action.startswith(starts)), _OTHER)
    refused = "refused" in row.action or "failed" in row.action
    details = [{"type": key, "valueString": str(value) or "-"} for key, value in sorted(row.detail.items())]
    entity: dict[str, Any] = {"detail": [*details, {"type": "sha256", "valueString": row.sha256}]}
    if row.subject:
        entity["what"] = {"identifier": _identifier(row.subject)}
    return AuditEvent.model_validate(
        {
            "id": str(row.number),
            "type": {"system": _DCM, "code": code, "display": display},
            "subtype": [{"system": "urn:amrg:audit", "code": row.action.replace(" ", "-"), "display": row.action}],
            "action": "C" if row.action.endswith(_CREATES) else "E" if row.action.startswith("log") else "U",
            "recorded": row.at.astimezone(datetime.UTC),
            "outcome": "4" if refused else "0",
            "agent": [
                {"who": {"identifier": {"value": row.actor}}, "name": row.actor, "requestor": row.actor != SYSTEM}
            ],
            "source": {"observer": {"display": site}},
            "entity": [entity],
        }
    )


def _identifier(subject: str) -> dict[str, str]:
    """A study's UID as DICOM's identifiers are written in FHIR, anything else as it is."""
    if "." in subject and not set(subject) - set("0123456789."):
        return {"system": "urn:dicom:uid", "value": f"urn:oid:{subject}"}
    return {"value": subject}
