"""Phi-3.5-vision, from `amrg.models.phi3v`.

Its projections are fused (`qkv_proj`, `gate_up_proj`): a pattern of the usual names would match `o_proj` and
`down_proj` alone and train a third of what it seems to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from transformers.modeling_outputs import BaseModelOutputWithPooling

from amrg.models.backbones.base import Backbone, Modules, Pictures, Prompt, Tensors, TrainableModules, Views, chat_of
from amrg.models.phi3v import Phi3VForCausalLM, Phi3VProcessor
from amrg.models.phi3v.processor import END
from amrg.models.settings import ModelSettings

_LANGUAGE = r"model\.layers\.\d+\.(?:self_attn\.(?:qkv|o)|mlp\.(?:gate_up|down))_proj"
_PROJECTOR = r"model\.vision_embed_tokens\.img_projection\.(?:0|2)"
_TOWER = r"model\.vision_embed_tokens\.img_processor\.vision_model\.encoder\.layers\.(?:{layers})\."
_TOWER_LINEAR = r"(?:self_attn\.(?:q_proj|k_proj|v_proj|out_proj)|mlp\.fc[12])"


class Phi3Vision(Backbone):
    """The family of `Phi3VForCausalLM`."""

    family: ClassVar[str] = "phi3_v"
    model_types: ClassVar[tuple[str, ...]] = ("phi3_v",)
    columns: ClassVar[Mapping[str, int]] = {}

    @property
    def model_class(self) -> Any:
        """amrg's own."""
        return Phi3VForCausalLM

    def load_processor(self, source: str, revision: str | None, settings: ModelSettings | None) -> Any:
        """Pictures are cut as `settings` have them, so that what is stored with a model says how it sees."""
        processor = Phi3VProcessor.from_pretrained(source, revision)
        if settings is not None:
            processor = processor.cutting_for(settings.encoding.size)
        return processor

    def picture_size(self, config: Any) -> int:
        """Two crops a side, 672: what the published four crops show of a square picture."""
        return 2 * int(config.crop_size)

    def ask(self, processor: Any, settings: ModelSettings, views: Views, pictures: Pictures) -> Prompt:
        """Pixels [pictures, 1 + most crops, 3, size, size], and sizes [pictures, 2] once cut.

        A picture has as many crops as cover the size of `settings`: 4 for 672 pixels a side, 16 for 1,344.
        """
        chat = chat_of(settings, views, pictures)
        shown = [item["image"] for item in chat[0]["content"] if item["type"] == "image"]
        text = processor.tokenizer.apply_chat_template(_as_text(chat), tokenize=False, add_generation_prompt=True)
        made = processor.cutting_for(settings.encoding.size)(text, shown)
        return Prompt(
            {"input_ids": made["input_ids"]},
            {"pixel_values": made["pixel_values"], "image_sizes": made["image_sizes"]},
        )

    def ending(self, processor: Any) -> int:
        """`<|end|>`: 32007, not the 2 that the published configuration names."""
        return int(processor.tokenizer.convert_tokens_to_ids(END))

    def features(self, model: Any, pixels: Tensors) -> list[Tensors]:
        """`states` [1 + crops, patches, tower width] and `image_size` int64 [2] a picture."""
        sizes = pixels["image_sizes"]
        states = model.model.vision_embed_tokens.states(pixels["pixel_values"].to(model.dtype), sizes)
        return [{"states": s, "image_size": size} for s, size in zip(states, sizes, strict=True)]

    def image_tokens(self, model: Any, features: Sequence[Tensors]) -> list[Tensors]:
        """`tokens` [757 with four crops, width] a picture."""
        tower = [f["states"] for f in features]
        tokens = model.model.vision_embed_tokens.project(tower, [f["image_size"] for f in features])
        return [{"tokens": t} for t in tokens]

    def given(self, model: Any, image_tokens: Sequence[Tensors]) -> dict[str, Any]:
        """As transformers' own models take what was encoded before."""
        tokens = [t["tokens"] for t in image_tokens]
        return {"mm_encoder_outputs": {"image": BaseModelOutputWithPooling(pooler_output=tokens)}}

    def touched(self, model: Any, modules: Modules) -> TrainableModules:
        """The separators stay as they are. The tower's last layer is never run, so nothing of it is touched."""
        if modules is Modules.LANGUAGE:
            return TrainableModules(_LANGUAGE)
        if modules is Modules.PROJECTOR:
            return TrainableModules(f"{_LANGUAGE}|{_PROJECTOR}", projector=True)
        layers = model.model.vision_embed_tokens.img_processor.vision_model.encoder.layers
        run = "|".join(str(n) for n in range(len(layers) - 1))
        tower = _TOWER.format(layers=run) + _TOWER_LINEAR
        return TrainableModules(f"{_LANGUAGE}|{_PROJECTOR}|{tower}", projector=True, tower=True)


def _as_text(chat: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """A chat with its pictures numbered in the text, `<|image_1|>` on a line of its own, as published prompts have."""
    number = 0
    told = []
    for message in chat:
        text = ""
        for item in message["content"]:
            number += item["type"] == "image"
            text += f"<|image_{number}|>\n" if item["type"] == "image" else item["text"].strip() + "\n"
        told.append({"role": message["role"], "content": text.rstrip("\n")})
    return told
