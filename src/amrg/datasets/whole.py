"""Files that are there whole or not at all, however a run was broken off."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A path beside `path` to write to; what was written takes its place at the end, and nothing where that fails."""
    partial = path.with_suffix(".partial")
    yield partial
    partial.replace(path)


def write_text(path: Path, lines: Iterable[str]) -> int:
    """Write lines to a file that is there whole or not at all; returns how many."""
    count = 0
    with whole(path) as partial, partial.open("w", encoding="utf-8", newline="\n") as file:
        for count, line in enumerate(lines, start=1):  # noqa: B007
            file.write(line + "\n")
    return count
