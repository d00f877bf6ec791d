"""Breast density that a text states twice, by letter, number or words, where the two do not mean the same."""

from __future__ import annotations

import re

from amrg.birads.lexicon import Composition

_WORDS = {
    Composition.A: r"almost entirely fat(?:ty)?|entirely fatty|predominantly fatty",
    Composition.B: r"scattered (?:areas of )?fibro-?glandular",
    Composition.C: r"heterogeneously dense",
    Composition.D: r"extremely dense",
}
_STATED_WORDS = re.compile("|".join(f"(?P<{c.value}>{words})" for c, words in _WORDS.items()), re.IGNORECASE)
_LENGTH = r"(?:\s*(?:x|×|by|to)\s*[\d.]+)*\s*[cm]m\b"  # what makes a number a size: `2 cm`, `2 x 3 cm`
_CODE = re.compile(
    r"\b(?:acr|density|composition|type|class|category|birads)[\s:=(]+(?P<letter>[a-d])(?![\w-])"
    r"|\b(?:acr|density|composition)[\s:=(]+(?:(?:type|class|category|grade)[\s:=(]+)?(?P<number>[1-4]|i{1,3}|iv)"
    rf"(?![\w%.-]|{_LENGTH})"
    r"|\(\s*(?P<bracketed>[a-d])\s*\)",
    re.IGNORECASE,
)
_CODES = {
    code: c for row in ("abcd", "1234", ("i", "ii", "iii", "iv")) for code, c in zip(row, Composition, strict=True)
}
_OF_TISSUE = re.compile(r"\b(?:density|dense|composition|parenchyma\w*|tissue|fibro\w*|fatty|acr)\b", re.IGNORECASE)
_EARLIER = re.compile(r"\b(?:prior|previous\w*|earlier|formerly|was|were|last)\b", re.IGNORECASE)
_SENTENCES = re.compile(r"(?<=[.;])\s+|\n+")


def density_contradiction(text: str) -> str | None:
    """What the first sentence that contradicts itself on density says, such as `heterogeneously dense, but b`.

    A list of all densities, as a form prints it, says nothing; nor does a sentence about an earlier exam.
    """
    if len({match.lastgroup for match in _STATED_WORDS.finditer(text)}) > 2:
        return None
    for sentence in _SENTENCES.split(text.replace("BI-RADS", "birads")):
        if not _OF_TISSUE.search(sentence) or _EARLIER.search(sentence):
            continue
        stated = [(match[0], Composition(match.lastgroup or "")) for match in _STATED_WORDS.finditer(sentence)]
        for match in _CODE.finditer(sentence):
            code = match[match.lastgroup or 0]
            if not match[0].endswith(" a"):  # an article
                stated.append((code, _CODES[code.lower()]))
        for other, meant in stated[1:]:
            if meant is not stated[0][1]:
                return f"{stated[0][0]}, but {other}"
    return None
