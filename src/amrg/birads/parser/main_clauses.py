"""Where a sentence continues with a subject of its own: `..., and the left breast shows calcifications`."""

from __future__ import annotations

from itertools import takewhile

from amrg.birads.parser.mentions import Mention, concepts_of
from amrg.birads.text.phrases import Concept
from amrg.birads.text.tokens import Tokens

_SUBJECT = frozenset({Concept.SIDE, Concept.CLOCK})
_LEADING = frozenset({Concept.FILL, Concept.THE, Concept.PREPOSITION})
_BEFORE_SIDE = _LEADING | {Concept.PLACE, Concept.DEPTH}
_OPENING = _BEFORE_SIDE | _SUBJECT
_STATED = frozenset({Concept.KIND, Concept.NORMAL, Concept.NOT})
_OPERATIONS_WORDS = (
    "lumpectomy lumpectomies mastectomy excision surgery radiation radiotherapy conservation reduction mammoplasty "
    "mammaplasty augmentation"
)
_OPERATIONS = frozenset(_OPERATIONS_WORDS.split())
_ASIDE = frozenset({Concept.HISTORY, Concept.HIDES, Concept.ADVICE})
_HAS_WORDS = "has have shows show showing demonstrates demonstrate contains contain"
_HAS = frozenset(_HAS_WORDS.split())  # links that are verbs after a breast


def clauses_of(tokens: Tokens, found: list[Mention]) -> list[int]:
    """The number of the main clause that each mention of a piece is in, from 0.

    A new one begins at `and`, `while` or a comma before a breast, side or clock face that is followed by its own verb
    and what is there, where something was found, denied or called normal before: what is said of one breast is then
    not given to the other. Two clauses that both open with their breast, `in the left breast a mass and in the right
    breast a mass`, need no verb.
    """
    starts = [0]
    for at in range(1, len(found)):
        if found[at].means.keys().isdisjoint(_SUBJECT):
            continue
        first = _first_of_subject(tokens, found, at, starts[-1])
        joined = first > starts[-1] and _is_joined(tokens, found, first)
        alike = _opens_with_side(found, starts[-1]) and _opens_with_side(found, first)
        if joined and _is_complete(found[starts[-1] : first]) and _has_predicate(tokens, found, at, verb=alike):
            starts.append(first)
    ends = [*starts[1:], len(found)]
    return [n for n, (start, end) in enumerate(zip(starts, ends, strict=True)) for _ in range(start, end)]


def _first_of_subject(tokens: Tokens, found: list[Mention], at: int, start: int) -> int:
    """The first mention of a clause that leads up to a side without a comma: `in the left breast`."""
    first = at
    while first > start and _leads(tokens, found, first - 1):
        first -= 1
    return first


def _leads(tokens: Tokens, found: list[Mention], at: int) -> bool:
    """Whether a mention is a small word or a place right before the next one, and does not join two clauses."""
    mention = found[at]
    small = mention.means.keys() <= _BEFORE_SIDE and tokens.words[mention.first] not in ("and", "or", "&")
    return small and "," not in tokens.words[mention.last : found[at + 1].first]


def _is_joined(tokens: Tokens, found: list[Mention], first: int) -> bool:
    """Whether `and`, `while` or a comma is right before a mention."""
    before = found[first - 1]
    between = tokens.words[before.last : found[first].first]
    return "," in between or Concept.CONTRAST in before.means or tokens.words[before.first] in ("and", "&")


def _is_complete(clause: list[Mention]) -> bool:
    """Whether something is stated in a clause."""
    return any(not m.means.keys().isdisjoint(_STATED) for m in clause)


def _opens_with_side(found: list[Mention], first: int) -> bool:
    """Whether a clause opens with where its things are: `in the left breast`, `on the right`."""
    opening = list(takewhile(lambda m: m.means.keys() <= _OPENING, found[first:]))
    concepts = concepts_of(opening)
    return Concept.PREPOSITION in concepts and Concept.SIDE in concepts


def _has_predicate(tokens: Tokens, found: list[Mention], at: int, verb: bool) -> bool:
    """Whether a side is followed by a verb, if it has to be, and then by what is there, with nothing joined between."""
    for mention in found[at + 1 :]:
        word = tokens.words[mention.first]
        if Concept.NORMAL in mention.means:
            return True
        if Concept.KIND in mention.means:
            return verb
        if word in ("and", "or", "with", "without"):
            return False
        verb = verb or Concept.VERB in mention.means or word in _HAS
    return False


def follows_operation(tokens: Tokens, found: list[Mention], at: int) -> bool:
    """Whether a thing is what is found after an operation: `status post lumpectomy with stable distortion`.

    It is not where the thing operated on is named before: `status post excision of a mass with calcifications`.
    """
    changed = False
    for k in range(at - 1, -1, -1):
        means, end = found[k].means, found[k + 1].first
        if Concept.LINK in means or (changed and "," in tokens.words[found[k].last : end]):
            return _is_after_operation(tokens, found[: k + 1], end)
        if not means.keys().isdisjoint(_ASIDE):
            return False
        changed = changed or Concept.CHANGE in means
    return False


def _is_after_operation(tokens: Tokens, before: list[Mention], end: int) -> bool:
    """Whether mentions end in a history with an operation in it and no finding."""
    for mention in reversed(before):
        if Concept.KIND in mention.means:
            return False
        if Concept.HISTORY in mention.means:
            return not _OPERATIONS.isdisjoint(tokens.words[mention.first : end])
    return False
