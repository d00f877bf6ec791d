"""Category figures among tokens: `4`, `4 a`, `IVb`, `four`; and the words that stand around them."""

from __future__ import annotations

from amrg.birads.lexicon import Category
from amrg.birads.text.dates import is_numeric_date
from amrg.birads.text.tokens import Tokens

_FIGURES = {str(n): str(n) for n in range(7)} | {
    word: str(n) for n, word in enumerate(["zero", "one", "two", "three", "four", "five", "six"])
}
_ROMAN = {"i": "1", "ii": "2", "iii": "3", "iv": "4", "iva": "4A", "ivb": "4B", "ivc": "4C", "v": "5", "vi": "6"}
FIGURES = frozenset(_FIGURES) | frozenset(_ROMAN)
SIDES = {"right": "right", "left": "left", "rt": "right", "lt": "left", "r": "right", "l": "left"}
"""Words for a side, with the one that the word table knows."""
_LIST_WORDS = ", / & and or vs versus + to - ( )"
LIST = frozenset(_LIST_WORDS.split())
_MEASURES_WORDS = "mm cm month months week weeks o x % th st nd rd edition year years day days view views"
_MEASURES = frozenset(_MEASURES_WORDS.split())
_ENDS_WORDS = (
    ". , ; : ( ) | [ ] { } - / & + = • > and or in on for at to with respectively birads right left rt lt r l both "
    "bilateral bilaterally category benign negative probably suspicious suggestive highly known incomplete low "
    "moderate high intermediate as is was"
)
_ENDS = frozenset(_ENDS_WORDS.split()) | {"\n"}
_SUBCATEGORY = frozenset(["subcategory", "subdivision", "subtype", "subgroup", "subclass", "suffix", "letter"])
_HIGHEST = frozenset(["6", "vi", "six"])
_DENSITIES = ("1", "2", "3", "4")


def read_figure(tokens: Tokens, i: int, last: int) -> tuple[Category, int] | None:
    """The category at token `i` of those before `last`, and the token after it."""
    words = tokens.words
    word = words[i] if i < last else ""
    value = _ROMAN.get(word) or _FIGURES.get(word)
    if value is None:
        return None
    after = words[i + 1] if i + 1 < last else ""
    if word in _FIGURES and (after in _MEASURES or _is_date(tokens, i)):
        return None
    if value == "4" and (letter := _letter(tokens, i + 1, last)) is not None:
        return Category(f"4{words[letter].upper()}"), _end_of_letter(tokens, letter)
    if after == "2025" or (after.isalpha() and after not in SIDES and tokens.touching(i + 1)):
        return None  # an edition, or a figure such as `5th`
    return Category(value), _end_of_scale(words, i + 1, last) if value != "6" else i + 1


def read_density(tokens: Tokens, i: int, last: int) -> tuple[int, int] | None:
    """The grade of density 1 to 4 at token `i`, as the 4th edition and makers number a to d, and the token after it."""
    found = read_figure(tokens, i, last)
    if found is None or found[0].value not in _DENSITIES:
        return None
    end = found[1]
    if tokens.words[end : end + 2] == ["/", "4"]:
        end += 2
    return (int(found[0].value), end) if ends_item(tokens, end) or tokens.words[end] in _TISSUE else None


_TISSUE = frozenset(["breast", "breasts", "density", "tissue", "parenchyma", "parenchymal", "fibroglandular", "dense"])


def _is_date(tokens: Tokens, i: int) -> bool:
    """Whether the number at token `i` begins a date in figures."""
    return tokens.text[tokens.ends[i] : tokens.ends[i] + 1] in ("/", "-", ".") and is_numeric_date(
        tokens.text, tokens.starts[i]
    )


def _letter(tokens: Tokens, i: int, last: int) -> int | None:
    """The token of the letter after a 4 that ends before token `i`: `4a`, `4 (b)`, `4.a`, `4, subcategory b`."""
    words = tokens.words
    after = words[i] if i < last else ""
    if after in ("a", "b", "c"):
        return i if _is_suffix(tokens, i, last) else None
    if after == "(" and words[i + 2 : i + 3] == [")"] and words[i + 1] in ("a", "b", "c"):
        return i + 1
    glossed = after == "(" and words[i + 1 : i + 2] != [] and words[i + 1] in ("a", "b", "c")
    if glossed and words[i + 2 : i + 3] in ([":"], [","], ["-"], ["="]):
        return i + 1  # `4 (A: low suspicion)`
    if (
        after == "."
        and i + 1 < last
        and words[i + 1] in ("a", "b", "c")
        and tokens.touching(i)
        and tokens.touching(i + 1)
    ):
        follows = words[i + 2] if i + 2 < last else ""
        return None if follows.isalpha() and follows not in SIDES else i + 1
    k = i + (after == ",")
    if k < last and (words[k] in _SUBCATEGORY or words[k : k + 2] == ["sub", "category"]):
        k += 1 + (words[k] == "sub")
        return k if k < last and words[k] in ("a", "b", "c") else None
    return None


def _end_of_letter(tokens: Tokens, letter: int) -> int:
    """The token after a letter, and after its bracket."""
    in_bracket = tokens.words[letter - 1] == "(" and tokens.words[letter + 1 : letter + 2] == [")"]
    return _end_of_scale(tokens.words, letter + 1 + in_bracket, len(tokens.words))


def _end_of_scale(words: list[str], i: int, last: int) -> int:
    """The token after `/6`, `of 6` or `out of 6`, which says how long the scale is."""
    k = i
    while k < min(i + 2, last) and words[k] in ("/", "out", "of"):
        k += 1
    return k + 1 if k > i and k < last and words[k] in _HIGHEST else i


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


def is_arrow(tokens: Tokens, before: int, after: int) -> bool:
    """Whether an arrow leads from what ends before token `before` to token `after`: `3 -> 2`."""
    return ">" in tokens.text[tokens.ends[before - 1] : tokens.starts[after]]
