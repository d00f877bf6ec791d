"""Whether a text is English. Another language is not read, since half a reading is worse than none."""

from __future__ import annotations

import re
from unicodedata import combining, normalize

from amrg.birads.text.foreign import FOREIGN_WORDS
from amrg.birads.text.realwords import REAL_WORDS
from amrg.birads.text.spelling import KNOWN

_WORD = re.compile(r"[^\W\d_]{2,}")
_ENGLISH_WORDS = (
    "the of and with is are for to by from this that there which was were breast breasts left right seen noted "
    "upper outer inner lower skin nipple node nodes lymph findings finding well ill defined fatty tissue dense "
    "density shape margin margins soft opacity opacities category assessment recommended year months history "
    "impression comparison view views study suspicious suggests suggestive looking appearing lesion mass masses "
    "retraction thickening screening follow up compared since stable unchanged quadrants abnormality adenopathy "
    "calcifications probably negative incomplete mammogram additional imaging or spiculated irregular round oval "
    "circumscribed distortion architectural no none has been not be report signed addendum letter preliminary "
    "mammography ultrasound digital ray "
    "resident attending stable unremarkable examination benign biopsy advised routine"
)
_ENGLISH = frozenset(_ENGLISH_WORDS.split())
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "ı": "i", "ł": "l", "ø": "o"})


def _without_accents(words: frozenset[str]) -> frozenset[str]:
    """The words, and their forms typed without accents where those are no English words."""
    bare = {"".join(c for c in normalize("NFD", w) if not combining(c)) for w in words}
    spelt = {w.translate(_UMLAUTS) for w in words}
    forms = {w for w in bare | spelt if len(w) >= _SHORTEST} - _ENGLISH - KNOWN - REAL_WORDS
    return words | {w for w in forms if w.isascii()}


_SHORTEST = 3  # letters of a word that is distinguished from English without its accents
_BY_LANGUAGE = {language: _without_accents(words) for language, words in FOREIGN_WORDS.items()}
_FOREIGN = frozenset().union(*_BY_LANGUAGE.values())
_READABLE = 0x24F  # the last letter of the Latin blocks that English texts may borrow from
_ACRONYM = 4  # letters of one
_SHORT = 4  # words of a text in which one English word proves nothing
_GERMAN_SIDES = frozenset(["re", "li"])
_MANY = 4  # unknown words of a text without one English word that make it foreign


def foreign_language(text: str) -> str | None:
    """The language of a text that is not English, `another language` where its name is not known; None for English."""
    words = set(_WORD.findall(text))
    if not words:
        return None
    lower = {w.lower() for w in words}
    english = len(lower & _ENGLISH)
    foreign = lower & _FOREIGN
    accented = set() if text.isascii() else {w for w in words if not w.isascii() and not w[0].isupper()}
    if lower >= _GERMAN_SIDES:
        return "German"
    score = len(foreign | {w.lower() for w in accented})
    scripts = 0 if text.isascii() else sum(1 for w in words if ord(max(w)) > _READABLE)
    if scripts and 2 * scripts >= english:
        return "another language"
    if score and (3 * score > english if score > 1 else english == 0 or (english == 1 and len(lower) > _SHORT)):
        return _name(foreign)
    if english:
        return None
    unknown = {w.lower() for w in words if _is_unknown(w)}
    return "another language" if len(unknown) >= _MANY and len(unknown) > len(lower) / 2 else None


def _is_unknown(word: str) -> bool:
    """Whether a word is neither of reports nor another English one nor an acronym."""
    lower = word.lower()
    return lower not in KNOWN and lower not in REAL_WORDS and not (word.isupper() and len(word) <= _ACRONYM)


def _name(foreign: set[str]) -> str:
    """The language that most of the words are of."""
    counts = {language: len(foreign & words) for language, words in _BY_LANGUAGE.items()}
    best = max(counts, key=lambda language: counts[language])
    return best if counts[best] else "another language"
