"""A text with pieces replaced, and the way back from a place in it to the text as it came."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CleanText:
    """A text made plain. `original` gives the span in the text as it came of a span in the plain one."""

    text: str
    source: str
    _ends: tuple[int, ...] = ()  # where each edit ends in the plain text
    _edits: tuple[tuple[int, int, int], ...] = ()  # where it begins there, and its begin and end in the source
    _before: CleanText | None = None  # the text before these edits, where it had edits of its own

    def original(self, start: int, end: int) -> tuple[int, int]:
        """A span of the plain text as a span of the text as it came."""
        if self._edits:
            start, end = (
                self._place(start, False),
                self._place(end - 1, True) if end > start else self._place(start, False),
            )
        return (start, end) if self._before is None else self._before.original(start, end)

    def _place(self, at: int, last: bool) -> int:
        """Where a character begins in the source, or ends."""
        i = bisect_right(self._ends, at)
        if i < len(self._edits) and at >= self._edits[i][0]:
            return self._edits[i][2 if last else 1]
        moved = at if i == 0 else self._edits[i - 1][2] + at - self._ends[i - 1]
        return moved + 1 if last else moved


def edited(before: CleanText, changes: Iterable[tuple[int, int, str]]) -> CleanText:
    """A text with stretches replaced: each begin, end (exclusive) and what takes its place, in order."""
    text = before.text
    parts: list[str] = []
    ends: list[int] = []
    edits: list[tuple[int, int, int]] = []
    at = made = 0
    for begin, end, new in changes:
        made += begin - at
        parts += (text[at:begin], new)
        edits.append((made, begin, end))
        made += len(new)
        ends.append(made)
        at = end
    if not edits:
        return before
    parts.append(text[at:])
    inner = before if before.text is not before.source else None
    return CleanText("".join(parts), before.source, tuple(ends), tuple(edits), inner)
