"""Which categories of a text are its assessment, and which it only speaks of: earlier, conditional, denied, general."""

from __future__ import annotations

from enum import StrEnum
from itertools import pairwise

from amrg.birads.structure.sections import Piece
from amrg.birads.text.dates import MONTHS, SHORT_MONTHS, YEAR
from amrg.birads.text.figures import FIGURES, LIST, is_arrow, read_figure
from amrg.birads.text.headings import Section
from amrg.birads.text.tokens import Tokens


class Standing(StrEnum):
    """How a text means a category that is not its assessment."""

    PRIOR = "prior"
    CONDITIONAL = "conditional"
    DENIED = "denied"
    SUPERSEDED = "superseded"
    LEGEND = "legend"
    ULTRASOUND = "ultrasound"
    MRI = "MRI"
    CONTRAST_MAMMOGRAPHY = "contrast-enhanced mammography"
    COMBINED = "combined"  # of all examinations together, where the mammogram has one of its own


def _by_first_word(*phrases: tuple[str, ...]) -> dict[str, list[tuple[str, ...]]]:
    """Phrases by their first word."""
    made: dict[str, list[tuple[str, ...]]] = {}
    for phrase in phrases:
        made.setdefault(phrase[0], []).append(phrase)
    return made


_PRIOR_SECTIONS = frozenset({Section.INDICATION, Section.COMPARISON, Section.TECHNIQUE})
_CLAUSE_MARKS_WORDS = ", : ( ) - > & now today currently but however whereas while"
_CLAUSE_MARKS = frozenset(_CLAUSE_MARKS_WORDS.split())
_NEGATIONS_WORDS = "no not never without nor neither cannot isn doesn wasn don aren unlike than"
_NEGATIONS = frozenset(_NEGATIONS_WORDS.split())
_DENIALS = _NEGATIONS | {"rather", "instead", "exclude", "excludes", "excluding", "excluded"}
_RANGES = frozenset(["scale", "range", "ranging", "ranges"])
_MODALS = frozenset(["would", "could", "might", "may", "can", "shall"])
_CHANGED_WORDS = (
    "upgraded downgraded changed reclassified revised updated corrected amended recategorized recategorised "
    "increased decreased lowered raised reduced upstaged downstaged modified"
)
_CHANGED = frozenset(_CHANGED_WORDS.split())
_LINKS_WORDS = (
    "be become becomes becoming been being to as a an any the considered consider assigned assign classified "
    "rated categorized called given then also final category categories assessment birads of into longer meet "
    "meets meeting criteria for evidence qualify or suggest lesion lesions change upgrade downgrade upgrading "
    "downgrading warrant warrants warranted b c suspicion suspicious consistent with compatible justify support "
    "finding findings level require requires prompt result in raise raised lead lower it this have has new "
    "overall score code and grade t"
)
_LINKS = _CHANGED | FIGURES | frozenset(_LINKS_WORDS.split())  # fmt: skip
_PAST_WORDS = (
    "previously previous prior formerly earlier initially originally original recalled recall callback ago "
    "initial before"
)
_PAST = frozenset(_PAST_WORDS.split())
_PAST_PAIRS = frozenset([
    ("status", "post"), ("s", "p"),
    ("last", "year"), ("last", "mammogram"), ("last", "exam"), ("last", "study"), ("last", "examination"),
    ("last", "report"), ("last", "visit"), ("last", "assessment"), ("last", "time"), ("history", "of"),
    ("past", "history"), ("called", "back"), ("follow", "of"), ("evaluation", "of"), ("known", "birads"),
    ("years", "ago"), ("months", "ago"), ("work", "of"), ("workup", "of"),
    ("workup", "for"), ("up", "of"), ("old", "report"), ("old", "birads"), ("baseline", "birads"),
])  # fmt: skip
_STUDIES_WORDS = "mammogram mammograms mammography exam exams examination study studies imaging report films"
_STUDIES = frozenset(_STUDIES_WORDS.split())
_ELSEWHERE = _STUDIES | frozenset(
    [
        "birads",
        "assessment",
        "category",
        "interpretation",
        "reading",
        "read",
        "facility",
        "institution",
        "hospital",
        "radiologist",
        "impression",
    ]
)
_DATED_THEN = _STUDIES | {"biopsy", "biopsied", "excision", "excised", "screening"}
_COMPARED_WORDS = "compared comparison since with to than from compare versus"
_COMPARED = frozenset(_COMPARED_WORDS.split())
_AFTER_PAST = _by_first_word(

    ("on", "screening", "dated"), ("on", "prior"), ("on", "previous"), ("on", "last"), ("on", "outside"),
    ("on", "earlier"), ("in", "prior"),
    ("in", "previous"), ("in", "last"), ("at", "prior"), ("at", "last"), ("previously",), ("earlier",),
    ("formerly",), ("last", "year"), ("initially",), ("originally",), ("at", "outside"), ("from", "prior"),
    ("from", "previous"), ("from", "last"), ("from", "outside"), ("by", "outside"), ("before",), ("in", "past"),
    ("prior",), ("at", "that", "time"),
)  # fmt: skip
_CONDITIONS_WORDS = "if unless once until provided depending when whenever"
_CONDITIONS = frozenset(_CONDITIONS_WORDS.split())
_DEPENDS = (["if"], ["unless"], ["would"], ["might"])  # right after a category
_SHORT_CONDITIONS_WORDS = (
    "needed necessary clinically indicated warranted possible any so required desired appropriate applicable available"
)
_SHORT_CONDITIONS = frozenset(_SHORT_CONDITIONS_WORDS.split())
_AFTER_DENIED = _by_first_word(
    ("was", "dictated"), ("in", "error"), ("was", "in", "error"), ("is", "in", "error"), ("is", "incorrect"),
    ("was", "incorrect"), ("is", "wrong"), ("was", "entered"), ("was", "reported", "in", "error"),

    ("is", "not"), ("not", "warranted"), ("not", "assigned"), ("not", "met"), ("excluded",), ("is", "excluded"),
    ("ruled", "out"), ("is", "ruled", "out"), ("was", "ruled", "out"), ("was", "excluded"), ("not", "justified"),
    ("not", "appropriate"), ("are", "not"), ("was", "not"), ("not", "applicable"), ("no", "longer"),
    ("can", "be", "excluded"), ("does", "not"), ("not", "indicated"), ("is", "unlikely"),
)  # fmt: skip
_GENERAL_AFTER = frozenset(
    ["lesions", "findings", "patients", "cases", "categories", "abnormalities", "masses", "women"]
)
_GENERAL_VERBS_WORDS = (
    "require requires should need needs undergo have carry carries means mean denotes denote indicates refers "
    "corresponds implies is are signifies"
)
_GENERAL_VERBS = frozenset(_GENERAL_VERBS_WORDS.split())  # fmt: skip
_NAMED_AFTER = frozenset(
    ["lesion", "finding", "mass", "calcifications", "asymmetry", "distortion", "area", "abnormality"]
)
_DEFINES = frozenset(["means", "denotes", "signifies", "refers", "implies", "corresponds"])
_WAS = frozenset({"was", "were", "given"})
_LEADS = frozenset({"birads", "category"})
_FAR = 300  # words in which a later category is looked for
_NEAR_WAS = 4  # words from `was` to the category: `was given a BI-RADS 0`
_TODAYS = frozenset({"now", "current", "currently", "today", "final"})
_WHEN_WORDS = "on in at from of by the a dated last past outside screening year years month months ago"
_WHEN = _PAST | _STUDIES | frozenset(MONTHS) | SHORT_MONTHS.keys() | frozenset(_WHEN_WORDS.split())
"""Words of a bracket after a category that says when it was assigned, and nothing else."""
_MAX_WORDS = 40
_DIGITS_OF_A_YEAR = 4
_WHOLE_SCALE = 5  # categories listed at one place: the scale itself
_AFTER = [phrase for phrases in (*_AFTER_PAST.values(), *_AFTER_DENIED.values()) for phrase in phrases]
_TELLING_WORDS = (
    "will should case event outside from now currently today biopsied excised resected ago preliminary provisional"
)
_TELLING = (
    _DENIALS | _MODALS | _CONDITIONS | _PAST | _GENERAL_AFTER | _DEFINES | _RANGES | frozenset(_TELLING_WORDS.split())
    | {first for first, _ in _PAST_PAIRS} | {phrase[-1] for phrase in _AFTER}
)  # fmt: skip
"""Words of which a sentence has one, or a year or an arrow, where its category is not the assessment."""


