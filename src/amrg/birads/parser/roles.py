"""What part each thing named in a clause plays: found, denied, an explanation, a companion, or only spoken of."""

from __future__ import annotations

from amrg.birads.lexicon import Change, Kind
from amrg.birads.parser.main_clauses import clauses_of, follows_operation
from amrg.birads.parser.mentions import Mention
from amrg.birads.parser.named_things import (
    INDEFINITE,
    JOINS,
    STOPS,
    ClauseRole,
    NamedThing,
    are_apart,
    same_sort,
    whereabouts,
)
from amrg.birads.parser.revising import revise_roles
from amrg.birads.text.phrases import GONE, Concept
from amrg.birads.text.tokens import Tokens
from amrg.birads.validity import ASSOCIABLE

_PLACES = frozenset({Concept.SIDE, Concept.PLACE, Concept.DIRECTION, Concept.CLOCK, Concept.DISTANCE, Concept.SIZE})
_ONLY_FILL = {Concept.FILL}
_WHERE = frozenset({Concept.SIDE, Concept.CLOCK, Concept.PLACE})
_ALWAYS_THERE = frozenset({Kind.AXILLARY_NODE, Kind.INTRAMAMMARY_NODE, Kind.SKIN_LESION})
_CLINICAL = frozenset({"palpable", "palpated", "felt", "clinical", "reported", "lump", "lumps"})
_OF = frozenset({"of", "in", "within", "inside", "with", "around", "to", "for", "over", "near"})
_LONGEST_NAME = 12  # mentions that lead up to a thing named
_OTHER = frozenset({"other", "additional", "new", "further", "else", "second"})
_EXCEPT = frozenset({"other", "except", "aside", "apart", "besides"})


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
        self._not = -9
        self._of_the = -9
        self._denied_somewhere = False
        self._except = False
        self._clause = 0
        self._begun, self._joined = 0, -1  # clauses begun where a denial ends, and the mention that the last began at
        self.clauses = clauses_of(tokens, found)
        self.denied_words: set[int] = set()  # mentions that say what is not so of a thing that is there
        self.named: list[NamedThing] = []

    def read(self) -> list[NamedThing]:
        """All things named, in order, with their roles."""
        words = self._tokens.words
        last = self._found[0].first if self._found else 0
        for at, mention in enumerate(self._found):
            self.clauses[at] += self._begun
            if at and self.clauses[at] != self.clauses[at - 1]:
                self._begin_clause()
            if last < mention.first:
                self._gap(at, words[last : mention.first])
                self.clauses[at] += self._joined == at
            self._step(at, mention)
            last = mention.last
        revise_roles(self._tokens, self._found, self.named)
        return self.named

    def _begin_clause(self) -> None:
        """A clause with a subject of its own: nothing of the one before holds in it."""
        self._negated = ""
        self._verb = self._likeness = self._link = self._instead = self._aside = False
        self._clause = len(self.named)

    def _gap(self, at: int, words: list[str]) -> None:
        """A comma or colon: after a verb, what was denied ends here."""
        if "," in words or ":" in words:
            self._instead = False
            self._end_denial(at)
        if "-" in words:
            self._likeness = self._likeness or bool(self.named)

    def _end_denial(self, at: int) -> None:
        """A denial reaches no further than its verb, or than something that is found: mention `at` is the next."""
        found_next = bool(self._negated) and self._is_found_next(at)
        if found_next:
            self._begun += 1
            self._joined = at
        if self._verb or found_next:
            self._negated, self._verb = "", False
            self._clause = len(self.named)

    def _is_found_next(self, at: int) -> bool:
        """Whether what a joined item names is there: `no mass on the right and a mass`, `and there is`."""
        near = range(at, min(len(self._found), at + _LONGEST_NAME))
        head = next((k for k in near if Concept.KIND in self._found[k].means), None)
        if head is None:
            return False
        words = self._tokens.words[self._found[at].first : self._found[head].last + 1]
        leads = [m.means for m in self._found[at:head]]
        if words[:2] in (["there", "is"], ["there", "are"]):
            return not any(Concept.NOT in m for m in leads)
        if not {"or", "nor"}.isdisjoint(words) or "," in words[:-1]:
            return False
        if self._denied_somewhere and words[0] in INDEFINITE:
            return True
        return any(
            bool(m.get(Concept.BENIGN)) or Concept.MULTIPLE in m or m.get(Concept.CHANGE) is Change.STABLE
            for m in leads
        )

    def _step(self, at: int, mention: Mention) -> None:
        """One mention."""
        means = mention.means
        if means.keys() == _ONLY_FILL:
            if self._tokens.words[mention.first] == "and":
                self._end_denial(at + 1)
        elif Concept.KIND in means:
            self._name(at, mention)
        elif Concept.NOT in means:
            self._negated, self._verb, self._likeness = means[Concept.NOT], False, False
            self._not, self._denied_somewhere, self._except = at, False, False
            self._clause = len(self.named)
        elif Concept.NOT_BEFORE in means:
            self._deny_before(only_last=means[Concept.NOT_BEFORE] == GONE)
        elif Concept.CONTRAST in means:
            self._except = bool(self._negated) and self._tokens.words[mention.first] in _EXCEPT
            self._negated, self._verb, self._likeness, self._link = "", False, False, False
            self._clause = len(self.named)
        elif Concept.THE in means:
            self._the = at
        elif means.keys() & STOPS:
            self._stop(means.keys())
            self._of_the = at if self._tokens.words[mention.last - 1] == "the" else self._of_the
        elif Concept.HISTORY in means or Concept.HIDES in means or (self._advised and Concept.ADVICE in means):
            self._aside = True
        elif self._tokens.words[mention.first] == "and":
            self._end_denial(at + 1)
        if not means.keys().isdisjoint(_WHERE) and self._follows_preposition(at):
            self._denied_somewhere = True

    def _follows_preposition(self, at: int) -> bool:
        """Whether `in the` or its like leads up to a mention."""
        while at > 0 and Concept.THE in self._found[at - 1].means:
            at -= 1
        return at > 0 and Concept.PREPOSITION in self._found[at - 1].means

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
        definite = Concept.THE in mention.means or self._is_definite(at)
        general = self._tokens.words[mention.first] in ("lesion", "lesions")
        if self._negated and not general and self._is_owner(at, kind):
            self._leave_denial()
        named = NamedThing(at, kind, self._role(at, kind, definite), definite, general)
        if named.role is ClauseRole.DENIED:
            words = self._tokens.words[self._found[self._not].first : mention.first]
            named.of_others = not _OTHER.isdisjoint(words)
        if self._except:
            self._except_for(named)
        self.named.append(named)

    def _is_owner(self, at: int, kind: Kind) -> bool:
        """Whether what is denied is something of a thing that is there: `no growth of the mass`."""
        the = max(self._the, self._of_the)
        if kind in _ALWAYS_THERE or the <= self._not or at - the > 4:
            return False
        words = self._tokens.words
        article = self._found[the].last - 1
        of = words[article] == "the" and article > self._found[self._not].last and words[article - 1] in _OF
        own = words[article + 1 : self._found[at].last]
        between = self._found[the + 1 : at]
        return (
            of and (JOINS | _CLINICAL | INDEFINITE).isdisjoint(own) and not any(m.means.keys() & STOPS for m in between)
        )

    def _leave_denial(self) -> None:
        """What was denied of a thing is about that thing, not about the breast."""
        for named in self.named[self._clause :]:
            if named.role is ClauseRole.DENIED:
                named.role = ClauseRole.ASIDE
        self.denied_words.update(range(self._not + 1, max(self._the, self._of_the)))
        self._negated = ""

    def _except_for(self, named: NamedThing) -> None:
        """`No mass other than the one at 10 o'clock`: that one is found, and the denial is of others."""
        denied = [n for n in self.named if n.role is ClauseRole.DENIED]
        for other in denied:
            other.of_others = True
        named.except_for = denied[-1] if denied else None
        self._except = False

    def _role(self, at: int, kind: Kind, definite: bool) -> ClauseRole:
        """The role of a thing named at this place."""
        found = [n for n in self.named if n.role in (ClauseRole.FOUND, ClauseRole.AGAIN)]
        if self._instead or (self._aside and not follows_operation(self._tokens, self._found, at)):
            return ClauseRole.ASIDE
        if self._negated:
            return ClauseRole.ASIDE if self._negated == "without" and found else ClauseRole.DENIED
        if found and self._likeness:
            return ClauseRole.EXPLAINS
        here = bool(found) and self.clauses[found[-1].at] == self.clauses[at]  # not in the clause of another breast
        if here and self._link and kind in ASSOCIABLE and kind is not found[-1].kind:
            return ClauseRole.COMPANION
        if found and definite and same_sort(kind, found[-1].kind):
            mine, other = (whereabouts(self._tokens, self._found, n) for n in (at, found[-1].at))
            return ClauseRole.FOUND if are_apart(mine, other) else ClauseRole.AGAIN
        return ClauseRole.FOUND

    def _is_definite(self, at: int) -> bool:
        """Whether `the` or its like comes before the thing, with only its own words between."""
        if self._the < 0 or at - self._the > 4:
            return False
        words = self._tokens.words[self._found[self._the].last : self._found[at].first]
        between = self._found[self._the + 1 : at]
        return not INDEFINITE & set(words) and not any(m.means.keys() & STOPS for m in between)

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
        return not any(m.means.keys() & (STOPS | _PLACES) for m in between)
