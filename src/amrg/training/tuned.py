"""A base with LoRA adapters, and its loss on the report's tokens alone."""

from __future__ import annotations

from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from torch import Tensor, nn

from amrg.models import LoadedModel
from amrg.models.backbone import Backbone, Tensors
from amrg.training.recipe import Recipe
from amrg.training.samples import IGNORE, Batch, Stage


def with_lora(loaded: LoadedModel, recipe: Recipe) -> PeftModel:
    """Put fresh adapters into a base, in place; their first weights follow from the recipe's seed alone."""
    lora = recipe.lora
    touched = loaded.backbone.touched(loaded.model, lora.modules)
    config = LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=touched.lora,
        modules_to_save=list(touched.whole) or None,
        use_dora=lora.dora,
        use_rslora=lora.rank_stabilised,
        base_model_name_or_path=recipe.base,
        revision=loaded.revision,
    )
    torch.manual_seed(recipe.seed)
    tuned = get_peft_model(loaded.model, config)
    tuned.peft_config["default"].base_model_name_or_path = recipe.base
    return tuned


class ReportLoss(nn.Module):
    """Cross-entropy summed over a batch's labelled tokens. What is wrapped where several devices train one model.

    Logits are computed where there is a label and nowhere else: a vocabulary of 262 k makes all others costly.
    """

    def __init__(self, model: PeftModel, backbone: Backbone) -> None:
        super().__init__()
        self.model = model
        self._backbone = backbone

    def forward(self, batch: Batch) -> Tensor:
        """The sum, float32 []; the next token of every position but the last is what is asked."""
        base = self.model.get_base_model()
        hidden = self._backbone.hidden(base, batch.tokens, image_tokens_of(base, self._backbone, batch))
        asked = batch.labels[:, 1:] != IGNORE
        logits = self._backbone.head(base)(hidden[:, :-1][asked])
        return nn.functional.cross_entropy(logits.float(), batch.labels[:, 1:][asked], reduction="sum")


def image_tokens_of(model: Any, backbone: Backbone, batch: Batch) -> list[Tensors]:
    """Take what is shown the rest of its way to image tokens."""
    if batch.stage is Stage.IMAGE_TOKENS:
        return list(batch.shown)
    features = list(batch.shown)
    if batch.stage is Stage.PIXELS:
        features = backbone.features(model, joined(batch.shown))
    return backbone.image_tokens(model, features)


def joined(parts: tuple[Tensors, ...]) -> Tensors:
    """Tensors of several studies joined along their first axis."""
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
