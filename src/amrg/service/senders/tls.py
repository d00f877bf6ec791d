"""TLS to a partner whose certificate is checked."""

from __future__ import annotations

import ssl
from pathlib import Path

from amrg.delivery.errors import DeliveryError


def client_context(ca: Path | None, certificate: Path | None = None, key: Path | None = None) -> ssl.SSLContext:
    """A context that trusts the authorities of `ca` (PEM), or those of the system, and shows `certificate`, if any.

    Raises:
        DeliveryError: a file cannot be read.
    """
    try:
        context = ssl.create_default_context(cafile=ca)
        if certificate is not None:
            context.load_cert_chain(certificate, key)
    except OSError as error:  # ssl.SSLError is one
        raise DeliveryError(f"TLS of a destination: {error.strerror or 'a file is no PEM'}; check tls_ca") from error
    return context
