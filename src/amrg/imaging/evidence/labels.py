"""Side and view in free text: descriptions, ViewPosition, file names."""

from __future__ import annotations

import re

from amrg.birads import Laterality, View

_RIGHT = "RIGHT|RECHTS?|DROITE?|DERECH[AO]|DIREIT[AO]|DESTR[AO]|RT|R"
_LEFT = "LEFT|LINKS?|GAUCHE|IZQUIERD[AO]|ESQUERD[AO]|SINISTR[AO]|LT|L"
_PROJECTIONS = "XCCL|XCCM|XCC|CC|LMO|MLO|LM|ML|FB|SIO|ISO"
_MODIFIERS = "ID|RL|RM|RI|RS|TAN|AT|CV|MAG|SPOT|NP|AC|IMF|AX"  # the ACR's labels after a view
_SIDE = re.compile(
    rf"(?<![A-Z])(?:({_RIGHT})|({_LEFT}))(?=[^A-Z]|$|(?:[MS])?(?:{_PROJECTIONS})(?:{_MODIFIERS}|[MS])?(?![A-Z]))"
)
_SIDE_AFTER = re.compile(rf"(?<![A-Z])(?!XCCLT?(?![A-Z]))(?:{_PROJECTIONS})(R|L)T?(?![A-Z])")
_VIEW = re.compile(rf"(?<![A-Z])(?:{_RIGHT}|{_LEFT})?[MS]?({_PROJECTIONS})(?:{_MODIFIERS}|[MS]|RT|LT|[RL])?(?![A-Z])")
_SPELLED = (
    (re.compile(r"CRANIO[\s_-]*CAUDAL(?:E|IS)?"), "CC"),
    (re.compile(r"CAUDO[\s_-]*CRANIAL(?:E|IS)?"), "FB"),
    (re.compile(r"MEDIO[\s_-]*LATERAL[\s_-]*OBLIQUE"), "MLO"),
    (re.compile(r"LATERO[\s_-]*MEDIAL[\s_-]*OBLIQUE"), "LMO"),
    (re.compile(r"MEDIO[\s_-]*LATERAL"), "ML"),
    (re.compile(r"LATERO[\s_-]*MEDIAL"), "LM"),
    (re.compile(r"(?<=MG_[LR]_)ML(?=_ANON)"), "MLO"),  # INbreast's names, whose table calls these views MLO
)
# Words that hold an R or L of their own: the muscle and rolled views name no side.
_NO_SIDE = re.compile(r"(?<=[A-Z])[\s_-](?:RL|RM|RI|RS)(?![A-Z])")
_LABEL_START = re.compile(
    rf"(?<![A-Z])(?:{_RIGHT}|{_LEFT})(?:[\s_-]*(?:{_PROJECTIONS}))?(?![A-Z])|(?<![A-Z])(?:{_PROJECTIONS})[RL]?T?(?![A-Z])"
)
_HEXADECIMAL = re.compile(r"(?<![A-Z0-9])[A-F0-9]{6,}(?![A-Z0-9])")  # an identifier, where digits and letters alternate
_ALTERNATING = re.compile(r"[0-9][A-F]+[0-9]|[A-F][0-9]+[A-F]")


def _capitals(text: str) -> str:
    """Capitals, with `#` for identifiers in hexadecimal, which hold CC and FB by chance."""
    return _HEXADECIMAL.sub(lambda m: "#" * len(m[0]) if _ALTERNATING.search(m[0]) else m[0], text.upper())


def _spelled_short(text: str) -> str:
    """Capitals without identifiers, with projections that are written out as their labels."""
    text = _capitals(text)
    for pattern, label in _SPELLED:
        text = pattern.sub(label, text)
    return text


def side_in(text: str) -> Laterality | None:
    """The side that a free text names: `RCC`, `LEFT_MLO`, `CCRT`; None where it names none or both."""
    found = sides_in(text)
    return found.pop() if len(found) == 1 else None


def sides_in(text: str) -> set[Laterality]:
    """All sides that a free text names."""
    short = _NO_SIDE.sub("", _spelled_short(text))
    right = {bool(m.group(1)) for m in _SIDE.finditer(short)} | {m[1] == "R" for m in _SIDE_AFTER.finditer(short)}
    return {Laterality.RIGHT if one else Laterality.LEFT for one in right}


def view_in(text: str) -> View | None:
    """The view that a free text names; None where it names none or several."""
    found = views_in(text)
    return found.pop() if len(found) == 1 else None


def views_in(text: str) -> set[View]:
    """All views that a free text names."""
    return {View(m.group(1)) for m in _VIEW.finditer(_spelled_short(text))}


def words_of_kind(text: str) -> frozenset[str]:
    """The words of a description in capitals that are neither side, view nor number: they may name a kind of image."""
    words = re.findall(r"[^\W\d_]{3,}", _spelled_short(text))
    return frozenset(word for word in words if side_in(word) is None and view_in(word) is None)


def after_label(stem: str) -> str:
    """The part of a file's name after its side and view, in capitals, such as `P01` of `LCC_P01`."""
    short = _capitals(stem)
    ends = [found.end() for found in _LABEL_START.finditer(short)]
    return short[ends[-1] :].strip(" _-.()") if ends else ""


def before_label(stem: str) -> str:
    """The part of a file's name before its side and view, such as `P0` of `P0_LEFT_CC`; empty where there is none."""
    found = _LABEL_START.search(_capitals(stem))
    return stem[: found.start()].strip(" _-.") if found else ""
