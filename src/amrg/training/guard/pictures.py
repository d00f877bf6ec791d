"""Pictures to fit and test the guard on, each read and hung as a file of a study would be, and measured."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from zlib import crc32

import numpy as np

from amrg.birads import Laterality
from amrg.imaging.framing import find_breast
from amrg.imaging.header import Header
from amrg.imaging.image import Pixels, StoredValues
from amrg.imaging.pixels.outside import outside_image
from amrg.imaging.pixels.polarity import is_negative
from amrg.models.guard.measures import Numbers, measure_picture
from amrg.phantom import POPULATIONS, Size, draw_exam
from amrg.training.guard.altered import SPOILT, varied
from amrg.training.guard.anatomy import ANATOMY
from amrg.training.guard.pages import PAGES, photograph, photographs_in
from amrg.training.guard.shapes import Rng
from amrg.training.tower.films import ListedFilm, read_films, read_scene

log = logging.getLogger("amrg.training")
DRAWN_FIRST_SEED = 1_500_000
_DARKEST = 1e-3


@dataclass(frozen=True)
class Picture:
    """A picture to make: its kind, whether it is a mammogram, and the function of a generator that makes it."""

    kind: str
    is_mammogram: bool
    make: Callable[[Rng], Pixels]
    seed: int


@dataclass(frozen=True)
class Measured:
    """Kinds, what is a mammogram, and measures [pictures, measures] of all pictures that show anything."""

    kinds: tuple[str, ...]
    is_mammogram: np.ndarray[tuple[int], np.dtype[np.bool_]]
    numbers: Numbers


def mammograms(films: Path, exams: int) -> Iterator[Picture]:
    """Every film as it is and once varied; the views of `exams` exams of every drawn population likewise."""
    for index, film in enumerate(f for f in read_films(films) if f.source != "crops"):
        for suffix, change in (("", None), (", varied", varied)):
            yield Picture(film.source + suffix, True, partial(_film, film, change), index)
    for number, name in enumerate(POPULATIONS):
        for index in range(exams * 4):
            change = varied if index % 2 else None
            seed = DRAWN_FIRST_SEED + 1000 * number + index // 4
            yield Picture(f"drawn {name}", True, partial(_drawn, name, seed, index % 4, change), seed)


def other_pictures(films: Path, each: int, photographs: str) -> Iterator[Picture]:
    """`each` pictures of every kind that is no mammogram; photographs of an installed package."""
    for kind, draw in (PAGES | ANATOMY).items():
        yield from (Picture(kind, False, draw, i) for i in range(each))
    files = photographs_in(photographs)
    yield from (Picture("photograph", False, partial(photograph, files=files), i) for i in range(2 * each))
    listed = [f for f in read_films(films) if f.source != "crops"]
    for kind, spoil in SPOILT.items():
        for i in range(each):
            film = listed[(7 * i + crc32(kind.encode())) % len(listed)]
            yield Picture(f"{kind}, {film.source.split('-')[0]}", False, partial(_film, film, spoil), i)


def measure_all(pictures: Iterable[Picture], processes: int = 2) -> Measured:
    """Make and measure pictures; the same list, the same numbers."""
    listed = list(pictures)
    rows = []
    with get_context("spawn").Pool(processes) as pool:
        for row in pool.imap(_measure, listed, chunksize=16):
            rows.append(row)
            if len(rows) % 500 == 0:
                log.info("measured %d of %d pictures", len(rows), len(listed))
    read = [(p, row) for p, row in zip(listed, rows, strict=True) if row is not None]
    return Measured(
        tuple(p.kind for p, _ in read),
        np.array([p.is_mammogram for p, _ in read]),
        np.stack([row for _, row in read]),
    )


def _measure(picture: Picture) -> Numbers | None:
    rng = np.random.default_rng((crc32(picture.kind.encode()), picture.seed))
    read = as_read(picture.make(rng))
    return None if read is None else measure_picture(read, Laterality.LEFT)


def as_read(pixels: Pixels) -> Pixels | None:
    """A picture as reading a file of it gives it, hung with its bright part at the left; None where it is blank."""
    stored = np.rint(np.clip(pixels, 0, 1) * 255).astype(np.float32)
    values = stored / np.float32(255)
    hidden = outside_image(StoredValues.of(stored), Header(), []).hidden
    if is_negative(values, hidden):
        values = 1 - values
    if hidden is not None:
        values = np.where(hidden, np.float32(0), values)
    if np.ptp(values) < _DARKEST:
        return None
    mask, _ = find_breast(values, Laterality.LEFT)
    at_left = float(np.nonzero(mask)[1].mean()) < mask.shape[1] / 2
    return np.ascontiguousarray(values if at_left else values[:, ::-1])


def _film(film: ListedFilm, change: Callable[[Pixels, Rng], Pixels] | None, rng: Rng) -> Pixels:
    pixels = read_scene(film).pixels
    return pixels if change is None else change(pixels, rng)


def _drawn(population: str, seed: int, view: int, change: Callable[[Pixels, Rng], Pixels] | None, rng: Rng) -> Pixels:
    drawn = draw_exam(seed, Size.SMALL, POPULATIONS[population]).views[view]
    pixels = drawn.pixels.astype(np.float32) / np.float32(2**drawn.bits_stored - 1)
    if drawn.laterality is Laterality.RIGHT:
        pixels = np.ascontiguousarray(pixels[:, ::-1])
    return pixels if change is None else change(pixels, rng)
