"""Categories of other scales than BI-RADS: TI-RADS, the five points of the UK and of Australia, risk, cytology."""

from __future__ import annotations

import re

_SCALES_WORDS = (
    "rads tirads lirads pirads orads lungrads risk bethesda cytology cytologic cytological pathology pathologic "
    "histology histologic asa tnm nodal age weight prognostic tabar wolfe gail triage urgency priority referral dose"
)
_SCALES = frozenset(_SCALES_WORDS.split())
_SCHEMES = frozenset(["ranzcr", "rcr", "rcrbg", "nbcc", "nbocc", "nhsbsp", "breastscreen", "brs", "accs"])
"""Bodies whose five-point scale a text follows: a bare `Category 3` is not one of BI-RADS."""
_MIDDLE = frozenset(["indeterminate", "equivocal"])
"""What the third of five points is called; BI-RADS has no such category."""
_CODE = re.compile(r"(?<![\w.-])([MRUP])([1-5])[ab]?(?!\w|\.[0-9])")
_SIDE_BEFORE = re.compile(
    r"(?:right|left|rt|lt|breast|score|grade|code|opinion|category|mammogra\w+)[\s:,(=-]{0,3}$", re.I
)
_NEAR = 24


def names_other_scale(words: list[str]) -> bool:
    """Whether a text names a body whose five-point scale is not BI-RADS, and BI-RADS nowhere."""
    return not _SCHEMES.isdisjoint(words) and "birads" not in words


def is_other_scale(words: list[str], lead: int, end: int) -> bool:
    """Whether the word before `category`, or the meaning after its figure, is of another scale."""
    k = lead - 1
    while k >= 0 and words[k] in ("-", ":", "assessment", "category", "classification", "score"):
        k -= 1
    if k >= 0 and words[k] in _SCALES:
        return True
    near = [w for w in words[end : end + 4] if w.isalpha()]
    return bool(near[:1]) and near[0] in _MIDDLE


def five_point_codes(text: str) -> list[tuple[int, int]]:
    """Where a text has codes of the UK's five-point scales, such as M4, U5, R3 and P2."""
    found = list(_CODE.finditer(text)) if _has_code(text) else []
    sure = any(code[1] in "MU" for code in found)
    return [
        code.span()
        for code in found
        if sure or (code[1] == "R" and _SIDE_BEFORE.search(text[max(0, code.start() - _NEAR) : code.start()]))
    ]


def _has_code(text: str) -> bool:
    """Whether a letter of the scale stands before a digit of it at all: most texts have none."""
    return any(letter + digit in text for letter in "MRU" for digit in "12345")
