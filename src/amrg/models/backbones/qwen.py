"""Qwen2.5-VL (3B, 7B) and Qwen3-VL: images of any size within a pixel budget, and positions in three dimensions.

Both take the same prompt and differ in their towers: Qwen2.5-VL's has window attention in most layers, Qwen3-VL's also
passes states of three layers to the first layers of the language model (deepstack). A token's position follows from the
patch grid of its image (`grid`), so features and image tokens include it.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from transformers import (
    AutoTokenizer,
    ProcessorMixin,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2VLImageProcessorPil,
    Qwen3VLForConditionalGeneration,
)
from transformers.modeling_outputs import BaseModelOutputWithPooling
from transformers.models.qwen3_vl.modeling_qwen3_vl import BaseModelOutputWithDeepstackFeatures
from transformers.vision_utils import get_vision_window_index

from amrg.models.backbones.base import Backbone, Images, Modules, Prompt, Tensors, TrainableModules, Views, chat_of
from amrg.models.settings import ModelSettings

IMAGE, END_OF_TURN = "<|image_pad|>", "<|im_end|>"

_LANGUAGE = r"model\.language_model\..*\.(?:q|k|v|o|gate|up|down)_proj"
_SIZE = 896  # 1,024 tokens per image with Qwen2.5-VL, 784 with Qwen3-VL


class QwenProcessor(ProcessorMixin):  # type: ignore[misc]  # transformers has no types here
    """Images and text for both families, in the layout of transformers' processors.

    Those need a video processor, and so torchvision; this one does not, so hub checkpoints load without it. It always
    resizes with Pillow: a study gives the same pixels on every machine. An image appears in the text as
    `<|image_pad|>`, repeated for each of its tokens.
    """

    return_mm_token_type_ids = True

    def __init__(self, image_processor: Any = None, tokenizer: Any = None, chat_template: str | None = None) -> None:
        self.image_token = IMAGE
        self.image_token_id = tokenizer.convert_tokens_to_ids(IMAGE)
        super().__init__(image_processor, tokenizer, chat_template=chat_template)

    @classmethod
    def stored(cls, source: str, revision: str | None) -> QwenProcessor:
        """The processor of a folder or a hub checkpoint; the class named in its files is ignored."""
        image_processor = Qwen2VLImageProcessorPil.from_pretrained(source, revision=revision)
        tokenizer = AutoTokenizer.from_pretrained(source, revision=revision, trust_remote_code=False)
        files, _ = cls.get_processor_dict(source, revision=revision)
        return cls(image_processor, tokenizer, files.get("chat_template") or tokenizer.chat_template)

    def replace_image_token(self, image_inputs: Mapping[str, Any], image_idx: int, **_: Any) -> str:
        """An image's placeholders: one for every `merge_size` x `merge_size` patches."""
        patches = int(image_inputs["image_grid_thw"][image_idx].prod())
        return IMAGE * int(patches // self.image_processor.merge_size**2)

    def save_pretrained(self, save_directory: str | Path, **_: Any) -> None:
        """Write the files of the published checkpoints; they name no class, so every library uses its own."""
        self.image_processor.save_pretrained(save_directory)
        self.tokenizer.chat_template = self.chat_template
        self.tokenizer.save_pretrained(save_directory)


class _Qwen(Backbone):
    """What both families share."""

    end_token: ClassVar[str] = END_OF_TURN
    columns: ClassVar[Mapping[str, int]] = {"mm_token_type_ids": 0}
    tower_names: ClassVar[str] = "visual"
    projector_names: ClassVar[str] = r"visual\.(?:merger|deepstack_merger_list)"
    _projector: ClassVar[str]
    _tower: ClassVar[str]

    def load_processor(self, source: str, revision: str | None, settings: ModelSettings | None) -> QwenProcessor:
        """The stored processor; `settings` replace its limit of 12.8 million pixels per image."""
        processor = QwenProcessor.stored(source, revision)
        if settings is not None:
            image_processor = processor.image_processor
            image_processor.size = type(image_processor.size)(**budget(settings))
        return processor

    def image_size(self, config: Any) -> int:
        """896, as for MedGemma; these families have no fixed size."""
        return _SIZE

    def build_prompt(self, processor: Any, settings: ModelSettings, views: Views, images: Images) -> Prompt:
        """Pixels: `pixel_values` [patches of all images, values], `image_grid_thw` int64 [images, 3]."""
        made = processor.apply_chat_template(
            [chat_of(settings, views, images)],
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
            add_generation_prompt=True,
            processor_kwargs={"images_kwargs": {"size": budget(settings)}},
        )
        tokens = {name: made[name][0] for name in ("input_ids", *self.columns)}
        return Prompt(tokens, {name: made[name] for name in ("pixel_values", "image_grid_thw")})

    def features(self, model: Any, pixels: Tensors) -> list[Tensors]:
        """Per image `states` [levels, patches, tower width], the input of each merger, last level first; `grid` [3]."""
        tower, grids = model.model.visual, pixels["image_grid_thw"]
        values = pixels["pixel_values"].to(tower.dtype)
        inputs = _record_inputs(self._mergers(tower), lambda: tower(values, grid_thw=grids))
        states = self._in_order(tower, torch.stack(inputs), grids)
        shares = torch.split(states, grids.prod(-1).tolist(), dim=1)
        return [{"states": share, "grid": grid} for share, grid in zip(shares, grids, strict=True)]

    def image_tokens(self, model: Any, features: Sequence[Tensors]) -> list[Tensors]:
        """Per image `tokens` [levels, tokens, width], first the level that replaces its placeholders; `grid` [3]."""
        tower = model.model.visual
        states = torch.cat([f["states"] for f in features], dim=1)
        merged = torch.stack([merge(s) for merge, s in zip(self._mergers(tower), states, strict=True)])
        counts = [f["states"].shape[1] // tower.spatial_merge_size**2 for f in features]
        shares = torch.split(merged, counts, dim=1)
        return [{"tokens": share, "grid": f["grid"]} for share, f in zip(shares, features, strict=True)]

    def model_inputs(self, model: Any, image_tokens: Sequence[Tensors]) -> dict[str, Any]:
        """As transformers takes precomputed image embeddings; positions follow from `image_grid_thw`."""
        return {
            "mm_encoder_outputs": {"image": self._encoded([t["tokens"] for t in image_tokens])},
            "image_grid_thw": torch.stack([t["grid"] for t in image_tokens]),
        }

    def trainable_modules(self, model: Any, modules: Modules) -> TrainableModules:
        """The projector is the tower's mergers: linear layers, so LoRA adapts them too."""
        if modules is Modules.LANGUAGE:
            return TrainableModules(_LANGUAGE)
        if modules is Modules.PROJECTOR:
            return TrainableModules(f"{_LANGUAGE}|{self._projector}", projector=True)
        return TrainableModules(f"{_LANGUAGE}|{self._projector}|{self._tower}", projector=True, tower=True)

    @abstractmethod
    def _mergers(self, tower: Any) -> list[nn.Module]:
        """The layers that merge `merge_size` x `merge_size` patches to a token; the one of the last states first."""

    def _in_order(self, tower: Any, states: Tensor, grids: Tensor) -> Tensor:
        """States [levels, patches, width] with each image's patches from top left to bottom right."""
        return states

    @abstractmethod
    def _encoded(self, tokens: Sequence[Tensor]) -> BaseModelOutputWithPooling:
        """Tokens [levels, tokens, width] per image as the tower's output."""


class Qwen2_5VL(_Qwen):  # noqa: N801  # the family's own name
    """The family of `Qwen2_5_VLForConditionalGeneration`."""

    family: ClassVar[str] = "qwen2_5_vl"
    model_types: ClassVar[tuple[str, ...]] = ("qwen2_5_vl",)
    _projector: ClassVar[str] = r"model\.visual\.merger\.mlp\.[02]"
    _tower: ClassVar[str] = r"model\.visual\.blocks\..*\.(?:qkv|proj|gate_proj|up_proj|down_proj)"

    @property
    def model_class(self) -> Any:
        """transformers' own."""
        return Qwen2_5_VLForConditionalGeneration

    def _mergers(self, tower: Any) -> list[nn.Module]:
        return [tower.merger]

    def _in_order(self, tower: Any, states: Tensor, grids: Tensor) -> Tensor:
        """Undo the window order, which this tower keeps up to its last layer."""
        order, _ = get_vision_window_index(grids, tower.spatial_merge_size, tower.window_size, tower.patch_size)
        units = states.reshape(len(states), len(order), -1)
        return units[:, torch.argsort(order.to(states.device))].reshape(states.shape)

    def _encoded(self, tokens: Sequence[Tensor]) -> BaseModelOutputWithPooling:
        return BaseModelOutputWithPooling(pooler_output=[t[0] for t in tokens])


class Qwen3VL(_Qwen):
    """The family of `Qwen3VLForConditionalGeneration`."""

    family: ClassVar[str] = "qwen3_vl"
    model_types: ClassVar[tuple[str, ...]] = ("qwen3_vl",)
    _projector: ClassVar[str] = r"model\.visual\.(?:merger|deepstack_merger_list\.\d+)\.linear_fc[12]"
    _tower: ClassVar[str] = r"model\.visual\.blocks\..*\.(?:qkv|proj|linear_fc[12])"

    @property
    def model_class(self) -> Any:
        """transformers' own."""
        return Qwen3VLForConditionalGeneration

    def _mergers(self, tower: Any) -> list[nn.Module]:
        return [tower.merger, *tower.deepstack_merger_list]

    def _encoded(self, tokens: Sequence[Tensor]) -> BaseModelOutputWithPooling:
        deep = [[t[level] for t in tokens] for level in range(1, tokens[0].shape[0])]
        return BaseModelOutputWithDeepstackFeatures(pooler_output=[t[0] for t in tokens], deepstack_features=deep)


def budget(settings: ModelSettings) -> dict[str, int]:
    """Minimum and maximum pixels of one image, under transformers' names.

    Published processors enlarge small images; this does not. So an image within a square of `size` has at most
    size^2 / (patch x merge)^2 tokens.
    """
    return {"shortest_edge": 1, "longest_edge": settings.encoding.size**2}


def _record_inputs(modules: Sequence[nn.Module], run: Callable[[], Any]) -> list[Tensor]:
    """The first input of each module while `run` executes, in the order of `modules`."""
    inputs: dict[nn.Module, Tensor] = {}

    def record(module: nn.Module, arguments: tuple[Tensor, ...]) -> None:
        inputs[module] = arguments[0]

    hooks = [module.register_forward_pre_hook(record) for module in modules]
    try:
        run()
    finally:
        for hook in hooks:
            hook.remove()
    return [inputs[module] for module in modules]
