"""Numbers in a report: categories, composition letters, sizes, clock faces, distances and dates."""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass
from typing import Any

from amrg.birads.lexicon import Category, Composition, Edition
from amrg.birads.parser.phrases import Concept
from amrg.birads.parser.tokens import Tokens

_MONTH_NAMES = "january february march april may june july august september october november december"
_MONTHS = _MONTH_NAMES.split()
_MONTH = "|".join(f"{name}|{name[:3]}" for name in _MONTHS)
_DATES = (
    re.compile(r"(?P<y>[0-9]{4})[-/](?P<m>[0-9]{2})[-/](?P<d>[0-9]{2})(?![0-9])"),
    re.compile(rf"(?P<d>[0-9]{{1,2}})(?:st|nd|rd|th)? (?P<n>{_MONTH})\.?,? (?P<y>[0-9]{{4}})(?![0-9])", re.I),
    re.compile(rf"(?P<n>{_MONTH})\.? (?P<d>[0-9]{{1,2}})(?:st|nd|rd|th)?,? (?P<y>[0-9]{{4}})(?![0-9])", re.I),
)
_FIGURES = {str(n): n for n in range(7)} | {
    word: n for n, word in enumerate(["zero", "one", "two", "three", "four", "five", "six"])
}
_ROMAN = {"i": "1", "ii": "2", "iii": "3", "iv": "4", "iva": "4A", "ivb": "4B", "ivc": "4C", "v": "5", "vi": "6"}
_BETWEEN_WORDS = (
    "category categories assessment score classification final is of : - – = ( class grade code "
    "rating level as overall cat right left breast breasts side bilateral both combined , for the "
    "assigned )"
)
_BETWEEN = frozenset(_BETWEEN_WORDS.split())
_LIST = frozenset([",", "/", "&", "and", "or", "+", "to", "-", "–", "(", ")"])
_UNITS = {"mm": 1.0, "cm": 10.0}
_LETTER_LEADS = frozenset(["acr", "composition", "density", "type", "category", "class", "grade", "pattern"])
_FARTHEST = 12


@dataclass(frozen=True, slots=True)
class NumberMention:
    """A number read: what it means, its value, and the token after it."""

    concept: Concept
    value: Any
    last: int


