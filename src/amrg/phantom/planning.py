"""Which lesions an exam has and where, before anything is drawn."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from amrg.birads import Density, Depth, Distribution, Finding, Kind, Laterality, Location, Margin, Quadrant, Shape, View
from amrg.phantom.anatomy import OBLIQUE, Breast
from amrg.phantom.categories import category_of
from amrg.phantom.population import CLASSES, LesionClass, Population, classes_of, even_weights
from amrg.phantom.texture import HEIGHT_MM, WIDTH_MM, stream

_CENTRAL = {Kind.MASS, Kind.FOCAL_ASYMMETRY, Kind.DISTORTION}
_SIGNS = {
    Quadrant.UPPER_OUTER: (1, 1),
    Quadrant.UPPER_INNER: (-1, 1),
    Quadrant.LOWER_OUTER: (1, -1),
    Quadrant.LOWER_INNER: (-1, -1),
}
_QUADRANT_WEIGHTS = (0.4, 0.2, 0.22, 0.18)
_DENSITY_PART = {Density.LOW: (0.0, 0.5), Density.EQUAL: (0.25, 0.75), Density.HIGH: (0.55, 1.0)}
_TRIES, _SHRINK = 240, 0.93
BOTH = (View.CC, View.MLO)


@dataclass(frozen=True)
class Plan:
    """One lesion to draw. `place` is (rho, outer, up) in mm; `key` names its random streams."""

    key: int
    finding: Finding
    place: tuple[float, float, float]
    radius: float
    contrast: float  # contrast-to-noise to reach

    @property
    def side(self) -> Laterality:
        """The breast it is in, which every placed plan names."""
        if self.finding.laterality is None:
            raise AttributeError("a plan has no side before it is placed")
        return self.finding.laterality

    def on(self, breast: Breast, view: View) -> tuple[float, float]:
        """Its centre on a view, (u, v) in mm."""
        return breast.outline(view).project(*self.place)


def plan_lesions(seed: int, breasts: dict[Laterality, Breast], population: Population) -> tuple[Plan, ...]:
    """The lesions of an exam, right before left, the most suspicious first."""
    rng = stream(seed, "plan")
    wanted = _rich(rng, population) if population.rich else _screening(rng, population)
    plans: list[Plan] = []
    for key, (side, drawn) in enumerate(wanted):
        own = stream(seed, "lesion", key)
        plan = _place(own, key, drawn, breasts[side], [p for p in plans if p.finding.laterality is side])
        if plan is not None:
            plans.append(_finish(own, plan, population))
    order = {Laterality.RIGHT: 0, Laterality.LEFT: 1}
    plans.sort(key=lambda p: (order[p.side], -category_of(p.finding).suspicion, p.key))
    return tuple(plans)


def _pick(rng: np.random.Generator, classes: tuple[LesionClass, ...], population: Population) -> LesionClass:
    """One class by weight."""
    weights = np.array([c.weight * population.favour(c) for c in classes])
    return classes[int(rng.choice(len(classes), p=weights / weights.sum()))]


def _screening(rng: np.random.Generator, population: Population) -> list[tuple[Laterality, LesionClass]]:
    """A worst category first, then now and then something no worse by its digit: 4C may follow 4B."""
    levels = np.array(population.levels)
    level = int(rng.choice(5, p=levels / levels.sum())) + 1
    if level == 1:
        return []
    sides = [Laterality.RIGHT, Laterality.LEFT]
    wanted = [(sides[int(rng.integers(2))], _pick(rng, classes_of(level), population))]
    for _ in range(2):
        if rng.random() < population.extra_lesion:
            side, no_worse = sides[int(rng.integers(2))], classes_of(int(rng.integers(2, level + 1)))
            wanted.append((side, _pick(rng, no_worse, population)))
    return wanted


def _rich(rng: np.random.Generator, population: Population) -> list[tuple[Laterality, LesionClass]]:
    """One to three lesions in nearly every breast, by even weights; a class is a set of descriptors."""
    weights = np.array(even_weights()) * [population.favour(c) for c in CLASSES]
    weights /= weights.sum()
    wanted = []
    for side in Laterality:
        if rng.random() < 0.93:
            count = int(rng.choice([1, 2, 3], p=[0.4, 0.4, 0.2]))
            wanted += [(side, CLASSES[int(k)]) for k in rng.choice(len(CLASSES), count, p=weights)]
    return wanted


def _finish(rng: np.random.Generator, plan: Plan, population: Population) -> Plan:
    """Add contrast and associated features."""
    low, high = _contrast_range(plan.finding, population)
    part = _DENSITY_PART.get(plan.finding.density or Density.EQUAL, (0.0, 1.0))
    contrast = float(low * (high / low) ** rng.uniform(*part))
    associated: tuple[Kind, ...] = ()
    suspicious = category_of(plan.finding).suspicion >= 4.3
    if suspicious and rng.random() < population.associated:
        choice = [Kind.SKIN_THICKENING, Kind.SKIN_RETRACTION, Kind.NIPPLE_RETRACTION]
        associated = (choice[int(rng.integers(3))],)
    if suspicious and rng.random() < population.axillary:
        associated += (Kind.AXILLARY_NODE,)
    finding = plan.finding.model_copy(update={"associated": associated})
    return replace(plan, finding=finding, contrast=contrast)


def _contrast_range(finding: Finding, population: Population) -> tuple[float, float]:
    """The range that a kind's contrast-to-noise is drawn from."""
    if finding.kind is Kind.CALCIFICATIONS:
        return population.calcification_contrast
    if finding.kind in {Kind.MASS, Kind.INTRAMAMMARY_NODE, Kind.AXILLARY_NODE}:
        return population.mass_contrast
    return population.soft_contrast


