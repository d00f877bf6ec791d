"""DICOM objects over C-STORE (PS3.4 B)."""

from __future__ import annotations

import io
import ssl
import time
from dataclasses import dataclass
from typing import Any

import pydicom
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE

from amrg.service.senders.outcome import Outcome, OutgoingDocument, Parked, Retry, Sent

_LEAST_SECONDS = 0.1
_PERMANENT = 1  # Result of A-ASSOCIATE-RJ (PS3.8 9.3.4)


@dataclass(frozen=True)
class CStoreSender:
    """Stores objects at a station, each over an association of its own, which is released once it was established.

    Only the SOP Class that is sent is proposed: a station that refuses it does not lose the others.
    """

    host: str
    port: int
    ae_title: str
    calling_ae_title: str = "AMRG"
    deadline_seconds: float = 30
    tls: ssl.SSLContext | None = None

    def send(self, document: OutgoingDocument) -> Outcome:
        """Store an object."""
        end = time.monotonic() + self.deadline_seconds
        dataset = pydicom.dcmread(io.BytesIO(document.content))
        association = self._associated(dataset.SOPClassUID)
        if not association.is_established:
            return _unassociated(association, dataset.SOPClassUID.name)
        association.dimse_timeout = max(end - time.monotonic(), _LEAST_SECONDS)
        try:
            answer = association.send_c_store(dataset)
        finally:
            if association.is_established:
                association.release()
        status = answer.get("Status")
        return Retry("no answer to C-STORE") if status is None else outcome_of_status(int(status))

    def _associated(self, sop_class: str) -> Any:
        station = AE(ae_title=self.calling_ae_title)
        station.connection_timeout = station.acse_timeout = self.deadline_seconds / 2
        station.network_timeout = self.deadline_seconds
        station.add_requested_context(sop_class, [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
        tls = None if self.tls is None else (self.tls, self.host)
        return station.associate(self.host, self.port, ae_title=self.ae_title, tls_args=tls)


def outcome_of_status(status: int) -> Outcome:
    """What a status of C-STORE (PS3.4 B.2.3), or a failure reason of STOW-RS, says.

    Warnings Bxxx say that the object is stored, changed here and there. Out of resources (A7xx) and a processing
    failure (0110) may pass; the rest is about the object or the right to store it.
    """
    if status == 0x0000 or status & 0xF000 == 0xB000:
        return Sent()
    reason = f"status {status:04X}H"
    if status & 0xFF00 == 0xA700:
        return Retry(f"{reason}, out of resources")
    return Retry(f"{reason}, processing failure") if status == 0x0110 else Parked(reason)


def _unassociated(association: Any, sop_class: str) -> Outcome:
    answer = association.acceptor.primitive
    if association.is_rejected and answer is not None:
        if answer.result == _PERMANENT:
            return Parked(f"association rejected: {answer.reason_str}")
        return Retry(f"association rejected for now: {answer.reason_str}")
    if association.rejected_contexts and not association.accepted_contexts:
        return Parked(f"the station does not take {sop_class}")
    return Retry("no association")