class NumberReader:
    """Reads numbers of one stretch of tokens that ends before `last`."""

    def __init__(self, tokens: Tokens, last: int) -> None:
        self._tokens = tokens
        self._words = tokens.words
        self._last = last
        self._expected = -1  # the token where a category is due, once BI-RADS was named

    def at(self, i: int) -> NumberMention | None:
        """The number that begins at token `i`, or None."""
        word = self._words[i]
        if i == self._expected:
            return self._categories(i)
        if word in ("birads", "category", "assessment"):
            return self._after_birads(i)
        if word in ("acr", "composition", "density", "type"):
            return self._letter(i)
        if word[0].isdecimal():
            return self._date(i) or self._clock(i) or self._measure(i)
        return self._date(i) if word[:3] in _SHORT_MONTHS else None

    def _word(self, i: int) -> str:
        """The word at token `i`, or nothing where the stretch has ended."""
        return self._words[i] if i < self._last else ""

    def _after_birads(self, i: int) -> NumberMention | None:
        """What follows the name BI-RADS: an edition right after it, or a category expected a little further on."""
        words = self._words
        if words[i] == "birads" and self._word(i + 1) == "2025":
            return NumberMention(Concept.EDITION, Edition.V2025, i + 2)
        if words[i] != "birads" and i > 0 and words[i - 1] in ("acr", "density", "composition"):
            return self._letter(i)
        j = i + 1
        while j < min(self._last, i + _FARTHEST) and words[j] in _BETWEEN:
            j += 1
        if self._category(j) is not None:
            self._expected = j
            return None
        return self._letter(i) if self._word(i + 1) in ("density", "composition", "category") else None

    def _categories(self, i: int) -> NumberMention | None:
        """All categories listed from token `i` on."""
        found: list[Category] = []
        end = i
        at = i
        while (read := self._category(at)) is not None:
            if found and not self._ends_item(read[1]):
                break
            if read[0] not in found:
                found.append(read[0])
            at = end = read[1]
            while self._word(at) in _LIST and at - end < 3:
                at += 1
            if self._word(at) == "birads":
                at += 1
        return NumberMention(Concept.CATEGORY, tuple(found), end) if found else None

    def _category(self, i: int) -> tuple[Category, int] | None:
        """One category at token `i` and the token after it."""
        word = self._word(i)
        if word in _ROMAN:
            return self._category_with_letter(_ROMAN[word], i)
        if word not in _FIGURES or self._is_measure(i + 1):
            return None
        return self._category_with_letter(str(_FIGURES[word]), i)

    def _category_with_letter(self, value: str, i: int) -> tuple[Category, int] | None:
        """The category at token `i` with the letter that may follow it."""
        letter = self._word(i + 1)
        if value == "4" and letter in ("a", "b", "c") and self._is_suffix(i + 1):
            return Category(f"4{letter.upper()}"), i + 2
        if letter == "2025" or (letter.isalpha() and self._adjoins(i + 1)):
            return None  # an edition, or a figure such as `5th`
        return Category(value), i + 1

    def _adjoins(self, i: int) -> bool:
        """Whether token `i` follows without a space (`5th`)."""
        return i < self._last and self._tokens.touching(i)

    def _is_suffix(self, i: int) -> bool:
        """Whether the letter at token `i` belongs to the figure before it and is no article."""
        tokens = self._tokens
        gap = tokens.starts[i] - tokens.ends[i - 1]
        if gap == 0 or tokens.words[i] != "a" or tokens.text[tokens.starts[i]] == "A":
            return True
        joined = tokens.text[tokens.ends[i - 1]] == "-"
        return joined or not self._word(i + 1).isalpha()

    def _is_measure(self, i: int) -> bool:
        """Whether what follows makes the figure before it something other than a category."""
        return self._word(i) in (
            "mm",
            "cm",
            "month",
            "months",
            "o",
            "x",
            "%",
            "th",
            "st",
            "nd",
            "rd",
            "edition",
            "year",
            "years",
        )

    def _ends_item(self, i: int) -> bool:
        """Whether a figure that ends before token `i` ends an item of a list."""
        word = self._word(i)
        return not word or not word[0].isalnum() or word in ("and", "or", "in", "for", "respectively", "birads", "to")

    def _letter(self, i: int) -> NumberMention | None:
        """A composition letter after its lead words, as in `ACR density type C`."""
        words = self._words
        leads_acr = words[i] in ("acr", "composition", "birads")
        j = i + 1
        while j < min(self._last, i + _FARTHEST) and (
            words[j] in _LETTER_LEADS or words[j] in (":", "-", "=", "is", "(", "birads", "breast")
        ):
            leads_acr = leads_acr or words[j] in ("composition", "acr") or (words[j] == "category")
            j += 1
        word = self._word(j)
        if word not in ("a", "b", "c", "d") or (word == "a" and self._word(j + 1).isalpha() and not leads_acr):
            return None
        if self._word(j + 1) in ("mass", "nodule", "opacity", "lesion", "well", "small", "large"):
            return None
        return NumberMention(Concept.LETTER, Composition(word), j + 1)

    def _date(self, i: int) -> NumberMention | None:
        """A date whose day, month and year cannot be taken for one another."""
        tokens = self._tokens
        for pattern in _DATES:
            found = pattern.match(tokens.text, tokens.starts[i])
            if found is None:
                continue
            parts = found.groupdict()
            month = parts.get("m") or str(_SHORT_MONTHS[parts["n"].lower()[:3]])
            try:
                date = datetime.date(int(parts["y"]), int(month), int(parts["d"]))
            except ValueError:
                return None
            last = i
            while last < self._last and tokens.starts[last] < found.end():
                last += 1
            return NumberMention(Concept.DATE, date, last)
        return None

    def _clock(self, i: int) -> NumberMention | None:
        """A clock face such as `2 o'clock`."""
        word = self._words[i]
        if not (word.isdecimal() and len(word) <= 2 and 1 <= int(word) <= 12):
            return None
        for tail in (("o", "clock"), ("clock",), (":", "00", "o", "clock"), (":", "00")):
            end = i + 1 + len(tail)
            if end <= self._last and tuple(self._words[i + 1 : end]) == tail:
                return NumberMention(Concept.CLOCK, int(word), end)
        return None

    def _measure(self, i: int) -> NumberMention | None:
        """A length with its unit, the largest of several, as a size or as a distance from the nipple."""
        values: list[float] = []
        unit, j = "", i
        while _is_length(self._word(j)) and len(values) < 3:
            values.append(float(self._words[j]))
            j += 1
            if self._word(j) in _UNITS:
                unit = self._words[j]
                j += 1
            if self._word(j) not in ("x", "by", "×") or not _is_length(self._word(j + 1)):
                break
            j += 1
        if not unit:
            return None
        millimetres = round(max(values) * _UNITS[unit])
        distance = self._to_nipple(j)
        if distance is not None:
            return NumberMention(Concept.DISTANCE, millimetres, distance) if 0 <= millimetres <= 300 else None
        return NumberMention(Concept.SIZE, millimetres, j) if 1 <= millimetres <= 300 else None

    def _to_nipple(self, j: int) -> int | None:
        """The token after `from the nipple`, or None where something else follows."""
        for tail in (("from", "the", "nipple"), ("from", "nipple"), ("fn",)):
            if tuple(w for w in self._words[j : j + len(tail)]) == tail and j + len(tail) <= self._last:
                return j + len(tail)
        return None


_SHORT_MONTHS = {name[:3]: n for n, name in enumerate(_MONTHS, 1)}


def _is_length(word: str) -> bool:
    """Whether a token is a number of a length's size."""
    return 0 < len(word) <= 6 and word[0].isdecimal()
