"""Escapes of HL7 v2 (2.7): delimiters, the escape character itself, control characters, line breaks of FT."""

from __future__ import annotations

import re

_LETTERS = {"|": "F", "^": "S", "&": "T", "~": "R", "\\": "E"}
_SPECIAL = re.compile(r"[|^&~\\\x00-\x08\x0a-\x1f\x7f]")
LINE_BREAK = "\\.br\\"
"""What begins a new line in a formatted text (FT)."""


def escape(text: str) -> str:
    """A text as one field may have it: no delimiter, no segment end and no byte of the MLLP frame is left in it."""
    return _SPECIAL.sub(lambda found: f"\\{_LETTERS.get(found[0]) or f'X{ord(found[0]):02X}'}\\", text)
