"""Escapes of HL7 v2 (2.7): delimiters, the escape character itself, control characters, line breaks of FT."""

from __future__ import annotations

import re

_LETTERS = {"|": "F", "^": "S", "&": "T", "~": "R", "\\": "E"}
_MEANT = {letter: character for character, letter in _LETTERS.items()}
_SPECIAL = re.compile(r"[|^&~\\\x00-\x08\x0a-\x1f\x7f]")
_ESCAPE = re.compile(r"\\(?:(?P<letter>[FSTRE])|X(?P<hex>(?:[0-9A-Fa-f]{2})+)|(?P<line>\.br))\\")
LINE_BREAK = "\\.br\\"
"""What begins a new line in a formatted text (FT)."""


def escape(text: str) -> str:
    """A text as one field may have it: no delimiter, no segment end and no byte of the MLLP frame is left in it."""
    return _SPECIAL.sub(lambda found: f"\\{_LETTERS.get(found[0]) or f'X{ord(found[0]):02X}'}\\", text)


def unescape(field: str) -> str:
    """The text of a field; what is no escape known here stays as it is."""
    return _ESCAPE.sub(_meant, field)


def _meant(found: re.Match[str]) -> str:
    if found["letter"]:
        return _MEANT[found["letter"]]
    return "\n" if found["line"] else bytes.fromhex(found["hex"]).decode("latin-1")
