"""The interface of a family of vision-language models; one file per family.

A study goes through four steps: `build_prompt` makes tokens and pixels, `features` runs the vision tower,
`image_tokens` the projector, and `model_inputs` passes the result to the language model. Training, drafting and the
feature cache use the same steps, so all of them prompt a model in the same way.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from transformers import AutoProcessor

from amrg.birads import Laterality, View
from amrg.models.settings import ModelSettings, messages
from amrg.models.views import to_pil

Views = Sequence[tuple[Laterality, View]]
Images = Sequence[npt.NDArray[np.uint8]]
Tensors = dict[str, Tensor]
"""Named tensors of one item: a prompt's tokens, a tower's input, one image's features."""


class Part(StrEnum):
    """A part of a vision-language model."""

    TOWER = "vision tower"
    PROJECTOR = "projector"
    LANGUAGE = "language model"


class Modules(StrEnum):
    """Where LoRA adapters go. Never into the embeddings or the head."""

    LANGUAGE = "language"  # linear layers of the language model
    PROJECTOR = "language+projector"  # those, and the projector
    TOWER = "language+projector+vision"  # those, the projector, and the tower
    ALL_LINEAR = "all-linear"  # every linear layer but the head, as in PEFT


@dataclass(frozen=True)
class TrainableModules:
    """What training changes.

    `lora` is a regular expression that PEFT matches against the full module names of the model without adapters.
    `modules_to_save` (PEFT's term) are modules trained in full, because they have no linear layer (Gemma's projector).
    `projector` and `tower`: whether either is changed.
    """

    lora: str
    modules_to_save: tuple[str, ...] = ()
    projector: bool = False
    tower: bool = False


@dataclass(frozen=True)
class Prompt:
    """The prompt of one study.

    `tokens` are int64 columns [T]: `input_ids`, and what else the family has per token. `pixels` are the tower's input,
    all images of the study in order, as the family's processor lays them out; those of several studies are
    concatenated along the first axis.
    """

    tokens: Tensors
    pixels: Tensors


class Backbone(ABC):
    """One family of vision-language models."""

    family: ClassVar[str]
    model_types: ClassVar[tuple[str, ...]]
    """The `model_type` of configurations that this family loads."""
    columns: ClassVar[Mapping[str, int]]
    """Token columns other than `input_ids` and `attention_mask`, with their padding value."""
    end_token: ClassVar[str]
    """The token that ends the model's turn, in training and in generation."""
    takes_drafted_tokens: ClassVar[bool] = False
    """Whether several tokens of an answer can be read together after a prompt, and be taken back."""
    tower_names: ClassVar[str]
    projector_names: ClassVar[str]
    """Regular expressions of what the names of their modules contain, in memory and on the hub; a projector's first."""

    def part_of(self, name: str) -> Part:
        """The part that a module or weight belongs to."""
        for part, pattern in ((Part.PROJECTOR, self.projector_names), (Part.TOWER, self.tower_names)):
            if re.search(rf"(?:^|\.)(?:{pattern})(?:\.|$)", name):
                return part
        return Part.LANGUAGE

    @property
    @abstractmethod
    def model_class(self) -> Any:
        """The model class: it has `from_pretrained`, `model` (without the head) and `generate`."""

    def load_processor(self, source: str, revision: str | None, settings: ModelSettings | None) -> Any:
        """The processor of a checkpoint; its image size follows `settings` if the family resizes images itself."""
        return AutoProcessor.from_pretrained(source, revision=revision, trust_remote_code=False)

    @abstractmethod
    def image_size(self, config: Any) -> int:
        """Default side of the input image in pixels, for a checkpoint without settings."""

    # Prompt

    @abstractmethod
    def build_prompt(self, processor: Any, settings: ModelSettings, views: Views, images: Images) -> Prompt:
        """The prompt of one study, up to the start of the model's turn."""

    def eos_token_id(self, processor: Any) -> int:
        """The id of `end_token`."""
        return int(processor.tokenizer.convert_tokens_to_ids(self.end_token))

    def answer(self, processor: Any, text: str) -> list[int]:
        """Token ids of an answer as in the chat template, end token included."""
        numbers: list[int] = processor.tokenizer.encode(text.strip(), add_special_tokens=False)
        return [*numbers, self.eos_token_id(processor)]

    def placeholders(self, config: Any, tokens: Tensors) -> int:
        """The number of image placeholder tokens in a prompt."""
        return int((tokens["input_ids"] == config.image_token_id).sum())

    # Images

    @abstractmethod
    def features(self, model: Any, pixels: Tensors) -> list[Tensors]:
        """The vision tower's output per image, before the projector."""

    @abstractmethod
    def image_tokens(self, model: Any, features: Sequence[Tensors]) -> list[Tensors]:
        """The projector's output per image: the embeddings that replace its placeholders."""

    @abstractmethod
    def model_inputs(self, model: Any, image_tokens: Sequence[Tensors]) -> dict[str, Any]:
        """Keyword arguments of `model.model` for the image tokens of all studies of a batch, in order."""

    # Language model

    def hidden(self, model: Any, tokens: Tensors, image_tokens: Sequence[Tensors]) -> Tensor:
        """Last hidden states [B, T, width]; `tokens` are columns [B, T], `attention_mask` among them."""
        found: Tensor = model.model(
            **tokens, **self.model_inputs(model, image_tokens), use_cache=False, return_dict=True
        ).last_hidden_state
        return found

    def head(self, model: Any) -> nn.Module:
        """The layer that maps hidden states to logits."""
        layer: nn.Module = model.lm_head
        return layer

    @torch.inference_mode()
    def generate(
        self, model: Any, tokens: Tensors, image_tokens: Sequence[Tensors], decoding: DecodingSettings
    ) -> list[list[int]]:
        """Greedy answers: token ids without the end token. `tokens` are [B, T], padded on the left."""
        out = model.generate(
            **tokens,
            **self.model_inputs(model, image_tokens),
            max_new_tokens=decoding.max_new_tokens,
            do_sample=False,
            repetition_penalty=1.0,  # some checkpoints publish 1.05, which keeps a report from repeating a term
            eos_token_id=decoding.eos_token_id,
            pad_token_id=decoding.pad_token_id,
        )
        rows = out[:, tokens["input_ids"].shape[1] :].tolist()
        return [row[: row.index(decoding.eos_token_id)] if decoding.eos_token_id in row else row for row in rows]

    # Training

    @abstractmethod
    def trainable_modules(self, model: Any, modules: Modules) -> TrainableModules:
        """The modules that a choice of the recipe selects."""


@dataclass(frozen=True)
class DecodingSettings:
    """How an answer is decoded (always greedily): its length limit, the token that ends it, the token that pads."""

    max_new_tokens: int
    eos_token_id: int
    pad_token_id: int


def by_processor(processor: Any, chat: list[dict[str, Any]]) -> dict[str, Tensor]:
    """A chat through a transformers processor, up to the start of the model's turn."""
    made: dict[str, Tensor] = processor.apply_chat_template(
        [chat], tokenize=True, return_dict=True, return_tensors="pt", add_generation_prompt=True
    )
    return made


def chat_of(settings: ModelSettings, views: Views, images: Images) -> list[dict[str, Any]]:
    """The chat of one study, from its images uint8 [H, W, 3]."""
    return messages(views, [to_pil(p) for p in images], settings)
