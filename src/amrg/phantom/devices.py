"""What a site's devices are like: the ranges that tone, noise, grain and sharpness of each exam are drawn from."""

from __future__ import annotations

from dataclasses import dataclass

Range = tuple[float, float]


@dataclass(frozen=True)
class Devices:
    """Ranges are drawn from uniformly, those of `gamma` and `noise` log-uniformly.

    `noise` is the deviation at 0.4 mm pixels as a share of full range; `curved` the chance of an S-shaped tone curve.
    """

    curved: float = 0.6
    steepness: Range = (1.5, 5.5)
    middle: Range = (0.38, 0.6)
    gamma: Range = (0.7, 1.5)
    high: Range = (0.75, 1.0)
    blur_mm: Range = (0.0, 0.3)
    noise: Range = (0.002, 0.014)
    grain_mm: Range = (0.0, 0.35)

    def ranges(self) -> dict[str, Range]:
        """Every range by name."""
        names = ("steepness", "middle", "gamma", "high", "blur_mm", "noise", "grain_mm")
        return {name: getattr(self, name) for name in names}


USUAL = Devices()
"""The devices that every population had before sites could differ."""
