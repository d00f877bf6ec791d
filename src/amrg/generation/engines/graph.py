"""The engine of a checkpoint with a graph: the texts of `LocalEngine`, without torch and in a fraction of the time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from threadpoolctl import ThreadpoolController

from amrg.birads import AnswerForm
from amrg.core.hashing import sha256_of_text
from amrg.generation.engines.base import (
    DRAFTED,
    GREEDY,
    Generation,
    ImageFeatures,
    InProcess,
    ModelIdentity,
    Request,
    cut_at,
)
from amrg.models.checkpoint import EMBEDDED, NAME, folder_hash
from amrg.models.decoding.greedy import write_answer
from amrg.models.embedded.candidates import CELL, Candidate, cell_candidate
from amrg.models.graph.loading import GraphModel, load_graph_model
from amrg.models.graph.tower import ObservedView
from amrg.models.guard.distance import TrainingDistance
from amrg.models.settings import ModelSettings


@dataclass(frozen=True)
class GraphEngine(InProcess):
    """A loaded graph. Studies are drafted one after another: a batch has nothing to gain from so small a model."""

    name: str
    model: GraphModel
    training: TrainingDistance | None
    settings: ModelSettings
    max_batch: int = 1
    notes: tuple[str, ...] = ()
    _threads: ThreadpoolController = field(default_factory=ThreadpoolController)

    @property
    def identity(self) -> ModelIdentity:
        """That of the checkpoint, whose drafts these are."""
        return ModelIdentity(
            name=self.name,
            weights=folder_hash(self.model.folder),
            device="cpu",
            dtype="float32",
            chat_template=sha256_of_text(self.model.prompt.template),
        )

    @property
    def decoding(self) -> str:
        """By whether anything drafts its tokens."""
        return GREEDY if self.model.phrases is None else DRAFTED

    def generate(self, requests: Sequence[Request]) -> Iterator[Generation]:
        """Greedy texts with image features, one study after another."""
        for request in requests:
            with self._threads.limit(limits=1, user_api="blas"):  # threads that wait in a loop, for matrices this small
                yield self._generate(request)

    def _generate(self, request: Request) -> Generation:
        """One study's generation."""
        prompt, decoder, limit = self.model.prompt, self.model.decoder, self.settings.max_new_tokens
        observed = self.model.tower.observe(request.images, prompt.pixels)
        tokens = replace(prompt, settings=self.settings).tokens(request.views)
        places = np.flatnonzero(np.asarray(tokens) == prompt.image)
        embedded = decoder.embed(tokens)
        embedded[places] = np.concatenate([view.tokens for view in observed])
        reading = decoder.start(len(tokens) + limit)
        images = [(int(part[0]), int(part[-1]) + 1) for part in np.split(places, len(observed))]
        first = reading.read_prompt(embedded, images)
        answer = write_answer(reading, first, prompt.end_of_turn, limit, self.model.phrases)
        pooled = np.stack([view.tokens.mean(0) for view in observed]).astype(np.float64)
        return Generation(
            prompt.text(answer),
            self._features(observed),
            None if self.training is None else self.training.check(pooled),
            cut_at(answer, limit),
        )

    def _features(self, observed: Sequence[ObservedView]) -> ImageFeatures:
        """What the tower marks in a study's images."""
        grid = (self.settings.encoding.size // CELL,) * 2
        return ImageFeatures(
            tuple(_candidates(view, grid) for view in observed),
            max(view.suspicion for view in observed),
        )


def _candidates(view: ObservedView, grid: tuple[int, int]) -> tuple[Candidate, ...]:
    """A view's candidates, best first."""
    each = zip(view.cells, view.places, view.boxes, strict=True)
    return tuple(cell_candidate(int(cell), places, box, grid) for cell, places, box in each if cell >= 0)


def load_graph_engine(folder: Path = EMBEDDED, answer: AnswerForm | None = None) -> GraphEngine:
    """The engine of a checkpoint's folder with a graph; `answer` is the form that is requested of it.

    Raises:
        ModelError: a file of it is missing or damaged.
    """
    model = load_graph_model(folder)
    settings = model.settings if answer is None else model.settings.model_copy(update={"answer": answer})
    name = NAME if folder == EMBEDDED else folder.name
    return GraphEngine(name, model, TrainingDistance.load(folder), settings)
