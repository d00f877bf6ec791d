"""Greedy decoding of one answer with drafts of several tokens, which one reading of the model accepts or refuses.

The answer is the one that decoding token by token gives (Leviathan 2023, for greedy decoding), up to rounding: in
float32 equal, in bfloat16 a near tie may fall the other way.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from amrg.models.decoding.phrases import LONGEST, Phrases


class TokenReader(Protocol):
    """What a model has read so far, and what it would write next."""

    def advance(self, tokens: Sequence[int]) -> list[int]:
        """Read tokens; the most probable next token after each of them."""

    def rewind(self, count: int) -> None:
        """Forget the last tokens."""


def write_answer(reading: TokenReader, first: int, end: int, limit: int, phrases: Phrases | None = None) -> list[int]:
    """The tokens of an answer up to `end`, not included, at most `limit` of them.

    `first` is the most probable token after the prompt, which `reading` has read. Without phrases, token by token.
    """
    written = [first]
    while end not in written and len(written) < limit:
        draft = [] if phrases is None else phrases.draft(written, min(limit - len(written), LONGEST))
        best = reading.advance([written[-1], *draft])
        agreed = next((i for i, token in enumerate(draft) if token != best[i]), len(draft))
        if agreed < len(draft):
            reading.rewind(len(draft) - agreed)
        written += best[: agreed + 1]
    if end in written:
        return written[: written.index(end)]
    return written[:limit]
