"""What a fine-tuning step is made of: samples, and batches of them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from torch import Tensor

from amrg.birads import Report
from amrg.models.backbones.base import Tensors, TrainableModules

IGNORE = -100
"""Label of a token that nothing is learned from: prompt, placeholders of pictures, padding."""


class Stage(StrEnum):
    """How far a picture was taken before training began: as far as nothing on the way is trained."""

    PIXELS = "pixels"
    FEATURES = "features"
    IMAGE_TOKENS = "image tokens"


def stage_of(touched: TrainableModules) -> Stage:
    """The last stage that training does not change."""
    if touched.tower:
        return Stage.PIXELS
    return Stage.FEATURES if touched.projector else Stage.IMAGE_TOKENS


@dataclass(frozen=True)
class Sample:
    """One case as it is learned: its prompt's columns int64 [T], the answer's token numbers with their end.

    `text` is what is to be written, `reference` the facts that a draft is compared with; `findings_known` is False
    where its data set publishes no findings. Cases of one `group` are resampled together.
    """

    key: str
    prompt: Tensors
    answer: tuple[int, ...]
    text: str
    reference: Report
    group: str = ""
    findings_known: bool = True


@dataclass(frozen=True)
class Batch:
    """Samples put together: columns [B, T] with `attention_mask` among them, labels [B, T], what is shown.

    `shown` has an entry a picture of all samples in order, but for `Stage.PIXELS`, where it has one a sample.
    """

    keys: tuple[str, ...]
    tokens: Tensors
    labels: Tensor
    stage: Stage
    shown: tuple[Tensors, ...]
