"""Why a report was not edited or signed: each kind is one that the API gives a status code of its own."""

from __future__ import annotations

from dataclasses import dataclass

from amrg.core.errors import AmrgError


@dataclass(frozen=True)
class Caution:
    """What a person must have seen before signing.

    `key` is what a signature names to acknowledge it, and changes with what it says.
    """

    key: str
    message: str


class SigningError(AmrgError):
    """Nothing was changed."""


class NotAllowed(SigningError):
    """The person may not do it."""


class NotFound(SigningError):
    """There is no such study, or it has no report yet."""


class StaleVersion(SigningError):
    """There is a newer version than the one that the person read."""


class WrongStatus(SigningError):
    """The report is not in a state in which this is done."""


class PatientConflict(SigningError):
    """The study's images name several patients."""


class BadEdit(SigningError):
    """An edit that makes no report."""


class NotAcknowledged(SigningError):
    """There is something that the person must have seen before signing."""

    def __init__(self, cautions: tuple[Caution, ...]) -> None:
        self.cautions = cautions
        super().__init__(
            "not signed: to be acknowledged first: " + "; ".join(f"{c.key}: {c.message}" for c in cautions)
        )
