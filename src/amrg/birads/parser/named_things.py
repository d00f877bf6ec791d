"""Things named in a clause, the part that each plays, and the words around them that are theirs."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from amrg.birads.lexicon import ASYMMETRIES, Kind
from amrg.birads.parser.mentions import Mention
from amrg.birads.text.phrases import Concept
from amrg.birads.text.tokens import Tokens

STOPS = frozenset({Concept.VERB, Concept.PREPOSITION, Concept.LINK, Concept.LIKENESS, Concept.NOT, Concept.KIND,
                    Concept.CONTRAST, Concept.INSTEAD, Concept.CATEGORY, Concept.NOT_BEFORE})  # fmt: skip
INDEFINITE = frozenset({"a", "an", "another"})
JOINS = frozenset({"and", "or", "nor", ",", "&"})
TELLS_APART = frozenset({Concept.SIDE, Concept.CLOCK})
_SOFT = frozenset(
    {
        Concept.SHAPE, Concept.MARGIN, Concept.DENSITY, Concept.MORPHOLOGY, Concept.DISTRIBUTION, Concept.ROUND,
        Concept.DIRECTION, Concept.PLACE, Concept.DEPTH, Concept.SIDE, Concept.CHANGE, Concept.BENIGN,
        Concept.MULTIPLE, Concept.CERTAINTY, Concept.SIZE, Concept.CLOCK, Concept.DISTANCE, Concept.FILL,
        Concept.COMPOSITION, Concept.STRUCTURE, Concept.VIEW,
    }
)  # fmt: skip
_PLACING = frozenset({Concept.PREPOSITION})


class ClauseRole(Enum):
    """Part that a thing named plays."""

    FOUND = auto()
    AGAIN = auto()  # points back to a finding already read
    EXPLAINS = auto()  # states what a finding may be
    COMPANION = auto()  # comes with the finding before it
    DENIED = auto()
    ASIDE = auto()  # spoken of, neither found nor denied


@dataclass(slots=True)
class NamedThing:
    """A thing named in a clause: which mention, its kind, its role, and whether it is called by a general word."""

    at: int
    kind: Kind
    role: ClauseRole
    definite: bool = False
    general: bool = False
    of_others: bool = False  # denied but for what is found: `no other mass`, `no mass other than`
    except_for: NamedThing | None = None  # the denial that it is the exception of


def same_sort(kind: Kind, other: Kind) -> bool:
    """Whether one word can point back to the other: the same kind, or two asymmetries."""
    return kind is other or (kind in ASYMMETRIES and other in ASYMMETRIES)


def whereabouts(tokens: Tokens, found: list[Mention], at: int) -> dict[Concept, Any]:
    """Side and clock face that are stated right before or after the thing named at a mention."""
    stated: dict[Concept, Any] = {}
    before = at - 1
    while before >= 0 and leads_to(tokens, found, before, at, commas=False) and Concept.KIND not in found[before].means:
        stated |= {c: v for c, v in found[before].means.items() if c in TELLS_APART}
        before -= 1
    last = found[at].last
    for mention in found[at + 1 :]:
        if not JOINS.isdisjoint(tokens.words[last : mention.last]) or mention.means.keys() & (STOPS - _PLACING):
            break
        stated = {c: v for c, v in mention.means.items() if c in TELLS_APART} | stated
        last = mention.last
    return stated


def are_apart(here: dict[Concept, Any], there: dict[Concept, Any]) -> bool:
    """Whether two things named are on different sides or at different clock faces."""
    return any(c in here and c in there and here[c] != there[c] for c in TELLS_APART)


def leads_to(tokens: Tokens, found: list[Mention], at: int, head: int, commas: bool) -> bool:
    """Whether mention `at` is one of the words that lead up to the thing named at mention `head`."""
    if any(m.means.keys() & STOPS or not m.means.keys() & _SOFT for m in found[at + 1 : head]):
        return False
    between = tokens.words[found[at].last : found[head].first]
    return ":" not in between and (commas or "," not in between)
