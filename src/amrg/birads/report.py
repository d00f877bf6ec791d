"""The value types of the language: `Finding`, `Assessment`, `Report`. Frozen, closed, exact through JSON."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence
from itertools import product
from typing import Annotated, Self

from pydantic import AfterValidator, Field, FiniteFloat, model_validator

from amrg.birads.lexicon import (
    Category,
    Certainty,
    Change,
    Composition,
    Density,
    Depth,
    Distribution,
    Edition,
    Indication,
    Kind,
    Laterality,
    Margin,
    Morphology,
    Quadrant,
    Recommendation,
    Shape,
    Status,
    View,
)
from amrg.core.values import Value

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]


class ViewBox(Value):
    """A box around a finding on one view, in pixels of the original image: left, top, right, bottom.

    `off_nipple_line` is how far its centre is above the level of the nipple (on views from above: to the outer side),
    negative below, and `behind_nipple` how far towards the chest wall, both as shares of the distance from nipple to
    chest wall; None where the nipple is not known.
    """

    laterality: Laterality
    view: View
    left: float
    top: float
    right: float
    bottom: float
    off_nipple_line: FiniteFloat | None = None
    behind_nipple: FiniteFloat | None = None


class Location(Value):
    """Where in one breast: quadrant or clock face, depth, distance from the nipple in mm."""

    quadrant: Quadrant | None = None
    clock: Annotated[int, Field(ge=1, le=12)] | None = None
    depth: Depth | None = None
    nipple_distance_mm: Annotated[int, Field(ge=0, le=300)] | None = None


class Finding(Value):
    """One finding. Descriptors that do not belong to its kind stay unset (`check` names those that do not).

    `recommendation` is the report's recommendation where it is for this finding. `boxes` and `probability` come from a
    model or a phantom. None of the three is read back from prose.
    """

    kind: Kind
    laterality: Laterality | None = None
    location: Location = Location()
    shape: Shape | None = None
    margin: Margin | None = None
    density: Density | None = None
    morphology: Morphology | None = None
    distribution: Distribution | None = None
    associated: tuple[Kind, ...] = ()
    size_mm: Annotated[int, Field(ge=1, le=300)] | None = None
    multiple: bool = False
    views: tuple[View, ...] = ()
    category: Category | None = None
    certainty: Certainty = Certainty.DEFINITE
    change: Change | None = None
    recommendation: Recommendation | None = None
    benign_looking: bool | None = None  # the report calls it benign (True), suspicious (False) or neither
    boxes: tuple[ViewBox, ...] = ()
    probability: Fraction | None = None

    @property
    def suspicion(self) -> float:
        """The suspicion of its category, 0 where it has none."""
        return self.category.suspicion if self.category is not None else 0.0


def worst_category(findings: Iterable[Finding]) -> Category:
    """The most suspicious category of a breast's findings, or negative where none has one."""
    named = (f.category for f in findings if f.category is not None)
    return max(named, key=lambda c: c.suspicion, default=Category.NEGATIVE)


class Negative(Value):
    """Something the report says is not there: a kind, in one breast or in both."""

    kind: Kind
    laterality: Laterality | None = None


class Assessment(Value):
    """A category, for one breast or (laterality unset) for the whole study or a side not named."""

    category: Category
    laterality: Laterality | None = None


def with_other_breasts(assessments: Sequence[Assessment], others: Iterable[Assessment]) -> tuple[Assessment, ...]:
    """Assessments, and those of breasts that none of them covers, the right breast first; without any, the others."""
    if not assessments:
        return tuple(others)
    covered = {a.laterality for a in assessments}
    added = [a for a in others if None not in covered and a.laterality not in {None, *covered}]
    if not added:
        return tuple(assessments)
    return tuple(sorted((*assessments, *added), key=lambda a: a.laterality is Laterality.LEFT))


class Comparison(Value):
    """Whether a prior study was compared with, and its date where named."""

    available: bool
    prior_date: datetime.date | None = None


ExamView = tuple[Laterality, View]


def _in_order(views: tuple[ExamView, ...]) -> tuple[ExamView, ...]:
    """Views each once, right before left."""
    order = list(product(Laterality, View))
    return tuple(sorted(set(views), key=order.index))


class Technique(Value):
    """The views of the exam, and which of them are synthetic 2D; each once, right before left."""

    views: Annotated[tuple[ExamView, ...], Field(min_length=1), AfterValidator(_in_order)]
    synthetic: Annotated[tuple[ExamView, ...], AfterValidator(_in_order)] = ()

    @model_validator(mode="after")
    def _synthetic_views_are_views(self) -> Self:
        if not set(self.synthetic) <= set(self.views):
            raise ValueError("a synthetic view that is none of the views")
        return self

    def of_side(self, side: Laterality) -> tuple[View, ...]:
        """The views of one breast."""
        return tuple(view for of, view in self.views if of is side)


def _sides_in_order(sides: tuple[Laterality, ...]) -> tuple[Laterality, ...]:
    return tuple(side for side in Laterality if side in sides)


class Provenance(Value):
    """Who or what made the report: model, adapter, recipe, software and the hashes that pin them."""

    software: str
    model: str
    model_hash: str | None = None
    adapter: str | None = None
    recipe: str | None = None
    in_domain: bool | None = None


class Report(Value):
    """A mammography report as facts. `narrative` is the prose it came from or was rendered to.

    `mastectomy` names the breasts that were removed by surgery. `unconfirmed` are findings that a model drafted and its
    image features do not support: they are not in `findings`. Prose names them, and `parse` does not read them back.
    """

    edition: Edition = Edition.FIFTH
    indication: Indication | None = None
    mastectomy: Annotated[tuple[Laterality, ...], AfterValidator(_sides_in_order)] = ()
    technique: Technique | None = None
    comparison: Comparison | None = None
    composition: Composition | None = None
    findings: tuple[Finding, ...] = ()
    negatives: tuple[Negative, ...] = ()
    assessments: tuple[Assessment, ...] = ()
    unconfirmed: tuple[Finding, ...] = ()
    recommendation: Recommendation | None = None
    narrative: str = ""
    status: Status = Status.DRAFT
    provenance: Provenance | None = None

    @property
    def worst(self) -> Category | None:
        """The most suspicious category named anywhere in the assessments, or None where there is none."""
        return max((a.category for a in self.assessments), key=lambda c: c.suspicion, default=None)

    def stated(self) -> Report:
        """The report with only what `parse` reads back from prose.

        Without boxes, probabilities, which finding the recommendation is for, unconfirmed findings, narrative, status
        and provenance.
        """
        unstated = {"boxes": (), "probability": None, "recommendation": None}
        findings = tuple(f.model_copy(update=unstated) for f in self.findings)
        bare = {"findings": findings, "unconfirmed": (), "narrative": "", "status": Status.DRAFT, "provenance": None}
        return self.model_copy(update=bare)
