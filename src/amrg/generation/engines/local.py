"""The engine of a model on this machine: one pass of the vision tower a study, for the text and for the features."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch

from amrg.birads import AnswerForm
from amrg.core.hashing import sha256_of_text
from amrg.generation.engines.base import Accept, Generation, ImageFeatures, ModelIdentity, Request
from amrg.models.backbones.base import Prompt, Tensors
from amrg.models.decode import batch_prompts, decode_texts
from amrg.models.embedded.features import feature_maps, read_candidates, read_suspicion, run_tower, view_statistics
from amrg.models.embedded.guard import Guard
from amrg.models.load import LoadedModel, load_model
from amrg.models.settings import ModelSettings
from amrg.models.threads import set_threads


@dataclass(frozen=True)
class LocalEngine:
    """A loaded model, and its guard where it has one. `max_batch` studies are decoded together."""

    loaded: LoadedModel
    guard: Guard | None
    max_batch: int = 1

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
    def settings(self) -> ModelSettings:
        """Those stored with the checkpoint."""
        return self.loaded.settings

    def generate(self, requests: Sequence[Request], accept: Accept | None = None) -> Iterator[Generation]:
        """Greedy texts, with image features where the model's tower locates findings."""
        for start in range(0, len(requests), self.max_batch):
            yield from self._generate_together(requests[start : start + self.max_batch], accept)

    @torch.inference_mode()
    def _generate_together(self, requests: Sequence[Request], accept: Accept | None) -> list[Generation]:
        """The generations of one batch."""
        loaded = self.loaded
        prompts = [loaded.backbone.build_prompt(loaded.processor, loaded.settings, r.views, r.images) for r in requests]
        encoded = [self._encode(prompt) for prompt in prompts]
        accepted = [accept is None or features is None or accept(features) for _, features in encoded]
        chosen = [i for i, yes in enumerate(accepted) if yes]
        if not chosen:
            return [Generation(None, features) for _, features in encoded]
        image_tokens = [t for i in chosen for t in loaded.backbone.image_tokens(loaded.model, encoded[i][0])]
        tokens = batch_prompts(loaded, [prompts[i] for i in chosen])
        texts = dict(zip(chosen, decode_texts(loaded, tokens, image_tokens, self.settings.max_new_tokens), strict=True))
        return [Generation(texts.get(i), features) for i, (_, features) in enumerate(encoded)]

    def _encode(self, prompt: Prompt) -> tuple[list[Tensors], ImageFeatures | None]:
        """The tower's output of a study's images: what the projector takes, and what the tower marks in them."""
        loaded, tower = self.loaded, self.loaded.finding_tower
        pixels = {name: tensor.to(loaded.model.device) for name, tensor in prompt.pixels.items()}
        if tower is None:
            return loaded.backbone.features(loaded.model, pixels), None
        out = run_tower(tower, pixels["pixel_values"].to(loaded.model.dtype))
        features = ImageFeatures(
            read_candidates(out),
            read_suspicion(out),
            view_statistics(feature_maps(out), prompt.pixels["pixel_values"].float()),
            self.guard,
        )
        assert out.last_hidden_state is not None
        return [{"states": states} for states in out.last_hidden_state], features


def load_engine(model: str | None = None, max_batch: int = 1, answer: AnswerForm | None = None) -> LocalEngine:
    """Load a model by folder or hub name (None: the embedded one) with the guard stored with it.

    `answer` is the form that is requested of it; None: that of its settings.

    Raises:
        ModelError: the model is missing, gated or of no family that amrg knows.
    """
    loaded = load_model(model)
    if answer is not None:
        loaded = replace(loaded, settings=loaded.settings.model_copy(update={"answer": answer}))
    return local_engine(loaded, max_batch)


def local_engine(loaded: LoadedModel, max_batch: int = 1) -> LocalEngine:
    """The engine of a loaded model, with the guard of its tower where one is stored."""
    set_threads(loaded.model)
    return LocalEngine(loaded, Guard.load(loaded.guard_folder), max_batch)