def standing(tokens: Tokens, piece: Piece, first: int, last: int, count: int) -> Standing | None:
    """How the category at tokens `first` to `last` of a piece is meant; None where it is the assessment.

    Args:
        tokens: The text's tokens.
        piece: The sentence or item that the category is in.
        first: Its first token: the figure, or the phrase that states it.
        last: The token after it.
        count: How many categories are listed there.
    """
    words = tokens.words
    if count < _WHOLE_SCALE and piece.section not in _PRIOR_SECTIONS and not _may_be_other(tokens, piece):
        return None
    before, after = _before(words, piece.first, first), words[last : min(piece.last, last + _MAX_WORDS)]
    linked, clause = _linked(words, piece.first, first), _clause(after)
    changes = linked == "will" and bool(_CHANGED & set(before))
    modal = linked in _MODALS or changes or after[:1] in _DEPENDS
    kinds: tuple[tuple[Standing, bool], ...] = (
        (Standing.LEGEND, count >= _WHOLE_SCALE or bool(_RANGES & set(words[max(piece.first, first - 6) : first]))),
        (Standing.PRIOR, piece.section in _PRIOR_SECTIONS),
        (Standing.CONDITIONAL, modal or is_conditional(words, piece.first, first, piece.last)),
        (Standing.DENIED, linked in _DENIALS or _opens_with(clause, _AFTER_DENIED)),
        (Standing.LEGEND, _is_general(clause)),
        (Standing.PRIOR, _is_past(before) or _is_past_after(clause, after) or _is_left(tokens, piece, first, last)),
        (Standing.SUPERSEDED, bool({"preliminary", "provisional"} & set(before))),
    )
    return next((kind for kind, holds in kinds if holds), None)


