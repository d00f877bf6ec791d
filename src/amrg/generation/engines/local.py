"""The engine: a loaded model with its guard, from pictures to text and to what its features say place by place."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from amrg.models.backbones.base import DecodingSettings, Images, Views
from amrg.models.embedded.features import extract_features, view_statistics
from amrg.models.embedded.guard import Array, Guard
from amrg.models.load import LoadedModel, load_model


@dataclass(frozen=True)
class ImageFeatures:
    """What the tower saw: a probability a cell and kind [views, cells, kinds], and statistics for the guard."""

    cells: npt.NDArray[np.float32]
    statistics: Array


@dataclass(frozen=True)
class Engine:
    """A model ready to draft, and its guard where it has one."""

    loaded: LoadedModel
    guard: Guard | None

    def see(self, pictures: Images) -> ImageFeatures | None:
        """Features read place by place; None for a model whose features amrg has no heads for."""
        if self.loaded.heads is None:
            return None
        stages, pixels = extract_features(self.loaded.model.model.vision_tower, np.stack(pictures))
        with torch.inference_mode():
            cells = self.loaded.heads.cells(stages[-2].flatten(2).transpose(1, 2)).sigmoid().numpy()
        return ImageFeatures(cells, view_statistics(stages, pixels))

    def write(self, views: Views, pictures: Images) -> str:
        """The model's own text on a study, decoded greedily: same input, same text."""
        loaded, backbone = self.loaded, self.loaded.backbone
        asked = backbone.build_prompt(loaded.processor, loaded.settings, views, pictures)
        device = loaded.model.device
        tokens = {name: column[None].to(device) for name, column in asked.tokens.items()}
        tokens["attention_mask"] = torch.ones_like(tokens["input_ids"])
        with torch.inference_mode():
            features = backbone.features(loaded.model, {name: t.to(device) for name, t in asked.pixels.items()})
            image_tokens = backbone.image_tokens(loaded.model, features)
        tokenizer = loaded.processor.tokenizer
        writing = DecodingSettings(
            loaded.settings.max_new_tokens, backbone.eos_token_id(loaded.processor), tokenizer.pad_token_id
        )
        (answer,) = backbone.generate(loaded.model, tokens, image_tokens, writing)
        text: str = tokenizer.decode(answer, skip_special_tokens=True)
        return text.strip()


def load_engine(model: str | None = None) -> Engine:
    """Load a model by folder or hub name (None: the embedded one) with the guard stored beside it.

    Raises:
        ModelError: the model is missing, gated or of no family that amrg knows.
    """
    loaded = load_model(model)
    return Engine(loaded, Guard.load(loaded.folder))
