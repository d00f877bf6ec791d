"""Parts of a text by who has the last word: the report as it was, and its addenda."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

from amrg.birads.text.tokens import Tokens

_NAMES = frozenset(["addendum", "addenda", "amendment", "correction", "corrigendum", "erratum"])
_CHANGES = frozenset(["amended", "corrected", "revised", "supplemental", "supplementary", "updated", "final"])
_PARTS = frozenset(
    ["report", "reports", "impression", "assessment", "birads", "conclusion", "reading", "interpretation"]
)
_STARTS_WORDS = ". | - = # [ ] • ; !"
_STARTS = frozenset(_STARTS_WORDS.split()) | {"\n"}
_RESTARTS = frozenset(
    ["exam", "examination", "indication", "technique", "history", "procedure", "clinical", "comparison", "report"]
)
_CONCLUSIONS = frozenset(["findings", "impression", "conclusion"])
_LATER = frozenset(["will", "follow", "pending", "follows"])


@dataclass(frozen=True, slots=True)
class Parts:
    """Where each part begins in the text, and its rank: the higher, the later written."""

    starts: tuple[int, ...] = ()
    ranks: tuple[int, ...] = ()

    def rank(self, at: int) -> int:
        """The rank of the part at a place in the text."""
        i = bisect_right(self.starts, at)
        return self.ranks[i - 1] if i else 0


def find_parts(tokens: Tokens) -> Parts:
    """The report and its addenda, which may be above it or below it."""
    words = tokens.words
    if not (_NAMES | _CHANGES | {"original", "preliminary"}) & set(words):
        return Parts()
    found: list[tuple[int, int | None]] = []  # where a part begins, and its number; 0 is the report
    top = next((i for i, w in enumerate(words) if w[0].isalnum()), 0)
    on_top = False
    marked = any(_ends_addendum(words, i) for i in range(len(words)))
    for i, word in enumerate(words):
        begins = i == 0 or words[i - 1] in _STARTS
        back = _ends_addendum(words, i) and bool(found)
        if begins and found and not marked and found[0][0] <= top and found[-1][1] != 0 and _is_heading(words, i):
            stated = bool({"birads", "category", "assessment"} & set(words[found[-1][0] : i]))
            back = back or word in _RESTARTS or (stated and word in _CONCLUSIONS)
        if back:
            found.append((i, 0))
            on_top = True
        elif begins and _opens_addendum(words, i):
            found.append((i, _number(words, i)))
    addenda = [n for n, (_, number) in enumerate(found) if number != 0]
    order = sorted(addenda, key=lambda n: found[n][1] or 0) if all(found[n][1] for n in addenda) else addenda
    if on_top and order is addenda and found and found[-1][1] == 0:
        order = addenda[::-1]  # the newest stands first
    ranks = [0] * len(found)
    for rank, n in enumerate(order, 1):
        ranks[n] = rank
    return Parts(tuple(tokens.starts[i] for i, _ in found), tuple(ranks))


def _opens_addendum(words: list[str], i: int) -> bool:
    """Whether an addendum begins at token `i`."""
    following = words[i + 1 : i + 9]
    line = following[: following.index("\n")] if "\n" in following else following
    if words[i] in _NAMES:
        return not _LATER & set(line[:4]) and words[i - 1 : i] != ["end"]
    if words[i] not in _CHANGES or not following:
        return False
    if words[i] == "final":
        return following[0] == "report" and "preliminary" in words[:i]
    return following[0] in _PARTS or following[0] == ":"


def _ends_addendum(words: list[str], i: int) -> bool:
    """Whether the report as it was begins or resumes at token `i`."""
    if words[i] == "original":
        return words[i + 1 : i + 2] in (["report"], ["interpretation"], ["reading"], [":"], ["dictation"], ["text"])
    if words[i] == "end":
        return words[i + 1 : i + 2] == ["addendum"] or words[i + 1 : i + 3] == ["of", "addendum"]
    return words[i] == "addendum" and words[i + 1 : i + 2] == ["ends"]


def _number(words: list[str], i: int) -> int | None:
    """The number of an addendum, None where it has none."""
    following = words[i + 1 : i + 4]
    if following[:1] and following[0] in ("#", "no", "number"):
        following = following[1:]
    return int(following[0]) if following[:1] and following[0].isdecimal() and len(following[0]) == 1 else None


def _is_heading(words: list[str], i: int) -> bool:
    """Whether a colon or the end of the line follows within a few words."""
    return bool({":", "\n"} & set(words[i + 1 : i + 4]))
