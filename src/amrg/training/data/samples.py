"""Samples of fine-tuning, and batches of them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from torch import Tensor

from amrg.birads import Report
from amrg.datasets.case import ReferenceSource
from amrg.models.backbones.base import Tensors, TrainableModules

IGNORE = -100
"""Label of tokens outside the loss: prompt, image placeholders, padding."""


class Stage(StrEnum):
    """How far images were encoded before training: up to the first trained module."""

    PIXELS = "pixels"
    FEATURES = "features"
    IMAGE_TOKENS = "image tokens"


def stage_of(trainable: TrainableModules) -> Stage:
    """The last stage that training does not change."""
    if trainable.tower:
        return Stage.PIXELS
    return Stage.FEATURES if trainable.projector else Stage.IMAGE_TOKENS


@dataclass(frozen=True)
class Sample:
    """One case to train on: its prompt's columns int64 [T], the answer's token ids with the end token.

    `text` is the target text, `reference` the facts that a draft is compared with; `findings_known` is False if its
    data set publishes no findings. Cases of one `group` are resampled together. `listed`: the target text begins with a
    findings list. `source`: where its reference came from.
    """

    key: str
    prompt: Tensors
    answer: tuple[int, ...]
    text: str
    reference: Report
    group: str = ""
    findings_known: bool = True
    listed: bool = False
    source: ReferenceSource = ReferenceSource.RADIOLOGIST


@dataclass(frozen=True)
class Batch:
    """Collated samples: columns [B, T], `attention_mask` among them, labels [B, T], image inputs.

    `images` has one entry per image of all samples in order; for `Stage.PIXELS` one per sample.
    """

    keys: tuple[str, ...]
    tokens: Tensors
    labels: Tensor
    stage: Stage
    images: tuple[Tensors, ...]
