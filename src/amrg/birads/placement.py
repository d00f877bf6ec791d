"""Whether the place that a finding is said to have is the one where its boxes are."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from math import inf, radians, tan
from typing import NamedTuple

from amrg.birads.lexicon import Depth, Laterality, Quadrant, View
from amrg.birads.report import Finding, Location, ViewBox


class _Reach(NamedTuple):
    """Distances from the likeliest nipple line, in shares of the way from nipple to chest wall (decision 0015)."""

    on: float  # nearer than this on views of both kinds is central
    off: float  # farther than this on any view is not; in between the word decides


UPPER = frozenset({Quadrant.UPPER_OUTER, Quadrant.UPPER_INNER, Quadrant.UPPER})
LOWER = frozenset({Quadrant.LOWER_OUTER, Quadrant.LOWER_INNER, Quadrant.LOWER})
OUTER = frozenset({Quadrant.UPPER_OUTER, Quadrant.LOWER_OUTER, Quadrant.OUTER})
INNER = frozenset({Quadrant.UPPER_INNER, Quadrant.LOWER_INNER, Quadrant.INNER})
FROM_ABOVE = frozenset({View.CC, View.XCC, View.XCCL, View.XCCM, View.FB})
"""Views that tell outer from inner."""
FROM_THE_SIDE = frozenset({View.MLO, View.ML, View.LM, View.LMO})
"""Views that tell upper from lower."""

_CLEAR = 0.07  # shares of the way from nipple to chest wall: nearer to the nipple line than this, either half is right
_OFF_AXIS = 0.3  # farther from the nipple line than this contradicts that it is central
_OBLIQUE_LINE = {View.MLO: tan(radians(20)), View.LMO: tan(radians(20))}  # the nipple line rises to the muscle
_LEVEL, _OBLIQUE = _Reach(0.05, 0.14), _Reach(0.1, 0.2)  # oblique: the line's angle is not known
_THIRDS = {Depth.ANTERIOR: (-inf, 1 / 3), Depth.MIDDLE: (1 / 3, 2 / 3), Depth.POSTERIOR: (2 / 3, inf)}
_DEPTH_SLACK = {View.MLO: 1 / 4, View.LMO: 1 / 4}  # an oblique view shows a place at another depth than one from above
_ON_AXIS = frozenset({Quadrant.CENTRAL, Quadrant.RETROAREOLAR})
_TAIL = frozenset({Quadrant.AXILLARY_TAIL, Quadrant.AXILLA})
_HALVES = {Quadrant.UPPER: UPPER | _TAIL, Quadrant.LOWER: LOWER, Quadrant.OUTER: OUTER, Quadrant.INNER: INNER}
_OPPOSITE = {
    Quadrant.UPPER: Quadrant.LOWER,
    Quadrant.LOWER: Quadrant.UPPER,
    Quadrant.OUTER: Quadrant.INNER,
    Quadrant.INNER: Quadrant.OUTER,
}
_SIDE_OF_LINE = {
    Quadrant.UPPER: "above",
    Quadrant.LOWER: "below",
    Quadrant.OUTER: "on the outer side of",
    Quadrant.INNER: "on the inner side of",
}


def only_side(views: Iterable[tuple[Laterality, View]]) -> Laterality | None:
    """The breast of a study of one breast: a finding without a side is there. None where both or none are known."""
    sides = {side for side, _ in views}
    return next(iter(sides)) if len(sides) == 1 else None


def half_of_box(box: ViewBox, clear: float = _CLEAR) -> Quadrant | None:
    """The half of the breast that a box is in: outer or inner from above, upper or lower from the side.

    None where the view does not tell, the nipple is not known, or the box is within `clear` of the nipple line. That
    line is level but on oblique views, where it rises to the muscle by an unknown angle of up to 20 degrees.
    """
    if box.off_nipple_line is None or box.behind_nipple is None:
        return None
    over = box.off_nipple_line - _most_rise(box.view, box.behind_nipple)
    names = _axis(box.view)
    if names is None:
        return None
    return names[0] if over > clear else names[1] if box.off_nipple_line < -clear else None


def depth_of_box(box: ViewBox) -> Depth | None:
    """The third of the way from the nipple to the chest wall that a box is in; None where the nipple is not known."""
    if box.behind_nipple is None:
        return None
    return next(depth for depth, (least, most) in _THIRDS.items() if least <= box.behind_nipple <= most)


def contradictions(finding: Finding) -> Iterator[tuple[int, str]]:
    """Boxes that are where the finding is said not to be: the box's index, and what is said and shown."""
    for number, box in enumerate(finding.boxes):
        for stated, actual in _contradictions(finding.location, finding.laterality, box):
            yield number, f"said to be {stated}, its box on {box.laterality}{box.view} is {actual}"


