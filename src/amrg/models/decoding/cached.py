"""A transformers model that reads on from what it has read, several tokens together, and forgets what was refused.

The cache holds all positions of every layer. A sliding layer's mask hides what is beyond its window; a cache cut to the
window could not be taken back.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from transformers import DynamicCache

from amrg.models.backbones.base import Tensors
from amrg.models.decoding.greedy import write_answer
from amrg.models.decoding.phrases import Phrases
from amrg.models.load import LoadedModel


class CachedModel:
    """A model with the keys and values of what it has read: one prompt, then tokens of its answer."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._cache = DynamicCache()

    def read_prompt(self, columns: Tensors, inputs: dict[str, Any]) -> int:
        """Read a prompt's columns [1, T] with its image tokens; the most probable next token."""
        return self._next(**columns, **inputs)[-1]

    def advance(self, tokens: Sequence[int]) -> list[int]:
        """Read tokens; the most probable next token after each of them."""
        return self._next(input_ids=torch.tensor([list(tokens)], device=self._model.device))

    def rewind(self, count: int) -> None:
        """Forget the last tokens."""
        self._cache.crop(-count)

    def _next(self, **inputs: Any) -> list[int]:
        out = self._model(**inputs, cache=self._cache, use_cache=True, return_dict=True)
        best: list[int] = out.logits[0].argmax(-1).tolist()
        return best


@torch.inference_mode()
def decode_drafted(
    loaded: LoadedModel, tokens: Tensors, image_tokens: Sequence[Tensors], limit: int, phrases: Phrases
) -> list[int]:
    """The greedy answer to one prompt, like that of `decode_rows`; phrases draft its tokens.

    `tokens` are columns [1, T] without padding.
    """
    backbone, reader = loaded.backbone, CachedModel(loaded.model)
    columns = {name: column for name, column in tokens.items() if name != "attention_mask"}
    first = reader.read_prompt(columns, backbone.model_inputs(loaded.model, image_tokens))
    return write_answer(reader, first, backbone.eos_token_id(loaded.processor), limit, phrases)
