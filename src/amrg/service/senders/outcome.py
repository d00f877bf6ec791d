"""What is sent, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class OutgoingDocument:
    """A report in one format.

    `uid` is what the receiver knows it by, fixed before the first attempt: the SOP Instance UID of a DICOM object, the
    control id (MSH-10) of a message, the id of a FHIR DiagnosticReport. So an attempt that is repeated sends the same
    document, and a receiver that has it already stays as it is.
    """

    uid: str
    content: bytes


@dataclass(frozen=True)
class Sent:
    """The receiver says that it has the document."""


@dataclass(frozen=True)
class Retry:
    """The receiver may take it later. `reason` repeats nothing that it wrote in free text: that may name patients."""

    reason: str


@dataclass(frozen=True)
class Parked:
    """No further attempt would help: a person must look. `reason` as above."""

    reason: str


Outcome = Sent | Retry | Parked
