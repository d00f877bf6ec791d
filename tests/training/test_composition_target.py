"""What the tower is asked for as density: one class of a phantom, a reader's class and a little of its neighbours."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from amrg.birads import Composition, View
from amrg.training.tower.labelled_views import SURE, LabelledView, Source
from amrg.training.tower.loss import composition_target


def _view(composition: Composition | None, source: Source) -> LabelledView:
    return LabelledView(np.zeros((32, 24, 3), np.uint8), View.CC, (), composition, None, source, SURE)


@pytest.mark.parametrize(
    ("composition", "source", "expected"),
    [
        (Composition.B, Source.DRAWN, [0.0, 1.0, 0.0, 0.0]),
        (Composition.A, Source.FILM, [0.88, 0.12, 0.0, 0.0]),
        (Composition.C, Source.DIGITAL, [0.0, 0.12, 0.76, 0.12]),
    ],
)
def test_a_share_for_each_class(composition: Composition, source: Source, expected: list[float]) -> None:
    assert composition_target(_view(composition, source)) == pytest.approx(expected)


def test_none_where_none_is_stated() -> None:
    assert np.isnan(composition_target(replace(_view(Composition.A, Source.FILM), composition=None))).all()