def _place(rng: np.random.Generator, key: int, drawn: LesionClass, breast: Breast, there: list[Plan]) -> Plan | None:
    """Find room for a lesion; it shrinks where there is little, and None where there is none."""
    radius = float(np.exp(rng.uniform(*np.log(drawn.radius))))
    for attempt in range(_TRIES):
        if attempt % 12 == 11:
            radius *= _SHRINK
        quadrant, depth, place = _somewhere(rng, drawn.finding, breast, radius)
        views = _views(rng, drawn.finding)
        plan = Plan(key, drawn.finding, place, radius, 0.0)
        if _fits(plan, breast, views) and not any(_collide(plan, other, breast) for other in there):
            location = Location(quadrant=quadrant, depth=depth)
            update = {"laterality": breast.laterality, "location": location, "views": views}
            return replace(plan, finding=drawn.finding.model_copy(update=update))
    return None


def _views(rng: np.random.Generator, finding: Finding) -> tuple[View, ...]:
    """The views of a lesion."""
    if finding.kind is Kind.ASYMMETRY:
        return (BOTH[int(rng.integers(2))],)
    return (View.MLO,) if finding.kind is Kind.AXILLARY_NODE else BOTH


def _somewhere(
    rng: np.random.Generator, finding: Finding, breast: Breast, radius: float
) -> tuple[Quadrant | None, Depth | None, tuple[float, float, float]]:
    """A place in the breast with the names that a reader would give it, clear of the borders between names."""
    if finding.kind is Kind.AXILLARY_NODE:
        return Quadrant.AXILLA, None, _axilla(rng, breast)
    if finding.distribution is Distribution.DIFFUSE:
        return None, None, (breast.depth_mm * 0.55, 0.0, 0.0)
    depth, rho = _depth(rng, breast.depth_mm)
    if finding.kind in _CENTRAL and rng.random() < 0.12:
        quadrant = Quadrant.RETROAREOLAR if depth is Depth.ANTERIOR else Quadrant.CENTRAL
        outer, up = rng.uniform(-4, 4, 2)
        return quadrant, depth, (rho, float(outer), float(up))
    quadrants = list(_SIGNS)
    quadrant = quadrants[int(rng.choice(4, p=_QUADRANT_WEIGHTS))]
    if finding.kind is Kind.INTRAMAMMARY_NODE:
        quadrant = Quadrant.UPPER_OUTER
    margin = min(8.0 + 0.3 * radius, 14.0)
    room = max(breast.reach_mm * 0.85 * float(np.sqrt(rho / breast.depth_mm)), margin + 2)
    outer, up = rng.uniform(margin, room, 2)
    signs = _SIGNS[quadrant]
    # The MLO view sees `up` shifted by a share of `outer`: shift back, so that upper stays above the nipple line.
    return quadrant, depth, (rho, float(signs[0] * outer), float(signs[1] * up - OBLIQUE * signs[0] * outer * 0.8))


