"""Escapes of HL7 v2 read back, as a receiver does."""

from __future__ import annotations

import re

_MEANT = {"F": "|", "S": "^", "T": "&", "R": "~", "E": "\\"}
_ESCAPE = re.compile(r"\\(?:(?P<letter>[FSTRE])|X(?P<hex>(?:[0-9A-Fa-f]{2})+)|(?P<line>\.br))\\")


def unescape(field: str) -> str:
    """The text of a field; what is no escape known here stays as it is."""
    return _ESCAPE.sub(_meant, field)


def _meant(found: re.Match[str]) -> str:
    if found["letter"]:
        return _MEANT[found["letter"]]
    return "\n" if found["line"] else bytes.fromhex(found["hex"]).decode("latin-1")
