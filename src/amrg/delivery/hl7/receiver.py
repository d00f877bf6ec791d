"""How a site's receiver wants its messages."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from amrg.core.values import Value


class CharacterSet(StrEnum):
    """Value of MSH-18 (HL7 table 0211), which says how the bytes are encoded."""

    UTF8 = "UNICODE UTF-8"
    LATIN1 = "8859/1"

    @property
    def codec(self) -> str:
        """Python's name of it."""
        return "utf-8" if self is CharacterSet.UTF8 else "iso-8859-1"


class LineBreaks(StrEnum):
    """How the report's lines are separated: `\\.br\\` in one FT, repetitions of one TX, or a TX segment a line."""

    FORMATTED = "formatted"
    REPETITIONS = "repetitions"
    SEGMENTS = "segments"


class ReceiverCodes(StrEnum):
    """Which result statuses of HL7 v2 a receiver knows.

    `STANDARD`: all of tables 0123 and 0085. `FPC`: only F, P and C, in both fields.
    """

    STANDARD = "standard"
    FPC = "fpc"


class ReceiverProfile(Value):
    """A receiver: names for MSH-3 to MSH-6, character set, line breaks, statuses it knows, MSH-11 (P or T)."""

    sending_application: str = "AMRG"
    sending_facility: str = ""
    receiving_application: str = ""
    receiving_facility: str = ""
    character_set: CharacterSet = CharacterSet.UTF8
    line_breaks: LineBreaks = LineBreaks.FORMATTED
    codes: ReceiverCodes = ReceiverCodes.STANDARD
    processing_id: Literal["P", "T"] = "P"
