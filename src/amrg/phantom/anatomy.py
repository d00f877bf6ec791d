"""Breast shape: outline, nipple, pectoral muscle of each view, and the projection of breast coordinates.

Views are drawn with the chest wall at the left edge; `u` runs from the chest wall to the nipple, `v` from the top
down, both in mm. Breast coordinates of a lesion are (rho, outer, up): mm behind the nipple, towards the outer
side, upwards.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from amrg.birads import Laterality, View
from amrg.phantom.texture import COARSE_GRID, COARSE_MM, HEIGHT_MM, Plane, stream

OBLIQUE = 0.2  # mm by which a lesion 1 mm further out is higher in the MLO view
Curve = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Pectoral:
    """The muscle's edge: from `top_mm` on the upper image edge to `bottom_mm` on the chest wall, bulging."""

    top_mm: float
    bottom_mm: float
    bulge_mm: float

    def depth_inside(self, u: Plane, v: Plane) -> Plane:
        """Distance in mm into the muscle; negative outside."""
        length = float(np.hypot(self.top_mm, self.bottom_mm))
        along = np.clip(v / self.bottom_mm, -0.2, 1.2)
        bulge = self.bulge_mm * 4 * along * (1 - along)
        line = (self.top_mm * self.bottom_mm - self.bottom_mm * u - self.top_mm * v) / length
        result: Plane = (line + bulge).astype(np.float32)
        return result


@dataclass(frozen=True)
class Outline:
    """One view of one breast. `radii` at `angles` (up positive) is the skin as seen from (0, `centre`)."""

    view: View
    nipple: tuple[float, float]
    tilt: float  # radians by which the line from the nipple to the chest wall rises
    centre: float
    angles: Curve
    radii: Curve
    pectoral: Pectoral | None
    nipple_mm: float  # radius of the nipple; negative when it is retracted
    abdomen: tuple[float, float] = (0.0, HEIGHT_MM)  # mm of belly on the image, and from which v on

    def project(self, rho: float, outer: float, up: float) -> tuple[float, float]:
        """The position of a point of the breast in this view, (u, v) in mm."""
        height = outer if self.view is View.CC else up + OBLIQUE * outer
        back = rho * np.cos(self.tilt) - height * np.sin(self.tilt)
        rise = rho * np.sin(self.tilt) + height * np.cos(self.tilt)
        return self.nipple[0] - float(back), self.nipple[1] - float(rise)

    def breast_coordinates(self, u: Plane, v: Plane) -> tuple[Plane, Plane]:
        """mm behind the nipple and mm above the nipple line, of view coordinates."""
        back, rise = np.float32(self.nipple[0]) - u, np.float32(self.nipple[1]) - v
        cos, sin = np.float32(np.cos(self.tilt)), np.float32(np.sin(self.tilt))
        return back * cos + rise * sin, rise * cos - back * sin

    def skin_distance(self, u: Plane, v: Plane) -> Plane:
        """Distance to the skin in mm, positive inside (first order: exact near the skin)."""
        up = np.float32(self.centre) - v
        angle = np.arctan2(up, u)
        radius = np.interp(angle, self.angles, self.radii)
        slope = np.interp(angle, self.angles, np.gradient(self.radii, self.angles) / self.radii)
        breast = (radius - np.hypot(u, up)) / np.sqrt(1 + np.minimum(slope**2, 9))
        wide, below = self.abdomen
        belly = wide * (1 - np.exp((below - v) / 15)) - u if wide else breast
        result: Plane = np.maximum(breast, belly).astype(np.float32)
        return result

    def with_dent(self, at: tuple[float, float], depth_mm: float, width_mm: float) -> Outline:
        """The outline with the skin drawn in near a point."""
        angle = np.arctan2(self.centre - at[1], at[0])
        arc = (self.angles - angle) * np.interp(angle, self.angles, self.radii)
        return replace(self, radii=self.radii - depth_mm * np.exp(-0.5 * (arc / width_mm) ** 2))


@dataclass(frozen=True)
class Breast:
    """One breast: distance of the nipple from the chest wall, and both its views."""

    laterality: Laterality
    depth_mm: float
    reach_mm: float  # half the width of the breast at its base
    cc: Outline
    mlo: Outline

    def outline(self, view: View) -> Outline:
        """The outline of a view, CC or MLO."""
        return self.cc if view is View.CC else self.mlo


@dataclass(frozen=True)
class _Build:
    """What both breasts of a woman share."""

    depth: float
    reach: float
    fullness: float
    nipple_v: float
    axilla: float
    pectoral_top: float
    pectoral_bottom: float
    tilt: float
    nipple_mm: float


