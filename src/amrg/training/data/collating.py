"""From samples to a batch: padded columns, and labels on the answer's tokens alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from amrg.models.backbones.base import Tensors
from amrg.models.decode import INPUT, MASK, pad_left, with_mask
from amrg.models.load import LoadedModel
from amrg.training.data.feature_cache import FeatureCache
from amrg.training.data.samples import IGNORE, Batch, Sample


@dataclass(frozen=True)
class Padding:
    """What fills up short rows: the token that pads, and the value of padding in every further column.

    Text that is no picture has the same value there (Gemma's `token_type_ids` 0), so an answer takes it too.
    """

    token: int
    columns: Mapping[str, int]

    @classmethod
    def of(cls, loaded: LoadedModel) -> Padding:
        """As a model's family and its tokenizer have it."""
        return cls(int(loaded.processor.tokenizer.pad_token_id), loaded.backbone.columns)

    @property
    def values(self) -> dict[str, int]:
        """By column, `input_ids` and `attention_mask` among them."""
        return {INPUT: self.token, MASK: 0, **self.columns}


def collate(samples: Sequence[Sample], shown: FeatureCache, pad: Padding) -> Batch:
    """Samples as they are learned: padded on the right to the longest, labels on the answers with their ends."""
    rows = [_whole(sample, pad) for sample in samples]
    longest = max(len(row[INPUT]) for row in rows)
    tokens = {name: _stacked([row[name] for row in rows], longest, value) for name, value in pad.values.items()}
    labels = _stacked([_labels(sample) for sample in samples], longest, IGNORE)
    return _batch(samples, shown, tokens, labels)


def prompts(samples: Sequence[Sample], shown: FeatureCache, pad: Padding) -> Batch:
    """Samples as they are prompted: prompts alone, padded on the left to the longest, nothing labelled."""
    tokens = pad_left([with_mask(sample.prompt) for sample in samples], pad.values)
    return _batch(samples, shown, tokens, torch.full_like(tokens[INPUT], IGNORE))


def _batch(samples: Sequence[Sample], shown: FeatureCache, tokens: Tensors, labels: Tensor) -> Batch:
    keys = tuple(sample.key for sample in samples)
    return Batch(keys, tokens, labels, shown.stage, tuple(part for key in keys for part in shown.of(key)))


def _whole(sample: Sample, pad: Padding) -> Tensors:
    """A prompt's columns continued over its answer."""
    answer = torch.tensor(sample.answer, dtype=torch.int64)
    columns = {name: torch.full_like(answer, value) for name, value in pad.columns.items()}
    columns |= {INPUT: answer, MASK: torch.ones_like(answer)}
    return {name: torch.cat([column, columns[name]]) for name, column in with_mask(sample.prompt).items()}


def _labels(sample: Sample) -> Tensor:
    """The answer's token numbers behind as much of nothing as the prompt is long."""
    unlabelled = torch.full_like(sample.prompt[INPUT], IGNORE)
    return torch.cat([unlabelled, torch.tensor(sample.answer, dtype=torch.int64)])


def _stacked(rows: Sequence[Tensor], longest: int, value: int) -> Tensor:
    """Rows [T] filled up at their end: int64 [B, longest]."""
    return torch.stack([torch.nn.functional.pad(row, (0, longest - len(row)), value=value) for row in rows])
