"""Pictures that are no images of a body: pages of text, charts, screens, textures, shapes, and photographs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import matplotlib as mpl
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from amrg.training.guard.shapes import Pixels, Rng, cloud

_LETTERS = "etaoinshrdlucmfwypvbgkjqxz"
PHOTOGRAPHS = ("png", "jpg", "jpeg")
_SMALLEST = 128  # pixels of the shorter side of a photograph that is used


def text_page(rng: Rng) -> Pixels:
    """A page, or part of one, in one of many fonts and sizes, dark on light or light on dark."""
    width, height = int(rng.integers(400, 1100)), int(rng.integers(400, 1100))
    paper, ink = (int(rng.integers(215, 256)), int(rng.integers(0, 70)))
    page = Image.new("L", (width, height), paper)
    pen, size, margin = ImageDraw.Draw(page), int(rng.integers(9, 44)), int(rng.integers(5, 90))
    font, heading = (ImageFont.truetype(_font(rng), scale) for scale in (size, round(1.7 * size)))
    y = margin
    while y < height - margin:
        title = rng.random() < 0.06
        if rng.random() < 0.08:
            y += 2 * size
        end = width - margin - (int(rng.integers(0, width // 2)) if rng.random() < 0.25 else 0)
        line = _line(rng, round((end - margin) / size / (0.9 if title else 0.5)))
        pen.text((margin, y), line, fill=ink, font=heading if title else font)
        y += round((2.2 if title else rng.uniform(1.15, 1.5)) * size)
    return _scanned(page, rng)


def chart(rng: Rng) -> Pixels:
    """Axes with lines or bars, tables, screens of windows and buttons."""
    width, height = int(rng.integers(400, 1100)), int(rng.integers(400, 1000))
    page = Image.new("L", (width, height), int(rng.choice([0, 20, 240, 255, 255])))
    pen, font = ImageDraw.Draw(page), ImageFont.truetype(_font(rng), int(rng.integers(10, 22)))
    for _ in range(int(rng.integers(3, 30))):
        x, y = rng.integers(0, width), rng.integers(0, height)
        right, bottom = x + rng.integers(10, width // 2), y + rng.integers(10, height // 2)
        grey = int(rng.integers(0, 256))
        kind = rng.integers(4)
        if kind == 0:
            pen.rectangle((x, y, right, bottom), outline=grey, fill=int(rng.integers(0, 256)), width=2)
        elif kind == 1:
            steps = np.cumsum(rng.standard_normal(60)) * height / 60 + y
            pen.line(list(zip(np.linspace(x, right, 60).tolist(), steps.tolist(), strict=True)), fill=grey, width=3)
        elif kind == 2:
            pen.text((x, y), _line(rng, 30), fill=grey, font=font)
        else:
            for column in np.linspace(x, right, 9)[:-1]:
                top = bottom - rng.uniform(0.1, 1) * (bottom - y)
                pen.rectangle((column, top, column + (right - x) / 12, bottom), fill=grey)
    return _scanned(page, rng)


def texture(rng: Rng) -> Pixels:
    """Clouds, grain, waves, from edge to edge or in a spot."""
    shape = (int(rng.integers(200, 500)), int(rng.integers(200, 500)))
    made = cloud(shape, rng, rng.uniform(0, 2.5)) * rng.uniform(0.05, 0.3) + rng.uniform(0.2, 0.8)
    y, x = np.mgrid[: shape[0], : shape[1]] / 100
    if rng.random() < 0.4:
        turn, pitch = rng.uniform(0, 3.2), rng.uniform(2, 40)
        made = made + rng.uniform(0.05, 0.4) * np.sin(pitch * (x * np.cos(turn) + y * np.sin(turn)))
    if rng.random() < 0.3:
        made = made * np.exp(-((x - x.mean()) ** 2 + (y - y.mean()) ** 2) / rng.uniform(0.3, 3))
    return np.asarray(np.clip(made, 0, 1), np.float32)


def flat_shapes(rng: Rng) -> Pixels:
    """Next to nothing: gradients, circles, boxes and grids, with a little noise."""
    shape = (int(rng.integers(200, 500)), int(rng.integers(200, 500)))
    y, x = np.mgrid[: shape[0], : shape[1]] / max(shape)
    made = rng.uniform(0, 1) * x + rng.uniform(-1, 1) * y if rng.random() < 0.5 else np.zeros(shape)
    for _ in range(int(rng.integers(0, 6))):
        at, size = rng.uniform(0, 1, 2), rng.uniform(0.03, 0.5, 2)
        kind = rng.integers(3)
        inside = np.hypot((x - at[0]) / size[0], (y - at[1]) / size[1]) < 1
        if kind == 1:
            inside = (np.abs(x - at[0]) < size[0]) & (np.abs(y - at[1]) < size[1])
        elif kind == 2:
            inside = (np.floor(x / size[0] * 4) + np.floor(y / size[0] * 4)) % 2 > 0
        made = np.where(inside, made + rng.uniform(-0.8, 1), made)
    made = (made - made.min()) / max(1e-6, np.ptp(made)) if np.ptp(made) > 0 else made + rng.uniform(0, 1)
    return np.clip(made + rng.uniform(0.001, 0.05) * rng.standard_normal(shape), 0, 1).astype(np.float32)


def photograph(rng: Rng, files: Sequence[Path]) -> Pixels:
    """Part of a photograph, of any proportions, turned or not, brighter or darker."""
    image = _photograph(files[int(rng.integers(len(files)))])
    scale = rng.uniform(0.4, 1.0) ** 0.5
    width, height = (max(64, round(side * min(1.0, scale * rng.uniform(0.7, 1.3)))) for side in image.size)
    left, top = int(rng.integers(0, image.width - width + 1)), int(rng.integers(0, image.height - height + 1))
    pixels = np.asarray(image.crop((left, top, left + width, top + height)), np.float32) / np.float32(255)
    pixels = np.rot90(pixels, int(rng.choice([0, 0, 0, 1, 3])))
    made = pixels ** rng.uniform(0.5, 1.8) * rng.uniform(0.7, 1.0)
    return np.ascontiguousarray(made[:, ::-1] if rng.random() < 0.5 else made, np.float32)


def photographs_in(package: str) -> list[Path]:
    """Pictures of a usable size that an installed package ships; the package is not imported.

    Raises:
        FileNotFoundError: the package is not installed, or ships none.
    """
    spec = find_spec(package)
    roots = list(spec.submodule_search_locations or ()) if spec is not None else []
    found = sorted(f for root in roots for end in PHOTOGRAPHS for f in Path(root).rglob(f"*.{end}"))
    found = [f for f in found if min(_size(f)) >= _SMALLEST and "test" not in f.parts and "tests" not in f.parts]
    if not found:
        raise FileNotFoundError(f"no pictures of the package {package}: `make guard` installs it")
    return found


def _size(file: Path) -> tuple[int, int]:
    with Image.open(file) as image:
        return int(image.width), int(image.height)


@lru_cache(maxsize=64)
def _photograph(file: Path) -> Image.Image:
    image = Image.open(file).convert("L")
    image.thumbnail((640, 640))
    return image


@lru_cache(maxsize=1)
def _fonts() -> tuple[Path, ...]:
    """matplotlib's fonts for text."""
    return tuple(sorted((Path(mpl.get_data_path()) / "fonts" / "ttf").glob("DejaVuS*.ttf")))


