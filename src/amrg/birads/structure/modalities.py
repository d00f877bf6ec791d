"""Which examination a part of a text is about: the mammogram, or an ultrasound or MRI beside it."""

from __future__ import annotations

from enum import StrEnum

from amrg.birads.text.dates import MONTHS, SHORT_MONTHS
from amrg.birads.text.tokens import Tokens


class Modality(StrEnum):
    """The examination that words describe."""

    MAMMOGRAPHY = "mammography"
    ULTRASOUND = "ultrasound"
    MRI = "MRI"
    CONTRAST_MAMMOGRAPHY = "contrast-enhanced mammography"


_NAMES: dict[Modality, str] = {
    Modality.MAMMOGRAPHY: "mammogram mammograms mammography mammographic mammographically mammo mg mmg dm ffdm dbt "
    "tomosynthesis tomography xmammography xmammogram",
    Modality.ULTRASOUND: "ultrasound ultrasounds ultrasonography ultrasonographic ultrasonic sonography sonographic "
    "sonographically sonogram sonomammography sonomammogram sonomammographic sono usg us echography echo abus hhus",
    Modality.MRI: "mri mr mrm cemri dcemri",
    Modality.CONTRAST_MAMMOGRAPHY: "cem cesm cedm",
}
MODALITIES = {word: modality for modality, words in _NAMES.items() for word in words.split()}
_AMBIGUOUS = frozenset(["us", "mr", "mg", "dm", "echo", "tomography"])  # words that mean other things too
_SURE = frozenset(MODALITIES) - _AMBIGUOUS
_HEADING_WORDS = (
    "breast breasts bilateral left right targeted limited complete focused focussed directed dedicated digital "
    "diagnostic screening 2 3 d findings finding report exam examination study scan of the with without contrast "
    "and dynamic description result results imaging both - whole supplementary additional real time "
    "today current present dated this s"
)
_HEADING = frozenset(_HEADING_WORDS.split())
_OF_FINDINGS = frozenset(["findings", "finding", "results", "result", "description"])
_LONGEST_HEADING = 9
_LONGEST_DATE = 5
_LABEL_WORDS = (
    "birads category categories assessment classification class score code final : - ( ) = > is was of the for breast "
    "breasts right left rt lt r l bilateral findings finding impression examination exam grade rating acr as cat "
    "today current"
)
_LABEL = frozenset(_LABEL_WORDS.split()) | {"\n"}
_TOGETHER = frozenset(["overall", "combined", "final", "composite", "together", "integrated"])
_JOINS = frozenset(["and", "&", "/", "+", "with", "plus", "-", ","])
_AFTER = frozenset(["after", "following", "post", "pending", "recommend", "advise", "suggest", "for", "despite"])
_BEFORE_NAME = frozenset(["(", "on", "by", "at", "per", "from", "in", "the", "today", "current", "breast", "s"])
_STARTS_WORDS = (
    "on at by targeted focused focussed directed dedicated breast left right bilateral the limited real time subsequent"
)
_STARTS = frozenset(_STARTS_WORDS.split())
_TELLS_WORDS = (
    ", shows show showed demonstrates demonstrated demonstrate reveals revealed reveal confirms confirmed identifies "
    "identified depicts there"
)
_TELLS = frozenset(_TELLS_WORDS.split())
_ADVISES_WORDS = "recommended advised suggested needed should required warranted indicated recommend correlate may if"
_ADVISES = frozenset(_ADVISES_WORDS.split())
_DATE_WORDS = frozenset(MONTHS) | SHORT_MONTHS.keys() | {"/", "dated"}
_EXAM = frozenset(["exam", "examination", "procedure", "study", "technique", "modality", "type"])
_FIRST_LINES = 60  # tokens in which a text names its examination
_MAX_WORDS = 12


def names_another(tokens: Tokens) -> bool:
    """Whether a text has any word for another examination than mammography; most have none."""
    return not _ANOTHER.isdisjoint(tokens.words)


_ANOTHER = frozenset(word for word, modality in MODALITIES.items() if modality is not Modality.MAMMOGRAPHY)


def is_of_date(word: str) -> bool:
    """Whether a word can be part of the date of an examination: `MRI 05/2023:`, `US (12 May 2023):`."""
    return word.isdecimal() or word in _DATE_WORDS


