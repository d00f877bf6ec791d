"""The form of a findings-first answer as a regular expression, for servers that decode within one.

Of whitespace it allows single spaces within a line and at most one empty line in a row: where any is allowed, models
have written it until their answer was cut.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from amrg.birads.findings_list import BEGIN, END, NONE
from amrg.birads.lexicon import Category, Composition, Kind, Laterality

MOST_FINDINGS = 12
_WORDS = r"[A-Za-z0-9][A-Za-z0-9'/ -]{0,60}"
_LINE = r"[^\s][^\n\r]{0,600}"


def findings_first_pattern() -> str:
    """What `write_answer` writes of every report with up to `MOST_FINDINGS` findings and some narrative; bounded."""
    side = _one_of(Laterality)
    finding = rf"(?:{side} )?{_one_of(Kind)}(?:, {_WORDS}){{0,16}}"
    assessment = rf"(?:{side} )?{_one_of(Category)}"
    lines = [
        re.escape(BEGIN).replace(r"\ ", " "),
        rf"(?:{NONE}|{finding}(?:\n{finding}){{0,{MOST_FINDINGS - 1}}})",
    ]
    composition = rf"(?:\nACR {_one_of(c.upper() for c in Composition)})?"
    categories = rf"(?:\nBI-RADS {assessment}(?:, {assessment}){{0,3}})?"
    return (
        "\n".join(lines).replace("\n", r"\n")
        + composition
        + categories
        + rf"\n{END}\n{_LINE}(?:\n{{1,2}}{_LINE}){{0,60}}"
    )


def _one_of(words: Iterable[str]) -> str:
    return "(?:" + "|".join(sorted(words, key=lambda word: (-len(word), word))) + ")"
