"""How long-running work reports its progress."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how many items are finished, and how many there are."""

T = TypeVar("T")


def with_progress(what: str, steps: Iterable[T], count: int, progress: Progress) -> Iterator[T]:
    """The steps, each reported as it is done."""
    for number, step in enumerate(steps, 1):
        progress(what, number, count)
        yield step
