"""Report texts inside RTF, HL7 v2 messages and AMRG's own drafts, taken out of them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from amrg.birads.text.draft_lines import BEFORE_REPORT, NOTES_HEADING, LineStart
from amrg.birads.text.edits import CleanText, edited

_RTF = re.compile(
    r"(?P<group>\{\\(?:\*|fonttbl|colortbl|stylesheet|info|pict|header|footer|generator|listtable|themedata)"
    r"(?:[^{}]|\{[^{}]*\})*\})"
    r"|\\u(?P<code>-?[0-9]{1,6}) ?(?:\\'[0-9a-fA-F]{2}|\?)?"
    r"|\\'(?P<byte>[0-9a-fA-F]{2})"
    r"|\\(?P<word>[a-z]{1,32})(?:-?[0-9]{1,10})? ?"
    r"|\\(?P<sign>[^a-z0-9])"
    r"|(?P<brace>[{}])"
    r"|(?P<wrap>[\r\n]+)"
)
_RTF_WORDS = {
    "par": "\n", "line": "\n", "sect": "\n", "page": "\n", "row": "\n", "pard": "", "tab": "\t", "cell": " | ",
    "endash": "-", "emdash": "-", "lquote": "'", "rquote": "'", "ldblquote": '"', "rdblquote": '"', "bullet": "•",
}  # fmt: skip
_RTF_SIGNS = {"~": " ", "_": "-", "-": "", "{": "{", "}": "}", "\\": "\\", "\n": "\n", "\r": "\n", "*": ""}
_OBX = re.compile(
    r"^(?P<head>OBX\|[0-9]*\|(?P<type>[A-Z]{0,3})\|(?P<name>[^|\r\n]*)\|[^|\r\n]*\|)(?P<value>[^|\r\n]*)(?P<rest>(?:\|[^\r\n]*)?)",
    re.MULTILINE,
)
_NARRATIVE = frozenset(["TX", "FT"])


def unwrap(text: str) -> CleanText:
    """The report of RTF, of the OBX segments of an HL7 v2 message or of a draft; any other text as it is."""
    plain = CleanText(text, text)
    if text.lstrip("\ufeff \t\r\n").startswith(LineStart.BANNER):
        return edited(plain, _draft_changes(text))
    if text.lstrip()[:5] == "{\\rtf":
        return edited(plain, _rtf_changes(text))
    if "OBX|" in text:
        return edited(plain, _hl7_changes(text.replace("\r", "\n")))
    return plain


def _draft_changes(text: str) -> Iterator[tuple[int, int, str]]:
    """The banner, the identifiers and the notes of a draft to nothing."""
    at = 0
    for line in text.splitlines(keepends=True):
        if not BEFORE_REPORT.match(line.strip("\ufeff \t\r\n")):
            break
        at += len(line)
    yield 0, at, ""
    notes = text.find(NOTES_HEADING, at)
    if notes >= 0:
        yield notes, len(text), ""


def _rtf_changes(text: str) -> Iterator[tuple[int, int, str]]:
    """Control words to what they mean on the page."""
    for found in _RTF.finditer(text):
        yield found.start(), found.end(), _rtf_meaning(found)


def _rtf_meaning(found: re.Match[str]) -> str:
    """What one control word, sign or group means in plain text."""
    if found["code"] is not None:
        return chr(int(found["code"]) % 0x10000)
    if found["byte"] is not None:
        return bytes.fromhex(found["byte"]).decode("cp1252", "replace")
    if found["word"] is not None:
        return _RTF_WORDS.get(found["word"], "")
    return _RTF_SIGNS.get(found["sign"], "") if found["sign"] is not None else ""


def _hl7_changes(text: str) -> Iterator[tuple[int, int, str]]:
    """Each OBX segment to its value: narrative alone, a coded value after the name of what was observed."""
    for found in _OBX.finditer(text):
        name = found["name"].split("^")
        label = "" if found["type"] in _NARRATIVE else f"{name[1] if len(name) > 1 else name[0]}: "
        yield *found.span("head"), label
        value = found["value"].split("^")
        if label and len(value) > 1:  # a code, its meaning, its system
            yield *found.span("value"), " - ".join(value[:2])
        yield *found.span("rest"), ""
