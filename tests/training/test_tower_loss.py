"""Every part of the tower's loss is logged under its own name at every step, whatever a batch shows."""

from __future__ import annotations

import math

import numpy as np

from amrg.birads import Composition, Kind, View
from amrg.models.embedded.mammogram_tower import MammogramTower, MammogramTowerConfig
from amrg.training.tower.labelled_views import SURE, LabelledView, PlacedLesion, Source
from amrg.training.tower.loss import PARTS, collate_views, tower_loss

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
