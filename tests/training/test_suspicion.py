"""The suspicion's calibration: it finds the weights that made the labels, whatever the sources' numbers."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from amrg.birads import Composition, View
from amrg.training.tower.labelled_views import SURE, LabelledView, Source
from amrg.training.tower.suspicion import calibrate_suspicion, fit_suspicion
from tests.models.towers import random_tower

SIDE = 128


def _view(suspicion: float | None, source: Source, brightness: int = 120) -> LabelledView:
    image = np.zeros((SIDE, SIDE * 3 // 4, 3), np.uint8)
    image[:, : SIDE // 2] = brightness
    return LabelledView(image, View.CC, (), Composition.B, suspicion, source, SURE)


def test_the_fit_finds_the_weights_that_made_the_labels() -> None:
    evidence = torch.randn(4000, 2, generator=torch.Generator().manual_seed(0))
    truth = (evidence @ torch.tensor([0.5, 1.5]) - 0.7).sigmoid().tolist()
    sources = [Source.FILM] * 3500 + [Source.DRAWN] * 500
    fit = fit_suspicion(evidence, [_view(value, source) for value, source in zip(truth, sources, strict=True)])
    assert (fit.own, fit.malignant, fit.bias) == pytest.approx((0.5, 1.5, -0.7), abs=1e-3)


def test_the_fit_is_folded_into_the_head() -> None:
    tower = random_tower(SIDE)
    pixels = torch.full((1, 3, SIDE, SIDE), 0.2)
    with torch.inference_mode():
        before = tower.predict(pixels)
    views = [_view(i / 9, Source.DIGITAL, 40 + 20 * i) for i in range(10)]
    fit = calibrate_suspicion(tower, [*views, _view(None, Source.FILM)], SIDE)
    with torch.inference_mode():
        after = tower.predict(pixels)
    assert before.suspicion is not None
    assert before.malignant is not None
    assert after.suspicion is not None
    expected = fit.own * before.suspicion + fit.malignant * before.malignant.flatten(1).amax(1) + fit.bias
    torch.testing.assert_close(after.suspicion, expected, atol=1e-4, rtol=1e-4)
