"""What kind of event a row of the trail is, as PS3.15 A.5.3 and CID 400 of PS3.16 have them."""

from __future__ import annotations

from dataclasses import dataclass

from amrg.service.database.tables import AuditRow

_TYPES = (
    # What an action begins with, and its event.
    (("login", "logout"), ("110114", "User Authentication")),
    (("user", "password", "token", "role"), ("110113", "Security Alert")),
    (("study received", "images received"), ("110104", "DICOM Instances Transferred")),
    (("report delivered", "delivery", "export"), ("110106", "Export")),
    (("audit",), ("110101", "Audit Log Used")),
)
_OTHER = ("110110", "Patient Record")
_CREATES = ("added", "received", "drafted", "signed", "made")


@dataclass(frozen=True)
class EventKind:
    """A code of DCM with its meaning, what was done (C create, U update, E execute), and the outcome (0 success)."""

    code: str
    meaning: str
    action: str
    outcome: str


def kind_of(row: AuditRow) -> EventKind:
    """The kind of event of a row."""
    code, meaning = next((event for starts, event in _TYPES if row.action.startswith(starts)), _OTHER)
    refused = "refused" in row.action or "failed" in row.action
    done = "C" if row.action.endswith(_CREATES) else "E" if row.action.startswith("log") else "U"
    return EventKind(code, meaning, done, "4" if refused else "0")


def is_uid(subject: str) -> bool:
    """Whether a row is about a study: its subject is a UID then, and a login or a job's key otherwise."""
    return "." in subject and not set(subject) - set("0123456789.")
