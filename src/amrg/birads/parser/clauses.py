"""What part each thing named in a clause plays: found, denied, an explanation, a companion, or only spoken of."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from itertools import pairwise

from amrg.birads.lexicon import ASYMMETRIES, Kind
from amrg.birads.parser.mentions import Mention
from amrg.birads.text.phrases import GONE, Concept
from amrg.birads.text.tokens import Tokens

ASSOCIABLE = frozenset(
    {
        Kind.CALCIFICATIONS,
        Kind.DISTORTION,
        Kind.AXILLARY_NODE,
        Kind.SKIN_THICKENING,
        Kind.SKIN_RETRACTION,
        Kind.NIPPLE_RETRACTION,
        Kind.TRABECULAR_THICKENING,
    }
)
_SOFT = frozenset(
    {
        Concept.SHAPE, Concept.MARGIN, Concept.DENSITY, Concept.MORPHOLOGY, Concept.DISTRIBUTION, Concept.ROUND,
        Concept.DIRECTION, Concept.PLACE, Concept.DEPTH, Concept.SIDE, Concept.CHANGE, Concept.BENIGN,
        Concept.MULTIPLE, Concept.CERTAINTY, Concept.SIZE, Concept.CLOCK, Concept.DISTANCE, Concept.FILL,
        Concept.COMPOSITION, Concept.STRUCTURE, Concept.VIEW,
    }
)  # fmt: skip
_STOPS = frozenset({Concept.VERB, Concept.PREPOSITION, Concept.LINK, Concept.LIKENESS, Concept.NOT, Concept.KIND,
                    Concept.CONTRAST, Concept.INSTEAD, Concept.CATEGORY, Concept.NOT_BEFORE})  # fmt: skip
_PLACES = frozenset({Concept.SIDE, Concept.PLACE, Concept.DIRECTION, Concept.CLOCK, Concept.DISTANCE, Concept.SIZE})
_ONLY_FILL = {Concept.FILL}
_INDEFINITE = frozenset({"a", "an", "another"})


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


class Roles:
    """Walks once over the mentions of a piece and gives each thing named its role."""

    def __init__(self, tokens: Tokens, found: list[Mention]) -> None:
        self._tokens = tokens
        self._found = found
        self._advised = any(Concept.ADVISED in m.means for m in found)
        self._negated = ""
        self._verb = False
        self._likeness = False
        self._link = False
        self._instead = False
        self._aside = False
        self._the = -9
        self._clause = 0
        self.named: list[NamedThing] = []

    def read(self) -> list[NamedThing]:
        """All things named, in order, with their roles."""
        words = self._tokens.words
        last = self._found[0].first if self._found else 0
        for at, mention in enumerate(self._found):
            if last < mention.first:
                self._gap(words[last : mention.first])
            self._step(at, mention)
            last = mention.last
        self._denied_at_the_end()
        self._within()
        self._labels()
        return self.named

    def _gap(self, words: list[str]) -> None:
        """A comma or colon: after a verb, what was denied ends here."""
        if "," in words or ":" in words:
            self._instead = False
            self._end_denial()
        if "-" in words:
            self._likeness = self._likeness or bool(self.named)

    def _end_denial(self) -> None:
        """After its verb a denial reaches no further."""
        if self._verb:
            self._negated, self._verb = "", False
            self._clause = len(self.named)

    def _step(self, at: int, mention: Mention) -> None:
        """One mention."""
        means = mention.means
        if means.keys() == _ONLY_FILL:
            if self._tokens.words[mention.first] == "and":
                self._end_denial()
        elif Concept.KIND in means:
            self._name(at, mention)
        elif Concept.NOT in means:
            self._negated, self._verb, self._likeness = means[Concept.NOT], False, False
            self._clause = len(self.named)
        elif Concept.NOT_BEFORE in means:
            self._deny_before(only_last=means[Concept.NOT_BEFORE] == GONE)
        elif Concept.CONTRAST in means:
            self._negated, self._verb, self._likeness, self._link = "", False, False, False
            self._clause = len(self.named)
        elif Concept.THE in means:
            self._the = at
        elif means.keys() & _STOPS:
            self._stop(means.keys())
        elif Concept.HISTORY in means or Concept.HIDES in means or (self._advised and Concept.ADVICE in means):
            self._aside = True
        elif self._tokens.words[mention.first] == "and":
            self._end_denial()

    def _stop(self, concepts: object) -> None:
        """Words that part one thing named from the next."""
        assert isinstance(concepts, type({}.keys()))
        self._verb = self._verb or Concept.VERB in concepts
        self._likeness = (self._likeness or Concept.LIKENESS in concepts) and Concept.CATEGORY not in concepts
        self._link = self._link or Concept.LINK in concepts
        self._instead = self._instead or Concept.INSTEAD in concepts

    def _name(self, at: int, mention: Mention) -> None:
        """A thing named."""
        kind = mention.means[Concept.KIND]
        definite = self._is_definite(at)
        general = self._tokens.words[mention.first] in ("lesion", "lesions")
        self.named.append(NamedThing(at, kind, self._role(kind, definite), definite, general))

    def _role(self, kind: Kind, definite: bool) -> ClauseRole:
        """The role of a thing named at this place."""
        found = [n for n in self.named if n.role in (ClauseRole.FOUND, ClauseRole.AGAIN)]
        if self._aside or self._instead:
            return ClauseRole.ASIDE
        if self._negated:
            return ClauseRole.ASIDE if self._negated == "without" and found else ClauseRole.DENIED
        if found and self._likeness:
            return ClauseRole.EXPLAINS
        if found and self._link and kind in ASSOCIABLE and kind is not found[-1].kind:
            return ClauseRole.COMPANION
        if found and definite and same_sort(kind, found[-1].kind):
            return ClauseRole.AGAIN
        return ClauseRole.FOUND

    def _is_definite(self, at: int) -> bool:
        """Whether `the` or its like comes before the thing, with only its own words between."""
        if self._the < 0 or at - self._the > 4:
            return False
        words = self._tokens.words[self._found[self._the].last : self._found[at].first]
        between = self._found[self._the + 1 : at]
        return not _INDEFINITE & set(words) and not any(m.means.keys() & _STOPS for m in between)

    def _deny_before(self, only_last: bool) -> None:
        """`... is not seen`: what was named since the clause began is denied; of what has gone, only the last."""
        begin = self._clause
        if only_last:
            begin = max(begin, len(self.named) - 1)
            while begin > self._clause and self._is_listed_with_next(begin - 1):
                begin -= 1
        for named in self.named[begin:]:
            if named.role in (ClauseRole.FOUND, ClauseRole.AGAIN):
                named.role = ClauseRole.DENIED

    def _is_listed_with_next(self, n: int) -> bool:
        """Whether two things are named as one: `the masses and coarse calcifications`, with no place between them."""
        between = self._found[self.named[n].at + 1 : self.named[n + 1].at]
        return not any(m.means.keys() & (_STOPS | _PLACES) for m in between)

    def _denied_at_the_end(self) -> None:
        """`Masses: no`: a denial with nothing after it and a colon before it."""
        nots = [i for i, m in enumerate(self._found) if Concept.NOT in m.means]
        if not nots or not self.named or self.named[-1].at > nots[-1]:
            return
        if self._tokens.words[self._found[nots[-1]].first - 1] == ":":
            self._deny_before_all()

    def _deny_before_all(self) -> None:
        for named in self.named:
            named.role = ClauseRole.DENIED if named.role is ClauseRole.FOUND else named.role

    def _labels(self) -> None:
        """`Calcifications: benign calcifications`, `Lesion 1: a mass`: the first is a label and no second finding."""
        words = self._tokens.words
        if ":" not in words[self._found[0].first : self._found[-1].last] if self._found else True:
            return
        for named, follows in pairwise(self.named):
            after = self._found[named.at].last
            between = words[after : self._found[follows.at].first]
            numbered = named.general and words[after + 1 : after + 2] == [":"] and len(words[after]) == 1
            listed = self._found[named.at].plural and ":" in between and not _INDEFINITE.isdisjoint(between)
            labels = words[after : after + 1] == [":"] or numbered or listed
            if labels and (numbered or any(same_sort(named.kind, n.kind) for n in self.named if n.at > named.at)):
                named.role = ClauseRole.ASIDE

    def _within(self) -> None:
        """A denial `within the lesion` is about that lesion, not about the breast."""
        denied = [n for n in self.named if n.role is ClauseRole.DENIED]
        if not denied:
            return
        words = self._tokens.words
        for mention in self._found[denied[0].at + 1 :]:
            if words[mention.first] in ("within", "inside") and not _of_breast(words[mention.last : mention.last + 4]):
                for named in denied:
                    named.role = ClauseRole.ASIDE


def _of_breast(words: list[str]) -> bool:
    """Whether `within` goes on to name a breast."""
    return bool({"breast", "breasts", "right", "left", "either", "both", "parenchyma"} & set(words))


def same_sort(kind: Kind, other: Kind) -> bool:
    """Whether one word can point back to the other: the same kind, or two asymmetries."""
    return kind is other or (kind in ASYMMETRIES and other in ASYMMETRIES)


def leads_to(tokens: Tokens, found: list[Mention], at: int, head: int, commas: bool) -> bool:
    """Whether mention `at` is one of the words that lead up to the thing named at mention `head`."""
    if any(m.means.keys() & _STOPS or not m.means.keys() & _SOFT for m in found[at + 1 : head]):
        return False
    between = tokens.words[found[at].last : found[head].first]
    return ":" not in between and (commas or "," not in between)
