"""The engine of a model on this machine: one pass of the vision tower a study, for the text and for the features."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from amrg.core.hashing import sha256_of_text
from amrg.generation.engines.base import Accept, Generation, ImageFeatures, ModelIdentity, Request
from amrg.models.backbones.base import Prompt, Tensors
from amrg.models.decode import batch_prompts, decode_texts
from amrg.models.embedded.features import run_tower, view_statistics
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
        """Greedy texts, with image features where the model has heads to read them."""
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
        """The tower's features of a study's images: what the projector takes, and what the heads read in them."""
        loaded = self.loaded
        pixels = {name: tensor.to(loaded.model.device) for name, tensor in prompt.pixels.items()}
        if loaded.heads is None:
            return loaded.backbone.features(loaded.model, pixels), None
        images = pixels["pixel_values"].to(loaded.model.dtype)
        stages = run_tower(loaded.model.model.vision_tower, images)
        read = tuple(stage.float().cpu() for stage in stages)
        cells = loaded.heads.cells(read[-2].flatten(2).transpose(1, 2)).sigmoid().numpy()
        features = ImageFeatures(cells, view_statistics(read, prompt.pixels["pixel_values"].float()), self.guard)
        return [{"states": states} for states in stages[-1]], features


def load_engine(model: str | None = None, max_batch: int = 1) -> LocalEngine:
    """Load a model by folder or hub name (None: the embedded one) with the guard stored with it.

    Raises:
        ModelError: the model is missing, gated or of no family that amrg knows.
    """
    return local_engine(load_model(model), max_batch)


def local_engine(loaded: LoadedModel, max_batch: int = 1) -> LocalEngine:
    """The engine of a loaded model, with the guard stored with its weights."""
    set_threads(loaded.model)
    return LocalEngine(loaded, Guard.load(loaded.folder), max_batch)
