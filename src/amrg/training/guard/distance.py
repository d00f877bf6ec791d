"""Fitting the embedded model's distance from its training images: real films one by one, drawn exams of four views."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from amrg.birads import Laterality, View
from amrg.models.backbones.base import Images, Views
from amrg.models.guard.distance import TrainingDistance, fit_distance
from amrg.models.guard.pooling import pool_tokens
from amrg.models.guard.storage import Numbers
from amrg.models.load import LoadedModel
from amrg.training.embedded.phantom_shards import VIEW_ORDER, DrawJob, load_shard
from amrg.training.tower.film_shards import usable_films
from amrg.training.tower.films import frame_scene, read_scene

FILMS = 400
EXAMS = 100


def fit_guard(
    loaded: LoadedModel, films: Path, sources: Collection[str], shards: Sequence[DrawJob]
) -> TrainingDistance:
    """The distance from films of some sources and from drawn exams; `save` writes it next to the checkpoint.

    Minutes on one core, for any weights. The model is on whatever device it was loaded to.
    """
    real = [pool_study(loaded, views, images) for views, images in film_studies(films, sources)]
    drawn = [pool_study(loaded, VIEW_ORDER, list(exam)) for exam in _drawn_exams(shards)]
    return fit_distance([*real, *drawn])


@torch.inference_mode()
def pool_study(loaded: LoadedModel, views: Views, images: Images) -> Numbers:
    """A study's pooled image tokens [views, width], as drafting has them."""
    prompt = loaded.backbone.build_prompt(loaded.processor, loaded.settings, views, images)
    pixels = {name: tensor.to(loaded.model.device) for name, tensor in prompt.pixels.items()}
    return pool_tokens(loaded.backbone.image_tokens(loaded.model, loaded.backbone.features(loaded.model, pixels)))


def film_studies(films: Path, sources: Collection[str]) -> Iterator[tuple[Views, Images]]:
    """Studies of one film each, evenly spread over the folder's parts of some sources."""
    listed = [film for film in usable_films(films) if film.source in sources]
    for film in listed[:: max(1, len(listed) // FILMS)]:
        image, _ = frame_scene(read_scene(film), 512)
        yield ((Laterality.LEFT, View(film.record["view"])),), (image,)


def _drawn_exams(shards: Sequence[DrawJob]) -> Iterator[npt.NDArray[np.uint8]]:
    """Exams [4, size, size, 3], evenly spread over the shards."""
    each = max(1, EXAMS // max(1, len(shards)))
    for job in shards:
        yield from load_shard(job).images[:each]
