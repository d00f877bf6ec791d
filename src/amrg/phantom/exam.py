"""One exam drawn from its seed: anatomy, plan, tissue, lesions, film, truth."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from amrg.birads import (
    Assessment,
    Category,
    Composition,
    Finding,
    Indication,
    Kind,
    Laterality,
    Report,
    View,
    ViewBox,
)
from amrg.phantom.anatomy import Breast, Outline, draw_breasts
from amrg.phantom.calcifications import draw_calcifications
from amrg.phantom.categories import category_of, recommendation_for
from amrg.phantom.distortions import draw_asymmetry, draw_distortion
from amrg.phantom.film import Film, develop, draw_film, mark, reexpose
from amrg.phantom.ink import Patch
from amrg.phantom.masses import draw_mass
from amrg.phantom.planning import Plan, plan_lesions
from amrg.phantom.population import SCREENING, Population, Size
from amrg.phantom.texture import HEIGHT_MM, PITCH_MM, WIDTH_MM, Plane, enlarge, fine_detail, smoothstep, stream
from amrg.phantom.tissue import Pattern, Tissue, draw_pattern, draw_tissue

VIEWS: tuple[tuple[Laterality, View], ...] = (
    (Laterality.RIGHT, View.CC),
    (Laterality.LEFT, View.CC),
    (Laterality.RIGHT, View.MLO),
    (Laterality.LEFT, View.MLO),
)


@dataclass(frozen=True)
class DrawnLesion:
    """A finding on one view: its index in the truth, its box in the view's pixels, how far it stands out."""

    finding: int
    box: ViewBox
    contrast_to_noise: float


@dataclass(frozen=True)
class DrawnView:
    """One picture: uint16 [H, W] presentation values, bright where dense, in hanging orientation."""

    laterality: Laterality
    view: View
    pixels: npt.NDArray[np.uint16]
    spacing_mm: float
    lesions: tuple[DrawnLesion, ...]
    bits_stored: int


@dataclass(frozen=True)
class PhantomExam:
    """A drawn exam and its truth; views in the order RCC, LCC, RMLO, LMLO."""

    seed: int
    truth: Report
    views: tuple[DrawnView, ...]


@dataclass(frozen=True)
class _Scene:
    """All of an exam but its pixels."""

    seed: int
    breasts: dict[Laterality, Breast]
    plans: tuple[Plan, ...]
    pattern: Pattern
    film: Film
    floor: float  # least contrast-to-noise of a lesion on any view


@dataclass(frozen=True)
class _Staged:
    """One lesion ready to be drawn on its views: amplitude, contrast-to-noise and box (mm, unmirrored) a view."""

    plan: Plan
    amplitude: float
    contrast: dict[View, float]
    boxes: dict[View, tuple[float, float, float, float]]


def draw_exam(seed: int, size: Size = Size.FULL, population: Population = SCREENING) -> PhantomExam:
    """Draw an exam. The same seed gives the same anatomy, lesions and truth at both sizes, boxes scaled.

    Args:
        seed: Any integer from 0 on; equal arguments give equal bytes.
        size: Pixel pitch of the pictures.
        population: What is drawn and how often.
    """
    return draw_without(seed, size, population, None)


def draw_without(seed: int, size: Size, population: Population, left_out: int | None) -> PhantomExam:
    """Draw an exam with the pixels of one finding left out; truth and all other pixels stay as they are.

    Args:
        seed: As for `draw_exam`.
        size: As for `draw_exam`.
        population: As for `draw_exam`.
        left_out: Index of the finding in the truth, or None to leave out nothing.
    """
    scene = _scene(seed, population)
    tissues = {key: _tissue(scene, *key) for key in VIEWS}
    staged = [_stage(scene, plan, tissues) for plan in scene.plans]
    truth = _truth(scene, staged, size)
    drawn = [s for i, s in enumerate(staged) if i != left_out]
    views = tuple(_view(scene, tissues[key], drawn, truth, staged, key, size) for key in VIEWS)
    return PhantomExam(seed, truth, views)


