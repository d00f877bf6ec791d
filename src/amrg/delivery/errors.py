"""What cannot be delivered, in one line that a person can act on."""

from __future__ import annotations

from amrg.core.errors import AmrgError


class DeliveryError(AmrgError):
    """A report that cannot be written in a format, or cannot be sent to a destination."""