def agrees(location: Location, box: ViewBox) -> bool:
    """Whether nothing of a place said is contradicted by a box."""
    return not any(_contradictions(location, box.laterality, box))


def quadrant_by_boxes(finding: Finding) -> Quadrant | None:
    """The finding's quadrant, each half that its boxes are not in replaced by the one that they are in.

    On the nipple line of a view from above and of one from the side it is central, or retroareolar in the anterior
    third; off it, it is neither. A half that none of its views shows is removed. As it is said for several lesions
    alike, of which the boxes may be one, and next to a clock face.
    """
    quadrant = finding.location.quadrant
    if quadrant is None or quadrant in _TAIL or finding.multiple or finding.location.clock is not None:
        return quadrant
    halves = {half for box in finding.boxes if (half := _likeliest_half(box)) is not None}
    quadrant = _as_observed(quadrant, finding.views, halves)
    if quadrant in _ON_AXIS:
        return _quadrant_of(halves, quadrant) if any(map(_is_off_line, finding.boxes)) else quadrant
    if _is_central(finding.boxes):
        return Quadrant.RETROAREOLAR if finding.location.depth is Depth.ANTERIOR else Quadrant.CENTRAL
    for half in halves:
        opposite = _OPPOSITE[half]
        if opposite not in halves and quadrant in _HALVES[opposite]:
            quadrant = Quadrant(quadrant.value.replace(opposite.value, half.value))
    return quadrant


def depth_by_boxes(finding: Finding) -> Depth | None:
    """The finding's depth, or where all of its boxes contradict that, the third that they are in, as a view from above
    shows it where there is one. As it is said for several lesions alike."""
    depth = finding.location.depth
    known = [box for box in finding.boxes if box.behind_nipple is not None]
    if depth is None or finding.multiple or not known or any(agrees(Location(depth=depth), box) for box in known):
        return depth
    return depth_of_box(min(known, key=lambda box: box.view not in FROM_ABOVE))


def _as_observed(quadrant: Quadrant, views: Collection[View], halves: set[Quadrant]) -> Quadrant:
    """The quadrant without the half that no view shows; where nothing remains of it, the half that boxes are in."""
    hidden = _hidden_halves(views)
    stated = {half for half in _OPPOSITE if quadrant in _HALVES[half]}
    if not stated & hidden:
        return quadrant
    observed = stated - hidden or halves
    return _quadrant_of(observed, quadrant) if observed else quadrant


def _hidden_halves(views: Collection[View]) -> set[Quadrant]:
    """The halves that views of one kind do not distinguish; none where there are no views."""
    if not views or not set(views) <= FROM_ABOVE | FROM_THE_SIDE:
        return set()
    return set(_OPPOSITE) - {half for view in views for half in _axis(view) or ()}


def _quadrant_of(halves: set[Quadrant], otherwise: Quadrant) -> Quadrant:
    """The quadrant that is in all of some halves; `otherwise` where none is, as two of them are opposite."""
    if any(_OPPOSITE[half] in halves for half in halves):
        return otherwise
    return Quadrant(" ".join(half.value for half in _OPPOSITE if half in halves))


