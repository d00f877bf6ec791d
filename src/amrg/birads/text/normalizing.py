"""Text as exported to plain text: dashes, spaces, widths, invisible marks, HTML, HL7 escapes; with the way back."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from html import unescape

from amrg.birads.text.containers import unwrap
from amrg.birads.text.edits import CleanText, edited

_ODD = re.compile(r"[^\t\n\r\x20-\x7e]|\r(?!\n)|[&\\]|<[/!A-Za-z]|\S~[A-Za-z]")
_LINE_TAGS = (
    "br|p|div|li|ul|ol|tr|table|h[1-6]|hr|pre|body|html|head|section|article|blockquote|dt|dd|dl|paragraph|list|item|"
    "caption|title|text|component|report|findings|impression|section"
)
_TEXT_TAGS = "b|i|u|em|strong|span|font|sup|sub|small|big|a|code|mark|tbody|thead|tt|o:p|center|content|col|colgroup"
_LETTERS_LIKE = str.maketrans(
    "АВЕКМНОРСТХІЅЈаеорсхіѕјΑΒΕΙΚΜΝΟΡΤΧο", "ABEKMHOPCTXISJaeopcxisjABEIKMNOPTXo"
)  # Cyrillic and Greek letters that look like Latin ones
_MOJIBAKE = (
    r"[\u00c2-\u00f4][\u0080-\u00bf\u20ac\u201a\u0192\u201e\u2026\u2020\u2021\u02c6\u2030\u0160\u2039"
    r"\u0152\u017d\u2018\u2019\u201c\u201d\u2022\u2013\u2014\u02dc\u2122\u0161\u203a\u0153\u017e\u0178]{1,3}"
)
_EDITS = re.compile(
    rf"(?P<return>\r(?!\n)|[\x0b\x0c\x1c-\x1e\x85\u2028\u2029])"
    rf"|(?P<entity>&(?:amp;)*(?:\#[0-9]{{1,7}}|\#[xX][0-9a-fA-F]{{1,6}}|[A-Za-z][A-Za-z0-9]{{1,30}});)"
    rf"|(?P<line><(?:/?(?:{_LINE_TAGS})(?:\s[^<>]*)?/?)>)"
    rf"|(?P<tag><(?:/?(?:{_TEXT_TAGS})(?:\s[^<>]*)?/?|!--[^<>]*--)>)"
    rf"|(?P<cell></?t[dh](?:\s[^<>]*)?>)"
    r"|(?P<hl7>\\(?:[HNTSRFE]|X[0-9A-Fa-f]{2,64}|\.(?:br|sp|in|ti|fi|nf|ce|sk)[+-]?[0-9]{0,4}|[CMZ][0-9A-Za-z]{2,8})\\)"
    r"|(?P<escape>\\r\\n|\\[nrt]|\\u[0-9a-fA-F]{4})"
    r"|(?P<tilde>(?<=\S)~(?=[A-Za-z]))"
    r"|(?P<fraction>(?:(?<![0-9])[0-9]{1,3} ?)?[\u00bc-\u00be\u2150-\u215e])"
    rf"|(?P<mojibake>{_MOJIBAKE})"
    r"|(?P<lookalike>(?<![A-Za-z0-9])[A-Za-z0-9]{1,20}[\u0370-\u04ff][A-Za-z0-9\u0370-\u04ff]*"
    r"|(?<![A-Za-z0-9])[\u0370-\u04ff]{1,20}[A-Za-z0-9][A-Za-z0-9\u0370-\u04ff]*)"
    r"|(?P<composed>[^\W\d_][\u0300-\u036f]+)"
    r"|(?P<odd>[^\t\n\r\x20-\x7e])",
    re.IGNORECASE,
)
_OWN = {
    "\u2043": "•", "\u2044": "/", "\u2215": "/", "\u066b": ".", "\u3002": ".", "\uff61": ".", "\u3001": ",",
    "\u066c": ",", "\u2236": ":", "\ua789": ":", "\u00b4": "'", "\u2032": "'", "\u2019": "'", "\u2018": "'",
    "\u02bc": "'", "\u02b9": "'", "\u2035": "'", "\u201b": "'", "\u00d7": "x", "\u2715": "x", "\u2716": "x",
    "\u2a2f": "x", "\u2573": "x", "\u00a9": "", "\u00ae": "", "\u2122": "", "\u2120": "", "\u2117": "",
    "\u2116": "#", "\u2264": "<", "\u2265": ">", "\u223c": "~", "\u2248": "~", "\u02dc": "~", "\u00a8": "",
    "\u00af": "-", "\u02d7": "-", "\u207b": "-", "\u208b": "-", "\u2212": "-", "\u2500": "-", "\u2501": "-",
    "\u30fc": "-", "\uff70": "-", "\u00b7": "·", "\u2219": "·", "\u22c5": "·", "\u2027": "·", "\u30fb": "·",
    "\u2502": "|", "\u00a6": "|", "\u2610": "[ ]", "\u2611": "[x]", "\u2612": "[x]", "\u2713": "[x]",
    "\u2714": "[x]", "\u2192": "->", "\u21d2": "->",
}  # fmt: skip
_KEPT = frozenset("ªº°«»")
_BULLETS = frozenset("◦■□◆◇►▶▸‣➢➤➔○◉❖★☆✦✧⦁⁌⁍▫●▪•")
_BY_CATEGORY = {"Zs": " ", "Pd": "-", "Nd": "0"} | dict.fromkeys(("Cf", "Mn", "Me", "Cc", "Co", "Cn", "Cs"), "")
"""By the Unicode category: spaces, dashes, digits (of their value), and what has no place on the page."""
_HL7 = {"H": "", "N": "", "T": "&", "S": "^", "R": "~", "F": "|", "E": "\\"}


def clean(text: str) -> CleanText:
    """Make a text plain: ASCII punctuation and spaces, no markup, letters and digits in their common forms.

    Returns:
        The plain text, which knows where each of its characters came from. Linear in the text's length.
    """
    taken = unwrap(text)
    return taken if _ODD.search(taken.text) is None else edited(taken, _changes(taken.text))


def _changes(text: str) -> Iterator[tuple[int, int, str]]:
    """What is not plain, with the plain form of it."""
    for found in _EDITS.finditer(text):
        new = _HANDLERS[found.lastgroup or "odd"](found.group(), text, found)
        if new != found.group():
            yield *found.span(), new


def _entity(found: str, text: str, match: re.Match[str]) -> str:
    """An HTML entity, escaped once or more."""
    for _ in range(3):
        found = unescape(found)
    return "".join(_plain(c) for c in found) if len(found) <= 2 else found


def _hl7(found: str, text: str, match: re.Match[str]) -> str:
    """An HL7 v2 escape (2.7.1 to 2.7.6): a separator, a highlight, a format command or bytes in hexadecimal."""
    body = found[1:-1]
    if body.upper() in _HL7 and len(body) == 1:
        return _HL7[body.upper()]
    if body[0] in "xX" and len(body) % 2:
        plain = bytes.fromhex(body[1:]).decode("utf-8", "ignore")
        return "".join(_plain(c) if c > "~" else c for c in plain.replace("\r\n", "\n").replace("\r", "\n"))
    return "\n" if body[0] == "." else ""


def _escape(found: str, text: str, match: re.Match[str]) -> str:
    """An escape of JSON or C that was never undone."""
    if found[1] in "uU":
        return _plain(chr(int(found[2:], 16)))
    after, before = text[match.end() : match.end() + 1], text[match.start() - 1 : match.start()]
    if after.islower() and before.isalnum():
        return found  # a slash the wrong way: `mass\\nodule`
    return " " if found == "\\t" else "\n"


def _fraction(found: str, text: str, match: re.Match[str]) -> str:
    """`1½` as 1.5, so that no unit is read off half a number."""
    whole = found[:-1].strip()
    value = int(whole or 0) + unicodedata.numeric(found[-1])
    return f"{value:.2f}".rstrip("0")


def _mojibake(found: str, text: str, match: re.Match[str]) -> str:
    """UTF-8 that was read as Latin-1 or Windows-1252."""
    for encoding in ("latin-1", "cp1252"):
        try:
            repaired = found.encode(encoding).decode("utf-8")
        except UnicodeError:
            continue
        return "".join(_plain(c) if c > "~" else c for c in repaired)
    return "".join(map(_plain, found))


def _lookalike(found: str, text: str, match: re.Match[str]) -> str:
    """A word of Latin letters or digits with Cyrillic or Greek ones among them that look the same."""
    latin = found.translate(_LETTERS_LIKE)
    return latin if latin.isascii() else found


def _composed(found: str, text: str, match: re.Match[str]) -> str:
    return unicodedata.normalize("NFKC", found)


def _odd(found: str, text: str, match: re.Match[str]) -> str:
    """One character outside of ASCII; a raised dot is a decimal point, a hyphen or a bullet."""
    plain = _plain(found)
    if plain != "·":
        return plain
    before, after = text[match.start() - 1 : match.start()], text[match.end() : match.end() + 1]
    if before.isdecimal() and after.isdecimal():
        return "."
    return "-" if before.isalpha() and after.isalpha() else "•"


def _plain(char: str) -> str:
    """One character in its common form."""
    if char in _OWN:
        return _OWN[char]
    if char.isascii() or char in _KEPT:
        return char
    if char in _BULLETS:
        return "•"
    if "\x80" <= char <= "\x9f":  # Windows-1252 read as Latin-1
        return "".join(map(_plain, bytes([ord(char)]).decode("cp1252", "ignore")))
    by_category = _BY_CATEGORY.get(unicodedata.category(char))
    if by_category is None:
        return unicodedata.normalize("NFKC", char)
    return str(unicodedata.decimal(char)) if by_category == "0" else by_category


_HANDLERS: dict[str, Callable[[str, str, re.Match[str]], str]] = {
    "return": lambda found, text, match: "\n",
    "entity": _entity,
    "line": lambda found, text, match: "\n",
    "tag": lambda found, text, match: "",
    "cell": lambda found, text, match: " | " if found[1] == "/" else "",
    "hl7": _hl7,
    "escape": _escape,
    "tilde": lambda found, text, match: "\n",
    "fraction": _fraction,
    "mojibake": _mojibake,
    "lookalike": _lookalike,
    "composed": _composed,
    "odd": _odd,
}
