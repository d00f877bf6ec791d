"""Where a text has its categories: after the name BI-RADS, by side, and in printed legends, which are taken out."""

from __future__ import annotations

from dataclasses import dataclass

from amrg.birads.categories.scales import five_point_codes, is_other_scale, names_other_scale
from amrg.birads.lexicon import Category
from amrg.birads.structure.modalities import MODALITIES
from amrg.birads.text.dates import month_first
from amrg.birads.text.figures import FIGURES, LIST, SIDES, ends_item, is_arrow, is_enumeration, read_figure
from amrg.birads.text.tokens import Tokens

_LEADS = frozenset(["birads", "category", "categories", "assessment"])
_DENSITY = frozenset(["acr", "density", "composition", "tissue", "parenchymal"])
_PATTERN = frozenset(["pattern", "parenchyma"])
_BETWEEN_WORDS = (
    "category categories assessment score classification final is of : - = ( class grade code rating level as "
    "overall cat right left rt lt r l breast breasts side bilateral both combined , for the assigned ) number no# "
    "# remains > was mammographic mammogram now current should read reads changed upgraded "
    "downgraded revised updated reclassified from to have been be"
)
_BETWEEN = frozenset(_BETWEEN_WORDS.split()) | frozenset(MODALITIES)
_OPENERS = _LEADS | SIDES.keys()
_BREAKS_WORDS = ". ; | [ ] { } •"
_BREAKS = frozenset(_BREAKS_WORDS.split()) | {"\n"}
_APART = _BREAKS | {",", "/", "and", "&", "(", ":"}
_GLOSS_WORDS = (
    "incomplete additional need needs negative normal benign probably likely suspicious low moderate intermediate "
    "high highly known biopsy proven malignancy malignant suggestive suspicion finding findings abnormality of "
    "for imaging evaluation lesion appearing"
)
_GLOSS = frozenset(_GLOSS_WORDS.split())
_GLOSS_OPENS_WORDS = (
    "incomplete additional need needs negative normal benign probably likely suspicious suspicion low moderate "
    "intermediate high highly known biopsy proven malignancy inconclusive assessment mildly moderately no "
    "definitely definite"
)
_GLOSS_OPENS = frozenset(_GLOSS_OPENS_WORDS.split())
_LEGEND_NAMES_WORDS = "legend key scale categories classification definitions explanation explained meaning system"
_LEGEND_NAMES = frozenset(_LEGEND_NAMES_WORDS.split())
_FARTHEST = 14
_DIGITS = frozenset("0123456")
_ORDER = {c: i for i, c in enumerate(Category)}
_SPELT_OUT = ["breast", "imaging", "reporting", "and", "data", "system", ")"]
_MAX_LEGEND_GAP = 45
_WHOSE = frozenset(["right", "left", "rt", "lt", "overall", "breast"])


@dataclass(frozen=True, slots=True)
class Sites:
    """Tokens at which a category begins, and the categories of printed legends with their spans."""

    due: frozenset[int]
    legend: tuple[tuple[Category, int, int], ...]
    month_first: bool | None = None
    foreign: tuple[tuple[int, int], ...] = ()
    """Where the text has a category of another scale than BI-RADS."""


def find_sites(tokens: Tokens) -> tuple[Tokens, Sites]:
    """The tokens without printed legends and without the breaks inside a category, and where categories begin."""
    legend, tokens = _take_out_legends(tokens)
    finder = _Finder(tokens)
    finder.read()
    remaining, moved = tokens, finder.due
    if finder.dropped:
        keep = [i for i in range(len(tokens.words)) if i not in finder.dropped]
        place = {old: new for new, old in enumerate(keep)}
        words, starts, ends = tokens.words, tokens.starts, tokens.ends
        remaining = Tokens(tokens.text, [words[i] for i in keep], [starts[i] for i in keep], [ends[i] for i in keep])
        moved = {place[i] for i in finder.due}
    others = (*finder.foreign, *five_point_codes(tokens.text))
    return remaining, Sites(frozenset(moved), tuple(legend), month_first(tokens.text), others)


