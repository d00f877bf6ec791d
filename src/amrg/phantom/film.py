"""From attenuation to an image: blur, tone curve, noise, uneven field, and what is on a film apart from the breast."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from amrg.phantom.population import Population
from amrg.phantom.texture import HEIGHT_MM, PITCH_MM, Plane, single, stream


@dataclass(frozen=True)
class Film:
    """A device: how it maps attenuation to presentation values."""

    white: float  # attenuation that comes out white
    steepness: float  # of the S-curve; 0 is a straight line
    middle: float
    gamma: float
    low: float
    high: float
    bits: int
    blur_mm: float
    noise: float  # deviation of the noise at 0.4 mm pixels, share of full range
    grain_mm: float
    heel: float
    tilt: float
    border: bool
    label: bool
    dust: bool


def draw_film(seed: int, full: float, population: Population) -> Film:
    """The device of an exam, exposed so that about `full` attenuation comes out white."""
    rng, devices = stream(seed, "film"), population.devices
    curved = rng.random() < devices.curved
    return Film(
        white=full * rng.uniform(0.9, 1.3),
        steepness=rng.uniform(*devices.steepness) if curved else 0.0,
        middle=rng.uniform(*devices.middle),
        gamma=float(np.exp(rng.uniform(*np.log(devices.gamma)))),
        low=rng.choice([0.0, rng.uniform(0.0, 0.06)]),
        high=rng.uniform(*devices.high),
        bits=int(rng.choice([12, 12, 14, 16])),
        blur_mm=rng.uniform(*devices.blur_mm),
        noise=float(np.exp(rng.uniform(*np.log(devices.noise)))),
        grain_mm=rng.uniform(*devices.grain_mm),
        heel=rng.normal(0, 0.06),
        tilt=rng.normal(0, 0.05),
        border=rng.random() < population.artefacts,
        label=rng.random() < 0.6,
        dust=rng.random() < population.artefacts,
    )


def reexpose(film: Film, rng: np.random.Generator) -> Film:
    """The same device for another view, exposed a little differently."""
    return replace(film, white=film.white * rng.uniform(0.95, 1.05))


def develop(rng: np.random.Generator, film: Film, attenuation: Plane, pitch: float) -> Plane:
    """Attenuation to presentation values 0..1, bright where dense."""
    x = attenuation
    if film.blur_mm / pitch > 0.3:
        x = ndimage.gaussian_filter(x, film.blur_mm / pitch, truncate=2.5)
    rows, cols = x.shape
    field = 1 + np.linspace(-film.tilt, film.tilt, rows, dtype=np.float32)[:, None]
    field = field + np.linspace(film.heel, -film.heel, cols, dtype=np.float32)[None, :]
    y = tone(film, x * (field / np.float32(film.white)))
    y += _noise(rng, film, x.shape, pitch)
    return y


def tone(film: Film, x: Plane) -> Plane:
    """The tone curve on attenuation as a share of white: monotone, 0 to `low`, white to `high`, a soft shoulder."""
    x = np.maximum(x, 0)
    x = np.where(x > 0.9, 1.15 - 0.25 * np.exp(-(x - 0.9) / 0.25), x)
    x = np.power(x / np.float32(1.15), np.float32(film.gamma))
    if film.steepness:
        x = s_curve(x, film.steepness, film.middle)
    return single(film.low + (film.high - film.low) * x)


def s_curve(x: Plane, steepness: float, middle: float) -> Plane:
    """A logistic curve about `middle` that leads 0 to 0 and 1 to 1."""
    low, high = 1 / (1 + np.exp(steepness * middle)), 1 / (1 + np.exp(-steepness * (1 - middle)))
    curved: Plane = (1 / (1 + np.exp(-steepness * (x - middle))) - low) / (high - low)
    return curved


def _noise(rng: np.random.Generator, film: Film, shape: tuple[int, ...], pitch: float) -> Plane:
    """Grain: white noise, blurred where the grain is coarser than a pixel."""
    noise = rng.standard_normal(shape, dtype=np.float32)
    sigma = film.grain_mm / pitch
    gain = film.noise * (PITCH_MM / pitch) ** 0.5
    if sigma > 0.4:
        noise = ndimage.gaussian_filter(noise, sigma, truncate=2.5)
        gain *= min(2 * np.sqrt(np.pi) * sigma, 2.5)
    noise *= np.float32(gain)
    return noise


def mark(rng: np.random.Generator, film: Film, image: Plane, text: str, free: npt.NDArray[np.bool_]) -> None:
    """Burn label, film border and dust into an image in place. The chest wall is still at the left edge.

    `free` [H, W] is where no breast is.
    """
    if film.border:
        _border(rng, image)
    if film.dust:
        _dust(rng, image)
    if film.label:
        _label(rng, image, text, free)


def _border(rng: np.random.Generator, image: Plane) -> None:
    """Unexposed film edges, bright, on some of the sides away from the chest wall."""
    pitch = HEIGHT_MM / image.shape[0]
    level = np.float32(rng.uniform(0.5, 1.0))
    widths = [int(rng.uniform(0.8, 4) / pitch) if rng.random() < 0.6 else 0 for _ in range(3)]
    image[: widths[0]] = level
    image[image.shape[0] - widths[1] :] = level
    image[:, image.shape[1] - widths[2] :] = level


def _dust(rng: np.random.Generator, image: Plane) -> None:
    """A few specks and a scratch."""
    rows, cols = image.shape
    size = max(1, round(0.3 * rows / HEIGHT_MM))
    for _ in range(int(rng.integers(1, 6))):
        r, c = int(rng.integers(rows)), int(rng.integers(cols // 2, cols))
        image[r : r + size, c : c + size] = np.float32(rng.uniform(0.5, 1.0))
    if rng.random() < 0.4:
        r, c, length = int(rng.integers(rows)), int(rng.integers(cols // 2)), int(rng.integers(40, 200))
        scale = rows // 600
        image[r : r + size, c : c + length * scale] += np.float32(rng.uniform(-0.03, 0.03))


def _label(rng: np.random.Generator, image: Plane, text: str, free: npt.NDArray[np.bool_]) -> None:
    """The view's name in the far upper corner, mirrored here because the image is mirrored later."""
    scale = image.shape[0] / HEIGHT_MM
    height = rng.uniform(6, 13)
    stamp = _stamp(text, height * scale, rng.choice([0.0, 0.0, 90.0, rng.uniform(-60, 60)]), text[0] == "R")
    top = int(rng.uniform(8, 45) * scale)
    left = image.shape[1] - stamp.shape[1] - int(rng.uniform(3, 25) * scale)
    window = (slice(top, top + stamp.shape[0]), slice(left, left + stamp.shape[1]))
    if left > 0 and free[window].all():
        image[window] = np.maximum(image[window], stamp * np.float32(rng.uniform(0.6, 1.0)))


def _stamp(text: str, height_px: float, turn: float, mirrored: bool) -> Plane:
    """Text as a mask 0..1."""
    font = ImageFont.load_default(size=max(height_px, 8))
    left, top, right, bottom = (round(x) for x in font.getbbox(text))
    image = Image.new("L", (right - left + 4, bottom - top + 4))
    ImageDraw.Draw(image).text((2 - left, 2 - top), text, fill=255, font=font)
    stamp = np.asarray(image.rotate(turn, expand=True, resample=Image.Resampling.BILINEAR), np.float32) / 255
    return single(stamp[:, ::-1] if mirrored else stamp)
