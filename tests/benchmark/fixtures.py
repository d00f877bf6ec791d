"""Twelve cases with their reports, and two systems: one right about each case, one right about another."""

from __future__ import annotations

from collections.abc import Sequence

from amrg.benchmark.references import References
from amrg.benchmark.submissions import Outputs
from amrg.birads import View, parse
from amrg.datasets.case import Case, ImageRef, ReferenceSource
from amrg.metrics.prediction import Prediction

DENSITY = ("fibro fatty breast parenchyma (ACR A).", "fibro glandular breast parenchyma (ACR C).")
FOUND = (
    ("1", "No abnormal soft opacity or microcalcification seen. Skin and nipple appear normal."),
    ("3", "Well-defined oval soft opacity seen in the upper outer quadrant of the left breast."),
    ("4c", "Irregular spiculated soft opacity seen in the lower inner quadrant of the right breast."),
    ("2", "Coarse benign calcification seen in the left breast."),
)


def case(i: int, source: ReferenceSource = ReferenceSource.RADIOLOGIST) -> Case:
    category, words = FOUND[i % len(FOUND)]
    text = f"Breast Composition: {DENSITY[i % 3 == 0]}\nBIRADS: {category}\nFindings: {words} Image {i}."
    return Case(
        key=f"c{i}",
        dataset="made",
        group=f"g{i // 2}",
        source=source,
        licence="none",
        images=(ImageRef(file=f"{i}.png", view=View.CC if i % 2 else View.MLO),),
        reference=parse(text).report,
        text=text,
    )


CASES = tuple(case(i) for i in range(12))
TRAINING = tuple(case(i) for i in range(100, 120))
REFERENCES = References("made", CASES, "clean", "test", training=TRAINING)


def written(texts: Sequence[str | None]) -> Outputs:
    return Outputs(tuple(Prediction(key=f"c{i}", text=t, error=None if t else "failed") for i, t in enumerate(texts)))


PERFECT = written([c.text for c in CASES])
TURNED = written([CASES[(i + 3) % len(CASES)].text for i in range(len(CASES))])
