"""Errors about models, in one line for the user who named them."""

from __future__ import annotations

from amrg.core.errors import AmrgError


class ModelError(AmrgError):
    """A model that is missing, gated, of a class that amrg does not know, or that does not fit together."""
