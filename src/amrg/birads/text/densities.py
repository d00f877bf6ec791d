"""Breast composition as a share of glandular tissue, `50-75 % glandular`, and letters that state none: `B/C`."""

from __future__ import annotations

import re

from amrg.birads.lexicon import Composition
from amrg.birads.text.tokens import Tokens

_RANGE = re.compile(r"([0-9]{1,3}) ?%? ?(?:-|to|and) ?([0-9]{1,3}) ?(?:%|percent)")
_SINGLE = re.compile(r"([0-9]{1,3}) ?(?:%|percent)")
_BELOW = ("<", "less than", "under", "below", "up to")
_ABOVE = (">", "more than", "greater than", "over", "above", "exceeding")
_QUARTERS = {25: Composition.A, 50: Composition.B, 75: Composition.C, 100: Composition.D}
_TISSUE = frozenset(["glandular", "fibroglandular", "parenchyma", "parenchymal", "dense", "density", "fibro"])
_TWO_LETTERS = re.compile(r"\b([a-d])(?: ?[/-] ?| to | or )(?!\1)[a-d]\b", re.IGNORECASE)
_WIDEST = 5  # characters from one letter to the next
_LONGEST = 12  # characters of `greater than`
_NEAR = 5


def read_share(tokens: Tokens, i: int, last: int, of_composition: bool) -> tuple[Composition, int] | None:
    """The composition that a share of glandular tissue at token `i` means, and the token after it.

    Only the quarters of the 4th edition count: a single percentage such as a volumetric density has another scale.
    """
    text, start = tokens.text, tokens.starts[i]
    if "%" not in text[start : start + 16] and "percent" not in text[start : start + 24].lower():
        return None
    found = _RANGE.match(text, start)
    if found is not None:
        low, high = int(found[1]), int(found[2])
        quarter = _QUARTERS.get(high) if high - low in (24, 25) or (high == 25 and low <= 10) else None
    else:
        found = _SINGLE.match(text, start)
        quarter = None if found is None else _open_quarter(int(found[1]), text[max(0, start - _LONGEST - 1) : start])
    if found is None or quarter is None:
        return None
    end = i
    while end < last and tokens.starts[end] < found.end():
        end += 1
    return (quarter, end) if of_composition or _TISSUE & set(tokens.words[end : min(end + _NEAR, last)]) else None


def is_one_of_two(tokens: Tokens, i: int) -> bool:
    """Whether the letter at token `i` is one of two, `B/C` or `b to c`, so that neither is stated."""
    start, end = tokens.starts[i], tokens.ends[i]
    near = _TWO_LETTERS.finditer(tokens.text, max(0, start - _WIDEST), end + _WIDEST)
    return any(found.start() <= start and end <= found.end() for found in near)


def _open_quarter(limit: int, before: str) -> Composition | None:
    """The lowest or highest quarter: `less than 25 %`, `>75 %`."""
    words = before.lower().rstrip()
    if words.endswith(_BELOW) and limit in (10, 25):
        return Composition.A
    return Composition.D if words.endswith(_ABOVE) and limit == 75 else None
