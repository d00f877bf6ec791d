"""Gemma 3: MedGemma 4B and 1.5 4B, the embedded model, any checkpoint of the class.

Tokens of one image attend to each other in both directions (`token_type_ids` 1 marks them); a collator that omits the
column trains a different model. The projector is a bare matrix and a norm, so LoRA cannot adapt it: if it is trained,
it is trained in full.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import nn
from transformers import Gemma3ForConditionalGeneration
from transformers.modeling_outputs import BaseModelOutputWithPooling

from amrg.models.backbones.base import (
    Backbone,
    Images,
    Modules,
    Prompt,
    Tensors,
    TrainableModules,
    Views,
    by_processor,
    chat_of,
)
from amrg.models.embedded.mammogram_tower import MammogramTower
from amrg.models.embedded.tokens import END_OF_TURN
from amrg.models.settings import ModelSettings

_LANGUAGE = r"model\.language_model\..*\.(?:q|k|v|o|gate|up|down)_proj"
_TOWER_LINEAR = r"model\.vision_tower\..*\.(?:q_proj|k_proj|v_proj|out_proj|fc1|fc2)"
_PROJECTOR = "model.multi_modal_projector"


class Gemma3(Backbone):
    """The family of `Gemma3ForConditionalGeneration`."""

    family: ClassVar[str] = "gemma3"
    model_types: ClassVar[tuple[str, ...]] = ("gemma3",)
    end_token: ClassVar[str] = END_OF_TURN
    columns: ClassVar[Mapping[str, int]] = {"token_type_ids": 0}
    takes_drafted_tokens: ClassVar[bool] = True
    tower_names: ClassVar[str] = "vision_tower"
    projector_names: ClassVar[str] = "multi_modal_projector"

    @property
    def model_class(self) -> Any:
        """transformers' own."""
        return Gemma3ForConditionalGeneration

    def image_size(self, config: Any) -> int:
        """The tower's own: 896 for MedGemma."""
        return int(config.vision_config.image_size)

    def build_prompt(self, processor: Any, settings: ModelSettings, views: Views, images: Images) -> Prompt:
        """Pixels [images, 3, size, size]."""
        made = by_processor(processor, chat_of(settings, views, images))
        tokens = {name: made[name][0] for name in ("input_ids", *self.columns)}
        return Prompt(tokens, {"pixel_values": made["pixel_values"]})

    def features(self, model: Any, pixels: Tensors) -> list[Tensors]:
        """`states` [patches, tower width] per image."""
        output = model.model.vision_tower(pixel_values=pixels["pixel_values"].to(model.dtype), return_dict=True)
        return [{"states": states} for states in output.last_hidden_state]

    def image_tokens(self, model: Any, features: Sequence[Tensors]) -> list[Tensors]:
        """`tokens` [256 with MedGemma, width] per image."""
        projected = model.model.multi_modal_projector(torch.stack([f["states"] for f in features]))
        return [{"tokens": tokens} for tokens in projected]

    def model_inputs(self, model: Any, image_tokens: Sequence[Tensors]) -> dict[str, Any]:
        """As transformers takes precomputed image embeddings."""
        stacked = torch.stack([t["tokens"] for t in image_tokens])
        return {"mm_encoder_outputs": {"image": BaseModelOutputWithPooling(pooler_output=stacked)}}

    def trainable_modules(self, model: Any, modules: Modules) -> TrainableModules:
        """The embedded model's convolutions count as its tower's linear layers, but not for `all-linear`."""
        embedded = isinstance(model.model.vision_tower, MammogramTower)
        if modules is Modules.LANGUAGE:
            return TrainableModules(_LANGUAGE)
        if modules is Modules.PROJECTOR:
            return TrainableModules(_LANGUAGE, (_PROJECTOR,), projector=True)
        if modules is Modules.ALL_LINEAR:
            tower = _embedded_tower(model, nn.Linear) if embedded else _TOWER_LINEAR
            return TrainableModules(f"{_LANGUAGE}|{tower}", tower=True)
        tower = _embedded_tower(model, nn.Linear, nn.Conv2d) if embedded else _TOWER_LINEAR
        return TrainableModules(f"{_LANGUAGE}|{tower}", (_PROJECTOR,), projector=True, tower=True)


_READ_OUTS = ("heads.", "regions.")


def _embedded_tower(model: Any, *classes: type[nn.Module]) -> str:
    """A pattern of the embedded tower's layers of some classes, without its read-outs and depthwise convolutions.

    The read-outs were trained to state places and probabilities; a loss on text alone would change what they mean.
    """
    named = [
        name
        for name, module in model.model.vision_tower.named_modules()
        if isinstance(module, classes) and getattr(module, "groups", 1) == 1 and not name.startswith(_READ_OUTS)
    ]
    return "|".join(r"model\.vision_tower\." + name.replace(".", r"\.") for name in named)