def _scene(seed: int, population: Population) -> _Scene:
    """Everything that is decided before drawing."""
    rng = stream(seed, "exam")
    weights = np.array(population.compositions)
    composition = list(Composition)[int(rng.choice(4, p=weights / weights.sum()))]
    breasts = draw_breasts(seed)
    plans = plan_lesions(seed, breasts, population)
    for plan in plans:
        side = plan.finding.laterality
        assert side is not None
        breasts[side] = _retract(breasts[side], plan)
    pattern = draw_pattern(seed, composition)
    full = 0.42 + pattern.glandular * (0.5 + 0.6 * pattern.fraction)
    return _Scene(seed, breasts, plans, pattern, draw_film(seed, full, population), population.floor)


def _retract(breast: Breast, plan: Plan) -> Breast:
    """The breast with skin or nipple drawn in where a lesion does so."""
    if Kind.NIPPLE_RETRACTION in plan.finding.associated:
        return replace(breast, cc=_inverted(breast.cc), mlo=_inverted(breast.mlo))
    if Kind.SKIN_RETRACTION in plan.finding.associated:
        cc = breast.cc.dented(plan.on(breast, View.CC), 7.0, 8.0)
        return replace(breast, cc=cc, mlo=breast.mlo.dented(plan.on(breast, View.MLO), 7.0, 8.0))
    return breast


def _inverted(outline: Outline) -> Outline:
    """The outline with its nipple drawn in."""
    return replace(outline.dented(outline.nipple, 6.0, 6.0), nipple_mm=-abs(outline.nipple_mm))


def _tissue(scene: _Scene, side: Laterality, view: View) -> Tissue:
    """Normal tissue of one view."""
    rng = stream(scene.seed, "tissue", side.value, view.value)
    thickened = [
        p.on(scene.breasts[side], view)
        for p in scene.plans
        if p.finding.laterality is side and Kind.SKIN_THICKENING in p.finding.associated
    ]
    return draw_tissue(rng, scene.breasts[side].outline(view), scene.pattern, thickened)


def _patch(scene: _Scene, plan: Plan, view: View, pitch: float) -> Patch:
    """A lesion's signal on a view. One stream serves both views: it is the same lesion."""
    side = plan.finding.laterality
    assert side is not None
    outline = scene.breasts[side].outline(view)
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


def _stage(scene: _Scene, plan: Plan, tissues: dict[tuple[Laterality, View], Tissue]) -> _Staged:
    """Choose the amplitude that gives the contrast asked for against the tissue that the lesion lies in."""
    side = plan.finding.laterality
    assert side is not None
    patches = {v: _patch(scene, plan, v, PITCH_MM) for v in plan.finding.views}
    noise = {v: _background(scene, plan, patches[v], tissues[side, v]) for v in patches}
    strength = {v: _strength(patches[v].signal) for v in patches}
    wanted = plan.contrast * float(np.mean([noise[v] / strength[v] for v in patches]))
    low, high = _LIMITS.get(plan.finding.kind, (0.06, 0.34))
    least = scene.floor * max(noise[v] / strength[v] for v in patches)
    amplitude = max(float(np.clip(wanted, low, high)), least)
    contrast = {v: amplitude * strength[v] / noise[v] for v in patches}
    return _Staged(plan, amplitude, contrast, {v: _on_breast(p.box, tissues[side, v]) for v, p in patches.items()})


def _on_breast(box: tuple[float, float, float, float], tissue: Tissue) -> tuple[float, float, float, float]:
    """The part of a mm box that has breast in it."""
    left, top, right, bottom = (max(round(x / PITCH_MM), 0) for x in box)
    inside = tissue.skin_distance[top:bottom, left:right] > 0
    rows, cols = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    if len(rows) == 0:
        return box
    low = ((left + cols[0]) * PITCH_MM, (top + rows[0]) * PITCH_MM)
    high = ((left + cols[-1] + 1) * PITCH_MM, (top + rows[-1] + 1) * PITCH_MM)
    return (*low, *high)


_LIMITS = {Kind.CALCIFICATIONS: (0.10, 0.55), Kind.GLOBAL_ASYMMETRY: (0.06, 0.2)}


def _strength(signal: Plane) -> float:
    """Mean of a signal over its strong part, sign left out."""
    size = np.abs(signal)
    return float(size[size > 0.5 * size.max()].mean())


def _background(scene: _Scene, plan: Plan, patch: Patch, tissue: Tissue) -> float:
    """Deviation of what a lesion must be told from: structure of its own size, or fine structure for specks."""
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


