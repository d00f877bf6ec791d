"""What occurs more than once where everything should occur once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable
from typing import TypeVar

T = TypeVar("T", bound=Hashable)


def duplicates(values: Iterable[T]) -> list[T]:
    """The values that occur more than once, each once, in the order in which they first occur."""
    return [value for value, count in Counter(values).items() if count > 1]