def _font(rng: Rng) -> Path:
    return _fonts()[int(rng.integers(len(_fonts())))]


def _line(rng: Rng, length: int) -> str:
    """Words of random letters, as common as in English."""
    words, count = [], 0
    while count < length:
        word = "".join(_LETTERS[min(25, int(rng.exponential(6)))] for _ in range(int(rng.integers(1, 10))))
        words.append(word.capitalize() if rng.random() < 0.15 else word)
        count += len(word) + 1
    return " ".join(words)


def _scanned(page: Image.Image, rng: Rng) -> Pixels:
    """As a scanner or a screen gives it: inverted in some, turned a little, noisy."""
    if rng.random() < 0.25:
        page = page.point(lambda value: 255 - value)
    if rng.random() < 0.3:
        page = page.rotate(rng.uniform(-4, 4), Image.Resampling.BILINEAR, fillcolor=page.getpixel((0, 0)))
    made = np.asarray(page, np.float32) / np.float32(255)
    return np.clip(made + rng.uniform(0, 0.03) * rng.standard_normal(made.shape), 0, 1).astype(np.float32)


PAGES: dict[str, Callable[[Rng], Pixels]] = {
    "text": text_page,
    "chart": chart,
    "texture": texture,
    "shapes": flat_shapes,
}
"""What is drawn, by its name."""