def _truth(scene: _Scene, staged: list[_Staged], size: Size) -> Report:
    """The reference report."""
    findings = tuple(_finding(s, size) for s in staged)
    sides = {side: _worst([f for f in findings if f.laterality is side]) for side in VIEW_SIDES}
    worst = max(sides.values(), key=lambda c: c.suspicion)
    return Report(
        indication=Indication.SCREENING,
        composition=scene.pattern.composition,
        findings=findings,
        assessments=tuple(Assessment(category=c, laterality=side) for side, c in sides.items()),
        recommendation=recommendation_for(worst),
    )


VIEW_SIDES = (Laterality.RIGHT, Laterality.LEFT)


def _worst(findings: list[Finding]) -> Category:
    """The most suspicious category of a breast's findings, or negative."""
    categories = [f.category for f in findings if f.category is not None]
    return max(categories, key=lambda c: c.suspicion, default=Category.NEGATIVE)


def _finding(staged: _Staged, size: Size) -> Finding:
    """A planned finding with category, size and boxes."""
    finding = staged.plan.finding
    spans = [max(b[2] - b[0], b[3] - b[1]) for b in staged.boxes.values()]
    update = {
        "category": category_of(finding),
        "size_mm": None if finding.location.quadrant is None else max(1, round(max(spans) / 1.12)),
        "boxes": tuple(_view_box(staged, view, size) for view in finding.views),
    }
    return finding.model_copy(update=update)


def _view_box(staged: _Staged, view: View, size: Size) -> ViewBox:
    """A box in pixels of the picture as it hangs."""
    left, top, right, bottom = staged.boxes[view]
    left, right = max(left, 0.0), min(right, WIDTH_MM)
    top, bottom = max(top, 0.0), min(bottom, HEIGHT_MM)
    side = staged.plan.finding.laterality
    assert side is not None
    if side is Laterality.RIGHT:
        left, right = WIDTH_MM - right, WIDTH_MM - left
    p = size.pitch_mm
    return ViewBox(laterality=side, view=view, left=left / p, top=top / p, right=right / p, bottom=bottom / p)


def _view(  # noqa: PLR0913, PLR0917
    scene: _Scene,
    tissue: Tissue,
    drawn: list[_Staged],
    truth: Report,
    staged: list[_Staged],
    key: tuple[Laterality, View],
    size: Size,
) -> DrawnView:
    """Draw one picture."""
    side, view = key
    canvas = _canvas(scene, tissue, key, size)
    breast = enlarge(smoothstep(tissue.skin_distance / 2), round(PITCH_MM / size.pitch_mm))
    for lesion in drawn:
        if lesion.plan.finding.laterality is side and view in lesion.boxes:
            _patch(scene, lesion.plan, view, size.pitch_mm).add_to(canvas, lesion.amplitude, breast)
    rng = stream(scene.seed, "film", side.value, view.value)
    film = reexpose(scene.film, rng)
    picture = develop(rng, film, canvas, size.pitch_mm)
    factor = round(PITCH_MM / size.pitch_mm)
    free = np.kron(tissue.skin_distance < -2, np.ones((factor, factor), bool))
    mark(rng, film, picture, side.value + view.value, free)
    if side is Laterality.RIGHT:
        picture = picture[:, ::-1]
    top = 2**film.bits - 1
    pixels = np.ascontiguousarray(np.clip(picture, 0, 1) * np.float32(top)).astype(np.uint16)
    lesions = tuple(
        DrawnLesion(i, box, s.contrast[view])
        for i, (s, f) in enumerate(zip(staged, truth.findings, strict=True))
        for box in f.boxes
        if f.laterality is side and box.view is view
    )
    return DrawnView(side, view, pixels, size.pitch_mm, lesions, film.bits)


def _canvas(scene: _Scene, tissue: Tissue, key: tuple[Laterality, View], size: Size) -> Plane:
    """The tissue at the picture's pitch, with fine texture where the drawing grid holds none."""
    factor = round(PITCH_MM / size.pitch_mm)
    if factor == 1:
        return tissue.attenuation.copy()
    canvas = enlarge(tissue.attenuation, factor)
    rng = stream(scene.seed, "fine", key[0].value, key[1].value)
    detail = fine_detail(rng, canvas.shape, size.pitch_mm, scene.pattern.beta)
    canvas += np.float32(0.006) * detail * enlarge(tissue.thickness, factor)
    return canvas
