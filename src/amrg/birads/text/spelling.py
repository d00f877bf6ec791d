"""Words as they are spelt to words of the lexicon: misspellings within one or two edits, never a real word."""

from __future__ import annotations

from collections import defaultdict
from functools import lru_cache

from amrg.birads.text.headings import PHRASES
from amrg.birads.text.phrases import ALIASES, CLINICAL
from amrg.birads.text.phrases import KNOWN as PHRASE_WORDS
from amrg.birads.text.realwords import REAL_WORDS

HEADING_WORDS = frozenset(" ".join(PHRASES.values()).replace(";", "").split())
KNOWN = PHRASE_WORDS | HEADING_WORDS
_MIN_LETTERS = 5  # shorter words have too many neighbours
_TWO_EDITS = 9  # from this length on two edits still leave the word plain
_MAX_LETTERS = 24


def _by_length() -> dict[int, list[str]]:
    """Words of the lexicon that a misspelling may mean, by their length."""
    made: dict[int, list[str]] = defaultdict(list)
    for word in sorted(CLINICAL | HEADING_WORDS):
        if len(word) >= _MIN_LETTERS:
            made[len(word)].append(word)
    return made


_TARGETS = _by_length()


@lru_cache(maxsize=65536)
def canonical(word: str) -> str:
    """The word of the lexicon that a lower-case word means, or the word itself."""
    if word in ALIASES:
        return ALIASES[word]
    if word in KNOWN or word in REAL_WORDS or not _MIN_LETTERS <= len(word) <= _MAX_LETTERS:
        return word
    if word.endswith("s") and (word[:-1] in KNOWN or word[:-1] in REAL_WORDS):
        return word
    nearest = _nearest(word)
    return word if nearest is None else ALIASES.get(nearest, nearest)


def _nearest(word: str) -> str | None:
    """The closest word of the lexicon within the edits allowed, or None; of equals the longest: letters get lost."""
    allowed = 2 if len(word) >= _TWO_EDITS else 1
    best: tuple[int, str] | None = None
    for length in range(len(word) + allowed, len(word) - allowed - 1, -1):
        for target in _TARGETS.get(length, ()):
            edits = distance(word, target, allowed)
            if edits <= allowed and (best is None or edits < best[0]):
                best = (edits, target)
    return None if best is None else best[1]


def distance(a: str, b: str, limit: int) -> int:
    """Edits from `a` to `b` (insert, delete, replace, swap neighbours), or any number above `limit`.

    Damerau's distance, optimal string alignment form.
    """
    if abs(len(a) - len(b)) > limit:
        return limit + 1
    before_last: list[int] = []
    last = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        row = [i]
        for j, y in enumerate(b, 1):
            edits = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                edits = min(edits, before_last[j - 2] + 1)
            row.append(edits)
        if min(row) > limit:
            return limit + 1
        before_last, last = last, row
    return last[-1]
