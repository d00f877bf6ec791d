"""Masses, nodes: contours by shape, edges by margin, spicules, fat inside."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from amrg.birads import Density, Finding, Kind, Margin, Shape
from amrg.phantom.ink import Frame, Patch, Points, spray, stroke
from amrg.phantom.texture import Plane, single, smoothstep


@dataclass(frozen=True)
class Contour:
    """Radius over angle: an ellipse with waves on it, all in mm."""

    centre: tuple[float, float]
    radius: float
    squeeze: float
    turn: float
    waves: tuple[tuple[int, float, float], ...]  # order, share of the radius, phase

    def radius_at(self, angle: Plane) -> Plane:
        """Radius in mm at angles."""
        a, b = self.radius / np.sqrt(self.squeeze), self.radius * np.sqrt(self.squeeze)
        turned = angle - np.float32(self.turn)
        r = a * b / np.sqrt((b * np.cos(turned)) ** 2 + (a * np.sin(turned)) ** 2)
        scale = np.ones_like(turned)
        for order, share, phase in self.waves:
            scale += np.float32(share) * np.cos(order * angle + np.float32(phase))
        result: Plane = (r * np.maximum(scale, 0.3)).astype(np.float32)
        return result


def draw_mass(
    rng: np.random.Generator, finding: Finding, centre: tuple[float, float], radius: float, pitch: float
) -> Patch:
    """A mass or node about `centre` (u, v in mm) with a mean radius in mm."""
    contour = _contour(rng, finding, centre, radius)
    spiculated = finding.margin is Margin.SPICULATED
    reach = radius * (3.4 if spiculated else 1.9) + 3
    frame = Frame.around((centre[0] - reach, centre[1] - reach), (centre[0] + reach, centre[1] + reach), pitch)
    body = _body(rng, finding, contour, frame)
    if spiculated:
        body = np.maximum(body, 0) + _spicules(rng, contour, frame)
    core = 1.0 if not spiculated else 1.25
    r = radius * core * 1.12
    squeeze = np.sqrt(contour.squeeze)
    half = (
        r * np.hypot(np.cos(contour.turn) / squeeze, np.sin(contour.turn) * squeeze),
        r * np.hypot(np.sin(contour.turn) / squeeze, np.cos(contour.turn) * squeeze),
    )
    box = (centre[0] - half[0], centre[1] - half[1], centre[0] + half[0], centre[1] + half[1])
    return Patch(frame, body, box)


def _contour(rng: np.random.Generator, finding: Finding, centre: tuple[float, float], radius: float) -> Contour:
    """A contour of the finding's shape and margin."""
    squeeze = {Shape.ROUND: rng.uniform(0.92, 1.0), Shape.OVAL: rng.uniform(0.55, 0.72)}.get(
        finding.shape or Shape.OVAL, rng.uniform(0.65, 0.9)
    )
    waves = [(2, rng.uniform(0, 0.02), 0.0), (3, rng.uniform(0, 0.03), rng.uniform(0, 6.3))]
    if finding.shape is Shape.IRREGULAR:
        waves += [(k, rng.uniform(0.08, 0.2) / np.sqrt(k - 1), rng.uniform(0, 6.3)) for k in range(3, 8)]
    if finding.margin is Margin.MICROLOBULATED:
        waves += [(int(rng.integers(8, 13)), rng.uniform(0.07, 0.11), rng.uniform(0, 6.3))]
        waves += [(int(rng.integers(5, 8)), rng.uniform(0.05, 0.08), rng.uniform(0, 6.3))]
    return Contour(centre, radius, float(squeeze), rng.uniform(0, np.pi), tuple(waves))


def _edge_mm(rng: np.random.Generator, finding: Finding, radius: float) -> float:
    """Over how many mm the edge falls off."""
    if finding.margin is Margin.INDISTINCT:
        return 2.0 + radius * rng.uniform(0.55, 0.8)
    if finding.margin is Margin.SPICULATED:
        return 1.5 + radius * rng.uniform(0.2, 0.4)
    return rng.uniform(0.6, 1.1)


