"""Calcifications: particles in the breast, the same in both views, by morphology and distribution."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from amrg.birads import Distribution, Finding, Morphology, View
from amrg.phantom.anatomy import Outline
from amrg.phantom.ink import Frame, Patch, Points, bounds, spray, stroke

Place = npt.NDArray[np.float64]  # (rho, outer, up) in mm


@dataclass(frozen=True)
class Particle:
    """A piece of calcium: a path in breast coordinates [n, 3]; one point is a dot."""

    path: Place
    sigma_mm: float
    height: float
    ring_mm: float = 0.0  # radius of a ring visible in every view
    track_mm: float = 0.0  # half the gap of two parallel tracks


def draw_calcifications(
    rng: np.random.Generator, finding: Finding, place: Place, radius: float, outline: Outline, pitch: float
) -> Patch:
    """Draw a finding's particles about `place`, spread over about `radius` mm."""
    particles = _particles(rng, finding, place, radius, outline.view)
    strokes = [_on_view(p, outline, pitch) for p in particles]
    everything = np.concatenate([points for points, _, _ in strokes])
    frame = Frame.around(tuple(everything.min(axis=0) - 3), tuple(everything.max(axis=0) + 3), pitch)
    signal = np.zeros((frame.height, frame.width), np.float32)
    for sigma in sorted({s for _, _, s in strokes}):
        chosen = [(p, w) for p, w, s in strokes if s == sigma]
        signal += spray(np.concatenate([p for p, _ in chosen]), np.concatenate([w for _, w in chosen]), sigma, frame)
    np.minimum(signal, 1.6, out=signal)
    left, top, right, bottom = bounds(signal, frame)
    grow_u, grow_v = max(1.0, (6 - right + left) / 2), max(1.0, (6 - bottom + top) / 2)
    return Patch(frame, signal, (left - grow_u, top - grow_v, right + grow_u, bottom + grow_v))


def _on_view(particle: Particle, outline: Outline, pitch: float) -> tuple[Points, npt.NDArray[np.float64], float]:
    """Points, weights and blur of one particle on a view."""
    path = np.array([outline.project(*row) for row in particle.path])
    sigma = particle.sigma_mm
    if particle.ring_mm:
        turn = np.linspace(0, 2 * np.pi, 25)
        path = path[0] + particle.ring_mm * np.stack([np.cos(turn), np.sin(turn)], axis=1)
    if particle.track_mm:
        return _tracks(path, particle, pitch)
    if len(path) == 1:
        return path, np.array([particle.height]), sigma
    points, weights = stroke(path, pitch, sigma)
    return points, weights * particle.height, sigma


def _tracks(path: Points, particle: Particle, pitch: float) -> tuple[Points, npt.NDArray[np.float64], float]:
    """Two broken lines along a vessel's walls."""
    along = np.gradient(path, axis=0)
    normal = np.stack([-along[:, 1], along[:, 0]], axis=1) / np.maximum(np.hypot(*along.T), 1e-6)[:, None]
    points, weights = [], []
    for k, side in enumerate((-1, 1)):
        p, w = stroke(path + side * particle.track_mm * normal, pitch, particle.sigma_mm)
        phase = np.linspace(0, len(path) * 0.9, len(w))
        broken = np.clip(0.75 + np.sin(phase + 2.1 * k) + 0.6 * np.sin(2.7 * phase + k), 0.1, 1.2)
        points.append(p)
        weights.append(w * broken * particle.height)
    return np.concatenate(points), np.concatenate(weights), particle.sigma_mm


def _particles(rng: np.random.Generator, finding: Finding, place: Place, radius: float, view: View) -> list[Particle]:
    """All particles of a finding."""
    morphology = finding.morphology or Morphology.PUNCTATE
    if morphology is Morphology.MILK_OF_CALCIUM:
        return _milk(rng, place, radius, view)
    centres = _spread(rng, finding, place, radius)
    toward = place / max(float(np.linalg.norm(place)), 1e-6)
    make = _MAKERS[morphology]
    return [p for c in centres for p in make(rng, c, toward)]


