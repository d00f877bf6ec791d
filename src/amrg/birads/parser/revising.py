"""Roles of things named that the rest of their piece revises: denied at its end, normal, within a lesion, a label."""

from __future__ import annotations

from itertools import pairwise

from amrg.birads.lexicon import Kind
from amrg.birads.parser.mentions import Mention
from amrg.birads.parser.named_things import INDEFINITE, JOINS, ClauseRole, NamedThing, same_sort
from amrg.birads.text.phrases import Concept
from amrg.birads.text.tokens import Tokens

_SMALL = frozenset({Concept.FILL, Concept.VERB, Concept.SIDE})
_SMALL_BEFORE = _SMALL | {Concept.THE, Concept.PREPOSITION, Concept.KIND}
_APART = JOINS | {"enlarged", "prominent"}


def revise_roles(tokens: Tokens, found: list[Mention], things: list[NamedThing]) -> None:
    """Revise the roles that things have by the words before them."""
    _deny_at_the_end(tokens, found, things)
    _deny_normal_nodes(tokens, found, things)
    _confine_to_lesion(tokens, found, things)
    _set_labels_aside(tokens, found, things)


def _deny_at_the_end(tokens: Tokens, found: list[Mention], things: list[NamedThing]) -> None:
    """`Masses: no`: a denial with nothing after it and a colon before it."""
    nots = [i for i, m in enumerate(found) if Concept.NOT in m.means]
    if not nots or not things or things[-1].at > nots[-1]:
        return
    if tokens.words[found[nots[-1]].first - 1] == ":":
        for named in things:
            named.role = ClauseRole.DENIED if named.role is ClauseRole.FOUND else named.role


def _deny_normal_nodes(tokens: Tokens, found: list[Mention], things: list[NamedThing]) -> None:
    """`The axillary nodes are normal`, `normal axillary nodes`: nodes are named, and none is abnormal."""
    for named in things:
        if named.kind is not Kind.AXILLARY_NODE or named.role is not ClauseRole.FOUND:
            continue
        before = next((m for m in found[named.at :: -1] if not m.means.keys() <= _SMALL_BEFORE), None)
        after = next((m for m in found[named.at + 1 :] if not m.means.keys() <= _SMALL), None)
        if before is not None and not _APART.isdisjoint(tokens.words[before.last : found[named.at].first]):
            before = None  # another thing may be meant in between
        if any(m is not None and Concept.NORMAL in m.means for m in (before, after)):
            named.role = ClauseRole.DENIED


def _confine_to_lesion(tokens: Tokens, found: list[Mention], things: list[NamedThing]) -> None:
    """A denial `within the lesion` is about that lesion, not about the breast."""
    denied = [n for n in things if n.role is ClauseRole.DENIED]
    if not denied:
        return
    words = tokens.words
    for mention in found[denied[0].at + 1 :]:
        if words[mention.first] in ("within", "inside") and not _of_breast(words[mention.last : mention.last + 4]):
            for named in denied:
                named.role = ClauseRole.ASIDE


def _set_labels_aside(tokens: Tokens, found: list[Mention], things: list[NamedThing]) -> None:
    """`Calcifications: benign calcifications`, `Lesion 1: a mass`: the first is a label and no second finding."""
    words = tokens.words
    if ":" not in words[found[0].first : found[-1].last] if found else True:
        return
    for named, follows in pairwise(things):
        after = found[named.at].last
        between = words[after : found[follows.at].first]
        numbered = named.general and words[after + 1 : after + 2] == [":"] and len(words[after]) == 1
        listed = found[named.at].plural and ":" in between and not INDEFINITE.isdisjoint(between)
        labels = words[after : after + 1] == [":"] or numbered or listed
        if labels and (numbered or any(same_sort(named.kind, n.kind) for n in things if n.at > named.at)):
            named.role = ClauseRole.ASIDE


def _of_breast(words: list[str]) -> bool:
    """Whether `within` goes on to name a breast."""
    return bool({"breast", "breasts", "right", "left", "either", "both", "parenchyma"} & set(words))