class _Finder:
    """Walks over the leads and the sides of a text."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens
        self._words = tokens.words
        self._last = len(tokens.words)
        self.due: set[int] = set()
        self.dropped: set[int] = set()
        self.foreign: list[tuple[int, int]] = []
        self._has_other_scale = names_other_scale(self._words)

    def read(self) -> None:
        """Find every category."""
        for i, word in enumerate(self._words):
            if word not in _OPENERS:
                continue
            if word in _LEADS:
                if not self._is_of_density(i):
                    self._after_lead(i)
            elif i == 0 or self._words[i - 1] in _BREAKS:
                self._pair(i)

    def _is_of_density(self, i: int) -> bool:
        """Whether a lead announces breast density: `density category 3`, `breast density: BI-RADS 3`."""
        k = i - 1
        while k >= max(0, i - 6) and self._words[k] in (":", "is", "birads", "category", "-", "="):
            k -= 1
        if self._words[i] == "birads" and k >= 0 and self._words[k] == "acr":
            # `density: ACR BI-RADS 3`, never `ACR BI-RADS 3`
            k -= 2 if k and self._words[k - 1] in (":", "is", "-") else 1
            return k >= 0 and self._words[k] in _DENSITY | _PATTERN
        return k >= 0 and self._words[k] in _DENSITY | (_PATTERN if self._words[i] == "birads" else set())

    def _after_lead(self, i: int) -> None:
        """The categories that a lead announces: the first one, those of a list, those of the other side."""
        words = self._words
        j = i + 1
        broken, glossed = [], False
        while j < min(self._last, i + _FARTHEST):
            if words[j] == "(" and words[j + 1 : j + 8] == _SPELT_OUT:
                j += 7
            elif words[j] in _BREAKS:
                if words[j] == "\n" and not self._is_open(j):
                    return
                broken.append(j)
            elif words[j] in _GLOSS and words[j] not in FIGURES and words[j] not in _BETWEEN:
                glossed = True
            elif words[j] not in _BETWEEN and words[j] not in _GLOSS:
                break
            j += 1
        found = read_figure(self._tokens, j, self._last)
        if found is None or (words[i] == "assessment" and is_enumeration(self._tokens, found[1])):
            return
        if (broken or glossed) and not ends_item(self._tokens, found[1]):
            return
        if glossed and (broken or words[j - 1] not in ("(", "-", ":", "=", "category", "birads")):
            return
        if words[i] == "assessment" and (broken or words[found[1] : found[1] + 1] == ["of"]):
            return  # `Assessment 2 of 2`
        if words[i] != "birads" and self._is_of_other_scale(i, j, found[1]):
            self.foreign.append((self._tokens.starts[i], self._tokens.ends[found[1] - 1]))
            return
        self._accept(i + 1, j, broken)
        self._spell_before(i)
        self._others(found[1])

    def _is_of_other_scale(self, lead: int, at: int, end: int) -> bool:
        """Whether the category at token `at` is of another scale than BI-RADS."""
        words = self._words
        return self._has_other_scale or is_other_scale(words, lead, end)

    def _is_open(self, at: int) -> bool:
        """Whether the line that ends at token `at` waits for its value."""
        return self._words[at - 1] in (":", "-", "=", "birads", "category", "\n", "|") or self._words[at - 1] in _BREAKS

    def _accept(self, first: int, at: int, broken: list[int]) -> None:
        """A category begins at token `at`; the breaks before it part nothing, and letters for sides are spelt out."""
        self.due.add(at)
        self.dropped.update(broken)
        if self._words[at + 1 : at + 2] == ["."]:
            read = read_figure(self._tokens, at, self._last)
            self.dropped.update([at + 1] if read is not None and read[1] > at + 1 else [])  # `4.a`
        self._spell(first, at)

    def _spell_before(self, i: int) -> None:
        """`R: BI-RADS 1`: the side of a category at the lead at token `i`."""
        words = self._words
        if (
            i >= 2
            and words[i - 1] in (":", "-", "=")
            and words[i - 2] in ("r", "l")
            and (i == 2 or words[i - 3] in _APART)
        ):
            self._spell(i - 2, i - 1)

    def _spell(self, first: int, last: int) -> None:
        for k in range(first, min(last, self._last)):
            if self._words[k] in ("r", "l", "rt", "lt"):
                self._words[k] = SIDES[self._words[k]]

    def _others(self, at: int) -> None:
        """Categories further on that have a side at them: `2 right, 4 left`; `R: 4 / L: 2`; `from 4 to 2`."""
        words = self._words
        first = at
        while first < self._last:
            j = first
            while j < min(self._last, first + _FARTHEST) and (
                words[j] in _BETWEEN
                or words[j] in _BREAKS
                or words[j] in _GLOSS
                or words[j] in LIST
                or words[j] == "on"
            ):
                if words[j] in _LEADS:
                    return
                j += 1
            found = read_figure(self._tokens, j, self._last) if j > first else None
            if found is None:
                self._spell_after(first)
                return
            before = (
                self._side_before(first, j)
                or self._is_next_in_time(first, j)
                or any(w == "overall" or w in MODALITIES for w in words[first:j])
            )
            if not before and not self._side_after(found[1]):
                self._spell_after(first)
                return
            if not ends_item(self._tokens, found[1]) or (is_enumeration(self._tokens, found[1]) and not before):
                return
            self._accept(first, j, [])
            first = found[1]

    def _is_next_in_time(self, first: int, j: int) -> bool:
        """`was 3, now 2`, `from 4 to 2` and `4 -> 2`."""
        if is_arrow(self._tokens, first, j):
            return True
        if self._words[j - 1] == "to":
            return "from" in self._words[max(0, first - 6) : first]
        return bool({"now", "currently", "today"} & set(self._words[first:j]))

    def _spell_after(self, at: int) -> None:
        """`4 (L)`: the side of the last category."""
        if self._side_after(at):
            self._spell(at, at + 3)

    def _side_before(self, first: int, j: int) -> bool:
        """Whether a side leads straight up to the figure at token `j`."""
        k = j - 1
        while k >= first and self._words[k] in (
            "breast",
            "side",
            "sided",
            ":",
            "-",
            "=",
            ")",
            "(",
            "is",
            "birads",
            "category",
        ):
            k -= 1
        return k >= first and self._words[k] in SIDES

    def _side_after(self, at: int) -> bool:
        """Whether a side follows a figure that ends before token `at`."""
        k = at
        while k < min(self._last, at + 4) and self._words[k] in ("(", "on", "in", "the", "for", "of", "-"):
            k += 1
        return k < self._last and self._words[k] in SIDES and self._words[k - 1] not in _BREAKS

    def _pair(self, i: int) -> None:
        """Both sides with a bare category each: `Right breast: 1  Left breast: 4A`."""
        first = self._item(i)
        if first is None:
            return
        k = first[1]
        while k < self._last and (self._words[k] in _BREAKS or self._words[k] in (",", ";", "/", "-", "and", "(", ")")
                                  or self._words[k] in _GLOSS):  # fmt: skip
            k += 1
        second = self._item(k) if k < self._last and self._words[k] in SIDES else None
        if second is not None and SIDES[self._words[i]] != SIDES[self._words[k]]:
            self._accept(i, first[0], [])
            self._accept(k, second[0], [])

    def _item(self, i: int) -> tuple[int, int] | None:
        """Where the figure of `Right breast: 1` begins and ends."""
        j = i + 1
        marked = False
        while j < self._last and self._words[j] in ("breast", "side", "mammogram", ":", "=", "-", "category"):
            marked = marked or self._words[j] in (":", "=")
            j += 1
        glossed = j
        while marked and j < self._last and self._words[j] in _GLOSS and self._words[j] not in FIGURES:
            j += 1
        if j > glossed:  # `RIGHT: NEGATIVE (1)`
            found = read_figure(self._tokens, j + 1, self._last) if self._words[j : j + 1] == ["("] else None
            closed = found is not None and self._words[found[1] : found[1] + 1] == [")"]
            return (j + 1, found[1]) if found is not None and closed else None
        found = read_figure(self._tokens, j, self._last) if marked else None
        if found is None or not ends_item(self._tokens, found[1]) or is_enumeration(self._tokens, found[1]):
            after = found and self._words[found[1] + 1 : found[1] + 2]
            if found is None or not after or after[0] not in SIDES:
                return None
        return j, found[1]


def _take_out_legends(tokens: Tokens) -> tuple[list[tuple[Category, int, int]], Tokens]:
    """The categories of printed legends, and the tokens without the legends; a ticked category stays."""
    items = _legend_items(tokens)
    found: list[tuple[Category, int, int]] = []
    words, starts, ends = tokens.words, tokens.starts, tokens.ends
    for run in reversed(_runs(tokens, items)):
        first, last = _opening(tokens, run[0][1]), _closing(tokens, run[-1][2])
        boxes_follow = _has_box_after(words, run[0][2]) and not _has_box_before(words, run[0][1])
        ticked = [item for item in run if _is_ticked(words, item[1], item[2], boxes_follow)]
        new: list[tuple[str, int, int]] = [("\n", starts[first], ends[last - 1])]
        if len(ticked) == 1:
            _, a, b = ticked[0]
            new += [("birads", starts[a], starts[a]), *zip(words[a:b], starts[a:b], ends[a:b], strict=True), new[0]]
        found += [(c, starts[a], ends[b - 1]) for c, a, b in run if (c, a, b) not in ticked]
        words[first:last] = [word for word, _, _ in new]
        starts[first:last] = [start for _, start, _ in new]
        ends[first:last] = [end for *_, end in new]
    return sorted(found, key=lambda item: item[1]), tokens


def _legend_items(tokens: Tokens) -> list[tuple[Category, int, int]]:
    """Every figure that its meaning follows: the category, its first token and the one after it."""
    words = tokens.words
    places = [i for i, word in enumerate(words) if word in _DIGITS]
    if len(places) < 3:
        return []
    items = []
    for i in places:
        found = read_figure(tokens, i, len(words))
        if found is None:
            continue
        j = found[1]
        while j < len(words) and j < found[1] + 4 and words[j] in (":", "-", "=", ")", ".", "(", "\n", "|", ">", "]"):
            j += 1
        if (
            _has_box_before(words, i)
            or _has_box_after(words, found[1])
            or (j < len(words) and words[j] in _GLOSS_OPENS)
        ):
            items.append((found[0], i, found[1]))
    return items


def _runs(tokens: Tokens, items: list[tuple[Category, int, int]]) -> list[list[tuple[Category, int, int]]]:
    """Stretches of items in the order of the categories, long enough for a legend."""
    runs: list[list[tuple[Category, int, int]]] = []
    direction = 0
    for item in items:
        step = _step(tokens, runs[-1][-1], item) if runs else 0
        if step and direction in (0, step):
            runs[-1].append(item)
            direction = step
        else:
            runs.append([item])
            direction = 0
    return [run for run in runs if len(run) >= (3 if _is_named(tokens, run) else 4)]


def _step(tokens: Tokens, before: tuple[Category, int, int], after: tuple[Category, int, int]) -> int:
    """1 or -1 where an item comes next to another in the order of the categories and no breast is named, else 0."""
    back_to_zero = after[0] is Category.INCOMPLETE and before[0].major >= 5
    if after[1] - before[2] > _MAX_LEGEND_GAP or (abs(after[0].major - before[0].major) > 1 and not back_to_zero):
        return 0
    if _WHOSE & set(tokens.words[before[2] : after[1]]):
        return 0
    steps = 1 if back_to_zero else _ORDER[after[0]] - _ORDER[before[0]]
    return (steps > 0) - (steps < 0)


def _is_named(tokens: Tokens, run: list[tuple[Category, int, int]]) -> bool:
    """Whether a legend says that it is one, or lists the letters of 4."""
    first = run[0][1]
    named = bool(_LEGEND_NAMES & set(tokens.words[max(0, first - 10) : first]))
    return named or [c.value for c, *_ in run] == ["4A", "4B", "4C"]


def _opening(tokens: Tokens, at: int) -> int:
    """Where the name and the mark of a legend's first item begin."""
    names = _LEGEND_NAMES | {"birads", "category", "assessment", "acr", ":", "(", ")", "[", "]", "x", "-", "final", "="}
    while at > 0 and tokens.words[at - 1] in names:
        at -= 1
    return at


