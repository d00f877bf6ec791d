"""Real views framed once for the tower and stored as memory-mapped images, in several versions.

Version 0 is every image as it is. Later versions are as from other devices (`amrg.training.tower.film_devices`), and in
even ones lesions were exchanged for tissue and lesions of other patients pasted in
(`amrg.training.tower.films.Collage`). Same folder of films, same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import numpy.typing as npt

from amrg.birads import Laterality, View
from amrg.core.cores import available_cores
from amrg.imaging import NippleView, find_nipple
from amrg.training.tower.film_devices import other_device
from amrg.training.tower.films import CROPS, Collage, FilmScene, Lesion, ListedFilm, frame_scene, read_films, read_scene
from amrg.training.tower.labelled_views import (
    LISTED,
    SURE,
    UNKNOWN,
    LabelledView,
    Source,
    density_of,
    film_lesion,
    film_suspicion,
    with_place,
)

COLUMNS = 3 / 4  # of the side: breasts are seldom wider than that
OUTCOMES = {"normal": 0.0, "malignant": 1.0}  # of images without marked lesions; benign ones are not used for suspicion
UNMARKED = "cesm-cc"


@dataclass(frozen=True)
class FilmView:
    """A labelled view with the image it was made from."""

    film: ListedFilm
    labelled: LabelledView


@dataclass(frozen=True)
class FilmJob:
    """One image in one version."""

    films: Path
    index: int
    version: int
    size: int
    held_out: int


@dataclass(frozen=True)
class _Framed:
    image: npt.NDArray[np.uint8]
    lesions: tuple[Lesion, ...]


def held_out_fold(model: Path) -> int:
    """The part of the patients that the model of a folder was not trained on, by its recipe."""
    fold: int = json.loads((model / "recipe.json").read_text(encoding="utf-8"))["tower"]["held_out"]
    return fold


@lru_cache(maxsize=1)
def usable_films(folder: Path) -> tuple[ListedFilm, ...]:
    """Every image but crops, without patients that the official test films share."""
    return tuple(f for f in read_films(folder) if f.source != CROPS and not f.record.get("also_in_test"))


@lru_cache(maxsize=1)
def _collage(folder: Path, held_out: int) -> Collage:
    """Pastes crops of all patients but those of one fold."""
    return Collage([f for f in read_films(folder) if f.source == CROPS and f.fold != held_out])


def film_views(films: Path, cache: Path, version: int, size: int, held_out: int) -> list[FilmView]:
    """All views of a version, framed in squares of `size` pixels of which the first three quarters are stored.

    Of patients in the fold `held_out` there is only version 0, and none of their lesions is pasted into others.
    """
    listed = [(i, film) for i, film in enumerate(usable_films(films)) if version == 0 or film.fold != held_out]
    stem = cache / f"views-v{version}-{size}-without-{held_out}"
    if not stem.with_suffix(".json").is_file():
        work = [FilmJob(films, i, version, size, held_out) for i, _ in listed]
        _write(stem, work)
    images = np.load(stem.with_suffix(".npy"), mmap_mode="r")
    lesions = json.loads(stem.with_suffix(".json").read_text(encoding="utf-8"))
    return [
        FilmView(film, _labelled(film, image, [Lesion(tuple(box), labels) for box, labels in found]))
        for (_, film), image, found in zip(listed, images, lesions, strict=True)
    ]


def _write(stem: Path, work: Sequence[FilmJob]) -> None:
    """Frame all images of a version; the list of lesions comes last and marks it as complete."""
    stem.parent.mkdir(parents=True, exist_ok=True)
    size = work[0].size
    shape = (len(work), size, round(COLUMNS * size), 3)
    images = np.lib.format.open_memmap(stem.with_suffix(".npy"), "w+", np.uint8, shape)
    lesions = []
    with get_context("spawn").Pool(available_cores()) as pool:
        for i, framed in enumerate(pool.imap(_frame, work, chunksize=8)):
            images[i] = framed.image
            lesions.append([[x.box, x.labels] for x in framed.lesions])
    images.flush()
    partial = stem.with_suffix(".partial")
    partial.write_text(json.dumps(lesions), encoding="utf-8")
    partial.rename(stem.with_suffix(".json"))


def _frame(job: FilmJob) -> _Framed:
    film = usable_films(job.films)[job.index]
    image, lesions = frame_scene(_scene(film, job), job.size)
    return _Framed(image[:, : round(COLUMNS * job.size)], lesions)


def _scene(film: ListedFilm, job: FilmJob) -> FilmScene:
    """The image in its version, determined by version and place in the list."""
    scene = read_scene(film)
    if job.version == 0:
        return scene
    rng = np.random.default_rng((job.version, job.index))
    if job.version % 2 == 0:
        scene = _collage(job.films, job.held_out).version(scene, rng)
    return other_device(scene, rng)


def _labelled(film: ListedFilm, image: npt.NDArray[np.uint8], lesions: Sequence[Lesion]) -> LabelledView:
    """A framed image with what is known of it."""
    view = View(film.record["view"])
    nipple = _nipple(image)
    placed = tuple(with_place(film_lesion(lesion, view), nipple, view) for lesion in lesions)
    outcome = film.record.get("outcome")
    normal = outcome == "normal" and not lesions
    source = Source.FILM if film.source == "cbis" else Source.DIGITAL
    suspicion = film_suspicion(placed) if film.source != UNMARKED or lesions else OUTCOMES.get(str(outcome))
    absence = SURE if normal else UNKNOWN if film.source == UNMARKED else LISTED
    return LabelledView(image, view, placed, density_of(film.record), suspicion, source, absence)


def _nipple(image: npt.NDArray[np.uint8]) -> NippleView | None:
    """The nipple of a stored view, chest wall at the left."""
    breast = np.zeros((len(image), len(image)), np.bool_)
    breast[:, : image.shape[1]] = image[..., 0] > 0
    return find_nipple(breast, Laterality.LEFT)
