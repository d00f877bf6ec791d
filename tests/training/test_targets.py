"""Dense targets lie where the lesion lies."""

from __future__ import annotations

import numpy as np

from amrg.birads import Category, Finding, Kind, Laterality, Location, Margin, Quadrant, Shape, View
from amrg.models.embedded.attributes import ATTRIBUTES, KINDS
from amrg.training.embedded.phantom_shards import ViewLesion
from amrg.training.embedded.targets import IGNORE, grid_targets

MASS = Finding(
    kind=Kind.MASS,
    laterality=Laterality.LEFT,
    location=Location(quadrant=Quadrant.UPPER_OUTER),
    shape=Shape.OVAL,
    margin=Margin.SPICULATED,
    category=Category.HIGHLY_SUGGESTIVE,
)


def test_a_lesion_marks_its_cells_and_its_token_and_nothing_else() -> None:
    targets = grid_targets((ViewLesion(MASS, (100.0, 40.0, 120.0, 60.0)),), View.CC, (384, 240), 16, 3)
    cells = targets.cells.reshape(24, 15, len(KINDS))[..., KINDS.index(Kind.MASS)]
    assert cells[3, 6] == 1  # 96..112 x 48..64 holds most of the box
    assert np.nansum(cells) <= 4
    assert np.nansum(targets.cells) == np.nansum(cells)
    tokens = targets.tokens.reshape(8, 5, len(KINDS))[..., KINDS.index(Kind.MASS)]
    assert tokens[0, 2] == 1 or tokens[1, 2] == 1
    positive = np.flatnonzero(np.nan_to_num(tokens.ravel()) == 1)
    margins = targets.attributes["margin"]
    assert (margins[positive] == ATTRIBUTES["margin"].index("spiculated")).all()
    assert (np.delete(margins, positive) == IGNORE).all()


def test_each_view_is_asked_only_what_it_shows() -> None:
    requested = {}
    for view in (View.CC, View.MLO):
        place = grid_targets((ViewLesion(MASS, (100.0, 40.0, 120.0, 60.0)),), view, (384, 240), 16, 3).attributes[
            "place"
        ]
        requested[view] = ATTRIBUTES["place"][place[place != IGNORE][0]]
    assert requested == {View.CC: "outer", View.MLO: "upper"}


def test_no_lesion_no_target() -> None:
    targets = grid_targets((), View.MLO, (384, 384), 16, 3)
    assert targets.cells.sum() == 0
    assert targets.tokens.sum() == 0
    assert all((a == IGNORE).all() for a in targets.attributes.values())
