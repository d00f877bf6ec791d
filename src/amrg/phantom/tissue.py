"""Normal tissue of one view: fat, fibroglandular tissue of a true area fraction, ligaments, vessels, muscle, skin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from amrg.birads import Composition
from amrg.phantom.anatomy import Outline, coarse_coordinates
from amrg.phantom.texture import (
    COARSE_GRID,
    COARSE_MM,
    GRID,
    PITCH_MM,
    Plane,
    band,
    enlarge,
    power_law,
    single,
    smoothstep,
    stream,
)

FRACTIONS: dict[Composition, tuple[float, float]] = {
    Composition.A: (0.02, 0.09),
    Composition.B: (0.14, 0.29),
    Composition.C: (0.38, 0.58),
    Composition.D: (0.70, 0.92),
}
"""Fibroglandular share of the projected breast without muscle, by composition."""


@dataclass(frozen=True)
class Pattern:
    """How the tissue of a woman looks, shared by her views."""

    composition: Composition
    fraction: float
    envelope: float  # weight of the cone behind the nipple against the random field
    lobule_beta: float  # spectrum of the random field: low gives islands, high gives sheets
    softness: float
    drawn_out: float  # weight of tissue that runs towards the nipple
    streaks: float  # of its texture
    glandular: float  # what full tissue adds to fat
    mottle: float
    beta: float  # spectrum of the fine texture
    ligaments: float
    radial: float  # share of strands that run to the nipple
    vessels: int
    subcutaneous_mm: float
    edge_mm: float  # how far the compressed breast is rounded
    equalised: float  # 1: thickness shows fully; 0: evened out by the device
    muscle: float
    skin: float


@dataclass(frozen=True)
class Tissue:
    """One view of normal tissue on the drawing grid: attenuation in arbitrary units, 0 in air."""

    attenuation: Plane
    skin_distance: Plane  # mm, positive inside
    thickness: Plane  # 0..1
    gland: Plane  # fibroglandular share 0..1, on the coarse grid


def draw_pattern(seed: int, composition: Composition) -> Pattern:
    """The tissue pattern of an exam."""
    rng = stream(seed, "pattern")
    low, high = FRACTIONS[composition]
    return Pattern(
        composition=composition,
        fraction=rng.uniform(low, high),
        envelope=rng.uniform(0.7, 2.4),
        lobule_beta=rng.uniform(3.3, 5.0),
        softness=float(np.exp(rng.uniform(np.log(0.3), np.log(1.6)))),
        drawn_out=rng.uniform(0.1, 1.6),
        streaks=float(np.exp(rng.uniform(np.log(0.08), np.log(0.5)))),
        glandular=rng.uniform(0.2, 0.46),
        mottle=float(np.exp(rng.uniform(np.log(0.01), np.log(0.06)))),
        beta=rng.uniform(2.6, 3.2),
        ligaments=float(np.exp(rng.uniform(np.log(0.03), np.log(0.25)))),
        radial=rng.uniform(0.3, 1.0),
        vessels=int(rng.integers(0, 6)),
        subcutaneous_mm=rng.uniform(4, 16),
        edge_mm=rng.uniform(12, 32),
        equalised=rng.uniform(0.35, 1.0),
        muscle=rng.uniform(0.1, 0.42),
        skin=rng.uniform(0.0, 0.11),
    )


def draw_tissue(
    rng: np.random.Generator,
    outline: Outline,
    pattern: Pattern,
    thickened: Sequence[tuple[float, float]] = (),
) -> Tissue:
    """Draw one view; the skin is thick near the `thickened` points (u, v) in mm."""
    u, v = coarse_coordinates()
    distance = outline.skin_distance(u, v)
    muscle = _muscle(outline, pattern)
    streaks = _streaks(rng, outline)
    gland = _gland(rng, outline, pattern, distance, streaks)
    skin_distance = enlarge(distance, 2)
    thickness = _thickness(skin_distance, pattern)
    fine = power_law(rng, GRID, PITCH_MM, pattern.beta)
    gland_fine = enlarge(gland * (1 + np.float32(pattern.streaks) * streaks), 2)
    solid = 0.30 + pattern.glandular * gland_fine * (1 + 0.1 * fine)
    solid += pattern.mottle * (0.6 + 0.4 * gland_fine) * fine
    muscle = enlarge(muscle, 2)
    solid += _strands(rng, outline, pattern, fine) * (1 - 0.85 * muscle)
    solid += muscle * pattern.muscle * (1 + 0.06 * fine)
    solid += _vessels(rng, outline, pattern)
    attenuation = np.maximum(solid, 0.12) * thickness + _skin(outline, pattern, skin_distance)
    for point in thickened:
        attenuation += _thick_skin(point, skin_distance)
    return Tissue(attenuation.astype(np.float32), skin_distance, thickness, gland)


def _thickness(skin_distance: Plane, pattern: Pattern) -> Plane:
    """Thickness of the compressed breast, rounded towards the skin."""
    inward = np.clip(skin_distance / np.float32(pattern.edge_mm), 0, 1)
    round_off = np.sqrt(inward * (2 - inward))
    return single(np.power(round_off, np.float32(pattern.equalised)))


def _muscle(outline: Outline, pattern: Pattern) -> Plane:
    """The pectoral muscle's share, 0..1, on the coarse grid."""
    if outline.pectoral is None:
        return np.zeros(COARSE_GRID, np.float32)
    u, v = coarse_coordinates()
    inside = outline.pectoral.depth_inside(u, v)
    return single(smoothstep(inside / 4 + 0.5) * (0.75 + 0.25 * np.clip(inside / 40, 0, 1)))


