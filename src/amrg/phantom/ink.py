"""Patches that lesions are drawn on, at the pitch of the image, and points rendered to strokes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from amrg.phantom.texture import PITCH_MM, Plane, single

Box = tuple[float, float, float, float]  # left, top, right, bottom in mm
Points = npt.NDArray[np.float64]  # [n, 2] (u, v) in mm


@dataclass(frozen=True)
class Frame:
    """A rectangle of a view's pixel grid: first column and row, size, pitch in mm."""

    left: int
    top: int
    width: int
    height: int
    pitch: float

    @classmethod
    def around(cls, low: tuple[float, float], high: tuple[float, float], pitch: float) -> Frame:
        """The frame that holds the mm rectangle from `low` to `high`, each (u, v)."""
        left, top = int(np.floor(low[0] / pitch)), int(np.floor(low[1] / pitch))
        width, height = int(np.ceil(high[0] / pitch)) - left, int(np.ceil(high[1] / pitch)) - top
        return cls(left, top, max(width, 3), max(height, 3), pitch)

    def coordinates(self) -> tuple[Plane, Plane]:
        """u [1, W] and v [H, 1] in mm of the pixel centres."""
        u = (np.arange(self.left, self.left + self.width) + 0.5) * self.pitch
        v = (np.arange(self.top, self.top + self.height) + 0.5) * self.pitch
        return u.astype(np.float32)[None, :], v.astype(np.float32)[:, None]


@dataclass(frozen=True)
class Patch:
    """A lesion's signal on a frame, about 1 at its core; `box` is left, top, right, bottom in mm."""

    frame: Frame
    signal: Plane
    box: Box

    def add_to(self, canvas: Plane, amplitude: float, breast: Plane) -> None:
        """Add the signal to a canvas in place, cut to it and to the `breast` [H, W], 0 outside to 1 inside."""
        f = self.frame
        top, left = max(f.top, 0), max(f.left, 0)
        bottom, right = min(f.top + f.height, canvas.shape[0]), min(f.left + f.width, canvas.shape[1])
        if bottom <= top or right <= left:
            return
        part = self.signal[top - f.top : bottom - f.top, left - f.left : right - f.left]
        canvas[top:bottom, left:right] += np.float32(amplitude) * part * breast[top:bottom, left:right]


def spray(points: Points, weights: npt.NDArray[np.float64], sigma_mm: float, frame: Frame) -> Plane:
    """Blurred points: an isolated point of weight 1 peaks at 1 on the drawing grid, its mass kept at any pitch."""
    col, row = points[:, 0] / frame.pitch - 0.5 - frame.left, points[:, 1] / frame.pitch - 0.5 - frame.top
    c0, r0 = np.floor(col).astype(int), np.floor(row).astype(int)
    fc, fr = col - c0, row - r0
    flat = np.zeros(frame.height * frame.width)
    for dr, dc, share in ((0, 0, (1 - fr) * (1 - fc)), (0, 1, (1 - fr) * fc), (1, 0, fr * (1 - fc)), (1, 1, fr * fc)):
        r, c = r0 + dr, c0 + dc
        keep = (r >= 0) & (r < frame.height) & (c >= 0) & (c < frame.width)
        flat += np.bincount(r[keep] * frame.width + c[keep], (weights * share)[keep], frame.height * frame.width)
    drawn_sigma = max(sigma_mm, 0.45 * PITCH_MM)
    mass = 2 * np.pi * (drawn_sigma / frame.pitch) ** 2
    canvas = flat.reshape(frame.height, frame.width).astype(np.float32) * np.float32(mass)
    return single(ndimage.gaussian_filter(canvas, max(sigma_mm / frame.pitch, 0.4), truncate=3.0))


def stroke(path: Points, frame_pitch: float, sigma_mm: float) -> tuple[Points, npt.NDArray[np.float64]]:
    """Points along a polyline and the weights that make `spray` draw it as a line of height 1."""
    legs = np.hypot(*np.diff(path, axis=0).T)
    along = np.concatenate([[0], np.cumsum(legs)])
    step = 0.4 * min(frame_pitch, 2 * sigma_mm)
    n = max(int(along[-1] / step), 2)
    at = np.linspace(0, along[-1], n)
    points = np.stack([np.interp(at, along, path[:, k]) for k in (0, 1)], axis=1)
    weight = (along[-1] / n) / (max(sigma_mm, 0.45 * PITCH_MM) * np.sqrt(2 * np.pi))
    return points, np.full(n, weight)


def bounds(signal: Plane, frame: Frame, floor: float = 0.12) -> Box:
    """The box in mm where a signal is above a share of its height."""
    strong = np.abs(signal) > floor * np.abs(signal).max()
    rows, cols = np.flatnonzero(strong.any(axis=1)), np.flatnonzero(strong.any(axis=0))
    p = frame.pitch
    return (
        (frame.left + cols[0]) * p,
        (frame.top + rows[0]) * p,
        (frame.left + cols[-1] + 1) * p,
        (frame.top + rows[-1] + 1) * p,
    )
