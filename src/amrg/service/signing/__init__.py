"""From a draft to a signed report: a reader's edits and decisions, the checks before a signature, and what follows it.

Every act names the version that the person read, and adds a new one: nothing that was stated is changed.
"""

from amrg.service.signing.acts import Deliver, Read, add_addendum, correct, edit, show_to_sign, sign, withdraw
from amrg.service.signing.checks import cautions
from amrg.service.signing.editing import Edit, decide
from amrg.service.signing.errors import (
    BadEdit,
    Caution,
    NotAcknowledged,
    NotAllowed,
    NotFound,
    PatientConflict,
    SigningError,
    StaleVersion,
    WrongStatus,
)
from amrg.service.signing.verifying import altered_versions

__all__ = [
    "BadEdit",
    "Caution",
    "Deliver",
    "Edit",
    "NotAcknowledged",
    "NotAllowed",
    "NotFound",
    "PatientConflict",
    "Read",
    "SigningError",
    "StaleVersion",
    "WrongStatus",
    "add_addendum",
    "altered_versions",
    "cautions",
    "correct",
    "decide",
    "edit",
    "show_to_sign",
    "sign",
    "withdraw",
]