def _streaks(rng: np.random.Generator, outline: Outline) -> Plane:
    """Power-law texture drawn out along the ducts, towards the nipple, on the coarse grid."""
    u, v = coarse_coordinates()
    behind, above = outline.breast_coordinates(u, v)
    noise = power_law(rng, (256, 256), 1.0, rng.uniform(2.4, 3.6), corner_mm=60)
    start = np.float32(rng.uniform(6, 30))
    radius, angle = np.hypot(behind + start, above), np.arctan2(above, behind + start)
    places = np.stack([angle * np.float32(70), radius * np.float32(rng.uniform(0.25, 0.5))])
    streaks: Plane = ndimage.map_coordinates(noise, places, order=1, mode="grid-wrap", output=np.float32)
    return streaks


def _gland(rng: np.random.Generator, outline: Outline, pattern: Pattern, distance: Plane, streaks: Plane) -> Plane:
    """Fibroglandular share, 0..1, on the coarse grid; its area is the pattern's fraction."""
    u, v = coarse_coordinates()
    behind, above = outline.breast_coordinates(u, v)
    depth = np.float32(outline.nipple[0])
    width = 4 + 0.62 * depth * np.sqrt(np.clip(behind / depth, 0, 1))
    lean = np.float32(0.12) * behind  # more tissue in the upper outer quadrant
    cone = 1 - ((above - lean) / width) ** 2 - 0.9 * np.clip((behind / depth - 0.75) / 0.25, 0, 1.5) ** 2
    cone = np.maximum(cone, -3)
    under_skin = smoothstep(distance / np.float32(pattern.subcutaneous_mm)) - 1
    field = power_law(rng, COARSE_GRID, COARSE_MM, pattern.lobule_beta, corner_mm=45)
    score = np.float32(pattern.envelope) * cone + 2.5 * under_skin + field
    score += np.float32(pattern.drawn_out) * streaks
    inside = distance > 0
    if outline.pectoral is not None:
        muscle_depth = outline.pectoral.depth_inside(u, v)
        score -= 3.5 * smoothstep(muscle_depth / 22 + 0.1)
        inside &= muscle_depth < 0
    threshold = np.quantile(score[::2, ::2][inside[::2, ::2]], 1 - pattern.fraction)
    evenness = 0.25 + 3 * pattern.fraction * (1 - pattern.fraction)  # nearly empty and nearly full look so
    softness = np.float32(min(pattern.softness, evenness))
    share: Plane = 1 / (1 + np.exp(np.clip((threshold - score) / softness, -30, 30)))
    return single(share * (0.8 + 0.2 * np.clip(cone + 0.5, 0, 1)))


