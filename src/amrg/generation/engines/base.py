"""What every engine is to amrg: requests in, generations out, in order. Loads no model library."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from amrg.birads import Laterality, View
from amrg.core.values import Value
from amrg.models.embedded.candidates import Candidate
from amrg.models.errors import ModelError
from amrg.models.guard.distance import DomainCheck
from amrg.models.settings import ModelSettings

Image = npt.NDArray[np.uint8]

GREEDY = "greedy"
DRAFTED = "greedy, with drafted tokens where a study is decoded alone"
"""In float32 the same texts as greedy, token by token (docs/decisions/0031-a-graph-and-numpy.md)."""


class EngineLost(ModelError):
    """An engine that can draft no more: its server is away, or answers otherwise than at the start."""


class EngineDrifted(EngineLost):
    """An engine that answers otherwise than at the start; it was seen to answer alike `since`, seconds since 1970."""

    def __init__(self, message: str, since: float) -> None:
        super().__init__(message)
        self.since = since

    def withdrawing(self, what: str) -> EngineDrifted:
        """The same, and that so much of what was drafted `since` was withdrawn."""
        return EngineDrifted(
            f"{self}; {what} after that withdrawn: run the same command again to draft again", self.since
        )

    def __reduce__(self) -> tuple[type[EngineDrifted], tuple[str, float]]:
        """With both arguments, so that it can leave a process."""
        return type(self), (str(self), self.since)


class ServerLost(EngineLost):
    """A server that does not answer, after all tries."""


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
    """What a model's vision tower found in a study's images.

    `candidates` are the places that it marks, view by view in the request's order; `suspicion` is how suspicious the
    exam is, 0 to 1.
    """

    candidates: tuple[tuple[Candidate, ...], ...]
    suspicion: float


@dataclass(frozen=True)
class Generation:
    """What a model made of a request: its text, and its image features where the engine has them (no remote one has).

    `domain` says how far the images are from its training images, None where the engine does not know those. `cut_at`
    is the limit of tokens that the text reached before its end, None where it ended.
    """

    text: str
    features: ImageFeatures | None = None
    domain: DomainCheck | None = None
    cut_at: int | None = None


def cut_at(answer: Sequence[int], limit: int) -> int | None:
    """The limit of tokens where an answer, without its end, reached it."""
    return limit if len(answer) >= limit else None


@dataclass(frozen=True)
class Unanswered:
    """Why a request has no text: its answer was cut at the length limit, or the engine refused it. One line."""

    message: str


class InProcess:
    """An engine in this process, where nothing can exchange its model."""

    def confirm(self) -> None:
        """As `Engine.confirm`: there is nothing to look at."""


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

    @property
    def notes(self) -> tuple[str, ...]:
        """Lines about it for the user."""

    @property
    def decoding(self) -> str:
        """How its texts are decoded: `GREEDY` or `DRAFTED`."""

    def generate(self, requests: Sequence[Request]) -> Iterator[Generation | Unanswered]:
        """A generation a request, or why it has none, in order; decoded greedily: same requests, same texts.

        Raises:
            ModelError: the engine is lost, or answers no longer as the model that it was.
        """

    def confirm(self) -> None:
        """At the end of a run: its last answers are those of the model that it was at the start.

        Raises:
            EngineDrifted: it answers otherwise now.
            ModelError: the engine is lost.
        """
