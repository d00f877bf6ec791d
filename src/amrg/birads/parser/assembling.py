"""From the mentions of one piece of text to findings, denials and categories."""

from __future__ import annotations

from typing import Any

from amrg.birads.lexicon import Kind, Laterality
from amrg.birads.parser.mentions import Mention, concepts_of
from amrg.birads.parser.named_things import (
    INDEFINITE,
    TELLS_APART,
    ClauseRole,
    NamedThing,
    are_apart,
    leads_to,
    same_sort,
    whereabouts,
)
from amrg.birads.parser.partial_finding import (
    OWNER,
    WHEREABOUTS,
    Denial,
    PartialFinding,
    Slot,
    settle_calcifications,
    share_side,
    share_whereabouts,
)
from amrg.birads.parser.rating import CategoryReader, PieceFindings, Ratings
from amrg.birads.parser.roles import Roles
from amrg.birads.structure.sections import Piece
from amrg.birads.text.headings import Section
from amrg.birads.text.phrases import Concept
from amrg.birads.text.tokens import Tokens

_WORDS_OF_A_FINDING = (
    Concept.SHAPE, Concept.MARGIN, Concept.DENSITY, Concept.MORPHOLOGY, Concept.DISTRIBUTION, Concept.ROUND,
    Concept.PLACE, Concept.DEPTH, Concept.SIDE, Concept.VIEW, Concept.CHANGE, Concept.BENIGN, Concept.MULTIPLE,
    Concept.CERTAINTY, Concept.SIZE, Concept.DISTANCE, Concept.CLOCK,
)  # fmt: skip
_DESCRIBING = frozenset(_WORDS_OF_A_FINDING)
_NAMING = frozenset({Concept.KIND, Concept.CATEGORY, Concept.NORMAL})
_READ = _NAMING | _DESCRIBING
_LEADING_ONLY = frozenset({Concept.MULTIPLE})
_HEADLESS = frozenset(
    {Concept.SHAPE, Concept.MARGIN, Concept.DENSITY, Concept.MORPHOLOGY, Concept.DISTRIBUTION, Concept.SIZE,
     Concept.CLOCK, Concept.DISTANCE, Concept.DEPTH, Concept.ROUND, Concept.VIEW}
)  # fmt: skip
_IN_A_NAME = frozenset({Concept.SHAPE, Concept.MARGIN})  # `ill-defined density`: a mass, and its margin
_PARTS_PLACES = frozenset(
    {Concept.NOT, Concept.CONTRAST, Concept.LIKENESS, Concept.HISTORY, Concept.INSTEAD, Concept.CATEGORY}
)
_PARTING = frozenset(["and", "or", "&", "(", ")", "-", "/", "\n", "with", "for"])
_JOINS = frozenset(["and", "&", ",", "/", "+"])
_DENIABLE = frozenset({Concept.SIDE})
_CLAUSE_OPENS = frozenset({Concept.KIND, Concept.VIEW, Concept.CONTRAST})
_UNSEEN = frozenset({"not", "no", "without", "cannot"})
_NEAR = 6  # tokens between a denial and the view it is about
_REPEATED = 200  # findings that a later word can point back to: more than any report has