_COUNTS: dict[Morphology, tuple[int, int]] = {
    Morphology.VASCULAR: (1, 3),
    Morphology.COARSE: (1, 2),
    Morphology.RIM: (1, 3),
    Morphology.DYSTROPHIC: (2, 5),
    Morphology.SUTURE: (1, 3),
    Morphology.ROD_LIKE: (8, 18),
    Morphology.SKIN: (4, 10),
    Morphology.ROUND: (6, 14),
    Morphology.PUNCTATE: (8, 18),
    Morphology.AMORPHOUS: (18, 34),
    Morphology.COARSE_HETEROGENEOUS: (8, 16),
    Morphology.FINE_PLEOMORPHIC: (16, 34),
    Morphology.FINE_LINEAR: (9, 16),
}
_CROWD = {Distribution.REGIONAL: 1.5, Distribution.SEGMENTAL: 1.4, Distribution.DIFFUSE: 2.0}


def _spread(rng: np.random.Generator, finding: Finding, place: Place, radius: float) -> Place:
    """Centres [n, 3] of the particles by distribution."""
    low, high = _COUNTS[finding.morphology or Morphology.PUNCTATE]
    distribution = finding.distribution
    n = int(rng.integers(low, high) * _CROWD.get(distribution or Distribution.GROUPED, 1.0))
    toward = place / max(float(np.linalg.norm(place)), 1e-6)
    if distribution in {Distribution.LINEAR, Distribution.SEGMENTAL}:
        t = np.sort(rng.uniform(-1, 1, n))
        width = 0.7 if distribution is Distribution.LINEAR else radius * 0.32 * (0.35 + 0.65 * (t + 1) / 2)
        across = rng.normal(0, 1, (n, 3)) * np.broadcast_to(np.asarray(width), (n,))[:, None]
        across -= (across @ toward)[:, None] * toward
        centres: Place = place + t[:, None] * radius * toward + across
        return centres
    return place[None, :] if n == 1 else _ball(rng, place, radius, n)


def _ball(rng: np.random.Generator, place: Place, radius: float, n: int) -> Place:
    """`n` centres in a ball."""
    ball = rng.normal(0, 1, (n, 3))
    ball *= (rng.random(n) ** 0.45 / np.linalg.norm(ball, axis=1))[:, None]
    return place + ball * radius


def _dot(low: float, high: float, height: tuple[float, float]) -> Callable[..., list[Particle]]:
    """A maker of round dots with a blur between `low` and `high` mm."""

    def make(rng: np.random.Generator, centre: Place, toward: Place) -> list[Particle]:
        sigma = round(rng.uniform(low, high), 1) + 0.05
        return [Particle(centre[None, :], sigma, rng.uniform(*height))]

    return make


def _ring(low: float, high: float) -> Callable[..., list[Particle]]:
    """A maker of rings with a radius between `low` and `high` mm."""

    def make(rng: np.random.Generator, centre: Place, toward: Place) -> list[Particle]:
        radius = rng.uniform(low, high)
        return [Particle(centre[None, :], 0.25, rng.uniform(0.7, 1.1), ring_mm=radius)]

    return make


