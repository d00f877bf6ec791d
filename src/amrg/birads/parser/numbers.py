"""Numbers in a report: categories, composition letters, sizes, clock faces, distances and dates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from amrg.birads.categories.sites import Sites
from amrg.birads.lexicon import Category, Composition, Edition
from amrg.birads.structure.sections import Piece
from amrg.birads.text.dates import MONTHS, SHORT_MONTHS, read_date
from amrg.birads.text.densities import is_one_of_two, read_share
from amrg.birads.text.figures import LIST, SIDES, is_arrow, read_density, read_figure
from amrg.birads.text.headings import Section
from amrg.birads.text.phrases import Concept
from amrg.birads.text.tokens import Tokens

_GRADES = tuple(Composition)
_UNITS = {"mm": 1.0, "cm": 10.0}
_LETTER_LEADS_WORDS = (
    "acr composition density type category class grade pattern score level breast parenchymal parenchyma tissue "
    "volpara quantra"
)
_LETTER_LEADS = frozenset(_LETTER_LEADS_WORDS.split())
_LETTER_FILLS = frozenset([":", "-", "=", "is", "are", "(", ")", "birads", "of", "as", "classified", "breasts"])
_OF_TISSUE = frozenset(
    ["density", "composition", "parenchymal", "parenchyma", "tissue", "pattern", "volpara", "quantra"]
)
_OTHER_PATTERNS = frozenset(["tabar", "wolfe"])
_LETTER_FIRST = frozenset(["acr", "composition", "density", "type", "grade", "pattern", "parenchyma", "parenchymal"])
BEGINS_NUMBER = _LETTER_FIRST | {"birads", "category", "assessment"} | SHORT_MONTHS.keys() | frozenset(MONTHS)
"""Words that a number, a grade or a date can begin with; others begin with a digit."""
_FROM = frozenset(["from", "behind", "below", "beneath", "under", "above"])
_FROM_WITH = frozenset(["deep", "posterior", "anterior", "superficial", "lateral", "medial", "superior", "inferior"])
_BEFORE_LANDMARK = frozenset(["the", "right", "left", "rt", "lt", "her", "overlying"])
_LANDMARKS = frozenset(
    ["skin", "pectoral", "pectoralis", "muscle", "chest", "areola", "surface", "scar", "clip", "marker"]
)
_SUBCATEGORIES = frozenset(["a", "b", "c"])
_NOW = frozenset(["now", "currently", "today"])
_MEASURED = frozenset(["measures", "measuring", "measured", "is", "at", "about", "approximately", "only", "up", "to"])
_NOUNS = frozenset(["mass", "nodule", "opacity", "lesion", "well", "small", "large"])
_WIDEST_LIST = 3  # categories from first to last; a wider range such as 0-6 is the whole scale
_FARTHEST = 12
_CORTEX = 4  # words between `cortical` and the length: `cortical thickening of up to 5 mm`


@dataclass(frozen=True, slots=True)
class NumberMention:
    """A number read: what it means, its value, and the token after it."""

    concept: Concept
    value: Any
    last: int


class NumberReader:
    """Reads numbers of one piece of a text."""

    def __init__(self, tokens: Tokens, piece: Piece, sites: Sites) -> None:
        self._tokens = tokens
        self._words = tokens.words
        self._first = piece.first
        self._last = piece.last
        self._of_composition = piece.section is Section.COMPOSITION
        self._due = sites.due
        self._month_first = sites.month_first

    def at(self, i: int) -> NumberMention | None:
        """The number that begins at token `i`, or None."""
        word = self._words[i]
        if i in self._due:
            return self._categories(i)
        if word in ("birads", "category", "assessment"):
            return self._after_birads(i)
        if word in _LETTER_FIRST:
            return self._letter(i)
        if word[0].isdecimal():
            return self._date(i) or self._clock(i) or self._share(i) or self._measure(i)
        return self._date(i)

    def _word(self, i: int) -> str:
        """The word at token `i`, or nothing where the stretch has ended."""
        return self._words[i] if i < self._last else ""

    def _after_birads(self, i: int) -> NumberMention | None:
        """What follows the name BI-RADS and is no category: an edition or a letter of composition."""
        words = self._words
        if words[i] == "birads" and self._word(i + 1) == "2025":
            return NumberMention(Concept.EDITION, Edition.V2025, i + 2)
        if words[i] != "birads" and i > 0 and words[i - 1] in ("acr", "density", "composition"):
            return self._letter(i)
        return self._letter(i) if self._word(i + 1) in ("density", "composition", "category") else None

    def _categories(self, i: int) -> NumberMention | None:
        """All categories listed from token `i` on."""
        found: list[Category] = []
        end = i
        at = i
        while (read := read_figure(self._tokens, at, self._last) or self._next_letter(found, at)) is not None:
            if found and self._is_whole_scale(found[-1], read[0], end, at):
                return NumberMention(Concept.CATEGORY, tuple(Category), read[1])
            further = self._word(at) in _SUBCATEGORIES
            if found and not further and (not self._ends_item(read[1]) or (at in self._due and at != i)):
                break
            if found and is_arrow(self._tokens, end, at):
                break
            if read[0] not in found:
                found.append(read[0])
            at = end = read[1]
            if self._words[i - 1] in ("from", "birads") and "from" in self._words[max(0, i - 3) : i]:
                break  # `from 4 to 2` is no list
            while self._word(at) in LIST and at - end < 3:
                at += 1
            if self._word(at) == "birads":
                at += 1
        return NumberMention(Concept.CATEGORY, tuple(found), end) if found else None

    def _next_letter(self, found: list[Category], i: int) -> tuple[Category, int] | None:
        """The category of a further letter at token `i` and the token after it: the b of `4a-b` and of `4A, B`."""
        listed = found and found[-1].value[1:] and self._word(i) in _SUBCATEGORIES
        ends = self._ends_item(i + 1) or (self._tokens.touching(i) and self._word(i + 1) in SIDES)
        return (Category(f"4{self._word(i).upper()}"), i + 1) if listed and ends else None

    def _ends_item(self, i: int) -> bool:
        """Whether a figure that ends before token `i` ends an item of a list."""
        word = self._word(i)
        if word in ("lesion", "finding") or (word in ("lesions", "findings") and self._word(i - 2) in ("or", "and")):
            return True
        return not word or not word[0].isalnum() or word in ("and", "or", "in", "for", "respectively", "birads", "to")

    def _is_whole_scale(self, low: Category, high: Category, end: int, at: int) -> bool:
        """Whether two figures are the ends of the scale, as in `BI-RADS 0-6` and `1 to 5`."""
        between = self._tokens.text[self._tokens.ends[end - 1] : self._tokens.starts[at]].strip()
        return high.major - low.major > _WIDEST_LIST and between in ("-", "to")

    def _letter(self, i: int) -> NumberMention | None:
        """A composition letter after its lead words, as in `ACR density type C`, or a grade of density as a number."""
        words = self._words
        leads_acr = words[i] in ("acr", "composition", "birads")
        j = i + 1
        while j < min(self._last, i + _FARTHEST) and (
            words[j] in _LETTER_LEADS or words[j] in _LETTER_FILLS or words[j] in SIDES
        ):
            leads_acr = leads_acr or words[j] in ("composition", "acr") or (words[j] == "category")
            j += 1
        word = self._word(j)
        if word not in ("a", "b", "c", "d"):
            return self._grade(i, j)
        if word == "a" and self._word(j + 1).isalpha() and not leads_acr:
            return None
        if self._word(j + 1) in _NOUNS or (words[i] == "parenchyma" and not leads_acr):
            return None
        if is_one_of_two(self._tokens, j):
            return None
        return NumberMention(Concept.LETTER, Composition(word), j + 1)

    def _grade(self, i: int, j: int) -> NumberMention | None:
        """A grade of density at token `j`, led up to from token `i` on: `density grade IV`, `type 2 parenchyma`."""
        found = read_density(self._tokens, j, self._last) if self._word(j) and j not in self._due else None
        if found is None:
            return None
        grade, end = found
        tissue = self._words[max(self._first, i - 2) : j] + self._words[end : min(end + 3, self._last)]
        if not _OTHER_PATTERNS.isdisjoint(tissue):
            return None
        if not self._of_composition and not _OF_TISSUE & set(tissue):
            return None
        return NumberMention(Concept.LETTER, _GRADES[grade - 1], end)

    def _share(self, i: int) -> NumberMention | None:
        """The share of the breast that is glandular, as the 4th edition describes composition."""
        found = read_share(self._tokens, i, self._last, self._of_composition)
        return None if found is None else NumberMention(Concept.COMPOSITION, *found)

    def _date(self, i: int) -> NumberMention | None:
        """A date; one whose day and month can be taken for one another, a month or a year only says when."""
        found = read_date(self._tokens.text, self._tokens.starts[i], self._month_first)
        if found is None or self._word(i + 1) == "edition":
            return None
        date, end = found
        last = i
        while last < self._last and self._tokens.starts[last] < end:
            last += 1
        return NumberMention(Concept.WHEN, True, last) if date is None else NumberMention(Concept.DATE, date, last)

    def _clock(self, i: int) -> NumberMention | None:
        """A clock face such as `2 o'clock`."""
        word = self._words[i]
        if not (word.isdecimal() and len(word) <= 2 and 1 <= int(word) <= 12):
            return None
        for tail in (("o", "clock"), ("clock",), (":", "00", "o", "clock"), (":", "00")):
            end = i + 1 + len(tail)
            if end <= self._last and tuple(self._words[i + 1 : end]) == tail:
                return NumberMention(Concept.CLOCK, int(word), end)
        listed = self._word(i + 1) in ("and", "&", ",") and self._word(i + 2).isdecimal()
        if listed and tuple(self._words[i + 3 : i + 5]) == ("o", "clock") and i + 5 <= self._last:
            return NumberMention(Concept.CLOCK, int(word), i + 1)  # `at 10 and 2 o'clock`
        return None

    def _measure(self, i: int) -> NumberMention | None:
        """A length with its unit, the largest of several, as a size or as a distance from the nipple."""
        values: list[tuple[float, str]] = []
        unit, j = "", i
        while _is_length(self._word(j)) and len(values) < 3:
            j += 1
            own = self._word(j) if self._word(j) in _UNITS else ""
            values.append((float(self._words[j - 1]), own))
            if own:
                unit = own
                j += 1
            if self._word(j) not in ("x", "by", "×") or not _is_length(self._word(j + 1)):
                break
            j += 1
        if not unit:
            return None
        millimetres = round(max(value * _UNITS[own or unit] for value, own in values))
        if self._is_earlier(i, j) or self._is_of_cortex(i, j):
            return None
        distance = self._to_nipple(j)
        if distance is not None:
            return NumberMention(Concept.DISTANCE, millimetres, distance) if 0 <= millimetres <= 300 else None
        sized = 1 <= millimetres <= 300 and not self._is_depth(j)
        return NumberMention(Concept.SIZE, millimetres, j) if sized else None

    def _to_nipple(self, j: int) -> int | None:
        """The token after `from the nipple`, `deep to the right nipple`; None where something else follows."""
        if self._word(j) == "fn":
            return j + 1
        k = self._after_direction(j)
        while k is not None and self._word(k) in _BEFORE_LANDMARK:
            k += 1
        return k + 1 if k is not None and self._word(k) == "nipple" else None

    def _is_depth(self, j: int) -> bool:
        """Whether a length is one to a landmark other than the nipple: `below the skin`."""
        k = self._after_direction(j)
        while k is not None and self._word(k) in _BEFORE_LANDMARK:
            k += 1
        return k is not None and self._word(k) in _LANDMARKS

    def _after_direction(self, j: int) -> int | None:
        """The token after `from`, `deep to`, `behind` and the like, which say what a length is measured from."""
        if self._word(j) in _FROM:
            return j + 1
        return j + 2 if self._word(j) in _FROM_WITH and self._word(j + 1) in ("to", "from", "of") else None

    def _is_of_cortex(self, i: int, j: int) -> bool:
        """Whether a length is how thick the cortex of a lymph node is, not how large the node."""
        near = self._words[max(self._first, i - _CORTEX) : i] + self._words[j : min(j + 2, self._last)]
        return not {"cortical", "cortex"}.isdisjoint(near)

    def _is_earlier(self, i: int, j: int) -> bool:
        """Whether a length at tokens `i` to `j` is one of another day: `from 6 mm to 11 mm`, `was 9 mm in 2022`."""
        k = i - 1
        while k >= self._first and self._words[k] in ("measured", "measuring", "at", "about", "approximately", "only"):
            k -= 1
        before = self._words[k] if k >= self._first else ""
        if before in ("previously", "formerly"):
            return True
        if before == "from":
            return self._word(j) == "to"
        if self._is_replaced(j):
            return True
        later = self._words[j : min(j + _FARTHEST, self._last)]
        return before in ("was", "were", "had") and not _NOW.isdisjoint(later)

    def _is_replaced(self, j: int) -> bool:
        """Whether the length after that which ends at token `j` is of today: `8 mm mass, now measuring 12 mm`."""
        k = j
        while k < self._last and self._word(k) not in _NOW:
            if self._is_measured(k) and self._to_nipple(k + 2) is None:
                return False
            k += 1
        while self._word(k) in _NOW | _MEASURED:
            k += 1
        return self._is_measured(k)

    def _is_measured(self, k: int) -> bool:
        """Whether a number with a unit of length begins at token `k`."""
        return _is_length(self._word(k)) and self._word(k + 1) in _UNITS


def _is_length(word: str) -> bool:
    """Whether a token is a number of a length's size."""
    return 0 < len(word) <= 6 and word[0].isdecimal()