class Assembler:
    """Puts findings together, piece after piece, in the order of the text."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens
        self.drafts: list[PartialFinding] = []
        self.denials: list[Denial] = []
        self.ratings = Ratings(tokens)

    def take(self, piece: Piece, found: list[Mention]) -> None:
        """Read the findings, denials and categories of one piece."""
        found = self._with_those(found)
        concepts = concepts_of(found)
        self.ratings.headed.update([piece.side] if piece.side is not None else [])
        if not _READ.isdisjoint(concepts) and (self.drafts or not _NAMING.isdisjoint(concepts)):
            _PieceReader(self, self._tokens, piece, found, Concept.KIND in concepts).read()

    def _with_those(self, found: list[Mention]) -> list[Mention]:
        """The mentions of a piece that opens with `those in the left breast`, which are what was named last.

        Only where that is in the other breast: in both, or without a side, `those` are some of what was named.
        """
        last = self.drafts[-1] if self.drafts else None
        sides = next((m.means[Concept.SIDE] for m in found if Concept.SIDE in m.means), ())
        before = last.value(Concept.SIDE) if last is not None else None
        words = self._tokens.words[found[0].first : found[0].last + 1] if found else []
        opens = words in (["those", "in"], ["those", "on"])
        apart = before is not None and len(before) == len(sides) == 1 and before != sides
        if last is None or not (opens and apart) or any(Concept.KIND in m.means for m in found):
            return found
        those = Mention(found[0].means | {Concept.KIND: last.kind}, True, found[0].first, found[0].last)
        return [those, *found[1:]]

    def take_categories(self, piece: Piece, found: list[Mention]) -> None:
        """Read only the categories of a piece that describes no findings."""
        if any(Concept.CATEGORY in m.means for m in found):
            _PieceReader(self, self._tokens, piece, found, names=False).read_categories()

    def kinds_found(self) -> set[tuple[Kind, Laterality]]:
        """What is found on which sides; on both where no side is stated."""
        return {(draft.kind, side) for draft in self.drafts for side in draft.value(Concept.SIDE) or Laterality}

    def span(self, mention: Mention) -> tuple[int, int]:
        """Where a mention begins and ends in the text."""
        return self._tokens.starts[mention.first], self._tokens.ends[mention.last - 1]


class _PieceReader:
    """Reads one piece for an assembler."""

    def __init__(self, into: Assembler, tokens: Tokens, piece: Piece, found: list[Mention], names: bool = True) -> None:
        self._into = into
        self._tokens = tokens
        self._piece = piece
        self._found = found
        roles = Roles(tokens, found) if names else None
        self._named = [] if roles is None else roles.read()
        self._clauses = [0] * len(found) if roles is None else roles.clauses  # by mention
        self._denied_words = set() if roles is None else roles.denied_words
        self._targets: dict[int, PartialFinding | Denial | None] = {}  # by mention of a thing named
        self._new: list[PartialFinding] = []
        self._sides_before: dict[PartialFinding, Slot] = {}  # of new ones, the side of an earlier one
        self._denied: list[Denial] = []
        self._pending: list[tuple[int, Concept, Any]] = []

    def read(self) -> None:
        """Name things first, then hand out the words that describe them."""
        for named in self._named:
            self._targets[named.at] = target = self._target(named)
            if named.role is ClauseRole.COMPANION and isinstance(target, PartialFinding):
                target.companion = True
        if self._named or self._into.drafts:
            self._several_places()
            for at, mention in enumerate(self._found):
                described = Concept.KIND not in mention.means and at not in self._denied_words
                if described and not _DESCRIBING.isdisjoint(mention.means):
                    self._describe(at, mention)
            self._hand_out_pending()
            self._share_whereabouts()
        self._normal_structures()
        self.read_categories()
        self._finish()

    def _target(self, named: NamedThing) -> PartialFinding | Denial | None:
        """What the words around a thing named describe."""
        mention = self._found[named.at]
        begin, end = self._into.span(mention)
        if named.role is ClauseRole.DENIED:
            return self._deny(named.kind, mention, named.of_others)
        before = self._last_new(named.at)
        if named.role is ClauseRole.EXPLAINS or (named.role is ClauseRole.AGAIN and before):
            return before
        if named.role is ClauseRole.COMPANION and before is not None and not self._is_described(named):
            (self._last_new(self._last_link(named.at)) or before).associate(named.kind, begin, end)
            return None
        if named.role is ClauseRole.ASIDE:
            return None
        return self._earlier_finding(named) or self._another(named, mention, begin, end)

    def _deny(self, kind: Kind, mention: Mention, of_others: bool = False) -> Denial:
        """A new denial."""
        denial = Denial(kind, *self._into.span(mention), of_others)
        self._denied.append(denial)
        return denial

    def _another(self, named: NamedThing, mention: Mention, begin: int, end: int) -> PartialFinding:
        """A new finding; `the mass at 6 o'clock` after one at 2 is in the same breast where no other is named."""
        draft = self._draft(named, mention, begin, end)
        alike = (d for d in reversed(self._into.drafts[-_REPEATED:]) if same_sort(named.kind, d.kind))
        before = next(alike, None) if named.definite else None
        if before is not None and Concept.SIDE in before.slots:
            self._sides_before[draft] = before.slots[Concept.SIDE]
        return draft

    def _draft(self, named: NamedThing, mention: Mention, begin: int, end: int) -> PartialFinding:
        """A new finding."""
        draft = PartialFinding(named.kind, begin, end)
        if mention.plural and named.kind is not Kind.CALCIFICATIONS:
            draft.fill(Concept.MULTIPLE, (True, begin, end))
        if Concept.CERTAINTY in mention.means:
            draft.fill(Concept.CERTAINTY, (True, begin, end))
        for concept in _IN_A_NAME.intersection(mention.means):
            draft.fill(concept, (mention.means[concept], begin, end))
        self._new.append(draft)
        return draft

    def _earlier_finding(self, named: NamedThing) -> PartialFinding | None:
        """The earlier finding that `the mass` or `malignant lesion` points back to, or None."""
        drafts = self._into.drafts
        likened = any(Concept.LIKENESS in m.means for m in self._found[: named.at])
        if drafts and not self._new and named.general and likened:
            return drafts[-1]
        if not named.definite:
            return None
        stated = whereabouts(self._tokens, self._found, named.at)
        if self._piece.side is not None:
            stated.setdefault(Concept.SIDE, (self._piece.side,))
        alike = (d for d in reversed(drafts[-_REPEATED:]) if same_sort(named.kind, d.kind))
        return next((d for d in alike if not are_apart(stated, {c: s[0] for c, s in d.slots.items()})), None)

    def _is_described(self, named: NamedThing) -> bool:
        """Whether calcifications named as companions have descriptors, which makes them a finding of their own."""
        if named.kind is not Kind.CALCIFICATIONS:
            return False
        for at in range(named.at - 1, -1, -1):
            if not leads_to(self._tokens, self._found, at, named.at, commas=False):
                return False
            means = self._found[at].means
            if Concept.STRUCTURE not in means and (Concept.MORPHOLOGY in means or Concept.DISTRIBUTION in means):
                return True
        return False

    def _last_link(self, before: int) -> int:
        """The nearest `with` or its like before a mention."""
        return max((i for i, m in enumerate(self._found[:before]) if Concept.LINK in m.means), default=before)

    def _last_new(self, before: int) -> PartialFinding | None:
        """The nearest finding named before a mention, rather not one that comes with another."""
        named = [self._targets.get(n.at) for n in self._named if n.at < before]
        drafts = [d for d in reversed(named) if isinstance(d, PartialFinding)]
        return next((d for d in drafts if not d.companion), drafts[0] if drafts else None)

    def _several_places(self) -> None:
        """Find where one thing named has a second place: `in the right breast at 10 and in the left at 2 o'clock`."""
        self._elsewhere: dict[int, NamedThing] = {}  # by the first mention of a place of its own
        self._first_side: dict[int, Mention | None] = {}  # the side of the first place, by the thing named
        for n, named in enumerate(self._named):
            if named.role is not ClauseRole.FOUND:
                continue
            end = self._named[n + 1].at if n + 1 < len(self._named) else len(self._found)
            end = next((i for i in range(named.at, end) if self._clauses[i] != self._clauses[named.at]), end)
            apart = TELLS_APART | {Concept.SIZE} if self._found[named.at].plural else TELLS_APART
            groups = [(at, {c: v for c, v in p.items() if c in apart}) for at, p in self._groups(named.at + 1, end)]
            known = dict(groups[0][1]) if groups else {}
            for first, places in groups[1:]:
                if any(c in known and known[c] != v for c, v in places.items()):
                    self._elsewhere[first] = named
                    between = self._found[groups[0][0] : first]
                    self._first_side.setdefault(named.at, next((m for m in between if Concept.SIDE in m.means), None))
                    known = dict(places)
                else:
                    known |= places

    def _groups(self, first: int, last: int) -> list[tuple[int, dict[Concept, Any]]]:
        """Places named one after the other, parted by `and` or a comma: the first mention, and what it states."""
        groups: list[tuple[int, dict[Concept, Any]]] = []
        end = self._found[first - 1].last
        for at in range(first, last):
            mention = self._found[at]
            if mention.means.keys() & _PARTS_PLACES:
                break
            if not mention.means.keys() & WHEREABOUTS:
                continue
            between = self._tokens.words[end : mention.first]
            if "not" in between:  # `in the left breast, not the right`
                break
            parted = bool(_JOINS & set(between))
            if not groups or parted:
                groups.append((at, {}))
            groups[-1][1].update({c: v for c, v in mention.means.items() if c in WHEREABOUTS})
            end = mention.last
        return groups

    def _describe(self, at: int, mention: Mention) -> None:
        """Hand the words of one mention to the thing they describe."""
        named = self._elsewhere.get(at)
        draft = self._targets[named.at] if named is not None else None
        if named is not None and isinstance(draft, PartialFinding):
            side = self._first_side.get(named.at)
            if side is not None:  # `bilateral masses: right 10 o'clock, left 2 o'clock`
                draft.slots[Concept.SIDE] = (side.means[Concept.SIDE], *self._into.span(side))
            self._targets[named.at] = other = draft.elsewhere()
            self._new.append(other)
        if at and Concept.BENIGN in mention.means and self._is_gloss(at):
            return
        if at and Concept.CHANGE in mention.means and self._compares(at):
            return
        if Concept.VIEW in mention.means and self._is_not_on(mention):
            return
        for concept in _WORDS_OF_A_FINDING:
            if concept in mention.means:
                self._give(at, concept, mention.means[concept], mention)

    def _compares(self, at: int) -> bool:
        """Whether `the larger` picks one of several rather than states growth."""
        size = self._tokens.words[self._found[at].first] in ("larger", "smaller")
        return size and Concept.THE in self._found[at - 1].means

    def _is_not_on(self, mention: Mention) -> bool:
        """Whether a finding is not seen on a view: `not confirmed on CC`, `without a correlate on CC`."""
        words = self._tokens.words
        first = next(
            (m.last for m in reversed(self._found) if m.last <= mention.first and m.means.keys() & _CLAUSE_OPENS),
            self._piece.first,
        )
        return not _UNSEEN.isdisjoint(words[max(first, mention.first - _NEAR) : mention.first])

    def _is_gloss(self, at: int) -> bool:
        """Whether a word such as `suspicious` only explains the category before it."""
        before = [m for m in self._found[:at] if Concept.FILL not in m.means]
        return bool(before) and Concept.CATEGORY in before[-1].means

    def _give(self, at: int, concept: Concept, value: Any, mention: Mention) -> None:
        """Give one value to the thing ahead that it leads up to, else to the one before, else keep it for later."""
        here = [n for n in self._named if self._clauses[n.at] == self._clauses[at]]
        ahead = next((n for n in here if n.at > at), None)
        if ahead is not None and self._leads(at, ahead, concept):
            self._put(self._targets[ahead.at], concept, value, mention)
            return
        if concept in _LEADING_ONLY:
            return
        before = [n for n in here if n.at < at and self._accepts(n, concept)]
        if concept is Concept.BENIGN:
            before = [n for n in before if n.role is not ClauseRole.COMPANION] or before
        before = [n for n in before if self._owns(n, concept)] or before
        if before:
            self._put(self._targets[before[-1].at], concept, value, mention)
        elif any(n.at < at for n in here) and concept not in WHEREABOUTS:
            return
        elif any(n.at > at for n in here):
            self._pending.append((at, concept, value))
        else:
            self._give_to_last(concept, value, mention)

    def _leads(self, at: int, ahead: NamedThing, concept: Concept) -> bool:
        """Whether the words lead up to the thing ahead and do not belong to the one before."""
        if not leads_to(self._tokens, self._found, at, ahead.at, commas=concept not in WHEREABOUTS):
            return False
        words = self._tokens.words
        between = words[self._found[at].last : self._found[ahead.at].first]
        has_before = any(n.at < at and isinstance(self._targets[n.at], PartialFinding) for n in self._named)
        joined = has_before and not {"and", "&"}.isdisjoint(between)
        if joined and (concept in WHEREABOUTS or not INDEFINITE.isdisjoint(between)):
            return False  # `the mass is stable and a new mass`, `in the right upper quadrant and a mass`
        if concept is Concept.CHANGE and words[self._found[at].first - 1] == words[self._found[at].last] == ",":
            return False  # `calcifications, new, and a mass`: describes what comes before
        if OWNER.get(concept, ahead.kind) is not ahead.kind and self._is_separated(at, ahead):
            return False
        before = at - 1
        while before > 0 and Concept.THE in self._found[before].means:
            before -= 1
        follows_preposition = before >= 0 and Concept.PREPOSITION in self._found[before].means
        if concept in WHEREABOUTS and has_before and follows_preposition:
            return False
        return words[self._found[at].last - 1] != ")"

    def _is_separated(self, at: int, ahead: NamedThing) -> bool:
        """Whether `and` or a noun of its own parts a descriptor from a thing ahead that cannot have it."""
        between = self._tokens.words[self._found[at].last : self._found[ahead.at].first]
        return bool({"and", ",", "margin", "margins"} & set(between))

    def _accepts(self, named: NamedThing, concept: Concept) -> bool:
        """Whether a thing named before can take such a value."""
        target = self._targets[named.at]
        if isinstance(target, Denial):
            return concept in _DENIABLE
        return target is not None and target.takes(concept)

    def _owns(self, named: NamedThing, concept: Concept) -> bool:
        """Whether a value is of a thing named rather than of another kind: a margin of the mass, not of the node."""
        target = self._targets[named.at]
        return not isinstance(target, PartialFinding) or target.owns(concept)

    def _put(self, target: PartialFinding | Denial | None, concept: Concept, value: Any, mention: Mention) -> None:
        """Put a value into what it describes."""
        if isinstance(target, Denial):
            if concept is Concept.SIDE and target.sides is None:
                self._deny_on(target, value)
        elif target is not None and target.takes(concept):
            target.fill(concept, (value, *self._into.span(mention)), self._is_listed(mention))

    def _deny_on(self, denial: Denial, sides: tuple[Laterality, ...]) -> None:
        """A side stated after several things denied holds for all of them."""
        clause = next(self._clauses[at] for at, target in self._targets.items() if target is denial)
        for named in reversed(self._named):
            target = self._targets.get(named.at)
            if not isinstance(target, Denial) or self._clauses[named.at] != clause:
                continue
            if target.begin <= denial.begin and target.sides is None:
                target.sides = sides

    def _is_listed(self, mention: Mention) -> bool:
        """Whether `and` or a comma comes before a place, which makes it one more place."""
        before = self._tokens.words[max(self._piece.first, mention.first - 6) : mention.first]
        return bool({"and", "&", ",", "/"} & set(before)) or before[-1:] == ["-"] or self._follows_place(mention)

    def _follows_place(self, mention: Mention) -> bool:
        """Whether the word before is a place too, as in `upper-lower`."""
        return any(m.last == mention.first and Concept.PLACE in m.means for m in self._found)

    def _give_to_last(self, concept: Concept, value: Any, mention: Mention) -> None:
        """A sentence that names nothing describes the finding before it: `Margins are spiculated.`"""
        about = self._described_finding()
        points = bool(self._found) and any(Concept.THE in m.means for m in self._found[:2])
        whole = concept in _HEADLESS or (points and concept is not Concept.BENIGN)
        if concept is Concept.BENIGN:
            whole = any(Concept.LIKENESS in m.means for m in self._found)
        if about is not None and whole and about.owns(concept):
            about.fill(concept, (value, *self._into.span(mention)), self._is_listed(mention))

    def _described_finding(self) -> PartialFinding | None:
        """The finding that a sentence without one describes."""
        quiet = self._piece.section in (Section.BODY, Section.FINDINGS) and not self._named
        speaks_of_tissue = any(
            m.means.keys() & {Concept.COMPOSITION, Concept.LETTER, Concept.PRIOR, Concept.STRUCTURE, Concept.EDITION}
            for m in self._found
        )
        return self._into.drafts[-1] if quiet and not speaks_of_tissue and self._into.drafts else None

    def _hand_out_pending(self) -> None:
        """Words before anything was named: places hold for all that follows, the rest for the first."""
        for at, concept, value in self._pending:
            mention, clause = self._found[at], self._clauses[at]
            after = [self._targets[n.at] for n in self._named if n.at > at and self._clauses[n.at] == clause]
            given = [t for t in after if t is not None]
            for target in given if concept in WHEREABOUTS - {Concept.SIZE} else given[:1]:
                taken = isinstance(target, PartialFinding) and (
                    concept in target.slots or (concept is Concept.PLACE and bool(target.places))
                )
                if not taken or (concept is Concept.PLACE and self._is_listed(mention)):
                    self._put(target, concept, value, mention)

    def _share_whereabouts(self) -> None:
        """`mass and calcifications in the left breast`: both are there."""
        clauses = {self._targets[n.at]: self._clauses[n.at] for n in self._named}
        for first, second in zip(self._new, self._new[1:], strict=False):
            if clauses.get(first) != clauses.get(second):
                share_side(second, first)
                continue
            between = self._tokens.text[first.end : second.begin].lower()
            listed = len(between) <= 60 and " and " in between and " in " not in between and "seen" not in between
            if not (listed or second.companion):
                continue
            share_whereabouts(second, first)
            if second.companion:
                share_whereabouts(first, second)

    def _normal_structures(self) -> None:
        """`Skin and nipple appear normal` denies what the lexicon knows of them."""
        for clause in {c for c, m in zip(self._clauses, self._found, strict=True) if Concept.NORMAL in m.means}:
            found = [m for c, m in zip(self._clauses, self._found, strict=True) if c == clause]
            sides = next((m.means[Concept.SIDE] for m in found if Concept.SIDE in m.means), None)
            for mention in found:
                for kind in mention.means.get(Concept.STRUCTURE, ()):
                    self._deny(kind, mention).sides = sides

    def _led_up_to(self, at: int) -> PartialFinding | None:
        """The finding that a category stands right before: `BI-RADS 4 calcifications in the left breast`."""
        ahead = next((n for n in self._named if n.at > at), None)
        target = self._targets.get(ahead.at) if ahead is not None else None
        if ahead is None or not isinstance(target, PartialFinding) or ahead.role is not ClauseRole.FOUND:
            return None
        between = self._tokens.words[self._found[at].last : self._found[ahead.at].first]
        near = _PARTING.isdisjoint(between) and leads_to(self._tokens, self._found, at, ahead.at, commas=False)
        return target if near else None

    def read_categories(self) -> None:
        """Give categories to the finding they rate, else to the breast or the study."""
        if any(Concept.CATEGORY in m.means for m in self._found):
            denies = any(n.role is ClauseRole.DENIED for n in self._named)
            findings = PieceFindings(self._into.drafts, self._new, self._last_new, self._led_up_to, denies)
            CategoryReader(self._into.ratings, self._tokens, self._piece, self._found, findings).read()

    def _place_exceptions(self) -> None:
        """`No mass in the right breast other than the one at 10 o'clock`: that one is there too."""
        for named in self._named:
            draft = self._targets[named.at]
            denial = None if named.except_for is None else self._targets[named.except_for.at]
            if isinstance(draft, PartialFinding) and isinstance(denial, Denial) and denial.sides is not None:
                draft.slots.setdefault(Concept.SIDE, (denial.sides, denial.begin, denial.end))

    def _finish(self) -> None:
        """Give sides from headings, then add the new findings, or merge those an impression repeats."""
        self._place_exceptions()
        for draft in self._new:
            side = next((d.slots[Concept.SIDE] for d in draft.alike if Concept.SIDE in d.slots), None)
            if side is not None:  # `masses at 10 and 2 o'clock in the left breast`
                draft.slots.setdefault(Concept.SIDE, side)
            if Concept.SIDE not in draft.slots and self._piece.side is not None:
                first = self._tokens.starts[self._piece.first]
                draft.slots[Concept.SIDE] = ((self._piece.side,), first, first)
            if draft in self._sides_before:
                draft.slots.setdefault(Concept.SIDE, self._sides_before[draft])
            settle_calcifications(draft)
            same = None
            if self._piece.section is Section.IMPRESSION:
                same = next((d for d in self._into.drafts[:_REPEATED] if d.agrees(draft)), None)
            if same is None:
                self._into.drafts.append(draft)
            else:
                same.absorb(draft)
        for denial in self._denied:
            if denial.sides is None:
                denial.sides = () if self._piece.side is None else (self._piece.side,)
        self._into.denials += self._denied
