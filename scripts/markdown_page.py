"""Tables and pages in Markdown, as the measuring tools write them."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from amrg.core.files import write_text


def table(header: Sequence[str], rows: Iterable[Sequence[str]], numbers: int = 0) -> Iterator[str]:
    """The lines of a table; its last columns, as many as `numbers`, are aligned right."""
    yield _row(header)
    yield "|" + "---|" * (len(header) - numbers) + "---:|" * numbers
    yield from map(_row, rows)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def write_page(path: Path, lines: Sequence[str]) -> None:
    """Write a page, and print it."""
    write_text(path, lines)
    sys.stdout.write("\n".join(lines) + "\n")
