"""Phi-3.5-vision, from `amrg.models.phi3v`.

Its projections are fused (`qkv_proj`, `gate_up_proj`): the usual pattern of names would match only `o_proj` and
`down_proj`, a third of the linear layers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from transformers.modeling_outputs import BaseModelOutputWithPooling

from amrg.models.backbones.base import Backbone, Images, Modules, Prompt, Tensors, TrainableModules, Views, chat_of
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
    end_token: ClassVar[str] = END  # 32007, not the 2 of the published configuration
    columns: ClassVar[Mapping[str, int]] = {}
    tower_names: ClassVar[str] = "img_processor"
    projector_names: ClassVar[str] = "img_projection|glb_GN|sub_GN"

    @property
    def model_class(self) -> Any:
        """amrg's own."""
        return Phi3VForCausalLM

    def load_processor(self, source: str, revision: str | None, settings: ModelSettings | None) -> Any:
        """Images are cropped as in `settings`, and the processor is saved so with the model."""
        processor = Phi3VProcessor.from_pretrained(source, revision)
        if settings is not None:
            processor = processor.cutting_for(settings.encoding.size)
        return processor

    def image_size(self, config: Any) -> int:
        """Two crops per side, 672: a square image in the published four crops."""
        return 2 * int(config.crop_size)

    def build_prompt(self, processor: Any, settings: ModelSettings, views: Views, images: Images) -> Prompt:
        """Pixels [images, 1 + max crops, 3, size, size], and sizes [images, 2] after cropping.

        An image has as many crops as cover the size of `settings`: 4 for a side of 672 pixels, 16 for 1,344.
        """
        chat = chat_of(settings, views, images)
        pil_images = [item["image"] for item in chat[0]["content"] if item["type"] == "image"]
        text = processor.tokenizer.apply_chat_template(_as_text(chat), tokenize=False, add_generation_prompt=True)
        made = processor.cutting_for(settings.encoding.size)(text, pil_images)
        return Prompt(
            {"input_ids": made["input_ids"]},
            {"pixel_values": made["pixel_values"], "image_sizes": made["image_sizes"]},
        )

    def features(self, model: Any, pixels: Tensors) -> list[Tensors]:
        """`states` [1 + crops, patches, tower width] and `image_size` int64 [2] per image."""
        sizes = pixels["image_sizes"]
        states = model.model.vision_embed_tokens.states(pixels["pixel_values"].to(model.dtype), sizes)
        return [{"states": s, "image_size": size} for s, size in zip(states, sizes, strict=True)]

    def image_tokens(self, model: Any, features: Sequence[Tensors]) -> list[Tensors]:
        """`tokens` [757 with four crops, width] per image."""
        tower = [f["states"] for f in features]
        tokens = model.model.vision_embed_tokens.project(tower, [f["image_size"] for f in features])
        return [{"tokens": t} for t in tokens]

    def model_inputs(self, model: Any, image_tokens: Sequence[Tensors]) -> dict[str, Any]:
        """As transformers' own models take precomputed image embeddings."""
        tokens = [t["tokens"] for t in image_tokens]
        return {"mm_encoder_outputs": {"image": BaseModelOutputWithPooling(pooler_output=tokens)}}

    def trainable_modules(self, model: Any, modules: Modules) -> TrainableModules:
        """Separators are not trained. The tower's last layer is never run, so it has no adapters."""
        if modules is Modules.LANGUAGE:
            return TrainableModules(_LANGUAGE)
        if modules is Modules.PROJECTOR:
            return TrainableModules(f"{_LANGUAGE}|{_PROJECTOR}", projector=True)
        layers = model.model.vision_embed_tokens.img_processor.vision_model.encoder.layers
        run = "|".join(str(n) for n in range(len(layers) - 1))
        tower = _TOWER.format(layers=run) + _TOWER_LINEAR
        return TrainableModules(f"{_LANGUAGE}|{_PROJECTOR}|{tower}", projector=True, tower=True)


def _as_text(chat: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """A chat with numbered images in the text, `<|image_1|>` on a line of its own, as in published prompts."""
    number = 0
    messages = []
    for message in chat:
        text = ""
        for item in message["content"]:
            number += item["type"] == "image"
            text += f"<|image_{number}|>\n" if item["type"] == "image" else item["text"].strip() + "\n"
        messages.append({"role": message["role"], "content": text.rstrip("\n")})
    return messages
