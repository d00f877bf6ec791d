"""The categories of one piece of text: to the finding they rate, else to the breast or the study."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from amrg.birads.categories.alternation import WHOLE_STUDY, Topic
from amrg.birads.categories.standing import Standing, is_dated, replaces, standing
from amrg.birads.categories.statements import find_gloss
from amrg.birads.lexicon import Category, Laterality
from amrg.birads.parser.mentions import Mention, concepts_of
from amrg.birads.parser.partial_finding import PartialFinding
from amrg.birads.structure.modalities import Modality, category_modality, names_another
from amrg.birads.structure.sections import Piece
from amrg.birads.text.figures import FIGURES, LIST
from amrg.birads.text.headings import Section
from amrg.birads.text.phrases import Concept
from amrg.birads.text.tokens import Tokens

_LISTING = LIST | {"birads", "category"}
_TO_SIDE = frozenset(["in", "on", "for", "the", "("])
_OF_STUDY = frozenset({Section.INDICATION, Section.TECHNIQUE, Section.COMPARISON, Section.COMPOSITION, Section.ADVICE})
_HEADS_OF_STUDY = frozenset({Concept.COMPOSITION, Concept.LETTER, Concept.ADVICE})
_HEADS = _HEADS_OF_STUDY | {Concept.KIND, Concept.CATEGORY}
_CLEARS = frozenset({Concept.NOT, Concept.NOT_BEFORE, Concept.NORMAL})
_CONCLUDING_WORDS = 8  # words that an impression has before its category


class NamedCategory(NamedTuple):
    """A category named in the text, its side, and where."""

    category: Category
    side: Laterality | None
    begin: int
    end: int


class Ratings:
    """The categories of a text, by how they are meant."""

    def __init__(self, tokens: Tokens) -> None:
        self.categories: list[NamedCategory] = []
        self.tentative: list[tuple[Standing, NamedCategory]] = []  # preliminary or dated: they hold where no other does
        self.others: list[tuple[Standing, NamedCategory]] = []
        self.replaced_at: list[int] = []  # where the text changes its categories
        # whether the text names another examination than the mammogram, or a category of all together
        self.several = names_another(tokens) or "overall" in tokens.words
        self.contradictions: list[tuple[NamedCategory, NamedCategory]] = []  # a number, and the words next to it
        self.of_mammogram: set[NamedCategory] = set()  # categories that are called those of the mammogram
        self.overall: set[NamedCategory] = set()  # categories that are called overall
        self.headed: set[Laterality] = set()  # breasts that have a heading of their own
        self.by_heading: set[NamedCategory] = set()  # categories whose side is only that of their heading
        self.topics: list[Topic] = []  # what its sentences speak of

    def note_topic(self, tokens: Tokens, piece: Piece, found: list[Mention], first: int) -> None:
        """Note what a piece speaks of; the categories from `first` on were read from it."""
        concepts = concepts_of(found)
        finds = Concept.KIND in concepts
        numbers = [m for m in found if Concept.CATEGORY in m.means and tokens.words[m.first] in FIGURES]
        heads = (m.means for m in found if not _HEADS.isdisjoint(m.means))
        of_study = not _HEADS_OF_STUDY.isdisjoint(next(heads, ()))
        if piece.section in _OF_STUDY or (of_study and not numbers):
            return
        sides: set[Laterality] = {side for m in found for side in m.means.get(Concept.SIDE, ())}
        sides.update([] if piece.side is None else [piece.side])
        alone = bool(numbers) and not sides and not finds
        if alone and not WHOLE_STUDY.isdisjoint(tokens.words[piece.first : piece.last]):
            return
        stated = tuple(category for m in numbers for category in m.means[Concept.CATEGORY])
        rates = tuple(range(first, len(self.categories))) if alone else ()
        clears = not _CLEARS.isdisjoint(concepts)
        self.topics.append(Topic(piece.section, frozenset(sides), finds, clears, stated, rates))


@dataclass(frozen=True, slots=True)
class PieceFindings:
    """What a piece and those before it name: findings, the nearest one before a mention, the one that a category stands
    right before, and whether anything is denied."""

    earlier: list[PartialFinding]
    new: list[PartialFinding]
    last_before: Callable[[int], PartialFinding | None]
    led_up_to: Callable[[int], PartialFinding | None]
    denies: bool


class CategoryReader:
    """Reads the categories of one piece into ratings."""

    def __init__(
        self, into: Ratings, tokens: Tokens, piece: Piece, found: list[Mention], findings: PieceFindings
    ) -> None:
        self._ratings = into
        self._tokens = tokens
        self._piece = piece
        self._found = found
        self._findings = findings

    def read(self) -> None:
        """Read all categories of the piece."""
        after = 0
        for at, mention in enumerate(self._found):
            if Concept.CATEGORY in mention.means:
                after = self._category(after, at, mention) + 1

    def _category(self, after: int, at: int, mention: Mention) -> int:
        """One mention of categories, and the last mention that it used."""
        values = mention.means[Concept.CATEGORY]
        begin, end = self._tokens.span(mention.first, mention.last)
        means = standing(self._tokens, self._piece, mention.first, mention.last, len(values))
        examined = self._examined(mention) if self._ratings.several else None
        if means is None and examined not in (None, Modality.MAMMOGRAPHY):
            means = Standing(examined)
        if means is not None and (means is not Standing.SUPERSEDED):
            side, last = self._category_side(after, at, None)
            self._ratings.others += [(means, NamedCategory(v, side, begin, end)) for v in values]
            return last
        glossed = self._contradiction(mention, values)
        replaces_others = replaces(self._tokens, self._piece, mention.first)
        draft = self._category_target(at)
        if replaces_others:
            self._ratings.replaced_at.append(begin)
        if draft is not None:
            self._rate(draft, max(values, key=lambda c: c.suspicion), begin, end)
        if draft is not None and self._piece.section is not Section.IMPRESSION and not replaces_others:
            return at
        side, last = self._category_side(after, at, draft)
        named = [NamedCategory(v, side, begin, end) for v in values]
        named += [glossed._replace(side=side)] if glossed is not None else []
        if draft is None and not any(Concept.SIDE in m.means for m in self._found):
            self._ratings.by_heading.update(named)
        if means is None and is_dated(self._tokens, self._piece, mention.first):
            means = Standing.PRIOR
        if means is None:
            self._ratings.categories += named
        else:
            self._ratings.tentative += [(means, one) for one in named]
        called = self._tokens.words[max(self._piece.first, mention.first - _CONCLUDING_WORDS) : mention.first]
        self._ratings.overall.update(named if "overall" in called else ())
        self._ratings.of_mammogram.update(named if examined is Modality.MAMMOGRAPHY else ())
        return last

    def _examined(self, mention: Mention) -> Modality | None:
        """The examination that a category is of; None where it is not stated, or where it is for all together."""
        piece = self._piece
        if piece.section is Section.ADVICE:
            return None
        named, together = category_modality(self._tokens, piece.first, mention.first, mention.last, piece.last)
        return named or (None if together else piece.modality)

    def _contradiction(self, mention: Mention, values: tuple[Category, ...]) -> NamedCategory | None:
        """Another category that the words next to a number state, noted: `BI-RADS 2: Suspicious`."""
        found = find_gloss(self._tokens, self._piece, mention.first, mention.last)
        if found is None or any(_agree(found[0], v) for v in values):
            return None
        stated = NamedCategory(found[0], None, self._tokens.starts[found[1]], self._tokens.ends[found[2] - 1])
        number = NamedCategory(values[0], None, *self._tokens.span(mention.first, mention.last))
        self._ratings.contradictions.append((number, stated))
        return stated

    def _rate(self, draft: PartialFinding, category: Category, begin: int, end: int) -> None:
        """Give a finding, and those alike that the same words describe, its category."""
        for one in draft.alike or [draft]:
            before = one.slots.get(Concept.CATEGORY)
            if before is not None and begin in self._ratings.replaced_at:
                side = one.value(Concept.SIDE)
                old = NamedCategory(before[0], side[0] if side and len(side) == 1 else None, *before[1:])
                self._ratings.others.append((Standing.SUPERSEDED, old))
                del one.slots[Concept.CATEGORY]
            one.fill(Concept.CATEGORY, (category, begin, end))

    def _category_target(self, at: int) -> PartialFinding | None:
        """The finding that a category rates, or None."""
        ahead = None if self._is_listed(at) else self._findings.led_up_to(at)
        if ahead is not None:
            return ahead
        before = self._findings.last_before(at)
        if before is not None:
            return None if self._concludes(before, at) or self._is_of_other_side(before, at) else before
        drafts = self._findings.earlier
        if self._findings.denies or not drafts:
            return None
        section = self._piece.section
        likened = any(Concept.LIKENESS in m.means or Concept.THE in m.means for m in self._found[:at])
        bracketed = self._tokens.words[self._piece.first] == "("
        continues = (likened or bracketed) and section in (Section.BODY, Section.FINDINGS)
        last = next((d for d in reversed(drafts) if not d.companion), drafts[-1])
        return last if continues and Concept.CATEGORY not in last.slots else None

    def _is_listed(self, at: int) -> bool:
        """Whether it is listed with the category before it: `BI-RADS 3 / BI-RADS 4A lesion`."""
        before = next((m for m in reversed(self._found[:at]) if Concept.FILL not in m.means), None)
        if before is None or Concept.CATEGORY not in before.means:
            return False
        return _LISTING.issuperset(self._tokens.words[before.last : self._found[at].first])

    def _is_of_other_side(self, draft: PartialFinding, at: int) -> bool:
        """Whether a side right after a category is not that of the finding before it."""
        words = self._tokens.words
        follows = next((m for m in self._found[at + 1 :] if Concept.SIDE in m.means), None)
        if follows is None or not _TO_SIDE.issuperset(words[self._found[at].last : follows.first]):
            return False
        sides = draft.value(Concept.SIDE)
        return bool(sides) and sides != follows.means[Concept.SIDE]

    def _concludes(self, draft: PartialFinding, at: int) -> bool:
        """Whether an impression begins between a finding and a category, as in text without punctuation."""
        first = self._found[at].first
        named = bisect_left(self._tokens.starts, draft.end)  # a heading before the finding is that of both
        words = self._tokens.words[max(named, first - _CONCLUDING_WORDS) : first]
        return draft in self._findings.new and bool({"impression", "conclusion"} & set(words))

    def _category_side(self, after: int, at: int, draft: PartialFinding | None) -> tuple[Laterality | None, int]:
        """The side of a category (stated before it, after it, or by the heading), and the last mention used."""
        sides = [m.means[Concept.SIDE] for m in self._found[after:at] if Concept.SIDE in m.means]
        before = self._findings.last_before(at) if draft is None and sides else None
        if before is not None and self._is_of_other_side(before, at):
            sides = []  # `BI-RADS 3 lesion in the left breast and BI-RADS 2 in the right breast`
        if draft is None and self._findings.new and self._concludes(self._findings.new[-1], at):
            sides = []
        if not sides and draft is None and (follows := self._side_after(at)) is not None:
            sides, at = [self._found[follows].means[Concept.SIDE]], follows
        if not sides and draft is not None and Concept.SIDE in draft.slots:
            sides = [draft.slots[Concept.SIDE][0]]
        if not sides:
            overall = "overall" in self._tokens.words[self._piece.first : self._found[at].first]
            return (None if overall else self._piece.side), at
        return (sides[-1][0] if len(sides[-1]) == 1 else None), at

    def _side_after(self, at: int) -> int | None:
        """Where a side is stated right after a category: `BI-RADS 2 on the left`."""
        for i in range(at + 1, len(self._found)):
            mention = self._found[i]
            between = self._tokens.words[self._found[at].last : mention.first]
            if Concept.CATEGORY in mention.means or Concept.KIND in mention.means:
                return None
            if "," in between and (between != [","] or any(Concept.CATEGORY in m.means for m in self._found[i:])):
                return None
            if Concept.SIDE in mention.means:
                return i
        return None


def _agree(words: Category, number: Category) -> bool:
    """Whether words and a number can mean one category: `suspicious` is 4, 4A, 4B and 4C."""
    return words.major == number.major and (words is number or words.value == "4" or number.value == "4")
