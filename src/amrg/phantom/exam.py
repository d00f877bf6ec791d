"""One exam drawn from its seed: anatomy, plan, tissue, lesions, film, truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from amrg.birads import Kind, Laterality, Report, View, ViewBox
from amrg.phantom.film import develop, mark, reexpose
from amrg.phantom.population import SCREENING, PhantomError, Population, Size
from amrg.phantom.scene import (
    NODE_AMPLITUDE,
    Scene,
    StagedLesion,
    draw_scene,
    lesion_patch,
    node_patch,
    scene_tissue,
    stage,
)
from amrg.phantom.texture import PITCH_MM, Plane, enlarge, fine_detail, smoothstep, stream
from amrg.phantom.tissue import Tissue
from amrg.phantom.truth import truth_of

VIEWS: tuple[tuple[Laterality, View], ...] = (
    (Laterality.RIGHT, View.CC),
    (Laterality.LEFT, View.CC),
    (Laterality.RIGHT, View.MLO),
    (Laterality.LEFT, View.MLO),
)


@dataclass(frozen=True)
class DrawnLesion:
    """A finding on one view: its index in the truth, its box in the view's pixels, its contrast-to-noise."""

    finding: int
    box: ViewBox
    contrast_to_noise: float


@dataclass(frozen=True)
class DrawnView:
    """One image: uint16 [H, W] presentation values, bright where dense, in hanging orientation."""

    laterality: Laterality
    view: View
    pixels: npt.NDArray[np.uint16]
    spacing_mm: float
    lesions: tuple[DrawnLesion, ...]
    bits_stored: int


@dataclass(frozen=True)
class PhantomExam:
    """An exam drawn of a population, and its truth; views in the order RCC, LCC, RMLO, LMLO."""

    seed: int
    population: Population
    truth: Report
    views: tuple[DrawnView, ...]


def draw_exam(seed: int, size: Size = Size.FULL, population: Population = SCREENING) -> PhantomExam:
    """Draw an exam. The same seed gives the same anatomy, lesions and truth at both sizes, boxes scaled.

    Args:
        seed: Any integer from 0 on; equal arguments give equal bytes.
        size: Pixel pitch of the images.
        population: What is drawn and how often.

    Raises:
        PhantomError: `seed` is negative.
    """
    return draw_without(seed, size, population, None)


def draw_without(seed: int, size: Size, population: Population, removed: int | None) -> PhantomExam:
    """Draw an exam without the pixels of one finding; truth and all other pixels stay as they are.

    Args:
        seed: As for `draw_exam`.
        size: As for `draw_exam`.
        population: As for `draw_exam`.
        removed: Index of the finding in the truth whose pixels are not drawn, or None to draw all.
    """
    if seed < 0:
        raise PhantomError(f"seed: found {seed}, expected 0 or more")
    scene = draw_scene(seed, population)
    tissues = {key: scene_tissue(scene, *key) for key in VIEWS}
    staged = [stage(scene, plan, tissues) for plan in scene.plans]
    truth = truth_of(scene, staged, size)
    views = []
    for (side, view), tissue in tissues.items():
        here = {i: s for i, s in enumerate(staged) if s.plan.side is side and view in s.boxes}
        drawn = [s for i, s in here.items() if i != removed]
        pixels = _pixels(scene, tissue, (side, view), drawn, size)
        lesions = tuple(_lesion(truth, i, s, view) for i, s in here.items())
        views.append(DrawnView(side, view, pixels, size.pitch_mm, lesions, scene.film.bits))
    return PhantomExam(seed, population, truth, tuple(views))


def _lesion(truth: Report, index: int, staged: StagedLesion, view: View) -> DrawnLesion:
    """The entry of one finding on one of its views."""
    box = next(b for b in truth.findings[index].boxes if b.view is view)
    return DrawnLesion(index, box, staged.contrast[view])


def _pixels(
    scene: Scene, tissue: Tissue, key: tuple[Laterality, View], drawn: list[StagedLesion], size: Size
) -> npt.NDArray[np.uint16]:
    """Draw one image: tissue and lesions as attenuation, then film, then hang it."""
    side, view = key
    factor = round(PITCH_MM / size.pitch_mm)
    canvas = _canvas(scene, tissue, key, size)
    _add_lesions(scene, tissue, view, drawn, canvas)
    rng = stream(scene.seed, "film", side.value, view.value)
    film = reexpose(scene.film, rng)
    image = develop(rng, film, canvas, size.pitch_mm)
    free = np.kron(tissue.skin_distance < -2, np.ones((factor, factor), bool))
    mark(rng, film, image, side.value + view.value, free)
    if side is Laterality.RIGHT:
        image = image[:, ::-1]
    return np.ascontiguousarray(np.clip(image, 0, 1) * np.float32(2**film.bits - 1)).astype(np.uint16)


def _add_lesions(scene: Scene, tissue: Tissue, view: View, drawn: list[StagedLesion], canvas: Plane) -> None:
    """Add lesions, and the nodes that go with them, to a canvas in place."""
    factor = canvas.shape[0] // tissue.attenuation.shape[0]
    pitch = PITCH_MM / factor
    breast = enlarge(smoothstep(tissue.skin_distance / 2), factor)
    for lesion in drawn:
        lesion_patch(scene, lesion.plan, view, pitch).add_to(canvas, lesion.amplitude, breast)
        if view is View.MLO and Kind.AXILLARY_NODE in lesion.plan.finding.associated:
            node_patch(scene, lesion.plan, pitch).add_to(canvas, NODE_AMPLITUDE, breast)


def _canvas(scene: Scene, tissue: Tissue, key: tuple[Laterality, View], size: Size) -> Plane:
    """The tissue at the image's pitch, with fine texture where the drawing grid has none."""
    factor = round(PITCH_MM / size.pitch_mm)
    if factor == 1:
        return tissue.attenuation.copy()
    canvas = enlarge(tissue.attenuation, factor)
    rng = stream(scene.seed, "fine", key[0].value, key[1].value)
    detail = fine_detail(rng, canvas.shape, size.pitch_mm, scene.pattern.beta)
    canvas += np.float32(0.006) * detail * enlarge(tissue.thickness, factor)
    return canvas
