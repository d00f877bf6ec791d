"""What every family of vision-language models is to amrg: one small interface, one file a family.

A study goes through it in four steps: `ask` makes tokens and pixels of it, `features` is what the vision tower sees,
`image_tokens` what the projector makes of that, `given` how both enter the language model. Training, drafting and the
cache of frozen features take the same steps, so that none of them can ask a model differently.
"""

from __future__ import annotations

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
Pictures = Sequence[npt.NDArray[np.uint8]]
Tensors = dict[str, Tensor]
"""Named tensors of one thing: of a prompt's tokens, of what a tower takes, of one picture's features."""


class Modules(StrEnum):
    """Which part of a model LoRA may touch. Never the embeddings or the head."""

    LANGUAGE = "language"  # linear layers of the language model
    PROJECTOR = "language+projector"  # those, and the projector
    TOWER = "language+projector+vision"  # those, the projector, and the tower
    ALL_LINEAR = "all-linear"  # every linear layer but the head, as PEFT's own word has it


@dataclass(frozen=True)
class TrainableModules:
    """What training changes: a pattern of module names for LoRA adapters, and modules or parameters trained whole.

    `lora` is a regular expression that PEFT matches whole against module names of the model without its adapters.
    `whole` names modules that are trained as they are, for what has no linear layer (Gemma's projector).
    """

    lora: str
    whole: tuple[str, ...] = ()
    projector: bool = False
    tower: bool = False


@dataclass(frozen=True)
class Prompt:
    """One study as a model is asked about it.

    `tokens` are int64 [T] a column: `input_ids`, and what else the family has an entry a token of. `pixels` are what
    the tower takes, all pictures of the study in their order, as the family's processor lays them out; those of
    several studies are joined along the first axis.
    """

    tokens: Tensors
    pixels: Tensors


class Backbone(ABC):
    """One family of vision-language models."""

    family: ClassVar[str]
    model_types: ClassVar[tuple[str, ...]]
    """`model_type` of the configurations it takes."""
    columns: ClassVar[Mapping[str, int]]
    """Columns a token has beside `input_ids` and `attention_mask`, with the value of padding."""

    @property
    @abstractmethod
    def model_class(self) -> Any:
        """The class of its models: has `from_pretrained`, `model` (without the head) and `generate`."""

    def load_processor(self, source: str, revision: str | None, settings: ModelSettings | None) -> Any:
        """The processor stored with a checkpoint, held to `settings` where the family resizes pictures itself."""
        return AutoProcessor.from_pretrained(source, revision=revision, trust_remote_code=False)

    @abstractmethod
    def picture_size(self, config: Any) -> int:
        """Pixels a side of the picture that a checkpoint without settings is shown."""

    # Asking

    @abstractmethod
    def ask(self, processor: Any, settings: ModelSettings, views: Views, pictures: Pictures) -> Prompt:
        """The prompt of one study, up to where the model's turn begins."""

    @abstractmethod
    def ending(self, processor: Any) -> int:
        """The number of the token that ends the model's turn: learned in training, awaited in generation."""

    def answer(self, processor: Any, text: str) -> list[int]:
        """Token numbers of an answer as the chat template writes it, its end included."""
        numbers: list[int] = processor.tokenizer.encode(text.strip(), add_special_tokens=False)
        return [*numbers, self.ending(processor)]

    def placeholders(self, config: Any, tokens: Tensors) -> int:
        """How many of a prompt's tokens hold the place of pictures."""
        return int((tokens["input_ids"] == config.image_token_id).sum())

    # Seeing

    @abstractmethod
    def features(self, model: Any, pixels: Tensors) -> list[Tensors]:
        """What the vision tower makes of each picture, its projector not yet applied."""

    @abstractmethod
    def image_tokens(self, model: Any, features: Sequence[Tensors]) -> list[Tensors]:
        """What the projector makes of each picture's features: what takes the place of its placeholders."""

    @abstractmethod
    def given(self, model: Any, image_tokens: Sequence[Tensors]) -> dict[str, Any]:
        """Keyword arguments that hand image tokens, those of all studies of a batch in order, to `model.model`."""

    # Reading and writing

    def hidden(self, model: Any, tokens: Tensors, image_tokens: Sequence[Tensors]) -> Tensor:
        """Last hidden states [B, T, width]; `tokens` are [B, T] a column, `attention_mask` among them."""
        found: Tensor = model.model(
            **tokens, **self.given(model, image_tokens), use_cache=False, return_dict=True
        ).last_hidden_state
        return found

    def head(self, model: Any) -> nn.Module:
        """The layer that turns hidden states into logits."""
        layer: nn.Module = model.lm_head
        return layer

    @torch.inference_mode()
    def write(
        self, model: Any, tokens: Tensors, image_tokens: Sequence[Tensors], writing: DecodingSettings
    ) -> list[list[int]]:
        """Greedy answers, token numbers up to their end (left out); `tokens` are [B, T], padded on the left."""
        out = model.generate(
            **tokens,
            **self.given(model, image_tokens),
            max_new_tokens=writing.longest,
            do_sample=False,
            repetition_penalty=1.0,  # some publish 1.05, which makes a report avoid its own words
            eos_token_id=writing.ending,
            pad_token_id=writing.pad,
        )
        rows = out[:, tokens["input_ids"].shape[1] :].tolist()
        return [row[: row.index(writing.ending)] if writing.ending in row else row for row in rows]

    # Changing

    @abstractmethod
    def touched(self, model: Any, modules: Modules) -> TrainableModules:
        """Which modules a choice stands for."""


@dataclass(frozen=True)
class DecodingSettings:
    """How an answer is written: most tokens, the token that ends it, the token that pads."""

    longest: int
    ending: int
    pad: int


def by_processor(processor: Any, chat: list[dict[str, Any]]) -> dict[str, Tensor]:
    """What a transformers processor makes of a chat, up to where the model's turn begins."""
    made: dict[str, Tensor] = processor.apply_chat_template(
        [chat], tokenize=True, return_dict=True, return_tensors="pt", add_generation_prompt=True
    )
    return made


def chat_of(settings: ModelSettings, views: Views, pictures: Pictures) -> list[dict[str, Any]]:
    """The chat of one study, from its pictures uint8 [H, W, 3]."""
    return messages(views, [to_pil(p) for p in pictures], settings)
