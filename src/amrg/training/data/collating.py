"""From samples to a batch: padded columns, and labels on the answer's tokens only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from amrg.models.backbones.base import Tensors
from amrg.models.decoding.batched import INPUT, MASK, pad_left, with_mask
from amrg.models.load import LoadedModel
from amrg.training.data.feature_cache import FeatureCache
from amrg.training.data.samples import IGNORE, Batch, Sample


@dataclass(frozen=True)
class Padding:
    """Padding values: the pad token, and the value in every further column.

    Text tokens have the same value in those columns (Gemma's `token_type_ids` 0), so an answer's tokens take it too.
    """

    token: int
    columns: Mapping[str, int]

    @classmethod
    def of(cls, loaded: LoadedModel) -> Padding:
        """The padding of a model's family and tokenizer."""
        return cls(int(loaded.processor.tokenizer.pad_token_id), loaded.backbone.columns)

    @property
    def values(self) -> dict[str, int]:
        """All columns, `input_ids` and `attention_mask` among them."""
        return {INPUT: self.token, MASK: 0, **self.columns}


def collate(samples: Sequence[Sample], features: FeatureCache, pad: Padding) -> Batch:
    """A training batch: padded on the right to the longest sample, labels on answers and their end tokens."""
    rows = [_full_columns(sample, pad) for sample in samples]
    length = max(len(row[INPUT]) for row in rows)
    tokens = {name: _stack([row[name] for row in rows], length, value) for name, value in pad.values.items()}
    labels = _stack([_labels(sample) for sample in samples], length, IGNORE)
    return _batch(samples, features, tokens, labels)


def collate_prompts(samples: Sequence[Sample], features: FeatureCache, pad: Padding) -> Batch:
    """A generation batch: prompts only, padded on the left to the longest, no labels."""
    tokens = pad_left([with_mask(sample.prompt) for sample in samples], pad.values)
    return _batch(samples, features, tokens, torch.full_like(tokens[INPUT], IGNORE))


def _batch(samples: Sequence[Sample], features: FeatureCache, tokens: Tensors, labels: Tensor) -> Batch:
    keys = tuple(sample.key for sample in samples)
    return Batch(keys, tokens, labels, features.stage, tuple(part for key in keys for part in features.of(key)))


def _full_columns(sample: Sample, pad: Padding) -> Tensors:
    """The columns of prompt and answer."""
    answer = torch.tensor(sample.answer, dtype=torch.int64)
    columns = {name: torch.full_like(answer, value) for name, value in pad.columns.items()}
    columns |= {INPUT: answer, MASK: torch.ones_like(answer)}
    return {name: torch.cat([column, columns[name]]) for name, column in with_mask(sample.prompt).items()}


def _labels(sample: Sample) -> Tensor:
    """Labels of prompt and answer: `IGNORE` for the prompt."""
    ignored = torch.full_like(sample.prompt[INPUT], IGNORE)
    return torch.cat([ignored, torch.tensor(sample.answer, dtype=torch.int64)])


def _stack(rows: Sequence[Tensor], length: int, value: int) -> Tensor:
    """Rows [T] padded at the end: int64 [B, length]."""
    return torch.stack([torch.nn.functional.pad(row, (0, length - len(row)), value=value) for row in rows])
