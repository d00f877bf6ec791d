"""SmolVLM2: a general model of half a billion parameters, for machines with little memory.

Images go through Idefics3's processor: the family's own in transformers writes the same prompt for still images, but
needs torchvision and num2words for videos. An image no larger than the tower's input is used whole; a larger one is
split into crops of the tower's input size, followed by the whole image.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor
from transformers import Idefics3Processor, SmolVLMForConditionalGeneration, SmolVLMImageProcessorPil
from transformers.modeling_outputs import BaseModelOutputWithPooling
from transformers.utils import PROCESSOR_NAME

from amrg.models.backbones.base import (
    Backbone,
    Images,
    Modules,
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
    """Idefics3's processor for the files of a SmolVLM2 checkpoint, which it saves as published."""

    def save_pretrained(self, save_directory: str | Path, **_: Any) -> None:
        """Write the files of the published checkpoints with the published class name, for serving engines."""
        folder = Path(save_directory)
        self.image_processor.save_pretrained(folder)
        self.tokenizer.chat_template = self.chat_template
        self.tokenizer.save_pretrained(folder)
        config = {"image_seq_len": self.image_seq_len, "processor_class": PUBLISHED_PROCESSOR}
        (folder / PROCESSOR_NAME).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def _crops(processor: Any, tokens: Tensor) -> Tensor:
    """Crops of each image, int64 [images], from a prompt's tokens [T]: the last crop of an image is the whole of it."""
    number = processor.tokenizer.convert_tokens_to_ids
    placeholders = (tokens == number(processor.image_token)).nonzero().flatten()
    before = tokens[placeholders[:: processor.image_seq_len] - 1]  # what stands before the first one of each crop
    last = (before == number(processor.global_image_tag)).nonzero().flatten()
    return torch.diff(last, prepend=torch.tensor([-1]))


class SmolVLM(Backbone):
    """The family of `SmolVLMForConditionalGeneration`."""

    family: ClassVar[str] = "smolvlm"
    model_types: ClassVar[tuple[str, ...]] = ("smolvlm",)
    end_token: ClassVar[str] = END_OF_UTTERANCE
    columns: ClassVar[Mapping[str, int]] = {}
    tower_names: ClassVar[str] = "vision_model"
    projector_names: ClassVar[str] = "connector"

    @property
    def model_class(self) -> Any:
        """transformers' own."""
        return SmolVLMForConditionalGeneration

    def load_processor(self, source: str, revision: str | None, settings: ModelSettings | None) -> Any:
        """Idefics3's processor at the size in `settings`: published ones enlarge every image to 17 crops."""
        processor = SmolVLMStills.from_pretrained(source, revision=revision)
        # Resized with Pillow even if torchvision is installed: a study gives the same pixels on every machine.
        image_processor = processor.image_processor = SmolVLMImageProcessorPil.from_pretrained(
            source, revision=revision
        )
        if settings is not None:
            image_processor.size = type(image_processor.size)(longest_edge=settings.encoding.size)
            image_processor.do_image_splitting = settings.encoding.size > image_processor.max_image_size["longest_edge"]
        return processor

    def image_size(self, config: Any) -> int:
        """The tower's own: 512 for the 500M and 256M models, 384 for the 2.2B."""
        return int(config.vision_config.image_size)

    def build_prompt(self, processor: Any, settings: ModelSettings, views: Views, images: Images) -> Prompt:
        """Pixels [crops, 3, size, size] of all images, `crops` [images] the number of crops of each.

        The processor's pixel mask is not used: images and crops are full squares, so it masks nothing.
        """
        made = by_processor(processor, chat_of(settings, views, images))
        tokens = made["input_ids"][0]
        return Prompt(
            {"input_ids": tokens}, {"pixel_values": made["pixel_values"][0], "crops": _crops(processor, tokens)}
        )

    def answer(self, processor: Any, text: str) -> list[int]:
        """As in the chat template: with a space after `Assistant:`."""
        numbers: list[int] = processor.tokenizer.encode(" " + text.strip(), add_special_tokens=False)
        return [*numbers, self.eos_token_id(processor)]

    def features(self, model: Any, pixels: Tensors) -> list[Tensors]:
        """`states` [crops, patches, tower width] per image.

        transformers treats an all-zero image as padding and drops it, which leaves its placeholders empty; here no
        image is padding, so a blank one is encoded too.
        """
        output = model.model.vision_model(pixel_values=pixels["pixel_values"].to(model.dtype), return_dict=True)
        return [{"states": states} for states in output.last_hidden_state.split(pixels["crops"].tolist())]

    def image_tokens(self, model: Any, features: Sequence[Tensors]) -> list[Tensors]:
        """`tokens` [64 per crop with the published models, width] per image."""
        projected = model.model.connector(torch.cat([f["states"] for f in features]))
        return [{"tokens": part.flatten(0, 1)} for part in projected.split([len(f["states"]) for f in features])]

    def model_inputs(self, model: Any, image_tokens: Sequence[Tensors]) -> dict[str, Any]:
        """As transformers takes precomputed image embeddings."""
        joined = torch.cat([t["tokens"] for t in image_tokens])
        return {"mm_encoder_outputs": {"image": BaseModelOutputWithPooling(pooler_output=joined)}}

    def trainable_modules(self, model: Any, modules: Modules) -> TrainableModules:
        """The projector is one linear layer, so LoRA adapts it too."""
        if modules is Modules.LANGUAGE:
            return TrainableModules(_LANGUAGE)
        if modules is Modules.PROJECTOR:
            return TrainableModules(f"{_LANGUAGE}|{_PROJECTOR}", projector=True)
        return TrainableModules(f"{_LANGUAGE}|{_PROJECTOR}|{_TOWER}", projector=True, tower=True)