def _clump(extent: float, count: int, sigma: float) -> Callable[..., list[Particle]]:
    """A maker of lumpy pieces of about `extent` mm."""

    def make(rng: np.random.Generator, centre: Place, toward: Place) -> list[Particle]:
        spots = centre + rng.normal(0, extent / 2, (int(rng.integers(count // 2, count + 1)), 3))
        return [Particle(s[None, :], sigma, rng.uniform(0.6, 1.1)) for s in spots]

    return make


def _shard(rng: np.random.Generator, centre: Place, toward: Place) -> list[Particle]:
    """A small angular piece: a short bent stroke of its own size and height."""
    length = rng.uniform(0.3, 1.2)
    turn = rng.normal(0, 1, 3)
    turn /= np.linalg.norm(turn)
    bend = rng.normal(0, 0.25, 3) * length
    path = np.stack([centre - turn * length / 2, centre + bend, centre + turn * length / 2])
    return [Particle(path, 0.15 if rng.random() < 0.5 else 0.25, rng.uniform(0.55, 1.4))]


def _branch(rng: np.random.Generator, centre: Place, toward: Place) -> list[Particle]:
    """A thin cast of a duct, often with a side branch."""
    heading = toward + rng.normal(0, 0.3, 3)
    heading /= np.linalg.norm(heading)
    length = rng.uniform(2.0, 5.0)
    bow = rng.normal(0, 0.25, 3)
    path = np.stack([centre + heading * length * t + bow * np.sin(3 * t) for t in np.linspace(-0.5, 0.5, 6)])
    pieces = [Particle(path, 0.15, rng.uniform(0.8, 1.2))]
    if rng.random() < 0.65:
        side = heading + rng.normal(0, 0.6, 3)
        start = path[int(rng.integers(2, 5))]
        tip = start + side / np.linalg.norm(side) * length * rng.uniform(0.4, 0.7)
        pieces.append(Particle(np.stack([start, tip]), 0.15, rng.uniform(0.7, 1.1)))
    return pieces


def _rod(rng: np.random.Generator, centre: Place, toward: Place) -> list[Particle]:
    """A smooth thick rod that points to the nipple."""
    heading = centre / max(float(np.linalg.norm(centre)), 1e-6) + rng.normal(0, 0.12, 3)
    half = heading * rng.uniform(1.5, 4.5)
    return [Particle(np.stack([centre - half, centre + half]), 0.35, rng.uniform(0.9, 1.2))]


def _vessel(rng: np.random.Generator, centre: Place, toward: Place) -> list[Particle]:
    """Tram tracks along a winding vessel."""
    n = 30
    t = np.linspace(-1, 1, n)
    heading = toward + rng.normal(0, 0.5, 3)
    heading /= np.linalg.norm(heading)
    sway = np.cumsum(np.cumsum(rng.normal(0, 1, (n, 3)), axis=0), axis=0) * 0.045
    path = centre + t[:, None] * heading * rng.uniform(10, 20) + sway - sway.mean(axis=0)
    return [Particle(path, 0.25, rng.uniform(0.6, 0.9), track_mm=rng.uniform(0.7, 1.2))]


def _thread(rng: np.random.Generator, centre: Place, toward: Place) -> list[Particle]:
    """A calcified thread: a loop with a tail."""
    t = np.linspace(0, 1.5 * np.pi, 16)
    size = rng.uniform(1.5, 3.0)
    loop = np.stack([size * np.cos(t), size * np.sin(t), size * 0.7 * np.sin(t)], axis=1)
    tail = loop[-1] + np.outer(np.linspace(0.2, 1, 5), rng.normal(0, size, 3))
    return [Particle(centre + np.concatenate([loop, tail]), 0.25, rng.uniform(0.8, 1.1))]


def _milk(rng: np.random.Generator, place: Place, radius: float, view: View) -> list[Particle]:
    """Sediment in cysts: smudges from above, level lines from the side."""
    particles = []
    for centre in _ball(rng, place, radius, int(rng.integers(8, 18))):
        length, height = rng.uniform(0.9, 1.9), rng.uniform(0.6, 1.0)
        if view is View.CC:
            particles.append(Particle(centre[None, :], 0.55, 0.55 * height))
        else:
            half = np.array([length, 0.0, 0.0])
            sag = np.array([0.0, 0.0, -0.3 * length])
            particles.append(Particle(np.stack([centre - half, centre + sag, centre + half]), 0.25, height))
    return particles


_MAKERS: dict[Morphology, Callable[..., list[Particle]]] = {
    Morphology.VASCULAR: _vessel,
    Morphology.COARSE: _clump(4.0, 18, 0.75),
    Morphology.RIM: _ring(1.8, 5.0),
    Morphology.DYSTROPHIC: _clump(1.8, 9, 0.5),
    Morphology.SUTURE: _thread,
    Morphology.ROD_LIKE: _rod,
    Morphology.SKIN: _ring(0.6, 0.9),
    Morphology.ROUND: _dot(0.3, 0.5, (0.9, 1.1)),
    Morphology.PUNCTATE: _dot(0.1, 0.2, (0.85, 1.1)),
    Morphology.AMORPHOUS: _dot(0.2, 0.5, (0.18, 0.5)),
    Morphology.COARSE_HETEROGENEOUS: _clump(0.8, 5, 0.35),
    Morphology.FINE_PLEOMORPHIC: _shard,
    Morphology.FINE_LINEAR: _branch,
}