def _depth(rng: np.random.Generator, breast_depth: float) -> tuple[Depth, float]:
    """A third of the breast and a distance behind the nipple well inside it."""
    thirds = (Depth.ANTERIOR, Depth.MIDDLE, Depth.POSTERIOR)
    third = int(rng.choice(3, p=(0.25, 0.42, 0.33)))
    low, high = third / 3 + 0.06, (third + 1) / 3 - 0.06
    return thirds[third], float(rng.uniform(low, high)) * breast_depth


def enlarged_node(seed: int, plan: Plan, breast: Breast) -> Plan:
    """The node that a suspicious lesion enlarges: dense, round, without fat, over the muscle in the MLO view."""
    rng = stream(seed, "node", plan.key)
    finding = Finding(kind=Kind.MASS, shape=Shape.OVAL, margin=Margin.INDISTINCT, views=(View.MLO,))
    return Plan(plan.key, finding, _axilla(rng, breast), rng.uniform(6, 10), 0.0)


def _axilla(rng: np.random.Generator, breast: Breast) -> tuple[float, float, float]:
    """A place over the muscle high in the MLO view."""
    outline = breast.mlo
    muscle = outline.pectoral
    assert muscle is not None
    v = rng.uniform(14, 60)
    u = max(muscle.top_mm * (1 - v / muscle.bottom_mm) * rng.uniform(0.45, 1.1), 8)
    back, rise = outline.nipple[0] - u, outline.nipple[1] - v
    cos, sin = np.cos(outline.tilt), np.sin(outline.tilt)
    return float(back * cos + rise * sin), 0.0, float(rise * cos - back * sin)


def _fits(plan: Plan, breast: Breast, views: tuple[View, ...]) -> bool:
    """Whether the lesion is inside the breast and the image, and clear of the muscle."""
    finding = plan.finding
    if finding.distribution is Distribution.DIFFUSE:
        return True
    need = plan.radius * (0.6 if finding.kind is Kind.GLOBAL_ASYMMETRY else 0.9) + 3
    for view in views:
        outline = breast.outline(view)
        u, v = plan.on(breast, view)
        here = (np.array([u], np.float32), np.array([v], np.float32))
        if not (need * 0.7 < u < WIDTH_MM - need and need < v < HEIGHT_MM - need):
            return False
        if outline.skin_distance(*here)[0] < need:
            return False
        muscle = outline.pectoral if finding.kind is not Kind.AXILLARY_NODE else None
        if muscle is not None and muscle.depth_inside(*here)[0] > -0.5 * plan.radius:
            return False
    return True


def _collide(a: Plan, b: Plan, breast: Breast) -> bool:
    """Whether two lesions would overlap in a view."""
    if Distribution.DIFFUSE in {a.finding.distribution, b.finding.distribution}:
        return False
    gaps = [np.hypot(*np.subtract(a.on(breast, v), b.on(breast, v))) for v in BOTH]
    return bool(min(gaps) < 1.3 * (a.radius + b.radius) + 3)