def _closing(tokens: Tokens, at: int) -> int:
    """Where the meaning of a legend's last item ends."""
    words = tokens.words
    while at < len(words) and not words[at].isalpha():
        at += 1
    while at < len(words) and words[at] not in ("\n", ".", "|", "]", ";", "birads"):
        at += 1
    return at


def _has_box_before(words: list[str], at: int) -> bool:
    """Whether `[ ]` or `[x]` stands before token `at`."""
    return at >= 2 and words[at - 1] == "]" and words[at - 2] in ("[", "x")


def _has_box_after(words: list[str], at: int) -> bool:
    """Whether `[ ]` or `[x]` begins at token `at`."""
    return words[at : at + 2] == ["[", "]"] or words[at : at + 3] == ["[", "x", "]"]


def _is_ticked(words: list[str], at: int, end: int, boxes_follow: bool) -> bool:
    """Whether `[x]` or `(x)` stands before an item, or follows it where the boxes of its list do."""
    if boxes_follow:
        return words[end : end + 3] == ["[", "x", "]"]
    k = at - 1
    while k >= max(0, at - 6) and words[k] in ("birads", "category", "-", ":"):
        k -= 1
    return k >= 2 and words[k] in ("]", ")") and words[k - 1] == "x" and words[k - 2] in ("[", "(")
