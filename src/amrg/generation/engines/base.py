"""What every engine is to amrg: requests in, generations out, in order. Loads no model library."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from amrg.birads import Laterality, View
from amrg.core.values import Value
from amrg.models.embedded.candidates import Candidate
from amrg.models.embedded.guard import Guard
from amrg.models.settings import ModelSettings

Image = npt.NDArray[np.uint8]


class ModelIdentity(Value):
    """Which model an engine asks, as manifests and provenance state it.

    `weights` is the SHA-256 of the weights, or the hub's commit where they are in the hub's cache; `chat_template` is
    the SHA-256 of the template that makes the prompt. None where the engine cannot know.
    """

    name: str
    weights: str | None
    device: str
    dtype: str
    chat_template: str | None


@dataclass(frozen=True)
class Request:
    """One study as an engine takes it: sides and projections in hanging order, and an image uint8 [H, W, 3] of each."""

    views: tuple[tuple[Laterality, View], ...]
    images: tuple[Image, ...]


@dataclass(frozen=True)
class ImageFeatures:
    """What a model's vision tower measured of a study's images, for the finding places and the domain guard.

    `candidates` are the places that it marks, view by view in the request's order; `suspicion` is how suspicious the
    exam is, 0 to 1. `statistics` are float64 [views, features]; `guard` knows those of training images, None where none
    was fitted.
    """

    candidates: tuple[tuple[Candidate, ...], ...]
    suspicion: float
    statistics: npt.NDArray[np.float64]
    guard: Guard | None


@dataclass(frozen=True)
class Generation:
    """What a model made of a request: its text, and its image features where the engine has them (no remote one has).

    `text` is None where the features were not accepted, and nothing was decoded.
    """

    text: str | None
    features: ImageFeatures | None = None


Accept = Callable[[ImageFeatures], bool]
"""Whether a text is to be decoded for images with these features."""


class Engine(Protocol):
    """A model that drafts, here or elsewhere."""

    @property
    def identity(self) -> ModelIdentity:
        """Which model it is."""

    @property
    def settings(self) -> ModelSettings:
        """How its images and its prompt are made."""

    @property
    def max_batch(self) -> int:
        """How many requests it takes together."""

    def generate(self, requests: Sequence[Request], accept: Accept | None = None) -> Iterator[Generation]:
        """A generation a request, in order, decoded greedily: same requests, same texts.

        An engine that has image features asks `accept` (None: all are accepted) before it decodes; others ignore it.
        """