def _may_be_other(tokens: Tokens, piece: Piece) -> bool:
    """Whether a piece has any word, year or arrow that can make its category another than the assessment."""
    words = tokens.words[piece.first : piece.last]
    if not _TELLING.isdisjoint(words) or any(len(w) == _DIGITS_OF_A_YEAR and w.isdecimal() for w in words):
        return True
    return ">" in tokens.text[tokens.starts[piece.first] : tokens.ends[piece.last - 1]]


def is_conditional(words: list[str], first: int, at: int, last: int) -> bool:
    """Whether what stands at token `at` of a sentence depends on a condition.

    A condition holds for its own part of the sentence, and for the parts after it where it opens one.
    """
    part = at
    while part > first and words[part - 1] not in (",", "(", ")"):
        part -= 1
    if _opens_condition(words, part, at) or any(_is_condition(words, k, last) for k in range(part, at)):
        return True
    end = part
    opened = False
    while end > first:  # the parts before, the nearest first
        end -= 1
        begin = end
        while begin > first and words[begin - 1] not in (",", "(", ")"):
            begin -= 1
        if _opens_condition(words, begin, end):
            opened = True
            break
        marks = [k for k in range(begin, end) if _is_condition(words, k, last)]
        if marks and words[begin] in ("and", "or", "but", "then"):
            opened = True
            break
        end = begin
    return opened


def _opens_condition(words: list[str], begin: int, end: int) -> bool:
    """Whether a part of a sentence begins with a condition: `If it grows`, `Should it grow`, `In case of`."""
    k = begin
    while k < end and (words[k] in ("and", "or", "but", "then", "however", "\n") or not words[k][0].isalnum()):
        k += 1
    if k >= end:
        return False
    if words[k] == "had" and "been" in words[k:end]:  # `Had this been new, BI-RADS 4 would have been given`
        return True
    if words[k] == "should" or (words[k] in ("in", "under") and words[k + 1 : k + 2] in (["case"], ["event"])):
        return True
    if words[k] in ("in", "under") and words[k + 1 : k + 3] == ["the", "event"]:
        return True
    return _is_condition(words, k, end) and not (
        k + 1 < len(words) and words[k + 1] in _SHORT_CONDITIONS and words[k] == "if"
    )


def _is_condition(words: list[str], k: int, last: int) -> bool:
    """Whether a word makes what follows depend on something; `when compared` and `once a year` do not."""
    word = words[k]
    if word not in _CONDITIONS:
        return False
    following = words[k + 1 : min(last, k + 10)]
    if word in ("when", "once"):
        return bool(
            {"available", "obtained", "received", "completed", "performed", "resolved", "stable"} & set(following)
        )
    return True


