"""What was not seen before, or on one view, is not denied: `a mass that was not seen on the prior mammogram`."""

from __future__ import annotations

from amrg.birads.lexicon import Change
from amrg.birads.parser.mentions import Mention
from amrg.birads.text.dates import YEAR
from amrg.birads.text.phrases import Concept
from amrg.birads.text.tokens import Tokens

_PREPOSITIONS = frozenset({"in", "on", "at", "during", "from"})
_ARTICLES = frozenset({"the", "any", "her", "their", "a", "all", "of"})
_BEFORE_WORDS = "prior priors previous previously earlier before formerly last old outside"
_BEFORE = frozenset(_BEFORE_WORDS.split())
_ON_VIEW = frozenset({"on", "the", "right", "left"})
_STUDY_WORDS = "study studies exam exams examination examinations mammogram mammograms mammography images imaging films"
_STUDY = frozenset(_STUDY_WORDS.split())
_DATED = frozenset({Concept.DATE, Concept.WHEN})
_NEAR = 8  # mentions in which a view or a date is looked for
_NEVER_NEW = frozenset({"ruled", "false", "none", "excluded"})


def with_unseen(tokens: Tokens, found: list[Mention]) -> list[Mention]:
    """The mentions with denials of an earlier examination made a change, new, and those on one view no denial."""
    if not any(Concept.NOT_BEFORE in mention.means for mention in found):
        return found
    return [_read(tokens, found, at) if Concept.NOT_BEFORE in m.means else m for at, m in enumerate(found)]


def _read(tokens: Tokens, found: list[Mention], at: int) -> Mention:
    """A denial as what it is of."""
    mention = found[at]
    if mention.means[Concept.NOT_BEFORE] is not True:
        return mention
    if _is_of_earlier(tokens, found, at):
        return Mention({Concept.CHANGE: Change.NEW}, False, mention.first, mention.last)
    if _is_on_one_view(tokens, found, at):
        return Mention({Concept.VERB: True}, False, mention.first, mention.last)
    return mention


def _is_on_one_view(tokens: Tokens, found: list[Mention], at: int) -> bool:
    """Whether `on the MLO view` follows, and no other view."""
    views = [k for k in range(at + 1, min(len(found), at + _NEAR)) if Concept.VIEW in found[k].means]
    if len(views) != 1:
        return False
    between = tokens.words[found[at].last : found[views[0]].first]
    return bool(between) and set(between) <= _ON_VIEW and "on" in between


def _is_of_earlier(tokens: Tokens, found: list[Mention], at: int) -> bool:
    """Whether what follows `not seen` is an earlier examination, or its date."""
    words, mention = tokens.words, found[at]
    if not _NEVER_NEW.isdisjoint(words[mention.first : mention.last]):
        return False
    k = mention.last
    while words[k : k + 1] and words[k] in _PREPOSITIONS | _ARTICLES:
        k += 1
    if not words[k : k + 1]:
        return False
    if words[k] in _BEFORE:
        return True
    if words[k] == "comparison":
        return not _STUDY.isdisjoint(words[k + 1 : k + 2])
    dated = any(m.first == k and not m.means.keys().isdisjoint(_DATED) for m in found[at : at + _NEAR])
    return k > mention.last and (dated or YEAR.match(words[k]) is not None)
