"""Random fields and resampling: the raw material of tissue. Everything is float32 and named by streams of a seed."""

from __future__ import annotations

from functools import lru_cache
from typing import Any
from zlib import crc32

import numpy as np
import numpy.typing as npt
from scipy import fft

Plane = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.floating[Any]]

PITCH_MM = 0.4  # pitch of the grid that tissue is drawn on, for any size
COARSE_MM = 0.8  # pitch of the grid for everything smooth
HEIGHT_MM, WIDTH_MM = 240.0, 192.0  # the detector
GRID = (round(HEIGHT_MM / PITCH_MM), round(WIDTH_MM / PITCH_MM))
COARSE_GRID = (round(HEIGHT_MM / COARSE_MM), round(WIDTH_MM / COARSE_MM))
_TILE = 512


def stream(seed: int, *names: str | int) -> np.random.Generator:
    """A random stream of its own for each name, so that leaving one thing out changes nothing else."""
    keys = [n if isinstance(n, int) else crc32(n.encode()) for n in names]
    return np.random.default_rng([seed, *keys])


@lru_cache(maxsize=8)
def _log_frequency(shape: tuple[int, int], pitch: float, corner_mm: float) -> Plane:
    """log(f^2 + corner^2) over the half plane of `rfft2`; f in cycles per mm."""
    fy = fft.fftfreq(shape[0], pitch).astype(np.float32)
    fx = fft.rfftfreq(shape[1], pitch).astype(np.float32)
    squared = fy[:, None] ** 2 + fx[None, :] ** 2 + np.float32(1.0 / corner_mm**2)
    return single(np.log(squared))


def power_law(
    rng: np.random.Generator, shape: tuple[int, int], pitch: float, beta: float, corner_mm: float = 80.0
) -> Plane:
    """Gaussian field whose power falls as 1/f^beta above 1/`corner_mm`; zero mean, unit deviation, periodic."""
    white = fft.rfft2(rng.standard_normal(shape, dtype=np.float32))
    white *= np.exp(np.float32(-beta / 4) * _log_frequency(shape, pitch, corner_mm))
    white[0, 0] = 0
    return unit(fft.irfft2(white, s=shape))


def band(rng: np.random.Generator, shape: tuple[int, int], pitch: float, scale_mm: float) -> Plane:
    """Smooth Gaussian field with details of about `scale_mm`; zero mean, unit deviation, periodic."""
    white = fft.rfft2(rng.standard_normal(shape, dtype=np.float32))
    log_f = _log_frequency(shape, pitch, 1e4)
    white *= np.exp(np.float32(-0.5 * (scale_mm / 2) ** 2) * np.exp(log_f) * np.float32(np.pi**2 / 2))
    white[0, 0] = 0
    return unit(fft.irfft2(white, s=shape))


def unit(field: Plane) -> Plane:
    """The field with zero mean and unit deviation."""
    return single((field - field.mean()) / (field.std() + 1e-9))


@lru_cache(maxsize=16)
def _cubic_matrix(n: int, factor: int) -> Plane:
    """Matrix [n*factor, n] of Catmull-Rom interpolation between pixel centres, edges held."""
    at = (np.arange(n * factor) + 0.5) / factor - 0.5
    base = np.floor(at).astype(int)
    t = at - base
    weights = (
        -0.5 * t + t**2 - 0.5 * t**3,
        1 - 2.5 * t**2 + 1.5 * t**3,
        0.5 * t + 2 * t**2 - 1.5 * t**3,
        -0.5 * t**2 + 0.5 * t**3,
    )
    matrix = np.zeros((n * factor, n), np.float32)
    for k, w in enumerate(weights):
        np.add.at(matrix, (np.arange(n * factor), np.clip(base + k - 1, 0, n - 1)), w.astype(np.float32))
    return matrix


def enlarge(field: Plane, factor: int) -> Plane:
    """The field on a grid `factor` times as fine, cubic."""
    if factor == 1:
        return field
    if factor == 2:
        return _double(_double(field).T).T
    rows, cols = field.shape
    return single(_cubic_matrix(rows, factor) @ field @ _cubic_matrix(cols, factor).T)


def _double(field: Plane) -> Plane:
    """The field with twice the rows: the taps of `_cubic_matrix` for a factor of 2, written out."""
    padded = np.pad(field, ((2, 2), (0, 0)), mode="edge")
    a, b, c, d = (np.float32(w) for w in (-0.0234375, 0.2265625, 0.8671875, -0.0703125))
    n = field.shape[0]
    rows = [padded[k : k + n] for k in range(5)]
    out = np.empty((2 * n, field.shape[1]), np.float32)
    out[0::2] = a * rows[0] + b * rows[1] + c * rows[2] + d * rows[3]
    out[1::2] = d * rows[1] + c * rows[2] + b * rows[3] + a * rows[4]
    return out


def fine_detail(rng: np.random.Generator, shape: tuple[int, int], pitch: float, beta: float) -> Plane:
    """The part of a field of unit power-law texture above the Nyquist frequency of the drawing grid, tiled."""
    white = fft.rfft2(rng.standard_normal((_TILE, _TILE), dtype=np.float32))
    log_f = _log_frequency((_TILE, _TILE), pitch, 1e4)
    nyquist = 2 * np.log(0.5 / PITCH_MM)
    white *= np.where(log_f > nyquist, np.exp(np.float32(-beta / 4) * (log_f - nyquist)), 0)
    tile = unit(fft.irfft2(white, s=(_TILE, _TILE)))
    reps = (-(-shape[0] // _TILE), -(-shape[1] // _TILE))
    return single(np.tile(tile, reps)[: shape[0], : shape[1]])


def smoothstep(x: Numbers) -> Plane:
    """0 below 0, 1 above 1, smooth between."""
    t = np.clip(x, 0, 1)
    return single(t * t * (3 - 2 * t))


def single(x: Numbers) -> Plane:
    """The numbers as float32, not copied where they are."""
    return x.astype(np.float32, copy=False)
