"""What kind of event a row of the trail is, as PS3.15 A.5.3 and CID 400 of PS3.16 have them."""

from __future__ import annotations

from dataclasses import dataclass

from amrg.service.database.tables import AuditRow

_TYPES = (
    # What an action begins with, its event, and what was done where that is the same for all of them.
    (("login", "logout"), ("110114", "User Authentication"), "E"),
    (("user", "password", "token", "role"), ("110113", "Security Alert"), "E"),
    (("study received", "images received", "study pulled"), ("110104", "DICOM Instances Transferred"), "C"),
    (("source queried", "priors queried"), ("110112", "Query"), "E"),
    (("report delivered", "delivery", "export"), ("110106", "Export"), "R"),
    (("audit",), ("110101", "Audit Log Used"), "R"),
)
_OTHER = (("110110", "Patient Record"), "")
_CREATES = ("drafted", "signed", "made")
_FAILURES = ("refused", "failed", "set aside", "skipped", "not drafted")


@dataclass(frozen=True)
class EventKind:
    """A code of DCM with its meaning, what was done, and the outcome (0 success).

    What was done is C create, R read, U update or E execute.
    """

    code: str
    meaning: str
    action: str
    outcome: str


def kind_of(row: AuditRow) -> EventKind:
    """The kind of event of a row."""
    found = ((event, done) for starts, event, done in _TYPES if row.action.startswith(starts))
    (code, meaning), done = next(found, _OTHER)
    failed = any(word in row.action for word in _FAILURES)
    return EventKind(code, meaning, done or _done_to_record(row.action, failed), "4" if failed else "0")


def _done_to_record(action: str, failed: bool) -> str:
    """What was done to a patient's record."""
    if action.endswith(" read"):
        return "R"
    return "C" if action.endswith(_CREATES) and not failed else "U"


def is_uid(subject: str) -> bool:
    """Whether a row is about a study: its subject is a UID then, and a login or a job's key otherwise."""
    return "." in subject and not set(subject) - set("0123456789.")
