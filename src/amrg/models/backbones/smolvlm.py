"""SmolVLM2: a general model of half a billion parameters, for those with little memory.

Its pictures go through Idefics3's processor: transformers' own for the family writes the same prompt for a still
picture, but wants torchvision and a speller of numbers for its videos. A picture no larger than the tower's is seen
whole; a larger one is cut into crops of the tower's size, with the whole picture after them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import torch
from transformers import Idefics3Processor, SmolVLMForConditionalGeneration, SmolVLMImageProcessorPil
from transformers.modeling_outputs import BaseModelOutputWithPooling
from transformers.utils import PROCESSOR_NAME

from amrg.models.backbones.base import (
    Backbone,
    Modules,
    Pictures,
    Prompt,
    Tensors,
    TrainableModules,
    Views,
    by_processor,
    chat_of,
)
from amrg.models.settings import ModelSettings

PUBLISHED_PROCESSOR = "SmolVLMProcessor"
END_OF_UTTERANCE = "<end_of_utterance>"

_LANGUAGE = r"model\.text_model\..*\.(?:q|k|v|o|gate|up|down)_proj"
_PROJECTOR = r"model\.connector\.modality_projection\.proj"
_TOWER = r"model\.vision_model\..*\.(?:q_proj|k_proj|v_proj|out_proj|fc1|fc2)"


class SmolVLMStills(Idefics3Processor):  # type: ignore[misc]  # transformers has no types here
    """Idefics3's processor around the files of a SmolVLM2 checkpoint, which it leaves as they are published."""

    def save_pretrained(self, save_directory: str | Path, **_: Any) -> None:
        """Write the files of the published checkpoints under the published class: serving engines take theirs."""
        folder = Path(save_directory)
        self.image_processor.save_pretrained(folder)
        self.tokenizer.chat_template = self.chat_template
        self.tokenizer.save_pretrained(folder)
        whole = {"image_seq_len": self.image_seq_len, "processor_class": PUBLISHED_PROCESSOR}
        (folder / PROCESSOR_NAME).write_text(json.dumps(whole, indent=2) + "\n", encoding="utf-8")


class SmolVLM(Backbone):
    """The family of `SmolVLMForConditionalGeneration`."""

    family: ClassVar[str] = "smolvlm"
    model_types: ClassVar[tuple[str, ...]] = ("smolvlm",)
    columns: ClassVar[Mapping[str, int]] = {}

    @property
    def model_class(self) -> Any:
        """transformers' own."""
        return SmolVLMForConditionalGeneration

    def load_processor(self, source: str, revision: str | None, settings: ModelSettings | None) -> Any:
        """Idefics3's processor, held to the settings' size: published ones enlarge every picture to 17 crops."""
        processor = SmolVLMStills.from_pretrained(source, revision=revision)
        # Resized with Pillow even where torchvision is: the same study gives the same pixels wherever it is read.
        pictures = processor.image_processor = SmolVLMImageProcessorPil.from_pretrained(source, revision=revision)
        if settings is not None:
            pictures.size = type(pictures.size)(longest_edge=settings.encoding.size)
            pictures.do_image_splitting = settings.encoding.size > pictures.max_image_size["longest_edge"]
        return processor

    def picture_size(self, config: Any) -> int:
        """The tower's own: 512 for the 500M and 256M models, 384 for the 2.2B."""
        return int(config.vision_config.image_size)

    def ask(self, processor: Any, settings: ModelSettings, views: Views, pictures: Pictures) -> Prompt:
        """Pixels [crops, 3, size, size] of all pictures, `crops` [pictures] the number that each was cut into.

        The processor's pixel mask is left out: pictures and crops are made whole squares, so it masks nothing.
        """
        made = by_processor(processor, chat_of(settings, views, pictures))
        pixels = made["pixel_values"][0]
        crops = torch.full((len(pictures),), len(pixels) // len(pictures))
        return Prompt({"input_ids": made["input_ids"][0]}, {"pixel_values": pixels, "crops": crops})

    def ending(self, processor: Any) -> int:
        """`<end_of_utterance>`."""
        return int(processor.tokenizer.convert_tokens_to_ids(END_OF_UTTERANCE))

    def answer(self, processor: Any, text: str) -> list[int]:
        """As the chat template has it: a space stands between `Assistant:` and what is said."""
        numbers: list[int] = processor.tokenizer.encode(" " + text.strip(), add_special_tokens=False)
        return [*numbers, self.ending(processor)]

    def features(self, model: Any, pixels: Tensors) -> list[Tensors]:
        """`states` [crops, patches, tower width] a picture.

        transformers takes a picture that is all zeros for padding and drops it, whose placeholders then stay empty;
        here no picture is padding, so a blank one is seen as one.
        """
        seen = model.model.vision_model(pixel_values=pixels["pixel_values"].to(model.dtype), return_dict=True)
        return [{"states": states} for states in seen.last_hidden_state.split(pixels["crops"].tolist())]

    def image_tokens(self, model: Any, features: Sequence[Tensors]) -> list[Tensors]:
        """`tokens` [64 a crop with the published models, width] a picture."""
        projected = model.model.connector(torch.cat([f["states"] for f in features]))
        return [{"tokens": part.flatten(0, 1)} for part in projected.split([len(f["states"]) for f in features])]

    def given(self, model: Any, image_tokens: Sequence[Tensors]) -> dict[str, Any]:
        """As transformers takes what was encoded before."""
        joined = torch.cat([t["tokens"] for t in image_tokens])
        return {"mm_encoder_outputs": {"image": BaseModelOutputWithPooling(pooler_output=joined)}}

    def touched(self, model: Any, modules: Modules) -> TrainableModules:
        """The projector is one linear layer, so LoRA goes into it as into any other."""
        if modules is Modules.LANGUAGE:
            return TrainableModules(_LANGUAGE)
        if modules is Modules.PROJECTOR:
            return TrainableModules(f"{_LANGUAGE}|{_PROJECTOR}", projector=True)
        return TrainableModules(f"{_LANGUAGE}|{_PROJECTOR}|{_TOWER}", projector=True, tower=True)
