"""The quadrant that boxes show."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amrg.birads import Depth, Finding, Kind, Laterality, Location, Quadrant, View, ViewBox
from amrg.birads.placement import agrees, quadrant_by_boxes


def _box(view: View, over: float, behind: float) -> ViewBox:
    """A box whose middle is so far over the nipple line and behind the nipple, in shares of the breast's depth."""
    edges = {"left": 10, "top": 10, "right": 20, "bottom": 20}
    return ViewBox(laterality=Laterality.LEFT, view=view, **edges, off_nipple_line=over, behind_nipple=behind)


def _mass(said: Quadrant, over: tuple[float, float], behind: float, depth: Depth | None = None) -> Finding:
    """A mass with a box on CC and one on MLO."""
    boxes = (_box(View.CC, over[0], behind), _box(View.MLO, over[1], behind))
    location = Location(quadrant=said, depth=depth)
    return Finding(kind=Kind.MASS, laterality=Laterality.LEFT, location=location, boxes=boxes)


@pytest.mark.parametrize(
    ("said", "over", "depth", "shown"),
    [
        (Quadrant.UPPER_OUTER, (0.3, 0.3), None, Quadrant.UPPER_OUTER),
        (Quadrant.UPPER_OUTER, (0.3, -0.3), None, Quadrant.LOWER_OUTER),
        (Quadrant.LOWER_INNER, (0.3, 0.4), None, Quadrant.UPPER_OUTER),
        (Quadrant.UPPER_OUTER, (0.09, 0.11), None, Quadrant.UPPER_OUTER),  # on the line of MLO, which rises by 0.09
        (Quadrant.UPPER_OUTER, (0.2, -0.04), None, Quadrant.LOWER_OUTER),
        (Quadrant.UPPER_INNER, (0.06, -0.2), None, Quadrant.LOWER_INNER),
        (Quadrant.UPPER_OUTER, (0.0, 0.05), Depth.MIDDLE, Quadrant.CENTRAL),
        (Quadrant.LOWER_INNER, (-0.02, 0.08), Depth.ANTERIOR, Quadrant.RETROAREOLAR),
        (Quadrant.RETROAREOLAR, (0.07, 0.2), None, Quadrant.RETROAREOLAR),
        (Quadrant.RETROAREOLAR, (0.2, 0.2), None, Quadrant.UPPER_OUTER),
        (Quadrant.RETROAREOLAR, (0.37, -0.31), None, Quadrant.LOWER_OUTER),
        (Quadrant.CENTRAL, (-0.4, 0.1), None, Quadrant.INNER),
        (Quadrant.AXILLA, (0.3, -0.3), None, Quadrant.AXILLA),
    ],
)
def test_a_quadrant_follows_its_boxes(
    said: Quadrant, over: tuple[float, float], depth: Depth | None, shown: Quadrant
) -> None:
    assert quadrant_by_boxes(_mass(said, over, 0.5, depth)) is shown


def test_no_place_follows_from_boxes_on_views_without_a_nipple() -> None:
    said = _mass(Quadrant.UPPER_OUTER, (0.0, 0.0), 0.5)
    unknown = tuple(box.model_copy(update={"off_nipple_line": None, "behind_nipple": None}) for box in said.boxes)
    for quadrant in (Quadrant.UPPER_OUTER, Quadrant.CENTRAL):
        finding = said.model_copy(update={"boxes": unknown, "location": Location(quadrant=quadrant)})
        assert quadrant_by_boxes(finding) is quadrant


@pytest.mark.parametrize(
    ("view", "over", "said", "shown"),
    [
        (View.ML, 0.5, Quadrant.OUTER, Quadrant.UPPER),
        (View.MLO, -0.5, Quadrant.UPPER_OUTER, Quadrant.LOWER),
        (View.MLO, 0.05, Quadrant.UPPER_OUTER, Quadrant.UPPER),
        (View.CC, -0.4, Quadrant.LOWER, Quadrant.INNER),
        (View.CC, 0.0, Quadrant.LOWER, Quadrant.LOWER),  # nothing remains, and the box is on the line: checked later
        (View.CC, 0.4, Quadrant.OUTER, Quadrant.OUTER),
    ],
)
def test_a_half_that_no_view_shows_is_removed(view: View, over: float, said: Quadrant, shown: Quadrant) -> None:
    alone = {"boxes": (_box(view, over, 0.5),), "views": (view,), "location": Location(quadrant=said)}
    assert quadrant_by_boxes(_mass(said, (0.0, 0.0), 0.5).model_copy(update=alone)) is shown


@settings(derandomize=True, deadline=None, max_examples=300)
@given(
    said=st.sampled_from([q for q in Quadrant if q not in (Quadrant.AXILLA, Quadrant.AXILLARY_TAIL)]),
    over=st.tuples(st.floats(-1, 1), st.floats(-1, 1)),
    behind=st.floats(0, 1),
)
def test_no_box_contradicts_the_quadrant_shown(said: Quadrant, over: tuple[float, float], behind: float) -> None:
    shown = quadrant_by_boxes(_mass(said, over, behind))
    moved = _mass(shown or said, over, behind)
    assert all(agrees(moved.location, box) for box in moved.boxes)
    assert quadrant_by_boxes(moved) is shown
