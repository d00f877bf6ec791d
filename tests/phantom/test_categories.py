"""The table of categories, row by row, and that every class has a row."""

from __future__ import annotations

import pytest

from amrg.birads import (
    Category,
    Density,
    Distribution,
    Finding,
    Kind,
    Margin,
    Morphology,
    Shape,
)
from amrg.phantom import CLASSES, category_of


def mass(shape: Shape, margin: Margin, density: Density = Density.EQUAL, **more: object) -> Finding:
    return Finding.model_validate({"kind": Kind.MASS, "shape": shape, "margin": margin, "density": density, **more})


def calcifications(morphology: Morphology, distribution: Distribution | None = None) -> Finding:
    return Finding(kind=Kind.CALCIFICATIONS, morphology=morphology, distribution=distribution)


@pytest.mark.parametrize(
    ("finding", "category"),
    [
        (mass(Shape.OVAL, Margin.CIRCUMSCRIBED), "3"),
        (mass(Shape.OVAL, Margin.CIRCUMSCRIBED, Density.FAT), "2"),
        (mass(Shape.ROUND, Margin.OBSCURED), "4A"),
        (mass(Shape.ROUND, Margin.MICROLOBULATED), "4A"),
        (mass(Shape.ROUND, Margin.INDISTINCT), "4B"),
        (mass(Shape.IRREGULAR, Margin.INDISTINCT), "4C"),
        (mass(Shape.IRREGULAR, Margin.MICROLOBULATED), "4C"),
        (mass(Shape.IRREGULAR, Margin.SPICULATED), "5"),
        (mass(Shape.IRREGULAR, Margin.INDISTINCT, associated=(Kind.SKIN_RETRACTION,)), "5"),
        (mass(Shape.IRREGULAR, Margin.INDISTINCT, associated=(Kind.SKIN_THICKENING,)), "4C"),
        (mass(Shape.ROUND, Margin.INDISTINCT, associated=(Kind.NIPPLE_RETRACTION,)), "4B"),
        (calcifications(Morphology.VASCULAR), "2"),
        (calcifications(Morphology.PUNCTATE, Distribution.GROUPED), "3"),
        (calcifications(Morphology.PUNCTATE, Distribution.DIFFUSE), "2"),
        (calcifications(Morphology.AMORPHOUS, Distribution.REGIONAL), "4B"),
        (calcifications(Morphology.COARSE_HETEROGENEOUS, Distribution.GROUPED), "4B"),
        (calcifications(Morphology.FINE_PLEOMORPHIC, Distribution.SEGMENTAL), "4C"),
        (calcifications(Morphology.FINE_LINEAR, Distribution.GROUPED), "4C"),
        (calcifications(Morphology.FINE_LINEAR, Distribution.SEGMENTAL), "5"),
        (Finding(kind=Kind.DISTORTION), "4B"),
        (Finding(kind=Kind.ASYMMETRY), "3"),
        (Finding(kind=Kind.GLOBAL_ASYMMETRY), "2"),
        (Finding(kind=Kind.INTRAMAMMARY_NODE), "2"),
    ],
)
def test_table(finding: Finding, category: str) -> None:
    assert category_of(finding) is Category(category)


def test_every_class_has_a_category_from_2_to_5() -> None:
    assert {category_of(c.finding).major for c in CLASSES} == {2, 3, 4, 5}


def test_every_lexicon_class_can_be_drawn() -> None:
    findings = [c.finding for c in CLASSES]
    assert {f.margin for f in findings} >= set(Margin)
    assert {f.shape for f in findings} >= set(Shape) - {Shape.LOBULATED}
    assert {f.density for f in findings} >= set(Density)
    assert {f.morphology for f in findings} >= set(Morphology) - {Morphology.BENIGN}
    assert {f.distribution for f in findings} >= set(Distribution)
    without_prior = {Kind.ASYMMETRY, Kind.FOCAL_ASYMMETRY, Kind.GLOBAL_ASYMMETRY, Kind.DISTORTION}
    assert {f.kind for f in findings} >= without_prior