def draw_breasts(seed: int) -> dict[Laterality, Breast]:
    """The two breasts of an exam, alike but not the same."""
    rng = stream(seed, "build")
    depth = float(np.clip(rng.normal(82, 20), 48, 128))
    build = _Build(
        depth=depth,
        reach=float(np.clip(depth * rng.uniform(0.75, 1.1), 52, 104)),
        fullness=rng.uniform(1.3, 2.6),
        nipple_v=rng.uniform(112, 150),
        axilla=rng.uniform(0.28, 0.62),
        pectoral_top=rng.uniform(28, 74),
        pectoral_bottom=rng.uniform(80, 185),
        tilt=rng.uniform(0.08, 0.3),
        nipple_mm=rng.uniform(3.0, 6.5),
    )
    return {side: _breast(stream(seed, "breast", side.value), side, build) for side in Laterality}


def _breast(rng: np.random.Generator, side: Laterality, build: _Build) -> Breast:
    """One breast around the common build."""
    depth = build.depth * rng.uniform(0.95, 1.05)
    reach = build.reach * rng.uniform(0.95, 1.05)
    cc = _cc_outline(rng, replace(build, depth=depth, reach=reach))
    mlo = _mlo_outline(rng, replace(build, depth=min(depth * rng.uniform(1.02, 1.15), 150), reach=reach))
    return Breast(side, depth, reach, cc, mlo)


def _cc_outline(rng: np.random.Generator, build: _Build) -> Outline:
    """Half a superellipse, its halves of different width."""
    centre = HEIGHT_MM / 2 + rng.uniform(-10, 10)
    upper, lower = build.reach * rng.uniform(0.92, 1.1), build.reach * rng.uniform(0.9, 1.08)
    t = np.linspace(-1, 1, 241)
    t = np.sign(t) * (1 - (1 - np.abs(t)) ** 1.7)  # close points where the curve runs to the wall
    v = centre + np.where(t < 0, upper, lower) * t
    u = build.depth * (1 - np.abs(t) ** build.fullness) ** (1 / rng.uniform(1.15, 2.2))
    nipple_v = centre + rng.uniform(-0.08, 0.08) * build.reach
    nipple_u = float(np.interp(nipple_v, v, u))
    pectoral = None
    if rng.random() < 0.2:
        bottom = centre + build.reach * rng.uniform(0.2, 0.6)
        pectoral = Pectoral(rng.uniform(4, 12), bottom, rng.uniform(2, 5))
    angles, radii = _polar(rng, u, v, centre)
    tilt = float(np.arctan2(nipple_v - centre, nipple_u) * 0.5)
    return Outline(View.CC, (nipple_u, nipple_v), tilt, centre, angles, radii, pectoral, build.nipple_mm)


def _mlo_outline(rng: np.random.Generator, build: _Build) -> Outline:
    """From the axilla over the nipple to the fold and the abdomen below."""
    nipple_v = float(min(build.nipple_v, HEIGHT_MM - 12 - build.reach * 0.85))
    fold_v = nipple_v + build.reach * rng.uniform(0.72, 0.85)
    v = np.concatenate([np.linspace(-8, nipple_v, 120), np.linspace(nipple_v, 260, 120)[1:]])
    axilla = build.axilla * build.depth
    s = np.clip((nipple_v - v) / (nipple_v + 8), 0, 1)
    upper = axilla + (build.depth - axilla) * (1 - s**2) ** rng.uniform(0.9, 2.4)
    s = np.clip((v - nipple_v) / (fold_v - nipple_v), 0, 1)
    p = build.fullness
    lower = build.depth * (1 - s**p) ** (1 / p)
    u = np.where(v <= nipple_v, upper, lower)
    angles, radii = _polar(rng, u[v <= fold_v], v[v <= fold_v], nipple_v)
    muscle = Pectoral(
        min(build.pectoral_top, axilla * 0.95) * rng.uniform(0.9, 1.1),
        min(build.pectoral_bottom * rng.uniform(0.9, 1.1), fold_v),
        rng.uniform(-2, 6),
    )
    nipple = (float(build.depth), nipple_v)
    belly = (rng.uniform(4, 24) if rng.random() < 0.3 else 0.0, fold_v - 3)
    return Outline(View.MLO, nipple, build.tilt, nipple_v, angles, radii, muscle, build.nipple_mm, belly)


def _polar(rng: np.random.Generator, u: Curve, v: Curve, centre: float) -> tuple[Curve, Curve]:
    """The curve as radius over angle, a little uneven."""
    angle, radius = np.arctan2(centre - v, u), np.hypot(u, centre - v)
    order = np.argsort(angle)
    grid = np.linspace(-np.pi / 2, np.pi / 2, 361)
    smooth = np.interp(grid, angle[order], radius[order])
    for k in range(2, 9):
        smooth = smooth + rng.normal(0, 1.0 / k) * np.cos(k * grid * 1.3 + rng.uniform(0, 6.3))
    return grid, np.maximum(smooth, 3.0)


@lru_cache(maxsize=1)
def coarse_coordinates() -> tuple[Plane, Plane]:
    """u and v in mm of the coarse grid's pixel centres, each [H, W]."""
    v = ((np.arange(COARSE_GRID[0]) + 0.5) * COARSE_MM).astype(np.float32)
    u = ((np.arange(COARSE_GRID[1]) + 0.5) * COARSE_MM).astype(np.float32)
    uu, vv = np.meshgrid(u, v)
    return uu, vv
