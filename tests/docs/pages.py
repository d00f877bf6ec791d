"""The fenced blocks of the pages that people read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

_FENCE = re.compile(r"^( *)```([^\n`]*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block: its page, the line it begins at, its language (empty where none is named), and its text."""

    page: Path
    line: int
    language: str
    text: str

    @property
    def where(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks(page: Path) -> Iterator[Block]:
    """The fenced blocks of a page, in order."""
    whole = page.read_text(encoding="utf-8")
    for found in _FENCE.finditer(whole):
        indent, language, text = found.groups()
        lines = [line.removeprefix(indent) for line in text.splitlines()]
        yield Block(page, whole.count("\n", 0, found.start()) + 1, language.strip(), "\n".join(lines))
