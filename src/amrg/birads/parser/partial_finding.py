"""A finding while it is being read: slots that fill with values and the places in the text they came from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from amrg.birads.lexicon import (
    ASYMMETRIES,
    DESCRIPTORS,
    Category,
    Certainty,
    Distribution,
    Kind,
    Laterality,
    Margin,
    Morphology,
    Quadrant,
    Shape,
    View,
)
from amrg.birads.report import Finding, Location
from amrg.birads.text.phrases import PROBABLY, Concept

Slot = tuple[Any, int, int]  # value, begin and end in the text

WHEREABOUTS = frozenset(
    {Concept.PLACE, Concept.DEPTH, Concept.SIDE, Concept.VIEW, Concept.SIZE, Concept.CLOCK, Concept.DISTANCE}
)
_FIELDS = {
    Concept.SHAPE: "shape",
    Concept.MARGIN: "margin",
    Concept.DENSITY: "density",
    Concept.MORPHOLOGY: "morphology",
    Concept.DISTRIBUTION: "distribution",
    Concept.SIZE: "size_mm",
    Concept.CHANGE: "change",
    Concept.BENIGN: "benign_looking",
    Concept.MULTIPLE: "multiple",
    Concept.CERTAINTY: "certainty",
    Concept.CATEGORY: "category",
    Concept.CLOCK: "location.clock",
    Concept.DEPTH: "location.depth",
    Concept.DISTANCE: "location.nipple_distance_mm",
    Concept.SIDE: "laterality",
}
OWNER = {concept: DESCRIPTORS[name].kinds[0] for concept, name in _FIELDS.items() if name in DESCRIPTORS}
# Of several margins or shapes of one mass the worst counts; a round part does not make an irregular mass round.
_WORST_FIRST: tuple[tuple[Any, ...], ...] = (
    (Margin.SPICULATED, Margin.INDISTINCT, Margin.MICROLOBULATED, Margin.OBSCURED, Margin.CIRCUMSCRIBED),
    (Shape.IRREGULAR, Shape.LOBULATED, Shape.OVAL, Shape.ROUND),
    (
        Morphology.FINE_LINEAR,
        Morphology.FINE_PLEOMORPHIC,
        Morphology.COARSE_HETEROGENEOUS,
        Morphology.AMORPHOUS,
        *(m for m in Morphology if m is not Morphology.BENIGN),
        Morphology.BENIGN,
    ),
)
_RANK = {value: rank for order in _WORST_FIRST for rank, value in reversed(list(enumerate(order)))}
_WITHIN = {
    Quadrant.UPPER_OUTER: (Quadrant.UPPER, Quadrant.OUTER),
    Quadrant.UPPER_INNER: (Quadrant.UPPER, Quadrant.INNER),
    Quadrant.LOWER_OUTER: (Quadrant.LOWER, Quadrant.OUTER),
    Quadrant.LOWER_INNER: (Quadrant.LOWER, Quadrant.INNER),
    Quadrant.RETROAREOLAR: (Quadrant.CENTRAL,),
    Quadrant.AXILLARY_TAIL: (Quadrant.UPPER_OUTER, Quadrant.UPPER, Quadrant.OUTER),
}


@dataclass(eq=False, slots=True)
class PartialFinding:
    """A finding being read. `places` holds several quadrants where the text lists several."""

    kind: Kind
    begin: int
    end: int
    slots: dict[Concept, Slot] = field(default_factory=dict)
    places: list[Slot] = field(default_factory=list)
    associated: list[Slot] = field(default_factory=list)
    views: list[Slot] = field(default_factory=list)
    companion: bool = False  # named as what comes with another finding
    alike: list[PartialFinding] = field(default_factory=list)  # the same words say that they are elsewhere too

    def takes(self, concept: Concept) -> bool:
        """Whether a finding of this kind can have such a descriptor."""
        described = DESCRIPTORS.get("shape" if concept is Concept.ROUND else _FIELDS.get(concept, ""))
        return self.owns(concept) or (described is not None and self.kind in described.kinds)

    def owns(self, concept: Concept) -> bool:
        """Whether such a descriptor is of this kind before others: lymph nodes have shape and margin as masses do."""
        owner = OWNER.get(concept)
        if concept is Concept.ROUND:
            return self.kind in (Kind.MASS, Kind.CALCIFICATIONS)
        return owner is None or owner is self.kind

    def fill(self, concept: Concept, slot: Slot, listed: bool = False) -> None:
        """Put in a value. Of two the worse counts where they are ranked, else the first."""
        if concept is Concept.ROUND:
            concept, slot = self._round(slot)
        if concept is Concept.PLACE:
            self._place(slot, listed)
        elif concept is Concept.VIEW:
            self.views += [(v, *slot[1:]) for v in slot[0] if v not in [w[0] for w in self.views]]
        elif concept is Concept.DEPTH and listed and concept in self.slots:
            self.slots[concept] = (None, *slot[1:])
        elif concept not in self.slots or _outranks(slot[0], self.slots[concept][0]):
            self.slots[concept] = slot

    def _round(self, slot: Slot) -> tuple[Concept, Slot]:
        """The word round, as a shape of a mass or a morphology of calcifications."""
        if self.kind is Kind.CALCIFICATIONS:
            return Concept.MORPHOLOGY, (Morphology.ROUND, *slot[1:])
        return Concept.SHAPE, slot

    def _place(self, slot: Slot, listed: bool) -> None:
        """Put in a quadrant: a finer one replaces a coarser, a listed one is added to it."""
        for i, (value, *_) in enumerate(self.places):
            if slot[0] == value or value in _WITHIN.get(slot[0], ()):
                self.places[i] = slot
                return
            if slot[0] in _WITHIN.get(value, ()):
                return
        if not self.places or listed:
            self.places.append(slot)

    def elsewhere(self) -> PartialFinding:
        """One more finding that the same words describe, at a place of its own."""
        other = PartialFinding(self.kind, self.begin, self.end, associated=list(self.associated))
        for draft in (self, other):
            plural = draft.slots.get(Concept.MULTIPLE)
            if plural is not None and plural[1:] == (self.begin, self.end):
                del draft.slots[Concept.MULTIPLE]  # `masses` here and there: one each
        other.slots = {c: s for c, s in self.slots.items() if c not in WHEREABOUTS and c is not Concept.CATEGORY}
        other.alike = self.alike = self.alike or [self]
        self.alike.append(other)
        return other

    def associate(self, kind: Kind, begin: int, end: int) -> None:
        """Note an associated feature once."""
        if kind is not self.kind and kind not in [k for k, *_ in self.associated]:
            self.associated.append((kind, begin, end))

    def agrees(self, other: PartialFinding) -> bool:
        """Whether both can be one finding: same kind, and nowhere different values."""
        if self.kind is not other.kind:
            return False
        same = all(other.slots[c][0] == s[0] for c, s in self.slots.items() if c in other.slots)
        mine, theirs = {p[0] for p in self.places}, {p[0] for p in other.places}
        return same and (not mine or not theirs or bool(mine & theirs))

    def absorb(self, other: PartialFinding) -> None:
        """Take over what another mention of the same finding adds."""
        for concept, slot in other.slots.items():
            self.slots.setdefault(concept, slot)
        self.places = self.places or other.places
        self.views = self.views or other.views
        for kind, begin, end in other.associated:
            self.associate(kind, begin, end)

    def value(self, concept: Concept) -> Any:
        """A slot's value, or None."""
        slot = self.slots.get(concept)
        return None if slot is None else slot[0]

    def findings(self) -> list[tuple[Finding, list[tuple[str, Slot]]]]:
        """The findings of this draft, one a side and place, each with its facts by field."""
        places: list[Slot | None] = list(self.places) or [None]
        if len(self.places) > 1 and not self._several():
            places = [_common(self.places)]
        sides = self.value(Concept.SIDE) or (None,)
        return [self._finding(side, place) for side in sides for place in places]

    def _several(self) -> bool:
        """Whether the text mentions more than one."""
        return self.kind is Kind.CALCIFICATIONS or bool(self.value(Concept.MULTIPLE))

    def _is_only_judged(self) -> bool:
        """Whether calcifications are called probably benign and have no morphology: a category, not how they look."""
        judged = self.kind is Kind.CALCIFICATIONS and self.value(Concept.BENIGN) == PROBABLY
        return judged and Concept.MORPHOLOGY not in self.slots

    def _finding(self, side: Laterality | None, place: Slot | None) -> tuple[Finding, list[tuple[str, Slot]]]:
        """One finding at one place, and its facts."""
        values = {_FIELDS[c]: s[0] for c, s in self.slots.items() if c is not Concept.SIDE}
        nested = {k.split(".")[1]: values.pop(k) for k in list(values) if "." in k}
        certainty = Certainty.POSSIBLE if values.pop("certainty", None) else Certainty.DEFINITE
        if self.kind is Kind.CALCIFICATIONS and values.get("benign_looking") is True and "morphology" not in values:
            values["morphology"] = Morphology.BENIGN
        if "benign_looking" in values:
            values["benign_looking"] = None if self._is_only_judged() else bool(values["benign_looking"])
        finding = Finding(
            kind=self.kind,
            laterality=side,
            location=Location(quadrant=None if place is None else place[0], **nested),
            certainty=certainty,
            associated=tuple(k for k, *_ in self.associated),
            views=tuple(v for v, *_ in self.views),
            **values,
        )
        return finding, self._facts(side, place)

    def _facts(self, side: Laterality | None, place: Slot | None) -> list[tuple[str, Slot]]:
        """Each value with its field and its span."""
        facts: list[tuple[str, Slot]] = [("kind", (self.kind, self.begin, self.end))]
        for concept, slot in self.slots.items():
            value = side if concept is Concept.SIDE else slot[0]
            value = Certainty.POSSIBLE if concept is Concept.CERTAINTY else value
            value = (None if self._is_only_judged() else bool(value)) if concept is Concept.BENIGN else value
            if value is not None:
                facts.append((_FIELDS[concept], (value, *slot[1:])))
        if place is not None:
            facts.append(("location.quadrant", place))
        facts += [(f"associated[{i}]", slot) for i, slot in enumerate(self.associated)]
        facts += [(f"views[{i}]", slot) for i, slot in enumerate(self.views)]
        return facts


