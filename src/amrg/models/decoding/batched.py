"""The one batched greedy writer: prompts and image tokens in, rows of tokens or texts out. Same input, same text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from amrg.models.backbones.base import DecodingSettings, Prompt, Tensors
from amrg.models.load import LoadedModel

INPUT, MASK = "input_ids", "attention_mask"


def decode_texts(
    loaded: LoadedModel, tokens: Tensors, image_tokens: Sequence[Tensors], max_new_tokens: int, model: Any = None
) -> list[str]:
    """Greedy answers as texts; the arguments are those of `decode_rows`."""
    rows = decode_rows(loaded, tokens, image_tokens, max_new_tokens, model)
    return [text_of(loaded, row) for row in rows]


def text_of(loaded: LoadedModel, row: Sequence[int]) -> str:
    """The text of an answer's tokens."""
    text: str = loaded.processor.tokenizer.decode(row, skip_special_tokens=True)
    return text.strip()


def decode_rows(
    loaded: LoadedModel, tokens: Tensors, image_tokens: Sequence[Tensors], max_new_tokens: int, model: Any = None
) -> list[list[int]]:
    """Greedy answers, token numbers up to the end of the turn (not included), at most `max_new_tokens` each.

    `tokens` are columns [B, T] padded on the left, `image_tokens` those of all prompts in order; `model` is used in
    place of the loaded one where it is given (with adapters attached, say).
    """
    tokenizer = loaded.processor.tokenizer
    settings = DecodingSettings(
        max_new_tokens, loaded.backbone.eos_token_id(loaded.processor), int(tokenizer.pad_token_id)
    )
    return loaded.backbone.generate(loaded.model if model is None else model, tokens, image_tokens, settings)


def batch_prompts(loaded: LoadedModel, prompts: Sequence[Prompt]) -> Tensors:
    """The columns of prompts [B, T], `attention_mask` among them, padded on the left, on the model's device."""
    rows = [with_mask(prompt.tokens) for prompt in prompts]
    fill = {INPUT: int(loaded.processor.tokenizer.pad_token_id), MASK: 0, **loaded.backbone.columns}
    return {name: column.to(loaded.model.device) for name, column in pad_left(rows, fill).items()}


def with_mask(tokens: Tensors) -> Tensors:
    """The columns [T] of one prompt, with the attention mask of a row without padding."""
    return {**tokens, MASK: torch.ones_like(tokens[INPUT])}


def pad_left(rows: Sequence[Mapping[str, Tensor]], fill: Mapping[str, int]) -> Tensors:
    """Rows of columns [T], each filled up at its beginning to the longest: int64 [B, T] a column of `fill`."""
    length = max(len(row[INPUT]) for row in rows)
    return {
        name: torch.stack(
            [torch.nn.functional.pad(row[name], (length - len(row[name]), 0), value=value) for row in rows]
        )
        for name, value in fill.items()
    }
