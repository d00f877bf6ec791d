"""Senders: a document to a partner, over MLLP, FHIR, STOW-RS or C-STORE."""

from amrg.service.senders.cstore import CStoreSender
from amrg.service.senders.fhir import FhirSender
from amrg.service.senders.mllp import MllpSender
from amrg.service.senders.opening import DocumentSender, open_sender
from amrg.service.senders.outcome import Outcome, OutgoingDocument, Parked, Retry, Sent
from amrg.service.senders.stow import StowSender

__all__ = [
    "CStoreSender",
    "DocumentSender",
    "FhirSender",
    "MllpSender",
    "Outcome",
    "OutgoingDocument",
    "Parked",
    "Retry",
    "Sent",
    "StowSender",
    "open_sender",
]