def _before(words: list[str], first: int, at: int) -> list[str]:
    """The words of the clause before a category."""
    begin = at
    while begin > max(first, at - _MAX_WORDS) and words[begin - 1] not in _CLAUSE_MARKS:
        begin -= 1
    if begin > first and words[begin - 1] == ":":  # `Prior assessment: BI-RADS 3`, `2019: BI-RADS 3`
        label = begin - 1
        while label > max(first, begin - 14) and words[label - 1] not in _CLAUSE_MARKS:
            label -= 1
        return words[label:at]
    if begin > first and words[begin - 1] == "(" and begin - 2 >= first:
        label = max(first, begin - 7)
        near = words[label : begin - 1]
        if _is_of_earlier_study(near):
            return [*near, *words[begin:at], "previously"]
    return words[begin:at]


def _is_of_earlier_study(near: list[str]) -> bool:
    """Whether words before a bracket name an earlier examination: `biopsy in 2022 (`, `recalled from screening (`."""
    if {"need", "needs", "needed"} & set(near):
        return False
    dated = any(first == "in" and YEAR.match(second) for first, second in pairwise(near))
    return (
        bool({"prior", "previous"} & set(near) and _STUDIES & set(near))
        or (dated and not _DATED_THEN.isdisjoint(near))
        or ("from" in near and not {"recalled", "recall", "callback"}.isdisjoint(near))
    )


def _clause(after: list[str]) -> list[str]:
    """The words of the clause after a category, without an opening bracket."""
    made: list[str] = []
    for k, word in enumerate(after):
        if word in _CLAUSE_MARKS and not (k == 0 and word == "("):
            break
        if word.isalnum() and word not in ("the", "her", "a"):
            made.append(word)
    return made


def _linked(words: list[str], first: int, at: int) -> str:
    """The nearest word before a category that is more than a link to it."""
    k = at - 1
    while k >= first and (
        words[k] in _LINKS or words[k] in ("=", "-", ":") or (words[k] in LIST and words[k] not in ",()")
    ):
        if words[k] in (":", "-"):
            return ""
        k -= 1
    return words[k] if k >= first else ""


def _opens_with(clause: list[str], phrases: dict[str, list[tuple[str, ...]]]) -> bool:
    """Whether a clause begins with one of some phrases, which are listed by their first word."""
    return bool(clause) and any(tuple(clause[: len(phrase)]) == phrase for phrase in phrases.get(clause[0], ()))


def _is_general(clause: list[str]) -> bool:
    """Whether a sentence speaks of a category as such: `BI-RADS 4 lesions require biopsy`, `BI-RADS 3 means ...`."""
    if clause[:1] and clause[0] in _DEFINES:
        return True
    return len(clause) > 1 and clause[0] in _GENERAL_AFTER and bool(_GENERAL_VERBS & set(clause[1:3]))


def _is_past_after(clause: list[str], after: list[str]) -> bool:
    """Whether what follows a category makes it an earlier one: `on the prior exam`, `in 2019`, `2 years ago`."""
    if after[:1] == ["("]:
        return _is_when(after[1 : after.index(")") if ")" in after else len(after)])
    named = clause[1:] if clause[:1] and clause[0] in _NAMED_AFTER else clause  # `BI-RADS 4 lesion in 2021`
    return (
        _opens_with(clause, _AFTER_PAST)
        or (named[:1] == ["in"] and any(YEAR.match(w) for w in named[1:2]))
        or _is_removed(after[:4])
        or clause[1:3] in (["years", "ago"], ["months", "ago"], ["year", "ago"])
    )


def _is_when(bracket: list[str]) -> bool:
    """Whether a bracket says when the category before it was assigned: `(2019)`, `(on the prior exam)`.

    `(previously 3)` states another category and `(excised 2019)` what was done: the one before is still today's.
    """
    words = [word for word in bracket if word.isalpha()]
    numbers = [k for k, word in enumerate(bracket) if word[0].isdecimal()]
    if not all(word in _WHEN for word in words) or not all(_is_of_a_date(bracket, k) for k in numbers):
        return False
    return not _PAST.isdisjoint(words) or "last" in words or any(YEAR.match(bracket[k]) for k in numbers)


def _is_of_a_date(bracket: list[str], k: int) -> bool:
    """Whether a number is a year, a part of a date such as `3/12/2019`, or counts years or months."""
    before, after = bracket[max(0, k - 1) : k], bracket[k + 1 : k + 2]
    counts = after in (["years"], ["year"], ["months"], ["month"])
    return bool(YEAR.match(bracket[k])) or counts or "/" in (*before, *after)