class Denial:
    """A thing denied, its side filled in as the piece is read."""

    __slots__ = ("begin", "end", "kind", "of_others", "sides")

    def __init__(self, kind: Kind, begin: int, end: int, of_others: bool = False) -> None:
        self.kind, self.begin, self.end = kind, begin, end
        self.of_others = of_others  # `no other mass`: what is found is not denied
        self.sides: tuple[Laterality, ...] | None = None

    def is_of_found(self, found: set[tuple[Kind, Laterality]]) -> bool:
        """Whether the kind denied is found on a side that it is denied on."""
        alike = ASYMMETRIES if self.kind in ASYMMETRIES else {self.kind}
        return any((kind, side) in found for kind in alike for side in self.sides or Laterality)


def share_side(giver: PartialFinding, taker: PartialFinding) -> None:
    """`At 2 o'clock there is a mass and at 5 o'clock there are calcifications in the left breast`: both are there."""
    if Concept.CLOCK in giver.slots and Concept.CLOCK in taker.slots and Concept.SIDE in giver.slots:
        taker.slots.setdefault(Concept.SIDE, giver.slots[Concept.SIDE])


def share_whereabouts(giver: PartialFinding, taker: PartialFinding) -> None:
    """Give a finding without any place the place of the one it is named with."""
    if taker.places or Concept.SIDE in taker.slots:
        return
    if Concept.CLOCK in taker.slots:  # `at 10 o'clock and ... at 2 o'clock in the left breast`
        shared = frozenset({Concept.SIDE})
    else:
        shared = frozenset({Concept.SIDE, Concept.CLOCK, Concept.DEPTH})
        taker.places = list(giver.places)
    taker.slots |= {c: s for c, s in giver.slots.items() if c in shared}


