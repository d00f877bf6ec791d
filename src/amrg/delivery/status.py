"""How each standard says how far a report is: one table, so that no two outputs of a version contradict each other."""

from __future__ import annotations

from dataclasses import dataclass, replace

from amrg.birads.lexicon import Status
from amrg.delivery.hl7.receiver import ReceiverCodes


@dataclass(frozen=True)
class StatusCodes:
    """A report's status in the words of each standard.

    Attributes:
        result_status: OBR-25, HL7 table 0123.
        observation_status: OBX-11, HL7 table 0085, which is another table.
        taken_back: OBX-11 of a value that an earlier version stated, and this one does not.
        diagnostic_report: FHIR R4 DiagnosticReport.status.
        observation: FHIR R4 Observation.status, which has no `appended`.
        completion: DICOM Completion Flag (0040,A491).
        verification: DICOM Verification Flag (0040,A493).
        preliminary: DICOM Preliminary Flag (0040,A496).
    """

    result_status: str
    observation_status: str
    taken_back: str
    diagnostic_report: str
    observation: str
    completion: str
    verification: str
    preliminary: str


_UNSIGNED = StatusCodes("P", "P", "D", "preliminary", "preliminary", "COMPLETE", "UNVERIFIED", "PRELIMINARY")
_WRONG = "entered-in-error"
_TABLE = {
    Status.DRAFT: _UNSIGNED,
    Status.PRELIMINARY: _UNSIGNED,
    Status.FINAL: StatusCodes("F", "F", "D", "final", "final", "COMPLETE", "VERIFIED", "FINAL"),
    Status.AMENDED: StatusCodes("C", "C", "D", "amended", "amended", "COMPLETE", "VERIFIED", "FINAL"),
    # The whole report is sent again, so v2 has a correction; FHIR's observations are as they were.
    Status.APPENDED: StatusCodes("C", "C", "D", "appended", "final", "COMPLETE", "VERIFIED", "FINAL"),
    # 0123 has no "entered in error" and 0085 has no X of that meaning: see docs/decisions/0028.
    Status.WITHDRAWN: StatusCodes("X", "W", "W", _WRONG, _WRONG, "COMPLETE", "VERIFIED", "FINAL"),
}
_KNOWN_TO_ALL = frozenset("FPC")


def status_codes(status: Status, receiver: ReceiverCodes = ReceiverCodes.STANDARD) -> StatusCodes:
    """The codes of a status. For a receiver of F, P and C alone a withdrawal is a correction, whose text says so."""
    codes = _TABLE[status]
    if receiver is ReceiverCodes.FPC:
        codes = replace(codes, taken_back="C")
        if codes.result_status not in _KNOWN_TO_ALL:
            return replace(codes, result_status="C", observation_status="C")
    return codes
