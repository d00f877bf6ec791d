"""The sender of a destination, as the settings describe it."""

from __future__ import annotations

from typing import Protocol

from pydantic import SecretStr

from amrg.service.senders.cstore import CStoreSender
from amrg.service.senders.fhir import FhirSender
from amrg.service.senders.mllp import MllpSender
from amrg.service.senders.outcome import Outcome, OutgoingDocument
from amrg.service.senders.stow import StowSender
from amrg.service.senders.tls import client_context
from amrg.service.settings import AnyDestination, FhirDestination, MllpDestination, StoreDestination


class DocumentSender(Protocol):
    """What sends documents to one partner."""

    def send(self, document: OutgoingDocument) -> Outcome:
        """Send a document; what goes wrong on the way is in the outcome, never an exception."""


def open_sender(destination: AnyDestination, calling_ae_title: str) -> DocumentSender:
    """The sender of a destination; `calling_ae_title` is this node's, for C-STORE.

    Raises:
        DeliveryError: a certificate of the settings cannot be read.
    """
    seconds = destination.deadline_seconds
    if isinstance(destination, FhirDestination):
        tls = None if destination.tls_ca is None else client_context(destination.tls_ca)
        return FhirSender(str(destination.url), seconds, _secret(destination.token), tls)
    if isinstance(destination, MllpDestination | StoreDestination):
        context = None
        if destination.tls_ca is not None:
            context = client_context(destination.tls_ca, destination.tls_certificate, destination.tls_key)
        if isinstance(destination, MllpDestination):
            return MllpSender(destination.host, destination.port, seconds, context)
        return CStoreSender(
            destination.host, destination.port, destination.ae_title, calling_ae_title, seconds, context
        )
    tls = None if destination.tls_ca is None else client_context(destination.tls_ca)
    return StowSender(str(destination.url), seconds, _secret(destination.token), tls)


def _secret(token: SecretStr | None) -> str:
    return "" if token is None else token.get_secret_value()