def settle_calcifications(draft: PartialFinding) -> None:
    """A distribution word next to a suspicious linear morphology, and calcium in the skin."""
    if draft.value(Concept.MORPHOLOGY) is Morphology.FINE_LINEAR and draft.kind is Kind.CALCIFICATIONS:
        slot = draft.slots.get(Concept.DISTRIBUTION)
        morphology = draft.slots[Concept.MORPHOLOGY]
        if slot and slot[0] is Distribution.LINEAR and slot[1:] == morphology[1:]:
            del draft.slots[Concept.DISTRIBUTION]


def _common(places: list[Slot]) -> Slot | None:
    """The place that several of one finding mean: `upper outer / upper inner` is upper, `upper and outer` both."""
    words = [set(place.value.split()) for place, *_ in places]
    halves = set.intersection(*words) & {"upper", "lower", "outer", "inner"} or set.union(*words)
    meant = next((quadrant for quadrant in Quadrant if set(quadrant.value.split()) == halves), None)
    return None if meant is None else (meant, min(begin for _, begin, _ in places), max(end for *_, end in places))


def _outranks(new: Any, old: Any) -> bool:
    """Whether a value is worse than the present one."""
    if isinstance(new, Category) and isinstance(old, Category):
        return new.suspicion > old.suspicion
    if type(new) is not type(old) or isinstance(new, (bool, View)):
        return False
    return new in _RANK and old in _RANK and _RANK[new] < _RANK[old]
