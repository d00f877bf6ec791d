"""The engine of a model on this machine: one pass of the vision tower a study, for the text and for the features."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch

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
from amrg.models.backbones.base import Prompt, Tensors
from amrg.models.decoding.batched import INPUT, batch_prompts, decode_rows, text_of
from amrg.models.decoding.cached import decode_drafted
from amrg.models.decoding.phrases import Phrases
from amrg.models.embedded.features import read_candidates, read_suspicion, run_tower
from amrg.models.guard.distance import TrainingDistance
from amrg.models.guard.pooling import pool_tokens
from amrg.models.load import LoadedModel, load_model
from amrg.models.settings import ModelSettings
from amrg.models.threads import set_threads


@dataclass(frozen=True)
class LocalEngine(InProcess):
    """A loaded model. `max_batch` studies are decoded together.

    `training` tells how far images are from the model's training images, None where nothing is known of those.
    `phrases` draft the tokens of a study that is decoded alone, None where nothing does.
    """

    loaded: LoadedModel
    training: TrainingDistance | None
    max_batch: int = 1
    phrases: Phrases | None = None

    @property
    def identity(self) -> ModelIdentity:
        """The model's name, weights, and where and how it computes."""
        loaded = self.loaded
        template = getattr(loaded.processor, "chat_template", None)
        return ModelIdentity(
            name=loaded.name,
            weights=loaded.weights_id,
            device=loaded.model.device.type,
            dtype=str(loaded.model.dtype).removeprefix("torch."),
            chat_template=None if template is None else sha256_of_text(template),
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """What loading it had to say."""
        return self.loaded.notes

    @property
    def settings(self) -> ModelSettings:
        """Those stored with the checkpoint."""
        return self.loaded.settings

    @property
    def decoding(self) -> str:
        """By whether anything drafts its tokens."""
        return GREEDY if self.phrases is None else DRAFTED

    def generate(self, requests: Sequence[Request]) -> Iterator[Generation]:
        """Greedy texts, with image features where the model's tower locates findings."""
        for start in range(0, len(requests), self.max_batch):
            yield from self._generate_together(requests[start : start + self.max_batch])

    @torch.inference_mode()
    def _generate_together(self, requests: Sequence[Request]) -> list[Generation]:
        """The generations of one batch."""
        loaded = self.loaded
        prompts = [loaded.backbone.build_prompt(loaded.processor, loaded.settings, r.views, r.images) for r in requests]
        encoded = [self._encode(prompt) for prompt in prompts]
        image_tokens = [loaded.backbone.image_tokens(loaded.model, states) for states, _ in encoded]
        domains = [None if self.training is None else self.training.check(pool_tokens(t)) for t in image_tokens]
        together = [token for tokens in image_tokens for token in tokens]
        answers = self._decode(batch_prompts(loaded, prompts), together)
        texts = [text_of(loaded, answer) for answer in answers]
        features = [found for _, found in encoded]
        cuts = [cut_at(answer, self.settings.max_new_tokens) for answer in answers]
        return [Generation(*made) for made in zip(texts, features, domains, cuts, strict=True)]

    def _decode(self, tokens: Tensors, image_tokens: Sequence[Tensors]) -> list[list[int]]:
        """The answers to prompts [B, T], as tokens."""
        limit, alone = self.settings.max_new_tokens, len(tokens[INPUT]) == 1
        if alone and self.phrases is not None:
            return [decode_drafted(self.loaded, tokens, image_tokens, limit, self.phrases)]
        return decode_rows(self.loaded, tokens, image_tokens, limit)

    def _encode(self, prompt: Prompt) -> tuple[list[Tensors], ImageFeatures | None]:
        """The tower's output of a study's images: what the projector takes, and what the tower marks in them."""
        loaded, tower = self.loaded, self.loaded.finding_tower
        pixels = {name: tensor.to(loaded.model.device) for name, tensor in prompt.pixels.items()}
        if tower is None:
            return loaded.backbone.features(loaded.model, pixels), None
        out = run_tower(tower, pixels["pixel_values"].to(loaded.model.dtype))
        assert out.last_hidden_state is not None
        states = [{"states": states} for states in out.last_hidden_state]
        return states, ImageFeatures(read_candidates(out), read_suspicion(out))


def load_engine(model: str | None = None, max_batch: int = 1, answer: AnswerForm | None = None) -> LocalEngine:
    """Load a model by folder or hub name (None: the embedded one) with its distance from the training images.

    `answer` is the form that is requested of it; None: that of its settings.

    Raises:
        ModelError: the model is missing, gated or of no family that amrg knows; the guard's file is damaged.
    """
    loaded = load_model(model)
    if answer is not None:
        loaded = replace(loaded, settings=loaded.settings.model_copy(update={"answer": answer}))
    return local_engine(loaded, max_batch)


def local_engine(loaded: LoadedModel, max_batch: int = 1) -> LocalEngine:
    """The engine of a loaded model, with the distance from its training images where one is stored."""
    set_threads(loaded.model)
    return LocalEngine(loaded, TrainingDistance.load(loaded.guard_folder), max_batch, _phrases(loaded))


def _phrases(loaded: LoadedModel) -> Phrases | None:
    """What drafts tokens for a model: in float32 the answers stay the same, in bfloat16 a near tie may turn."""
    if loaded.model.dtype != torch.float32 or not loaded.backbone.takes_drafted_tokens:
        return None
    return Phrases.load(loaded.adapter or loaded.folder)
