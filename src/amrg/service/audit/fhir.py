"""Rows of the trail as FHIR R4 AuditEvent (the profile of IHE BALP has the same fields as a DICOM audit message)."""

from __future__ import annotations

import datetime
from typing import Any

from fhir.resources.R4B.auditevent import AuditEvent

from amrg.service.audit.chain import SYSTEM
from amrg.service.audit.events import is_uid, kind_of
from amrg.service.database.tables import AuditRow

_DCM = "http://dicom.nema.org/resources/ontology/DCM"


def audit_event(row: AuditRow, site: str) -> AuditEvent:
    """A row as AuditEvent; its `id` is the row's number, and its digest is among the details.

    Args:
        row: a row of the trail.
        site: who observed the event: the facility's name, or the node's.
    """
    kind = kind_of(row)
    details = [{"type": key, "valueString": str(value) or "-"} for key, value in sorted(row.detail.items())]
    entity: dict[str, Any] = {"detail": [*details, {"type": "sha256", "valueString": row.sha256}]}
    if row.subject:
        entity["what"] = {"identifier": _identifier(row.subject)}
    return AuditEvent.model_validate(
        {
            "id": str(row.number),
            "type": {"system": _DCM, "code": kind.code, "display": kind.meaning},
            "subtype": [{"system": "urn:amrg:audit", "code": row.action.replace(" ", "-"), "display": row.action}],
            "action": kind.action,
            "recorded": row.at.astimezone(datetime.UTC),
            "outcome": kind.outcome,
            "agent": [
                {"who": {"identifier": {"value": row.actor}}, "name": row.actor, "requestor": row.actor != SYSTEM}
            ],
            "source": {"observer": {"display": site}},
            "entity": [entity],
        }
    )


def _identifier(subject: str) -> dict[str, str]:
    """A study's UID as DICOM's identifiers are written in FHIR, anything else as it is."""
    if is_uid(subject):
        return {"system": "urn:dicom:uid", "value": f"urn:oid:{subject}"}
    return {"value": subject}
