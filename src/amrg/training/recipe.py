"""`Recipe`: everything that decides a fine-tuning run. Stored beside the adapter; printed resolved before it starts.

AMRG and those after it published no learning rate, epochs, prompt or resolution: these defaults are amrg's own.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field, model_validator

from amrg.core.values import Value
from amrg.models.backbones.base import Modules
from amrg.models.embedded.architecture import NAME
from amrg.models.settings import ModelSettings

Share = Annotated[float, Field(ge=0.0, lt=1.0)]


class TargetText(StrEnum):
    """Which text is learned: the reference as published, or its facts rendered in a house style."""

    PUBLISHED = "published"
    CLINICAL = "clinical"
    DMID = "dmid"
    IMPRESSION_FIRST = "impression-first"


class OmittableFact(StrEnum):
    """What a rendered text may leave untold: a picture at model size does not show it, or a site does not say it."""

    INDICATION = "indication"
    SIZES = "sizes"
    VIEWS = "views"


class LrScheduler(StrEnum):
    """How the learning rate falls after its warm-up."""

    CONSTANT = "constant"
    LINEAR = "linear"
    COSINE = "cosine"


class Precision(StrEnum):
    """What numbers are computed in. float16 is not offered: it overflows in Gemma 3."""

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"


class Metric(StrEnum):
    """What early stopping watches on the validation part, never on the test part. All are better when higher."""

    BIRADS = "birads_accuracy"  # overall category, its number; a draft without one is not right
    COMPOSITION = "composition_accuracy"
    FINDING_F1 = "finding_f1"  # by kind, side and quadrant
    CLINICAL = "clinical"  # the mean of the three


class Lora(Value):
    """The adapter: rank, scaling, where it goes."""

    rank: int = Field(16, ge=1)
    alpha: int = Field(32, ge=1)
    dropout: Share = 0.05
    modules: Modules = Modules.LANGUAGE
    dora: bool = False  # weight-decomposed (Liu 2024)
    rank_stabilised: bool = False  # scaled by alpha / sqrt(rank) (Kalajdzievski 2023)


class Validation(Value):
    """How a run is watched: every so many steps on so many cases, and stopped after `patience` without a gain."""

    metric: Metric = Metric.CLINICAL
    every: int = Field(100, ge=1)  # optimiser steps
    cases: int = Field(64, ge=1)
    patience: int = Field(5, ge=1)  # validations without a new best


class Recipe(Value):
    """A fine-tuning run but for its data. Two runs of one recipe on one data set end with the same weights on a CPU.

    `settings` None: the base is asked as its checkpoint says. `batch` is the exams of an optimiser step, over all
    processes; `at_once` how many of them one device holds at a time.
    """

    base: str = NAME
    revision: str | None = None
    words: TargetText = TargetText.PUBLISHED
    untold: tuple[OmittableFact, ...] = ()  # of rendered words
    settings: ModelSettings | None = None
    lora: Lora = Lora()
    nf4: bool = False  # QLoRA: the frozen base in 4 bits, where CUDA and bitsandbytes are
    steps: int = Field(500, ge=1)
    batch: int = Field(16, ge=1)
    at_once: int = Field(16, ge=1)
    rate: float = Field(2e-4, gt=0)
    decay: LrScheduler = LrScheduler.COSINE
    warm_up: Share = 0.03  # of the steps
    weight_decay: float = Field(0.0, ge=0)
    clip: float = Field(1.0, gt=0)
    precision: Precision = Precision.FLOAT32
    gradient_checkpointing: bool = False
    compiled: bool = False  # layers, by torch; a C++ compiler has to be there
    most_image_tokens: int | None = Field(None, ge=1)  # an exam; longer ones are named and refused
    validation: Validation = Validation()
    seed: int = 0

    @model_validator(mode="after")
    def _rendered_where_untold(self) -> Recipe:
        """Nothing is cut out of a text as published."""
        if self.untold and self.words is TargetText.PUBLISHED:
            raise ValueError("untold: a published text is learned as it is; choose the words of a house style")
        return self
