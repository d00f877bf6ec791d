"""Text to tokens with their places, and tokens to segments: the pieces that are read one by one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from amrg.birads.text.spelling import canonical

_NAME = (
    r"(?<![^\W_])[Bb]\.?[ \t]?[Ii][\s._/-]{0,3}[Rr]\.?[ \t]?[Aa]\.?[ \t]?[Dd]"
    r"(?:\.?[ \t]?['`]?[Ss](?![^\W\d_]))?(?![^\W\d_])"
)  # BI-RADS, BIRAD, BI RAD'S, B.I.R.A.D.S
_NUMBER = (
    r"[0-9]{1,2} [1-3]/[2348](?=\s?[cm]m\b)|(?<![\w.])\.[0-9]+(?=\s?[cm]m\b)"
    r"|[0-9]+(?:\.[0-9]+|,[0-9]{1,2}(?=\s?(?:[x*]|by\b|[cm]m\b|centim|millim))|/[2348](?=\s?[cm]m\b))?"
)
_TOKEN = re.compile(rf"[^\W\d_bB][^\W\d_]*|{_NAME}|[^\W\d_]+|{_NUMBER}|\n|[^\s]")
_NOISE = frozenset("\"'`*_#’‘“”\\~<>")
_BREAKS = frozenset(".;!?{}[]|•●▪")
_ENDS = frozenset(").:;!?")
_FINISHED_WORDS = (
    "normal seen abnormality adenopathy noted identified present unremarkable calcification calcifications retraction "
    "thickening node nodes microcalcification microcalcifications lesion lesions adenopathies"
)
_FINISHED = frozenset(_FINISHED_WORDS.split())
_MAX_TOKENS = 200  # tokens of a segment; no sentence is as long, and reading one takes time that grows with its square
_UNFINISHED_WORDS = "a an the of in with and or to for at by is are from on"
_UNFINISHED = frozenset(_UNFINISHED_WORDS.split())
_ROMAN = frozenset(["ii", "iii", "iv"])
_CARRY_ON = "seen noted in with of and or which is are was were suggests suggest appears appear on at from causing"
_CONTINUES = frozenset(_CARRY_ON.split())


@dataclass(frozen=True, slots=True)
class Tokens:
    """Tokens of a text: canonical words, and where each begins and ends in the text.

    Noise such as quotes and stars is dropped, and so are hyphens inside a word; a line break is `"\\n"`.
    """

    text: str
    words: list[str]
    starts: list[int]
    ends: list[int]

    def touching(self, i: int) -> bool:
        """Whether token `i` follows the one before it without a space."""
        return i > 0 and self.ends[i - 1] == self.starts[i]

    def span(self, first: int, last: int) -> tuple[int, int]:
        """Where tokens `first` to `last` (exclusive) begin and end in the text."""
        return self.starts[first], self.ends[last - 1]


def tokenize(text: str) -> Tokens:
    """Cut a text into tokens. Linear in its length."""
    words: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    for found in _TOKEN.finditer(text):
        word = found.group()
        if word.isalpha():
            word = _canonical(word)
        elif word in _NOISE or (word == "-" and _joins(text, found.start())):
            continue
        elif word[0] in "Bb":
            word = "birads"
        elif len(word) > 1 and not word.isdecimal():
            if "," in word and "birads" in words[-3:]:  # `BI-RADS 3,5 mm mass`: a category and a size
                parts = re.finditer(r"[0-9]+|,", word)
                for part in parts:
                    words.append(part.group())
                    starts.append(found.start() + part.start())
                    ends.append(found.start() + part.end())
                continue
            word = _number(word)
        start, end = found.span()
        words.append(word)
        starts.append(start)
        ends.append(end)
    return Tokens(text, words, starts, ends)


@lru_cache(maxsize=65536)
def _canonical(word: str) -> str:
    """The word of the lexicon that a word means, however it is capitalised."""
    return canonical(word.lower())


def _number(word: str) -> str:
    """A number with a decimal point: of `1,2 cm`, `1 1/2 cm` and `.5 cm`."""
    if "/" in word:
        *whole, part = word.split()
        above, below = map(int, part.split("/"))
        return f"{sum(map(int, whole)) + above / below:.4g}"
    return ("0" + word) if word[0] == "." else word.replace(",", ".")


def _joins(text: str, at: int) -> bool:
    """Whether the hyphen at this place has a letter or digit on both sides."""
    return 0 < at < len(text) - 1 and text[at - 1].isalnum() and text[at + 1].isalnum()


@dataclass(frozen=True, slots=True)
class Segment:
    """A sentence or an item of a list: tokens `first` to `last` (exclusive); whether it begins a line
    and whether a blank line comes before it."""

    first: int
    last: int
    opens_line: bool
    after_blank: bool = False


def segments(tokens: Tokens) -> list[Segment]:
    """Cut tokens into segments at full stops, list marks and those line breaks that end a thought."""
    made: list[Segment] = []
    first, opens, blank = 0, True, False
    words = tokens.words
    for i, word in enumerate(words):
        if word in _BREAKS or (word == "\n" and _breaks_line(tokens, i, first)):
            if i > first:
                made.append(Segment(first, i, opens, blank))
                blank = False
            blank = blank or (word == "\n" and i == first)
            opens = word == "\n" or (opens and i == first)
            first = i + 1
        elif i - first == _MAX_TOKENS:
            made.append(Segment(first, i, opens, blank))
            first, opens, blank = i, False, False
    if len(words) > first:
        made.append(Segment(first, len(words), opens, blank))
    return made


def _breaks_line(tokens: Tokens, at: int, first: int) -> bool:
    """Whether the line break at token `at` ends a thought rather than wraps a long line."""
    words = tokens.words
    if at + 1 >= len(words) or at == first or words[at + 1] == "\n":
        return True
    before, after = words[at - 1], words[at + 1]
    if before in _UNFINISHED and not tokens.touching(at - 1):  # the a of 4a is no article
        return after == "birads" and before == "a"
    if before in _ENDS or after == "-" or not after[0].isalnum() or after[0].isdigit():
        return before != "," or not after[0].isalnum()
    if "birads" in (words[first], after):
        figure = len(before) == 1 or before in _ROMAN  # of something else than the category that follows
        return figure or words[first] == "birads" or before in _FINISHED or words[at + 2 : at + 3] == [":"]
    if after in _CONTINUES:
        return False
    starts_small = tokens.text[tokens.starts[at + 1]].islower()
    return not starts_small or before in _FINISHED
