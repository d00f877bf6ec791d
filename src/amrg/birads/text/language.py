"""Whether a text is English. Another language is not read, since half a reading is worse than none."""

from __future__ import annotations

import re

from amrg.birads.text.foreign import FOREIGN_WORDS
from amrg.birads.text.spelling import KNOWN

_WORD = re.compile(r"[^\W\d_]{2,}")
_ENGLISH_WORDS = (
    "the of and with is are for to by from this that there which was were breast breasts left right seen noted "
    "upper outer inner lower skin nipple node nodes lymph findings finding well ill defined fatty tissue dense "
    "density shape margin margins soft opacity opacities category assessment recommended year months history "
    "impression comparison view views study suspicious suggests suggestive looking appearing lesion mass masses "
    "retraction thickening screening follow up compared since stable unchanged quadrants abnormality adenopathy "
    "calcifications probably negative incomplete mammogram additional imaging or spiculated irregular round oval "
    "circumscribed distortion architectural"
)
_ENGLISH = frozenset(_ENGLISH_WORDS.split())
_FOREIGN = frozenset().union(*FOREIGN_WORDS.values())
_READABLE = 0x24F  # the last letter of the Latin blocks that English texts may borrow from
_ACRONYM = 4  # letters of one
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
    score = len(foreign | {w.lower() for w in accented})
    scripts = 0 if text.isascii() else sum(1 for w in words if ord(max(w)) > _READABLE)
    if scripts and 2 * scripts >= english:
        return "another language"
    if score and (3 * score > english if score > 1 else english == 0):
        return _name(foreign)
    unknown = {w.lower() for w in words if w.lower() not in KNOWN and not (w.isupper() and len(w) <= _ACRONYM)}
    return "another language" if english == 0 and len(unknown) >= _MANY and len(unknown) > len(lower) / 2 else None


def _name(foreign: set[str]) -> str:
    """The language that most of the words are of."""
    counts = {language: len(foreign & words) for language, words in FOREIGN_WORDS.items()}
    best = max(counts, key=lambda language: counts[language])
    return best if counts[best] else "another language"
