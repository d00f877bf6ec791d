"""Real images as another scanner or detector would have given them: tone, sharpness, grain.

Two collections are two looks; other sites have others.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import ndimage

from amrg.phantom.film import s_curve
from amrg.training.tower.films import FilmScene, Pixels

GAMMA, CURVED, STEEPNESS, MIDDLE = (0.7, 1.5), 0.5, (1.5, 5.0), (0.35, 0.6)
BLURRED, BLUR = 0.5, (0.3, 1.2)  # chance; pixels of an image of about 800 rows
SHARPENED, SHARPNESS = 0.2, (0.3, 1.0)  # chance; share of the detail that is added
NOISE, GRAIN = (0.002, 0.02), (0.0, 1.0)  # deviation as a share of full range; blur of the grain in pixels


def other_device(scene: FilmScene, rng: np.random.Generator) -> FilmScene:
    """The scene in another tone, sharper or softer, with another grain; what is no breast stays as it is."""
    low, high = np.percentile(scene.pixels[scene.breast], (0.5, 99.8)) if scene.breast.any() else (0.0, 1.0)
    span = np.float32(max(high - low, 1e-3))
    x = _tone(np.clip((scene.pixels - np.float32(low)) / span, 0, 1), rng)
    x = _sharpness(x, rng) + _grain(x.shape, rng)
    changed = np.clip(x, 0, 1) * span + np.float32(low)
    return replace(scene, pixels=np.where(scene.breast, changed, scene.pixels).astype(np.float32))


def _tone(x: Pixels, rng: np.random.Generator) -> Pixels:
    """A monotone curve from 0 to 1: a power, and sometimes an S."""
    x = x ** np.float32(np.exp(rng.uniform(*np.log(GAMMA))))
    if rng.random() >= CURVED:
        return x
    return s_curve(x, rng.uniform(*STEEPNESS), rng.uniform(*MIDDLE)).astype(np.float32)


def _sharpness(x: Pixels, rng: np.random.Generator) -> Pixels:
    """Blurred, or sharpened by as much as it differs from its blurred self, or as it is."""
    chance = rng.random()
    blurred: Pixels = ndimage.gaussian_filter(x, rng.uniform(*BLUR), truncate=3.0)
    if chance < BLURRED:
        return blurred
    if chance < BLURRED + SHARPENED:
        return x + np.float32(rng.uniform(*SHARPNESS)) * (x - blurred)
    return x


def _grain(shape: tuple[int, ...], rng: np.random.Generator) -> Pixels:
    """Noise of a chosen deviation, coarser than a pixel or not."""
    deviation, blur = np.exp(rng.uniform(*np.log(NOISE))), rng.uniform(*GRAIN)
    noise = rng.standard_normal(shape, dtype=np.float32)
    noise = ndimage.gaussian_filter(noise, blur) if blur > 0.3 else noise
    made: Pixels = noise * np.float32(deviation / max(float(noise.std()), 1e-6))
    return made
