"""Category figures among tokens: `4`, `4 a`, `IVb`, `four`; and the words that stand around them."""

from __future__ import annotations

from amrg.birads.lexicon import Category
from amrg.birads.text.tokens import Tokens

_FIGURES = {str(n): str(n) for n in range(7)} | {
    word: str(n) for n, word in enumerate(["zero", "one", "two", "three", "four", "five", "six"])
}
_ROMAN = {"i": "1", "ii": "2", "iii": "3", "iv": "4", "iva": "4A", "ivb": "4B", "ivc": "4C", "v": "5", "vi": "6"}
FIGURES = frozenset(_FIGURES) | frozenset(_ROMAN)
SIDES = {"right": "right", "left": "left", "rt": "right", "lt": "left", "r": "right", "l": "left"}
"""Words for a side, with the one that the word table knows."""
_LIST_WORDS = ", / & and or + to - ( )"
LIST = frozenset(_LIST_WORDS.split())
_MEASURES_WORDS = "mm cm month months week weeks o x % th st nd rd edition year years day days view views"
_MEASURES = frozenset(_MEASURES_WORDS.split())
_ENDS_WORDS = (
    ". , ; : ( ) | [ ] { } - / & + = • > and or in on for at to with respectively birads right left rt lt r l both "
    "bilateral bilaterally category benign negative probably suspicious suggestive highly known incomplete low "
    "moderate high intermediate as is was"
)
_ENDS = frozenset(_ENDS_WORDS.split()) | {"\n"}


def read_figure(tokens: Tokens, i: int, last: int) -> tuple[Category, int] | None:
    """The category at token `i` of those before `last`, and the token after it."""
    words = tokens.words
    word = words[i] if i < last else ""
    value = _ROMAN.get(word) or _FIGURES.get(word)
    if value is None:
        return None
    after = words[i + 1] if i + 1 < last else ""
    if word in _FIGURES and after in _MEASURES:
        return None
    if value == "4" and after in ("a", "b", "c") and _is_suffix(tokens, i + 1, last):
        return Category(f"4{after.upper()}"), i + 2
    if after == "2025" or (after.isalpha() and after not in SIDES and tokens.touching(i + 1)):
        return None  # an edition, or a figure such as `5th`
    return Category(value), i + 1


def _is_suffix(tokens: Tokens, i: int, last: int) -> bool:
    """Whether the letter at token `i` belongs to the figure before it and is no article."""
    if tokens.touching(i) or tokens.words[i] != "a" or tokens.text[tokens.starts[i]] == "A":
        return True
    joined = tokens.text[tokens.ends[i - 1]] == "-"
    return joined or not (tokens.words[i + 1] if i + 1 < last else "").isalpha()


def ends_item(tokens: Tokens, i: int) -> bool:
    """Whether a figure that ends before token `i` counts nothing: no noun follows."""
    return i >= len(tokens.words) or tokens.words[i] in _ENDS


def is_enumeration(tokens: Tokens, i: int) -> bool:
    """Whether the figure that ends before token `i` numbers an item of a list: `1. Mass`, `2) Mass`."""
    words = tokens.words
    return words[i : i + 1] in ([")"], ["."]) and i + 1 < len(words) and words[i + 1].isalpha()