def _is_central(boxes: Sequence[ViewBox]) -> bool:
    """Whether boxes from above and from the side are all on the nipple line."""
    views = {box.view for box in boxes}
    return bool(views & FROM_ABOVE and views & FROM_THE_SIDE) and all(map(_is_on_line, boxes))


def _is_on_line(box: ViewBox) -> bool:
    """Whether a box's middle is so near to the nipple line that the place is central."""
    over = _over_likeliest_line(box)
    return over is not None and abs(over) < _reach(box).on


def _is_off_line(box: ViewBox) -> bool:
    """Whether a box's middle is so far from the nipple line that the place is not central."""
    over = _over_likeliest_line(box)
    return over is not None and abs(over) > _reach(box).off


def _likeliest_half(box: ViewBox) -> Quadrant | None:
    """The half of the breast that a box is likely in; None where it is on the line between, or no nipple is known."""
    over, names = _over_likeliest_line(box), _axis(box.view)
    if over is None or names is None or abs(over) < _CLEAR:
        return None
    return names[0] if over > 0 else names[1]


def _over_likeliest_line(box: ViewBox) -> float | None:
    """How far a box's middle is over the nipple line that is halfway between those that the view allows.

    None where the nipple is not known.
    """
    if box.off_nipple_line is None or box.behind_nipple is None:
        return None
    return box.off_nipple_line - _most_rise(box.view, box.behind_nipple) / 2


def _reach(box: ViewBox) -> _Reach:
    return _OBLIQUE if box.view in _OBLIQUE_LINE else _LEVEL


def clock_faces(place: Quadrant, side: Laterality | None) -> set[int]:
    """Clock faces of a quadrant as one looks at the patient; empty where any will do."""
    left_half, right_half = {7, 8, 9, 10, 11, 12, 6}, {1, 2, 3, 4, 5, 6, 12}
    allowed = set(range(1, 13))
    if place in UPPER:
        allowed &= {9, 10, 11, 12, 1, 2, 3}
    if place in LOWER:
        allowed &= {3, 4, 5, 6, 7, 8, 9}
    if side is not None and place in OUTER | INNER:
        allowed &= left_half if (place in OUTER) == (side is Laterality.RIGHT) else right_half
    return allowed if place in UPPER | LOWER | OUTER | INNER else set()


def _most_rise(view: View, behind_nipple: float) -> float:
    """How far the nipple line may have risen so far behind the nipple; 0 but on oblique views."""
    return max(0.0, behind_nipple) * _OBLIQUE_LINE.get(view, 0.0)


def _axis(view: View) -> tuple[Quadrant, Quadrant] | None:
    """The halves that a view tells apart, the upper one of the image first."""
    if view in FROM_ABOVE:
        return Quadrant.OUTER, Quadrant.INNER
    return (Quadrant.UPPER, Quadrant.LOWER) if view in FROM_THE_SIDE else None


def _contradictions(location: Location, side: Laterality | None, box: ViewBox) -> Iterator[tuple[str, str]]:
    """What is said of a place and not shown by a box, and what the box shows."""
    half, far = half_of_box(box), half_of_box(box, _OFF_AXIS)
    if half is not None:
        actual = f"{_SIDE_OF_LINE[half]} the nipple line"
        if location.quadrant in _HALVES[_OPPOSITE[half]]:
            yield str(location.quadrant), actual
        if location.clock is not None and location.clock not in clock_faces(half, side):
            yield f"at {location.clock} o'clock", actual
    if far is not None and location.quadrant in _ON_AXIS:
        yield str(location.quadrant), f"far {_SIDE_OF_LINE[far]} the nipple line"
    if location.depth is not None and box.behind_nipple is not None:
        least, most = _THIRDS[location.depth]
        slack = _DEPTH_SLACK.get(box.view, 1 / 6)
        if not least - slack <= box.behind_nipple <= most + slack:
            yield f"at {location.depth} depth", f"{box.behind_nipple:.0%} of the way from the nipple to the chest wall"