def heading_modality(words: list[str]) -> tuple[Modality | None, bool] | None:
    """The examination that a heading opens, and whether only its findings follow; None where it is no such heading.

    The examination is None where the heading names several: `Mammogram and ultrasound`.
    """
    if not words or len(words) > _LONGEST_HEADING:
        return None
    named = {MODALITIES[w] for w in words if w in MODALITIES}
    if not named or any(w not in _HEADING and w not in MODALITIES for w in words) or words == ["mr"]:
        return None  # `MR: 12345` is a number
    return (named.pop() if len(named) == 1 else None), not _OF_FINDINGS.isdisjoint(words)


def sentence_modality(words: list[str]) -> Modality | None:
    """The examination that a sentence reports on: `Targeted ultrasound shows ...`, `On MRI, ...`; None for others."""
    k = 0
    while k < len(words) and words[k] in _STARTS:
        k += 1
    modality = MODALITIES.get(words[k]) if k < len(words) else None
    if modality is None or words[k + 1 : k + 2] == [] or words[k + 1] not in _TELLS:
        return None
    return modality if _ADVISES.isdisjoint(words) else None


def label_modality(words: list[str]) -> Modality | None:
    """The examination that labels a line: `Ultrasound left: cyst, BI-RADS 2`; None where none does."""
    return (heading_modality(words[: words.index(":")]) or (None,))[0] if ":" in words[:_LONGEST_HEADING] else None


def dated_modality(words: list[str]) -> Modality | None:
    """The examination and day that a sentence is about: `MRI 05/2023: mass in the left breast`; None for others."""
    if ":" not in words[: _LONGEST_HEADING + _LONGEST_DATE]:
        return None
    head = [w for w in words[: words.index(":")] if w not in ("(", ")", ",", "\n")]
    names = [w for w in head if not is_of_date(w)]
    return (heading_modality(names) or (None,))[0] if len(names) < len(head) else None


def whole_modality(tokens: Tokens) -> Modality | None:
    """The examination of a text that speaks of no mammogram and names another in its title or as its procedure."""
    words = tokens.words
    if any(MODALITIES.get(w) is Modality.MAMMOGRAPHY for w in words):
        return None
    first = 0
    for i in range(min(len(words), _FIRST_LINES)):
        if words[i] not in ("\n", ".", ";"):
            continue
        line = words[first:i]
        named = {MODALITIES[w] for w in line if w in _SURE}
        title = first == 0 and heading_modality([w for w in line if w.isalnum()]) is not None
        titled = bool(line) and (line[0] in _EXAM or title)
        if titled and len(named) == 1 and _ADVISES.isdisjoint(line):
            return named.pop()
        first = i + 1
    return None


def category_modality(tokens: Tokens, begin: int, first: int, last: int, end: int) -> tuple[Modality | None, bool]:
    """The examination that the words next to a category name, and whether they call it one of all together.

    Args:
        tokens: The text's tokens.
        begin: First token of the piece that the category is in.
        first: The category's first token.
        last: The token after it.
        end: The token after the piece.
    """
    words = tokens.words
    after = _named_after(words, last, end)
    if after is not None:
        return after, False
    k = first - 1
    together = False
    while k >= max(begin, first - _MAX_WORDS) and (words[k] in _LABEL or words[k] in _TOGETHER or is_of_date(words[k])):
        together = together or words[k] in _TOGETHER
        k -= 1
    modality = MODALITIES.get(words[k]) if k >= begin else None
    if modality is None:
        return None, together
    before = words[max(begin, k - 3) : k]
    if before[-1:] == ["sono"]:
        return Modality.ULTRASOUND, False
    joined = [w for w in before if w not in _JOINS][-1:] if before and before[-1] in _JOINS else []
    if any(MODALITIES.get(w, modality) is not modality for w in joined):
        return None, True  # `Mammogram and ultrasound: BI-RADS 4A`
    return (None, together) if before and before[-1] in _AFTER else (modality, False)


def _named_after(words: list[str], last: int, end: int) -> Modality | None:
    """The examination after a category: `BI-RADS 4A on ultrasound`, `3 (US)`."""
    k = last
    while k < min(end, last + 4) and words[k] in _BEFORE_NAME:
        k += 1
    adverb = k < end and words[k].endswith("graphically")  # `BI-RADS 1 mammographically`
    if (k == last and not adverb) or k >= end or words[k] not in MODALITIES or words[k - 1] == "from":
        return None
    follows = words[k + 1] if k + 1 < end else ""
    return MODALITIES[words[k]] if not follows.isalnum() or follows in ("and", "but", "today", "birads") else None
