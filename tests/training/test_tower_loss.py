"""Every part of the tower's loss is logged under its own name at every step, whatever a batch shows."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from amrg.birads import Composition, Kind, View
from amrg.models.embedded.attributes import ATTRIBUTES
from amrg.models.embedded.mammogram_tower import MammogramTower, MammogramTowerConfig
from amrg.training.tower.labelled_views import SURE, LabelledView, PlacedLesion, Source
from amrg.training.tower.loss import PARTS, WEIGHT_ATTRIBUTE, collate_views, tower_loss

MASS = PlacedLesion((8.0, 8.0, 24.0, 24.0), (Kind.MASS,), attributes={"shape": "oval"})


def _parts(lesions: tuple[PlacedLesion, ...], composition: Composition | None) -> dict[str, float]:
    image = np.full((64, 64, 3), 90, np.uint8)
    view = LabelledView(image, View.CC, lesions, composition, None, Source.FILM, SURE)
    loss, parts = tower_loss(MammogramTower(MammogramTowerConfig()), collate_views([view]))
    assert math.isclose(float(loss.detach()), math.fsum(v for v in parts.values() if not math.isnan(v)), rel_tol=1e-5)
    return dict(parts)


def test_parts_without_a_target_are_nan_and_stand_where_they_always_do() -> None:
    normal, mass = _parts((), None), _parts((MASS,), Composition.B)
    assert list(normal) == list(mass) == list(PARTS)
    stated = [{name for name, value in parts.items() if not math.isnan(value)} for parts in (normal, mass)]
    assert stated == [{"places"}, {"places", "boxes", "shape", "composition"}]


def test_a_descriptor_counts_once_a_lesion_whatever_its_size() -> None:
    large = PlacedLesion((64.0, 64.0, 192.0, 192.0), (Kind.MASS,), attributes={"shape": "round"})
    view = LabelledView(np.full((256, 256, 3), 90, np.uint8), View.CC, (MASS, large), None, None, Source.FILM, SURE)
    batch = collate_views([view])
    tower = MammogramTower(MammogramTowerConfig())
    shape = tower.heads.attributes["shape"]
    assert isinstance(shape, torch.nn.Conv2d)
    assert shape.bias is not None
    torch.nn.init.zeros_(shape.weight)
    with torch.no_grad():
        shape.bias.copy_(torch.linspace(0, 1, len(shape.bias)))
    each = -torch.log_softmax(shape.bias, 0)
    expected = (each[ATTRIBUTES["shape"].index("oval")] + each[ATTRIBUTES["shape"].index("round")]) / 2
    assert tower_loss(tower, batch)[1]["shape"] == pytest.approx(WEIGHT_ATTRIBUTE * float(expected.detach()), rel=1e-2)