def _is_removed(after: list[str]) -> bool:
    """Whether what follows a category states that the lesion is gone: `biopsied in 2019`, not `biopsied today`."""
    k = next((k for k, word in enumerate(after) if word in ("biopsied", "excised", "resected")), None)
    if k is None or not _CLAUSE_MARKS.isdisjoint(after[:k]):
        return False
    return "for" not in after[:k] and after[k + 1 : k + 2] not in (["today"], ["now"])


def _is_past(before: list[str]) -> bool:
    """Whether the words before a category make it an earlier one."""
    if any(pair in _PAST_PAIRS for pair in pairwise(before)):
        return True
    if "outside" in before and not _ELSEWHERE.isdisjoint(before[before.index("outside") + 1 :]):
        return True
    if before[:1] and YEAR.match(before[0]) and ":" in before:
        return True
    return any(word in _PAST and not _is_comparison(before, k) for k, word in enumerate(before))


def is_dated(tokens: Tokens, piece: Piece, first: int) -> bool:
    """Whether the words before a category say when it was assigned: `The mammogram from 2021 was BI-RADS 2`."""
    before = _before(tokens.words, piece.first, first)
    k = next((k for k, word in enumerate(before) if YEAR.match(word)), len(before))
    if "was" in before[k:]:
        return True
    past = not _WAS.isdisjoint(before[-_NEAR_WAS:]) or any(YEAR.match(word) for word in before)
    return past and _is_followed_by_todays(tokens.words, piece.last)


def _is_followed_by_todays(words: list[str], at: int) -> bool:
    """Whether a later sentence calls its category that of today: `Now BI-RADS 2`, `Final: BI-RADS 2`."""
    following = range(at, min(len(words), at + _FAR))
    return any(words[k] in _TODAYS and not _LEADS.isdisjoint(words[k + 1 : k + 4]) for k in following)


def _is_comparison(before: list[str], k: int) -> bool:
    """Whether a word such as `prior` belongs to what the study is compared with, or to no prior at all."""
    word, leading = before[k], before[max(0, k - 1) : k]
    if word == "before":
        return leading in (["than"], ["as"])
    if word in ("prior", "previous") and leading in (["no"], ["without"]):
        return True
    study = bool(_STUDIES & set(before[k + 1 : k + 3]))
    compared = bool(_COMPARED & set(before[max(0, k - 3) : k]))
    return word in ("prior", "previous", "original", "earlier") and study and compared and before[-1] != "previously"


def _is_left(tokens: Tokens, piece: Piece, first: int, last: int) -> bool:
    """Whether another category replaces this one: the 4 of `from BI-RADS 4 to 2`, of `was 4, now 2` and of `4 -> 2`."""
    if _leads_on(tokens, last, piece.last):
        return True
    words = tokens.words
    k = first - 1
    while k >= piece.first and words[k] in ("birads", "category", "a", "the", "assessment"):
        k -= 1
    if k >= piece.first and words[k] == "was":
        return bool({"now", "currently", "today"} & set(words[last : piece.last]))
    if k < piece.first or words[k] != "from":
        return False
    follows = words[last : last + 4]
    return "to" in follows[:3] or bool(_CHANGED & set(words[max(piece.first, k - 5) : k]))


def _leads_on(tokens: Tokens, at: int, last: int) -> bool:
    """Whether an arrow leads from a category that ends before token `at` to another one."""
    k = at
    while k < last and tokens.words[k] in ("-", "=", "birads", "category"):
        k += 1
    return at < k < last and is_arrow(tokens, at, k) and read_figure(tokens, k, last) is not None


def _is_put_right(before: list[str]) -> bool:
    """Whether a category is that which another should have been."""
    return before[-2:] in (["should", "be"], ["should", "read"]) or before[-3:] == ["should", "have", "been"]


_REPLACES = _CHANGED - {"increased", "decreased"}


def replaces(tokens: Tokens, piece: Piece, first: int) -> bool:
    """Whether a category takes the place of those before it: `the assessment is changed to BI-RADS 2`."""
    words = tokens.words
    k = first - 1
    while k >= piece.first and words[k] in ("birads", "category", "a", "the", "assessment", "final"):
        k -= 1
    if _is_put_right(words[max(piece.first, k - 2) : k + 1]):
        return True
    if k < piece.first or words[k] not in ("to", "as"):
        return False
    return bool(_REPLACES & set(words[max(piece.first, k - 8) : k]))
