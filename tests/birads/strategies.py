"""Every valid report, drawn."""

from __future__ import annotations

from typing import TypeVar

from hypothesis import strategies as st

from amrg.birads import (
    Assessment,
    Category,
    Certainty,
    Change,
    Comparison,
    Composition,
    Density,
    Depth,
    Distribution,
    Edition,
    Finding,
    Indication,
    Kind,
    Laterality,
    Location,
    Margin,
    Morphology,
    Negative,
    Quadrant,
    Recommendation,
    Report,
    Shape,
    Technique,
    View,
)
from amrg.birads.lexicon import NODES
from amrg.birads.validity import ASSOCIABLE, SINGLE, flaws, is_unassessed

T = TypeVar("T")


def maybe(values: st.SearchStrategy[T]) -> st.SearchStrategy[T | None]:
    return st.none() | values


_locations = st.builds(
    Location,
    quadrant=maybe(st.sampled_from(Quadrant)),
    clock=maybe(st.integers(1, 12)),
    depth=maybe(st.sampled_from(Depth)),
    nipple_distance_mm=maybe(st.integers(0, 300)),
)


@st.composite
def findings(draw: st.DrawFn) -> Finding:
    """A finding of any kind with any descriptors that belong to it."""
    kind = draw(st.sampled_from(Kind))
    mass, calcium = kind is Kind.MASS, kind is Kind.CALCIFICATIONS
    outlined = mass or kind in NODES
    morphology = draw(maybe(st.sampled_from(Morphology))) if calcium else None
    looks = draw(st.sampled_from([None, True, False]))
    if calcium and looks and morphology is None:
        morphology = Morphology.BENIGN
    if looks is False and morphology is Morphology.BENIGN:
        looks = None
    return Finding(
        kind=kind,
        laterality=draw(maybe(st.sampled_from(Laterality))),
        location=draw(_locations),
        shape=draw(maybe(st.sampled_from(Shape))) if outlined else None,
        margin=draw(maybe(st.sampled_from(Margin))) if outlined else None,
        density=draw(maybe(st.sampled_from(Density))) if mass else None,
        morphology=morphology,
        distribution=draw(maybe(st.sampled_from(Distribution))) if calcium else None,
        associated=tuple(draw(st.lists(st.sampled_from(sorted(ASSOCIABLE - {kind})), unique=True, max_size=4))),
        size_mm=draw(maybe(st.integers(1, 300))),
        multiple=kind not in SINGLE and draw(st.booleans()),
        views=tuple(draw(st.lists(st.sampled_from(View), unique=True, max_size=3))),
        category=draw(maybe(st.sampled_from(Category))),
        certainty=draw(st.sampled_from(Certainty)),
        recommendation=draw(maybe(st.sampled_from(Recommendation))),
        change=draw(maybe(st.sampled_from(Change))),
        benign_looking=looks,
    )


_negatives = st.builds(Negative, kind=st.sampled_from(Kind), laterality=maybe(st.sampled_from(Laterality)))
_assessments = st.builds(Assessment, category=st.sampled_from(Category), laterality=maybe(st.sampled_from(Laterality)))
_comparisons = st.builds(Comparison, available=st.just(False)) | st.builds(
    Comparison, available=st.just(True), prior_date=maybe(st.dates())
)


@st.composite
def techniques(draw: st.DrawFn) -> Technique:
    """Any views, some of them synthetic."""
    views = draw(st.lists(st.tuples(st.sampled_from(Laterality), st.sampled_from(View)), min_size=1, max_size=6))
    return Technique(views=tuple(views), synthetic=tuple(v for v in views if draw(st.booleans())))


@st.composite
def reports(draw: st.DrawFn) -> Report:
    """Any valid report."""
    found = draw(st.lists(findings(), max_size=4))
    needs = any(f.category is not None for f in found)
    assessments = draw(st.lists(_assessments, unique=True, min_size=int(needs), max_size=4))
    for finding in found:
        if finding.category is not None and is_unassessed(finding, {a.laterality for a in assessments}):
            assessments.append(Assessment(category=finding.category, laterality=finding.laterality))
    report = Report(
        edition=draw(st.sampled_from(Edition)),
        indication=draw(maybe(st.sampled_from(Indication))),
        mastectomy=tuple(draw(st.sets(st.sampled_from(Laterality)))),
        technique=draw(maybe(techniques())),
        unconfirmed=tuple(draw(st.lists(findings(), max_size=2))),
        comparison=draw(maybe(_comparisons)),
        composition=draw(maybe(st.sampled_from(Composition))),
        findings=tuple(found),
        negatives=tuple(draw(st.lists(_negatives, unique=True, max_size=4))),
        assessments=tuple(assessments),
        recommendation=draw(maybe(st.sampled_from(Recommendation))),
    )
    assert not flaws(report)
    return report
