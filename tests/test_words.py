"""Plain words: private terms that must not come back, each with the term to use instead (docs/glossary.md)."""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PLACES = ("src/amrg", "docs", "README.md", "CHANGELOG.md", "Makefile")
"""What is checked: folders and files."""
ENDINGS = {".py", ".md", ".html", ".jinja"}

NAMES = {
    "told": "reported, logged, broadcast",
    "untold": "omit, omitted",
    "tells": "reports, states",
    "shown": "displayed, rendered, features",
    "seen": "observed, features, known",
    "saw": "observed, record_...",
    "kept": "retained, saved, cached",
    "said": "stated (a report), predicted (a draft)",
    "asked": "prompt, requested",
    "beside": "baselines, next_to",
    "left_out": "skipped, removed, omitted, excluded",
    "at_once": "batch_size, together",
    "broken_off": "interrupted",
    "going_on": "resuming",
    "gone": "removed, missing",
    "lent": "attached",
    "learned": "trained, fitted",
    "taught": "trained",
    "lesson": "example",
    "lessons": "examples",
}
"""Parts of an identifier, between underscores, and what to use instead."""

PROSE = {
    r"go(?:es|ne|ing)? on(?! to)": "resume, continue",
    r"broken off|breaks? off": "interrupted, interrupt",
    r"taken up": "resumed",
    r"passed over": "skipped",
    r"left out|leaves? out|leaving out": "skipped (cases), removed (findings), omitted (fields), excluded (resamples)",
    r"(?:un)?told": "reported, logged, omitted; distinguished for `told apart`",
    r"tells? of": "states, reports",
    r"cases? to (?:learn|watch)": "training cases, validation cases",
    r"to watch|watched": "to monitor, monitored",
    r"changed pictures?": "perturbed images",
    r"house styles?": "report style",
    r"cannot be had|to be had": "not available",
    r"(?:is|are) wanted": "is required",
    r"luck of": "variance between seeds",
    r"whose words": "the text that is scored",
    r"at once": "together, concurrently, immediately",
    r"(?:lies|stands) (?:there|beside)": "is there, exists, contains",
    r"nought": "zero",
    r"taught": "trained",
    r"lessons?": "examples",
    r"put right": "corrected",
    r"shown surely": "found with high confidence",
    r"said twice": "repeated, duplicate",
    r"(?:written|drawn|made) anew": "written again, resampled",
}
"""Words of messages, docstrings, comments and pages, and what to use instead."""

ALLOWED = {"src/amrg/birads/text/realwords.py": {"lesson", "lessons"}}
"""A list of English words that no misspelling may be corrected from."""

NAME = re.compile(rf"(?:^|_)({'|'.join(NAMES)})(?=_|$)")
WORDS = [
    (re.compile(rf"\b(?:{pattern})\b".replace(" ", r"\s+"), re.IGNORECASE), instead)
    for pattern, instead in PROSE.items()
]


def checked_files() -> list[Path]:
    """The files of the checked places; pages under docs that a command makes follow their templates."""
    files: list[Path] = []
    for place in PLACES:
        path, endings = ROOT / place, {".md"} if place == "docs" else ENDINGS
        files += [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.suffix in endings and p.is_file())
    return files


def private_words(text: str) -> Iterator[tuple[int, str, str]]:
    """The line, the word and what to use instead, in text for people."""
    for pattern, instead in WORDS:
        for found in pattern.finditer(text):
            yield text.count("\n", 0, found.start()), found.group(), instead


def private_in_python(text: str) -> Iterator[tuple[int, str, str]]:
    """The same in identifiers, messages, docstrings and comments of a Python file."""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        first = token.start[0]
        if token.type == tokenize.NAME:
            yield from ((first, token.string, NAMES[found[1]]) for found in NAME.finditer(token.string))
        elif token.type in (tokenize.STRING, tokenize.COMMENT):
            yield from ((first + line, word, instead) for line, word, instead in private_words(token.string))


@pytest.mark.parametrize("path", checked_files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_only_plain_words(path: Path) -> None:
    name, text = path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        found = list(private_in_python(text))
    else:
        found = [(line + 1, word, instead) for line, word, instead in private_words(text)]
    allowed = ALLOWED.get(name, set())
    assert not [f"{name}:{line}: {word!r}: use {i}" for line, word, i in found if word.lower() not in allowed]
