"""All of an exam but its pixels: breasts, lesions, tissue and film; and each lesion's strength in its tissue."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from amrg.birads import Composition, Kind, Laterality, View
from amrg.phantom.anatomy import Breast, Outline, draw_breasts
from amrg.phantom.calcifications import draw_calcifications
from amrg.phantom.distortions import draw_asymmetry, draw_distortion
from amrg.phantom.film import Film, draw_film
from amrg.phantom.ink import Box, Patch
from amrg.phantom.masses import draw_mass
from amrg.phantom.planning import Plan, enlarged_node, plan_lesions
from amrg.phantom.population import Population
from amrg.phantom.texture import PITCH_MM, Plane, stream
from amrg.phantom.tissue import Pattern, Tissue, draw_pattern, draw_tissue

NODE_AMPLITUDE = 0.2
_AMPLITUDES = {Kind.CALCIFICATIONS: (0.10, 0.55), Kind.GLOBAL_ASYMMETRY: (0.06, 0.2)}


@dataclass(frozen=True)
class Scene:
    """All of an exam but its pixels."""

    seed: int
    breasts: dict[Laterality, Breast]
    plans: tuple[Plan, ...]
    pattern: Pattern
    film: Film
    floor: float  # least contrast-to-noise of a lesion on any view


@dataclass(frozen=True)
class StagedLesion:
    """One lesion ready to be drawn on its views: amplitude, contrast-to-noise and box (mm, unmirrored) a view."""

    plan: Plan
    amplitude: float
    contrast: dict[View, float]
    boxes: dict[View, Box]


def draw_scene(seed: int, population: Population) -> Scene:
    """Everything that is decided before drawing."""
    rng = stream(seed, "exam")
    weights = np.array(population.compositions)
    composition = list(Composition)[int(rng.choice(4, p=weights / weights.sum()))]
    breasts = draw_breasts(seed)
    plans = plan_lesions(seed, breasts, population)
    for plan in plans:
        breasts[plan.side] = _retract(breasts[plan.side], plan)
    pattern = draw_pattern(seed, composition)
    full = 0.42 + pattern.glandular * (0.5 + 0.6 * pattern.fraction)
    return Scene(seed, breasts, plans, pattern, draw_film(seed, full, population), population.floor)


def _retract(breast: Breast, plan: Plan) -> Breast:
    """The breast with skin or nipple drawn in where a lesion does so."""
    if Kind.NIPPLE_RETRACTION in plan.finding.associated:
        return replace(breast, cc=_retract_nipple(breast.cc), mlo=_retract_nipple(breast.mlo))
    if Kind.SKIN_RETRACTION in plan.finding.associated:
        cc = breast.cc.with_dent(plan.on(breast, View.CC), 7.0, 8.0)
        return replace(breast, cc=cc, mlo=breast.mlo.with_dent(plan.on(breast, View.MLO), 7.0, 8.0))
    return breast


def _retract_nipple(outline: Outline) -> Outline:
    """The outline with its nipple drawn in."""
    return replace(outline.with_dent(outline.nipple, 6.0, 6.0), nipple_mm=-abs(outline.nipple_mm))


def scene_tissue(scene: Scene, side: Laterality, view: View) -> Tissue:
    """Normal tissue of one view."""
    rng = stream(scene.seed, "tissue", side.value, view.value)
    thickened = [
        p.on(scene.breasts[side], view)
        for p in scene.plans
        if p.side is side and Kind.SKIN_THICKENING in p.finding.associated
    ]
    return draw_tissue(rng, scene.breasts[side].outline(view), scene.pattern, thickened)


def lesion_patch(scene: Scene, plan: Plan, view: View, pitch: float) -> Patch:
    """A lesion's signal on a view. One stream serves both views: it is the same lesion."""
    outline = scene.breasts[plan.side].outline(view)
    rng = stream(scene.seed, "lesion", plan.key, "look")
    finding = plan.finding
    if finding.kind is Kind.CALCIFICATIONS:
        return draw_calcifications(rng, finding, np.array(plan.place), plan.radius, outline, pitch)
    centre = outline.project(*plan.place)
    if finding.kind is Kind.DISTORTION:
        return draw_distortion(rng, finding, centre, plan.radius, pitch)
    if finding.kind in {Kind.ASYMMETRY, Kind.FOCAL_ASYMMETRY, Kind.GLOBAL_ASYMMETRY}:
        return draw_asymmetry(rng, finding, centre, plan.radius, pitch)
    return draw_mass(rng, finding, centre, plan.radius, pitch)


def node_patch(scene: Scene, plan: Plan, pitch: float) -> Patch:
    """The enlarged axillary node that goes with a lesion, on the MLO view."""
    breast = scene.breasts[plan.side]
    node = enlarged_node(scene.seed, plan, breast)
    rng = stream(scene.seed, "node", plan.key, "look")
    return draw_mass(rng, node.finding, node.on(breast, View.MLO), node.radius, pitch)


def stage(scene: Scene, plan: Plan, tissues: dict[tuple[Laterality, View], Tissue]) -> StagedLesion:
    """Choose the amplitude that gives the planned contrast against the tissue around the lesion."""
    side = plan.side
    patches = {v: lesion_patch(scene, plan, v, PITCH_MM) for v in plan.finding.views}
    noise = {v: _background(scene, plan, patches[v], tissues[side, v]) for v in patches}
    strength = {v: _strength(patches[v].signal) for v in patches}
    wanted = plan.contrast * float(np.mean([noise[v] / strength[v] for v in patches]))
    low, high = _AMPLITUDES.get(plan.finding.kind, (0.06, 0.34))
    least = scene.floor * max(noise[v] / strength[v] for v in patches)
    amplitude = max(float(np.clip(wanted, low, high)), least)
    contrast = {v: amplitude * strength[v] / noise[v] for v in patches}
    return StagedLesion(plan, amplitude, contrast, {v: _on_breast(p.box, tissues[side, v]) for v, p in patches.items()})


def _on_breast(box: Box, tissue: Tissue) -> Box:
    """The part of a mm box that has breast in it."""
    left, top, right, bottom = (max(round(x / PITCH_MM), 0) for x in box)
    inside = tissue.skin_distance[top:bottom, left:right] > 0
    rows, cols = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    if len(rows) == 0:
        return box
    low = ((left + cols[0]) * PITCH_MM, (top + rows[0]) * PITCH_MM)
    high = ((left + cols[-1] + 1) * PITCH_MM, (top + rows[-1] + 1) * PITCH_MM)
    return (*low, *high)


def _strength(signal: Plane) -> float:
    """Mean of a signal over its strong part, without sign."""
    size = np.abs(signal)
    return float(size[size > 0.5 * size.max()].mean())


def _background(scene: Scene, plan: Plan, patch: Patch, tissue: Tissue) -> float:
    """Deviation of the background of a lesion: structure of its own size, or fine structure for specks."""
    f = patch.frame
    rows, cols = tissue.attenuation.shape
    window = (slice(max(f.top, 0), min(f.top + f.height, rows)), slice(max(f.left, 0), min(f.left + f.width, cols)))
    part, inside = tissue.attenuation[window], tissue.skin_distance[window] > 4
    if inside.sum() < 20:
        return 0.03
    coarse = 4.0 if plan.finding.kind is Kind.CALCIFICATIONS else max(plan.radius / PITCH_MM, 8.0)
    rest = part - ndimage.gaussian_filter(part, coarse, truncate=2.0)
    grain = scene.film.noise * scene.film.white
    return float(np.hypot(rest[inside].std(), grain)) + 0.004