def _body(rng: np.random.Generator, finding: Finding, contour: Contour, frame: Frame) -> Plane:
    """The mass without spicules."""
    u, v = frame.coordinates()
    du, dv = u - np.float32(contour.centre[0]), v - np.float32(contour.centre[1])
    angle, r = np.arctan2(dv, du), np.hypot(du, dv)
    edge_at = contour.radius_at(angle)
    edge = _edge_mm(rng, finding, contour.radius)
    flat = smoothstep((edge_at - r) / np.float32(edge) + 0.5)
    dome = np.sqrt(np.clip(1 - (r / edge_at) ** 2, 0, 1))
    soft = finding.margin in {Margin.INDISTINCT, Margin.SPICULATED}
    body = flat * (0.45 + 0.55 * dome) if not soft else flat * (0.7 + 0.3 * dome)
    if finding.margin is Margin.OBSCURED:
        body *= _fade_one_side(rng, du, dv, contour.radius)
    if finding.density is Density.FAT:
        body = _fatty_body(rng, body, r / edge_at)
    if finding.kind in {Kind.INTRAMAMMARY_NODE, Kind.AXILLARY_NODE}:
        body = _hilum(rng, body, du, dv, contour)
    return single(body)


def _fade_one_side(rng: np.random.Generator, du: Plane, dv: Plane, radius: float) -> Plane:
    """A fade over one side, for a margin that tissue hides."""
    side = rng.uniform(0, 2 * np.pi)
    across = (du * np.float32(np.cos(side)) + dv * np.float32(np.sin(side))) / np.float32(radius)
    return single(0.12 + 0.88 * smoothstep((across + rng.uniform(0.25, 0.5)) / 1.0))


def _fatty_body(rng: np.random.Generator, body: Plane, rho: Plane) -> Plane:
    """A capsule with fat inside, in part with denser lumps."""
    capsule = np.exp(-(((rho - 0.93) / 0.07) ** 2))
    inside = smoothstep((0.9 - rho) / 0.1)
    return single(0.9 * capsule - rng.uniform(0.35, 0.8) * inside + 0.1 * body)


def _hilum(rng: np.random.Generator, body: Plane, du: Plane, dv: Plane, contour: Contour) -> Plane:
    """The fatty notch of a normal node, at its long side."""
    turn = contour.turn + np.pi / 2
    at = 0.38 * contour.radius
    su = (du - np.float32(at * np.cos(turn))) / np.float32(0.5 * contour.radius)
    sv = (dv - np.float32(at * np.sin(turn))) / np.float32(0.5 * contour.radius)
    notch = np.exp(-(su**2 + sv**2))
    return single(body * (1 - rng.uniform(0.75, 1.0) * notch))


def _spicules(rng: np.random.Generator, contour: Contour, frame: Frame) -> Plane:
    """Fine lines that run out from the core and fade."""
    count = int(rng.integers(16, 30))
    reach = rng.uniform(0.9, 1.5) * contour.radius + 3
    paths = rays(rng, contour.centre, count, (0.6 * contour.radius, contour.radius + reach))
    return draw_rays(paths, frame, rng.uniform(0.3, 0.45), rng.uniform(0.5, 0.85))


def rays(rng: np.random.Generator, centre: tuple[float, float], count: int, span: tuple[float, float]) -> list[Points]:
    """Slightly bent lines from radius span[0] out to at most span[1] about a centre, in mm."""
    paths = []
    for k in range(count):
        angle = 2 * np.pi * (k + rng.uniform(-0.4, 0.4)) / count
        end = span[0] + (span[1] - span[0]) * rng.uniform(0.45, 1.0)
        r = np.linspace(span[0], end, 8)
        bend = angle + rng.normal(0, 0.12) * (r - span[0]) / max(span[1] - span[0], 1)
        paths.append(np.stack([centre[0] + r * np.cos(bend), centre[1] + r * np.sin(bend)], axis=1))
    return paths


def draw_rays(paths: list[Points], frame: Frame, sigma_mm: float, height: float) -> Plane:
    """Lines that fade from their first point to their last."""
    points, weights = [], []
    for path in paths:
        p, w = stroke(path, frame.pitch, sigma_mm)
        points.append(p)
        weights.append(w * np.linspace(1, 0.15, len(w)) * height)
    return spray(np.concatenate(points), np.concatenate(weights), sigma_mm, frame)
