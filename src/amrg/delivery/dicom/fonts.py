"""Fonts of the PDF: DejaVu Sans, and for what it lacks a TrueType font of the system; both are embedded.

Without such a font, Chinese, Japanese and Korean are set in the standard fonts of PDF viewers, and the page says so.
"""

from __future__ import annotations

import functools
import os
import unicodedata
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path
from xml.sax.saxutils import escape

from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfbase.ttfonts import TTFError, TTFont

from amrg.delivery.errors import DeliveryError

REGULAR, BOLD = "DejaVuSans", "DejaVuSans-Bold"
_EAST_ASIAN = (("cp932", "HeiseiKakuGo-W5"), ("gb2312", "STSong-Light"), ("cp949", "HYGothic-Medium"))
"""Fonts that every PDF viewer provides (Adobe's Asian fonts), and a code page of the characters that each has."""
FONT_VARIABLE = "AMRG_PDF_FONT"
"""The environment's name of a TrueType font for what DejaVu Sans lacks; without it, the one below where it is there."""
_FALLBACK = Path("/usr/share/fonts/truetype/droid/DroidSansFallbackFull.ttf")  # Debian: fonts-droid-fallback
_RIGHT_TO_LEFT = frozenset({"R", "AL", "AN"})


class NoFont(DeliveryError):
    """A character that the PDF cannot have."""


@functools.cache
def register_fonts() -> frozenset[int]:
    """Make the fonts known to reportlab; the code points that DejaVu Sans has.

    Raises:
        DeliveryError: matplotlib, whose DejaVu is used, is not complete.
    """
    found = find_spec("matplotlib")
    if found is None or found.origin is None:
        raise DeliveryError("no font for the PDF: DejaVu Sans comes with matplotlib, which is not installed")
    folder = Path(found.origin).parent / "mpl-data" / "fonts" / "ttf"
    regular = TTFont(REGULAR, folder / "DejaVuSans.ttf")
    pdfmetrics.registerFont(regular)
    pdfmetrics.registerFont(TTFont(BOLD, folder / "DejaVuSans-Bold.ttf"))
    pdfmetrics.registerFontFamily(REGULAR, normal=REGULAR, bold=BOLD, italic=REGULAR, boldItalic=BOLD)
    for _, name in _EAST_ASIAN:
        pdfmetrics.registerFont(UnicodeCIDFont(name))
    return frozenset(regular.face.charToGlyph)


def fallback_font() -> str | None:
    """The name of the font for what DejaVu Sans lacks, None where there is none.

    Raises:
        DeliveryError: the file that the environment names is no TrueType font.
    """
    named = os.environ.get(FONT_VARIABLE, "")
    if not named and not _FALLBACK.is_file():
        return None
    return _registered(named or str(_FALLBACK))


@functools.cache
def _registered(file: str) -> str:
    name = f"fallback:{Path(file).name}"
    try:
        pdfmetrics.registerFont(TTFont(name, file))
    except (TTFError, OSError) as error:
        raise DeliveryError(f"{FONT_VARIABLE}: {file} is no TrueType font (.ttf) that can be embedded") from error
    return name


def is_viewers(font: str) -> bool:
    """Whether a font is not embedded: where the viewer lacks it, its text is blank."""
    return font in {name for _, name in _EAST_ASIAN}


def font_of(character: str) -> str:
    """The font that has a character.

    Raises:
        NoFont: none has, or it belongs to a script that is written from right to left, which is not supported.
    """
    is_right_to_left = unicodedata.bidirectional(character) in _RIGHT_TO_LEFT
    if not is_right_to_left:
        if ord(character) in register_fonts():
            return REGULAR
        fallback = fallback_font()
        if fallback is not None and ord(character) in pdfmetrics.getFont(fallback).face.charToGlyph:
            return fallback
        for code_page, name in _EAST_ASIAN:
            if _has(code_page, character):
                return name
    named = unicodedata.name(character, "unknown character")
    what = f"U+{ord(character):04X} ({named})"
    if is_right_to_left:
        raise NoFont(f"the PDF has no text from right to left, found {what}; deliver the report as SR, FHIR or HL7")
    raise NoFont(
        f"the PDF has no font for {what}; name one that has it by {FONT_VARIABLE}, or deliver the report as SR"
    )


def font_runs(text: str) -> list[tuple[str, str]]:
    """A line as runs of one font each; what is invisible is omitted, a tab is four spaces."""
    visible = "".join(c for c in text.expandtabs(4) if unicodedata.category(c) not in ("Cf", "Cc"))
    return [(font, "".join(run)) for font, run in groupby(visible, key=font_of)]


def markup(text: str) -> str:
    """A line as reportlab's paragraphs take it; spaces at its beginning stay."""
    line = "".join(
        escape(run) if font == REGULAR else f'<font name="{font}">{escape(run)}</font>' for font, run in font_runs(text)
    )
    indent = len(line) - len(line.lstrip(" "))
    return "\N{NO-BREAK SPACE}" * indent + line.lstrip(" ")


def _has(code_page: str, character: str) -> bool:
    try:
        return bool(character.encode(code_page))
    except UnicodeEncodeError:
        return False
