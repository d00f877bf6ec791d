"""Architectural distortion and the asymmetries: no contour, only drawn-in or denser tissue."""

from __future__ import annotations

import numpy as np

from amrg.birads import Finding, Kind
from amrg.phantom.ink import Box, Frame, Patch
from amrg.phantom.masses import draw_rays, rays
from amrg.phantom.texture import Plane, smoothstep


def draw_distortion(
    rng: np.random.Generator, finding: Finding, centre: tuple[float, float], radius: float, pitch: float
) -> Patch:
    """Lines that run together on a point without a mass, about `radius` mm long."""
    reach = radius * 1.5 + 3
    frame = _square(centre, reach, pitch)
    lines = draw_rays(
        rays(rng, centre, int(rng.integers(20, 34)), (1.0, radius * 1.4)), frame, rng.uniform(0.35, 0.5), 0.85
    )
    u, v = frame.coordinates()
    r = np.hypot(u - np.float32(centre[0]), v - np.float32(centre[1])) / np.float32(radius)
    pulled = -0.25 * np.exp(-(((r - 0.75) / 0.3) ** 2))  # fat between the lines
    signal: Plane = np.minimum(lines, 1.3) + pulled * rng.uniform(0.3, 1.0) + 0.25 * np.exp(-((r / 0.2) ** 2))
    return Patch(frame, signal.astype(np.float32), _box(centre, radius))


def draw_asymmetry(
    rng: np.random.Generator, finding: Finding, centre: tuple[float, float], radius: float, pitch: float
) -> Patch:
    """Denser tissue without a border: concave outlines, fat in between."""
    frame = _square(centre, radius * 1.7 + 2, pitch)
    u, v = frame.coordinates()
    du, dv = (u - np.float32(centre[0])) / np.float32(radius), (v - np.float32(centre[1])) / np.float32(radius)
    fall = smoothstep(1.45 - np.hypot(du, dv * np.float32(rng.uniform(0.85, 1.15))))
    ripple = np.zeros_like(du * dv)
    wavelength = 0.9 if finding.kind is not Kind.GLOBAL_ASYMMETRY else 0.45
    for _ in range(10):
        k = rng.normal(0, 2.6 / wavelength, 2)
        ripple += np.cos(np.float32(k[0]) * du + np.float32(k[1]) * dv + np.float32(rng.uniform(0, 6.3)))
    lumpy = smoothstep(0.55 + ripple * np.float32(0.16))
    return Patch(frame, (fall * (0.3 + 0.7 * lumpy)).astype(np.float32), _box(centre, radius))


def _square(centre: tuple[float, float], reach: float, pitch: float) -> Frame:
    """A square frame."""
    return Frame.around((centre[0] - reach, centre[1] - reach), (centre[0] + reach, centre[1] + reach), pitch)


def _box(centre: tuple[float, float], radius: float) -> Box:
    """The box about a disc."""
    return (centre[0] - radius, centre[1] - radius, centre[0] + radius, centre[1] + radius)