def _strands(rng: np.random.Generator, outline: Outline, pattern: Pattern, fine: Plane) -> Plane:
    """Ligaments and ducts: ridges where a smooth field crosses zero, partly drawn out towards the nipple."""
    u, v = coarse_coordinates()
    behind, above = outline.breast_coordinates(u, v)
    noise = band(rng, (256, 256), 1.0, rng.uniform(12, 24))
    radius = np.hypot(behind + 6, above)
    angle = np.arctan2(above, behind + 6)
    places = np.stack([angle * 60 + 20 * rng.random(), radius * np.float32(0.45)])
    radial = ndimage.map_coordinates(noise, places, order=1, mode="grid-wrap", output=np.float32)
    scale = rng.uniform(14, 36)
    web = band(rng, COARSE_GRID, COARSE_MM, scale)
    strength = np.clip(0.6 + 0.5 * fine, 0, 2)
    ridges = pattern.radial * _ridge(enlarge(radial, 2), rng.uniform(0.06, 0.14)) + (1 - 0.6 * pattern.radial) * _ridge(
        enlarge(web, 2), rng.uniform(1.2, 2.2) / scale
    )
    return single(np.float32(pattern.ligaments) * strength * ridges)


def _ridge(field: Plane, width: float) -> Plane:
    """1 on the zero lines of a field, falling to 0 within about `width` of its deviation."""
    squared = np.square(field * np.float32(1 / width))
    squared *= squared
    squared += 1
    return single(np.reciprocal(squared, out=squared))


def _vessels(rng: np.random.Generator, outline: Outline, pattern: Pattern) -> Plane:
    """Smooth winding vessels through the fat, on the drawing grid."""
    canvas = np.zeros(GRID, np.float32)
    if pattern.vessels == 0:
        return canvas
    for _ in range(pattern.vessels):
        path = winding_path(rng, (rng.uniform(0, 25), rng.uniform(0.15, 0.85) * 240), rng.uniform(-0.6, 0.6))
        at = np.floor(path / PITCH_MM).astype(int)
        keep = (at[:, 0] >= 0) & (at[:, 0] < GRID[1]) & (at[:, 1] >= 0) & (at[:, 1] < GRID[0])
        np.add.at(canvas, (at[keep, 1], at[keep, 0]), np.float32(rng.uniform(0.02, 0.08)))
    sigma = rng.uniform(0.5, 1.1) / PITCH_MM
    blurred: Plane = ndimage.gaussian_filter(canvas, sigma, truncate=3)
    return single(blurred * np.float32(sigma * 2.5))


def winding_path(
    rng: np.random.Generator, start: tuple[float, float], heading: float, length_mm: float = 110.0
) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """A smooth winding path as points [n, 2] (u, v) a pixel of the drawing grid apart."""
    n = int(length_mm / PITCH_MM)
    turns = ndimage.gaussian_filter1d(rng.normal(0, 1, n), 12) * 2.2
    angle = heading + np.cumsum(turns) * 0.06
    steps = np.stack([np.cos(angle), np.sin(angle)], axis=1) * PITCH_MM
    path: np.ndarray[tuple[int, int], np.dtype[np.float64]] = np.asarray(start) + np.cumsum(steps, axis=0)
    return path


def _skin(outline: Outline, pattern: Pattern, skin_distance: Plane) -> Plane:
    """The skin line and the nipple."""
    line = np.float32(pattern.skin) * np.exp(-(((skin_distance - 0.9) / 0.8) ** 2))
    u = ((np.arange(GRID[1]) + 0.5) * PITCH_MM).astype(np.float32)[None, :]
    v = ((np.arange(GRID[0]) + 0.5) * PITCH_MM).astype(np.float32)[:, None]
    size = abs(outline.nipple_mm)
    shift = -0.15 * size if outline.nipple_mm > 0 else -1.3 * size
    squared = (u - outline.nipple[0] - np.float32(shift)) ** 2 + (v - outline.nipple[1]) ** 2 / 1.4
    bump = smoothstep((np.float32(size) - np.sqrt(squared)) / 3.5 + 0.3)
    outside = smoothstep(-skin_distance / 2 + 0.5)
    return single(line + bump * (0.06 + 0.12 * outside))


def _thick_skin(point: tuple[float, float], skin_distance: Plane) -> Plane:
    """A broad bright skin line over the skin nearest to a point."""
    u = ((np.arange(GRID[1]) + 0.5) * PITCH_MM).astype(np.float32)[None, :]
    v = ((np.arange(GRID[0]) + 0.5) * PITCH_MM).astype(np.float32)[:, None]
    row, col = int(point[1] / PITCH_MM), int(point[0] / PITCH_MM)
    reach = np.float32(skin_distance[row, col] + 18)
    near = np.exp(-((((u - point[0]) ** 2 + (v - point[1]) ** 2) / reach**2) ** 2))
    return single(0.22 * near * smoothstep(skin_distance / 0.8) * smoothstep((4.5 - skin_distance) / 1.5))
