"""Shapes that other pictures are drawn of: projected limbs, bodies, shadows, and noise as images have it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

Pixels = npt.NDArray[np.float32]
Rng = np.random.Generator
Point = tuple[float, float]  # column and row, in units of the picture's height


class Canvas:
    """A picture that shapes are added to: brightness float32 [rows, columns], column and row of every pixel."""

    def __init__(self, rows: int, aspect: float) -> None:
        self.pixels = np.zeros((rows, max(32, round(rows * aspect))), np.float32)
        y, x = np.mgrid[:rows, : self.pixels.shape[1]].astype(np.float32) / np.float32(rows)
        self.x, self.y = x, y
        self.width = self.pixels.shape[1] / rows

    def limb(self, start: Point, end: Point, radius: tuple[float, float], hollow: float = 0.0) -> Pixels:
        """The thickness of a rounded rod that is seen from the side; `hollow` of its radius is missing within."""
        dx, dy = end[0] - start[0], end[1] - start[1]
        along = ((self.x - start[0]) * dx + (self.y - start[1]) * dy) / max(1e-6, dx * dx + dy * dy)
        along = np.clip(along, 0, 1)
        apart = (self.x - start[0] - along * dx) ** 2 + (self.y - start[1] - along * dy) ** 2
        across = (radius[0] + (radius[1] - radius[0]) * along) ** 2
        thick = np.sqrt(np.maximum(across - apart, 0))
        return np.asarray(thick - hollow * np.sqrt(np.maximum(across * hollow**2 - apart, 0)), np.float32)

    def ellipse(self, centre: Point, axes: Point, angle: float = 0.0, soft: float = 0.02) -> Pixels:
        """1 within an ellipse and 0 outside, with a soft edge."""
        dx, dy = self.x - centre[0], self.y - centre[1]
        u, v = dx * np.cos(angle) + dy * np.sin(angle), dy * np.cos(angle) - dx * np.sin(angle)
        radius = np.sqrt((u / axes[0]) ** 2 + (v / axes[1]) ** 2)
        return np.asarray(np.clip((1 - radius) * min(axes) / soft + 0.5, 0, 1), np.float32)


def cloud(shape: tuple[int, ...], rng: Rng, slope: float) -> Pixels:
    """Noise whose amplitude falls with frequency to the power `slope`, of mean 0 and deviation 1."""
    fy, fx = np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])[None]
    radius = np.maximum(np.hypot(fy, fx), 1.0 / max(shape))
    spectrum = np.fft.rfft2(rng.standard_normal(shape)) / radius**slope
    made = np.fft.irfft2(spectrum, shape)
    return np.asarray((made - made.mean()) / max(1e-9, made.std()), np.float32)


def exposed(pixels: Pixels, rng: Rng) -> Pixels:
    """As a detector or a scanner gives it: blurred, noisy, of some contrast, in 0..1."""
    made = ndimage.gaussian_filter(pixels, rng.uniform(0.3, 1.6))
    low, high = float(made.min()), float(np.percentile(made, 99.8))
    made = np.clip((made - low) / max(1e-6, high - low), 0, 1) ** rng.uniform(0.5, 1.6)
    made = made + rng.uniform(0.002, 0.03) * rng.standard_normal(made.shape)
    floor = rng.uniform(0, 0.15) if rng.random() < 0.4 else 0.0
    return np.asarray(np.clip(floor + (rng.uniform(0.75, 1.0) - floor) * made, 0, 1), np.float32)


def placed(pixels: Pixels, rng: Rng) -> Pixels:
    """Turned and mirrored at random, or left as it is."""
    if rng.random() < 0.5:
        pixels = ndimage.rotate(pixels, rng.uniform(-35, 35), reshape=False, order=1)
    pixels = np.rot90(pixels, int(rng.choice([0, 0, 0, 1, 2, 3])))
    return np.ascontiguousarray(pixels[:, ::-1] if rng.random() < 0.5 else pixels)
