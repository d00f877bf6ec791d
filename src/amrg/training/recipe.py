"""`Recipe`: everything that decides a fine-tuning run. Saved with the adapter; printed in full before training starts.

AMRG and later work published no learning rate, epochs, prompt or resolution: these defaults are amrg's own.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field, model_validator

from amrg.birads import AnswerForm
from amrg.core.values import Value
from amrg.metrics.validation import WatchedMetric
from amrg.models.backbones.base import Modules
from amrg.models.checkpoint import NAME
from amrg.models.settings import ModelSettings

Share = Annotated[float, Field(ge=0.0, lt=1.0)]


class TargetText(StrEnum):
    """The text to train on: the reference as published, or its facts rendered in a report style."""

    PUBLISHED = "published"
    CLINICAL = "clinical"
    DMID = "dmid"
    IMPRESSION_FIRST = "impression-first"
    CESM = "cesm"


class OmittableFact(StrEnum):
    """What a rendered text may omit: not visible at the model's image size, or not reported at a site."""

    INDICATION = "indication"
    SIZES = "sizes"
    VIEWS = "views"


class LrScheduler(StrEnum):
    """How the learning rate decays after warm-up."""

    CONSTANT = "constant"
    LINEAR = "linear"
    COSINE = "cosine"


class Quantization(StrEnum):
    """How the frozen base is stored. NF4 is QLoRA's 4-bit type; it needs CUDA and bitsandbytes."""

    NONE = "none"
    NF4 = "nf4"


class Precision(StrEnum):
    """The dtype of computation. float16 is not offered: it overflows in Gemma 3."""

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"


class Lora(Value):
    """The adapter, in PEFT's terms: rank, scaling, target modules."""

    rank: int = Field(16, ge=1)
    alpha: int = Field(32, ge=1)
    dropout: Share = 0.05
    modules: Modules = Modules.LANGUAGE
    use_dora: bool = False  # weight-decomposed (Liu 2024)
    use_rslora: bool = False  # scaled by alpha / sqrt(rank) (Kalajdzievski 2023)


class Validation(Value):
    """When and on how many cases a run is validated; it stops after `patience` validations without a better value."""

    metric: WatchedMetric = WatchedMetric.CLINICAL
    every: int = Field(100, ge=1)  # optimiser steps
    cases: int = Field(64, ge=1)
    patience: int = Field(5, ge=1)


class Recipe(Value):
    """A fine-tuning run without its data. On a CPU, the same recipe and data give the same weights.

    `answer` is what the model is trained to write: the findings list and the narrative, or the narrative alone; None:
    as `settings` say. `settings` None: the settings saved with the base. `batch_size` is exams per optimiser step over
    all devices; `micro_batch_size` is how many of them one device computes together.
    """

    base: str = NAME
    revision: str | None = None
    target_text: TargetText = TargetText.PUBLISHED
    omit: tuple[OmittableFact, ...] = ()  # from rendered text only
    answer: AnswerForm | None = None
    settings: ModelSettings | None = None
    lora: Lora = Lora()
    quantization: Quantization = Quantization.NONE
    steps: int = Field(500, ge=1)
    batch_size: int = Field(16, ge=1)
    micro_batch_size: int = Field(16, ge=1)
    learning_rate: float = Field(2e-4, gt=0)
    lr_scheduler: LrScheduler = LrScheduler.COSINE
    warmup_ratio: Share = 0.03  # of the steps
    weight_decay: float = Field(0.0, ge=0)
    max_grad_norm: float = Field(1.0, gt=0)
    precision: Precision = Precision.FLOAT32
    gradient_checkpointing: bool = False
    torch_compile: bool = False  # layer by layer; needs a C++ compiler
    max_image_tokens: int | None = Field(None, ge=1)  # per exam; longer exams are named and refused
    validation: Validation = Validation()
    seed: int = 0

    @model_validator(mode="after")
    def _omits_from_rendered_text(self) -> Recipe:
        """A published text is never shortened."""
        if self.omit and self.target_text is TargetText.PUBLISHED:
            raise ValueError("omit: a published text is used unchanged; set target_text to a report style")
        return self
