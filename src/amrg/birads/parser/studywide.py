"""What a report states of the whole study: composition, comparison, indication, edition, advice."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from typing import Any, NamedTuple

from amrg.birads.categories.standing import is_conditional
from amrg.birads.lexicon import Composition, Laterality, Recommendation, usual_recommendation
from amrg.birads.parser.mentions import Mention, concepts_of
from amrg.birads.report import Assessment, Comparison
from amrg.birads.structure.sections import Piece
from amrg.birads.text.densities import is_one_of_two
from amrg.birads.text.figures import read_density
from amrg.birads.text.headings import Section
from amrg.birads.text.phrases import Concept
from amrg.birads.text.tokens import Tokens

Placed = tuple[Any, int, int]
_TISSUE = frozenset(["breast", "breasts", "parenchyma", "tissue", "mammogram", "composition", "density", "they"])
_REQUESTS_WORDS = (
    "need needs needed request requested requesting await awaiting awaited pending obtain retrieve retrieved "
    "required requires outstanding recommended advised sought receipt"
)
_REQUESTS = frozenset(_REQUESTS_WORDS.split())
_WEAK = frozenset(["needed", "required", "necessary", "indicated", "warranted"])
_AT_HAND = frozenset(["obtained", "reviewed", "available", "received", "compared"])
_SINCE = frozenset(["since", "from", "than", "to", "with"])
_STUDIES_WORDS = (
    "priors mammogram mammograms mammography study studies exam exams examination examinations imaging films"
)
_STUDIES = frozenset(_STUDIES_WORDS.split())
_REFERS = frozenset(["consultation", "consult", "referral"])
_EITHER = frozenset(["or", "versus", "vs", "/"])
_NEAR = 4  # words between two steps of one choice: `core biopsy or ultrasound-guided surgical excision`
_MONTHS = frozenset(["month", "months", "monthly"])
_SHORT = frozenset(["3", "4", "5", "6", "three", "four", "five", "six"])  # months
_CLAUSE_ENDS = frozenset([",", "(", ")", "and", "then", "or", "now", "today", "before", "followed"])
_PAST = frozenset(
    ["performed", "done", "obtained", "proven", "described", "reported", "dated", "had", "been", "during"]
)
_ALONE = frozenset({Concept.ADVICE, Concept.FILL, Concept.THE, Concept.PREPOSITION, Concept.SIDE})
_ORDER = [
    Recommendation.ROUTINE,
    Recommendation.SHORT_INTERVAL,
    Recommendation.ADDITIONAL_IMAGING,
    Recommendation.BIOPSY,
    Recommendation.SURGICAL,
]


_OF_COMPOSITION = frozenset({Concept.LETTER, Concept.COMPOSITION})
_OF_COMPARISON = frozenset({Concept.PRIOR, Concept.DATE, Concept.WHEN})
_OF_STUDY = frozenset({Concept.EDITION, Concept.INDICATION})


class Advice(NamedTuple):
    """A step advised, the sides it is for where they are stated, and where."""

    step: Recommendation
    sides: frozenset[Laterality]
    begin: int
    end: int


class StudyReader:
    """Gathers what holds for the whole study, piece after piece."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens
        self.values: dict[str, Placed] = {}
        self.advice: list[Advice] = []
        self._letter = False
        self._rated = False  # whether a category was read
        self._available: Placed | None = None
        self._date: Placed | None = None

    @property
    def comparison(self) -> Comparison | None:
        """The comparison read, or None where none was spoken of."""
        if self._available is None:
            return None
        date: datetime.date | None = self._date[0] if self._date and self._available[0] else None
        return Comparison(available=self._available[0], prior_date=date)

    def facts(self) -> list[tuple[str, Placed]]:
        """All that was read, by field."""
        facts = list(self.values.items())
        if self._available is not None:
            facts.append(("comparison.available", self._available))
            if self._date is not None and self._available[0]:
                facts.append(("comparison.prior_date", self._date))
        return facts

    def take(self, piece: Piece, found: list[Mention]) -> None:
        """Read one piece."""
        concepts = concepts_of(found)
        alone = Concept.ADVICE in concepts and self._is_advice_alone(piece, found)
        self._rated = self._rated or Concept.CATEGORY in concepts
        if piece.section is Section.COMPOSITION or not _OF_COMPOSITION.isdisjoint(concepts):
            self._composition(piece, found)
        if not _OF_COMPARISON.isdisjoint(concepts):
            self._comparison(piece, found)
        if Concept.ADVICE in concepts:
            self._advice(piece, found, alone)
        for mention in found if not _OF_STUDY.isdisjoint(concepts) else ():
            if Concept.EDITION in mention.means:
                self._note("edition", mention.means[Concept.EDITION], mention)
            early = piece.section in (Section.INDICATION, Section.TECHNIQUE)
            if Concept.INDICATION in mention.means and (early or (self._opens(piece, found) and not alone)):
                self._note("indication", mention.means[Concept.INDICATION], mention)

    def _opens(self, piece: Piece, found: list[Mention]) -> bool:
        """Whether a piece under no heading names the examination rather than an advice."""
        words = self._tokens.words[piece.first : piece.last]
        names_it = any(w.startswith("mammogra") for w in words)
        return piece.section is Section.BODY and names_it and not any(Concept.ADVISED in m.means for m in found)

    def _note(self, name: str, value: object, mention: Mention, replace: bool = False) -> None:
        """Keep the first value stated, or the one that outweighs it."""
        if name not in self.values or replace:
            self.values[name] = (value, *self._span(mention.first, mention.last))

    def _span(self, first: int, last: int) -> tuple[int, int]:
        return self._tokens.starts[first], self._tokens.ends[last - 1]

    def _composition(self, piece: Piece, found: list[Mention]) -> None:
        """A letter outweighs words; words count only where they describe tissue."""
        for mention in found:
            if Concept.LETTER in mention.means and not self._letter:
                self._letter = True
                self._note("composition", mention.means[Concept.LETTER], mention, replace=True)
        words = self._tokens.words[piece.first : piece.last]
        named = any(Concept.KIND in mention.means for mention in found)
        of_tissue = piece.section is Section.COMPOSITION or bool(_TISSUE & set(words)) or not named
        for mention in found:
            if Concept.COMPOSITION in mention.means and of_tissue:
                self._note("composition", mention.means[Concept.COMPOSITION], mention)
        if piece.section is Section.COMPOSITION and not self._letter:
            self._bare_letter(piece)

    def _bare_letter(self, piece: Piece) -> None:
        """A letter alone under the heading of composition, or a grade: `C`, `(c)`, `type C`, `category c`, `3`."""
        words = self._tokens.words
        for i in range(piece.first, piece.last):
            if i == piece.first and (grade := read_density(self._tokens, i, piece.last)) is not None:
                self._letter = True
                self.values["composition"] = (tuple(Composition)[grade[0] - 1], *self._span(i, grade[1]))
                return
            if words[i] not in ("a", "b", "c", "d") or is_one_of_two(self._tokens, i):
                continue
            capital = self._tokens.text[self._tokens.starts[i]].isupper()
            follows = words[i + 1] if i + 1 < piece.last else ""
            if not follows or not follows[0].isalnum() or (capital and words[i] != "a"):
                self._letter = True
                self.values["composition"] = (Composition(words[i]), *self._span(i, i + 1))
                return

    def _comparison(self, piece: Piece, found: list[Mention]) -> None:
        """Whether priors were at hand, and the date of the prior."""
        spoken = piece.section is Section.COMPARISON
        words = set(self._tokens.words[piece.first : piece.last])
        for mention in found:
            if Concept.PRIOR in mention.means:
                value = mention.means[Concept.PRIOR] and not self._is_requested(piece, mention)
                if spoken or self._is_comparison(value, words):
                    self._compare(value, mention)
            if Concept.DATE in mention.means and (spoken or self._available is not None):
                self._compare(True, mention)
                date = (mention.means[Concept.DATE], *self._span(mention.first, mention.last))
                self._date = date if self._date is None or date[0] > self._date[0] else self._date
            if Concept.WHEN in mention.means and spoken:
                self._compare(True, mention)
        if not spoken and self._available is None:
            self._compare_in_passing(piece, found)

    def _compare_in_passing(self, piece: Piece, found: list[Mention]) -> None:
        """`Prior mammogram: 01/05/2022`, `outside priors obtained`, `unchanged since 2019`: priors were at hand."""
        words = self._tokens.words
        if any(m.means.get(Concept.PRIOR) is False for m in found):
            return None
        changed = any(Concept.CHANGE in m.means for m in found)
        dated = any(not m.means.keys().isdisjoint({Concept.DATE, Concept.WHEN}) for m in found)
        at_hand = dated or changed or not _AT_HAND.isdisjoint(words[piece.first : piece.last])
        for mention in found:
            near = words[max(piece.first, mention.first - 3) : mention.first]
            if is_conditional(words, piece.first, mention.first, piece.last):
                continue
            if Concept.PRIOR in mention.means and not self._is_requested(piece, mention):
                study = not _STUDIES.isdisjoint(words[mention.first : mention.last + 1])
                if (study and at_hand) or (changed and not _SINCE.isdisjoint(near)):
                    return self._compare(True, mention)
            elif changed and "since" in near and not mention.means.keys().isdisjoint({Concept.DATE, Concept.WHEN}):
                return self._compare(True, mention)
        return None

    def _is_comparison(self, value: bool, words: set[str]) -> bool:
        """Whether a piece under no such heading is about a comparison."""
        compares = bool({"comparison", "compared", "compare"} & words)
        studies = {
            "mammogram",
            "mammograms",
            "study",
            "studies",
            "mammography",
            "imaging",
            "examination",
            "exam",
            "exams",
        }
        prior = bool({"prior", "priors", "previous"} & words)
        return compares or (prior and not value and bool(studies & words))

    def _is_requested(self, piece: Piece, mention: Mention) -> bool:
        """Whether prior studies are asked for, which is no comparison: `need prior mammograms for comparison`."""
        words = self._tokens.words
        first, last = mention.first, mention.last
        while first > piece.first and words[first - 1] not in (",", "("):
            first -= 1
        while last < piece.last and words[last] not in (",", ")"):
            last += 1
        return bool(_REQUESTS & set(words[first:last]))

    def _compare(self, available: bool, mention: Mention) -> None:
        """A denial outweighs the word `prior` next to it."""
        if self._available is None or (self._available[0] and not available and self._date is None):
            self._available = (available, *self._span(mention.first, mention.last))

    def _is_advice_alone(self, piece: Piece, found: list[Mention]) -> bool:
        """Whether a piece after the category names a step and nothing else: `BI-RADS 1. Routine screening.`

        Imaging alone may be the title of another examination, and a step that was done is none.
        """
        stated = [m for m in found if Concept.CATEGORY in m.means]
        rest = found[found.index(stated[-1]) + 1 :] if stated else found
        steps = [m.means[Concept.ADVICE] for m in rest if Concept.ADVICE in m.means]
        first = stated[-1].last if stated else piece.first
        words = self._tokens.words[first : piece.last]
        covered = sum(m.last - m.first for m in rest) >= sum(w[0].isalnum() for w in words)
        outcome = any(Concept.BENIGN in m.means for m in rest)  # `biopsy benign`
        plain = covered and not outcome and _PAST.isdisjoint(words)
        plain = plain and all(not m.means.keys().isdisjoint(_ALONE) for m in rest)
        if stated:
            return plain and set(steps) == {Recommendation.ROUTINE}
        return plain and self._rated and bool(steps) and Recommendation.ADDITIONAL_IMAGING not in steps

    def _advice(self, piece: Piece, found: list[Mention], alone: bool) -> None:
        """The steps advised; `alone` where the piece names a step and nothing else."""
        advised = (
            alone
            or piece.section is Section.ADVICE
            or any(
                Concept.ADVISED in m.means or m.means.get(Concept.ADVICE) is Recommendation.SHORT_INTERVAL
                for m in found
            )
        )
        if not advised or piece.section in (Section.INDICATION, Section.TECHNIQUE, Section.COMPARISON):
            return
        denied = False
        sides = [m.means[Concept.SIDE] for m in found if Concept.SIDE in m.means]
        for mention in found:
            denied = (denied or Concept.NOT in mention.means) and Concept.CONTRAST not in mention.means
            step = mention.means.get(Concept.ADVICE)
            if step is None or denied or self._depends(piece, mention):
                continue
            if step is Recommendation.SURGICAL and self._may_be_biopsy(found, mention):
                continue
            if step is Recommendation.ADDITIONAL_IMAGING and self._is_follow_up(piece, found, mention):
                step = Recommendation.SHORT_INTERVAL
            side = set(sides[0]) if len(sides) == 1 else {piece.side} if not sides and piece.side else set()
            self.advice.append(Advice(step, frozenset(side), *self._span(mention.first, mention.last)))

    def _may_be_biopsy(self, found: list[Mention], surgery: Mention) -> bool:
        """Whether a biopsy will do in place of surgery: `biopsy or surgical excision`."""
        biopsies = [m for m in found if m.means.get(Concept.ADVICE) is Recommendation.BIOPSY]
        between = [self._tokens.words[min(m.last, surgery.last) : max(m.first, surgery.first)] for m in biopsies]
        return any(not _EITHER.isdisjoint(words) and len(words) <= _NEAR for words in between)

    def _is_follow_up(self, piece: Piece, found: list[Mention], imaging: Mention) -> bool:
        """Whether imaging is how the breast is followed up: `follow-up diagnostic mammogram in 6 months`."""
        words = self._tokens.words
        first, last = imaging.first, imaging.last
        imagings = [m for m in found if m.means.get(Concept.ADVICE) is Recommendation.ADDITIONAL_IMAGING]
        names = {k for m in imagings for k in (m.first, m.last - 1)}
        names.update(k for k in range(piece.first, piece.last) if words[k].startswith("mammogra"))
        while first > piece.first and (words[first - 1] not in _CLAUSE_ENDS or _joins(words, first - 1, names)):
            first -= 1
        while last < piece.last and (words[last] not in _CLAUSE_ENDS or _joins(words, last, names)):
            last += 1
        inside = [m for m in found if first <= m.first < last]
        if any(m.means.get(Concept.ADVICE) is Recommendation.SHORT_INTERVAL for m in inside):
            return True
        months = [k for k in range(first + 1, last) if words[k] in _MONTHS and words[k - 1] in _SHORT]
        follows = "follow" in words[first:last] or "followup" in words[first:last]
        return any(follows or words[k - 2] in ("in", "after", "at") for k in months)

    def _depends(self, piece: Piece, mention: Mention) -> bool:
        """Whether a step is only advised in case of something: `If it grows, biopsy`, `biopsy may be needed`."""
        words = self._tokens.words
        if is_conditional(words, piece.first, mention.first, piece.last):
            return True
        last = mention.last
        while last < piece.last and words[last] not in (",", ")"):
            last += 1
        rest = words[mention.last : last]
        weak = bool({"may", "might", "could"} & set(rest)) and bool(_WEAK & set(rest))
        return weak or bool({"if", "unless"} & set(rest)) or ("should" in rest and "be" not in rest)

    def settle_advice(self, assessments: Iterable[Assessment]) -> list[Advice]:
        """Take the most decisive step advised for the breast with the worst category; return what is for the other,
        but for what its category usually has, next to the step taken."""
        given = list(assessments)
        worst = max((a.category.suspicion for a in given), default=0.0)
        sides = {a.laterality for a in given if a.category.suspicion == worst}
        fitting = [a for a in self.advice if not a.sides or not sides or None in sides or a.sides & sides]
        if fitting:
            best = max(fitting, key=self._rank)
            self.values["recommendation"] = (best.step, best.begin, best.end)
        usual = {(frozenset((a.laterality,)), usual_recommendation(a.category)) for a in given if fitting}
        return [a for a in self.advice if a not in fitting and (a.sides, a.step) not in usual]

    def _rank(self, advice: Advice) -> float:
        """How decisive a step is; to see a surgeon is less than a biopsy that is advised with it."""
        refers = not _REFERS.isdisjoint(self._tokens.text[advice.begin : advice.end].lower().split())
        return _ORDER.index(advice.step) - (1.5 if refers else 0)


def _joins(words: list[str], at: int, names: set[int]) -> bool:
    """Whether `and` joins two examinations: `mammogram and ultrasound in 6 months`."""
    return words[at] == "and" and at - 1 in names and at + 1 in names
