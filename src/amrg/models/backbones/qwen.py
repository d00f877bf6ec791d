"""Qwen2.5-VL (3B, 7B) and Qwen3-VL: pictures of any size, cut to a budget, and positions in three dimensions.

Both take a study alike and differ in their towers: Qwen2.5's reads most layers in windows, Qwen3's hands states of
three of its layers to the first layers of the language model as well (deepstack). Where a token stands follows from
the patches of every picture (`grid`), so that a picture's features and image tokens keep them.
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

from amrg.models.backbones.base import Backbone, Modules, Pictures, Prompt, Tensors, TrainableModules, Views, chat_of
from amrg.models.settings import ModelSettings

IMAGE, END_OF_TURN = "<|image_pad|>", "<|im_end|>"

_LANGUAGE = r"model\.language_model\..*\.(?:q|k|v|o|gate|up|down)_proj"
_SIZE = 896  # 1,024 tokens a picture with Qwen2.5-VL, 784 with Qwen3-VL


class QwenProcessor(ProcessorMixin):  # type: ignore[misc]  # transformers has no types here
    """Pictures and text for both families, as transformers' processors lay them out.

    Those ask for a video processor, which needs torchvision; this one has none, so that a checkpoint of the hub loads
    without it. It always resizes with Pillow: the same study gives the same pixels wherever it is read. A picture
    stands in the text as `<|image_pad|>`, repeated as often as it has tokens.
    """

    return_mm_token_type_ids = True

    def __init__(self, image_processor: Any = None, tokenizer: Any = None, chat_template: str | None = None) -> None:
        self.image_token = IMAGE
        self.image_token_id = tokenizer.convert_tokens_to_ids(IMAGE)
        super().__init__(image_processor, tokenizer, chat_template=chat_template)

    @classmethod
    def stored(cls, source: str, revision: str | None) -> QwenProcessor:
        """The processor of a folder or a hub checkpoint, whatever class its files name."""
        pictures = Qwen2VLImageProcessorPil.from_pretrained(source, revision=revision)
        tokenizer = AutoTokenizer.from_pretrained(source, revision=revision, trust_remote_code=False)
        files, _ = cls.get_processor_dict(source, revision=revision)
        return cls(pictures, tokenizer, files.get("chat_template") or tokenizer.chat_template)

    def replace_image_token(self, image_inputs: Mapping[str, Any], image_idx: int, **_: Any) -> str:
        """A picture's placeholders: one for every `merge_size` x `merge_size` patches."""
        patches = int(image_inputs["image_grid_thw"][image_idx].prod())
        return IMAGE * int(patches // self.image_processor.merge_size**2)

    def save_pretrained(self, save_directory: str | Path, **_: Any) -> None:
        """Write the files of the published checkpoints, which name no class: every reader takes its own."""
        self.image_processor.save_pretrained(save_directory)
        self.tokenizer.chat_template = self.chat_template
        self.tokenizer.save_pretrained(save_directory)


class _Qwen(Backbone):
    """What both families share."""

    columns: ClassVar[Mapping[str, int]] = {"mm_token_type_ids": 0}
    _projector: ClassVar[str]
    _tower: ClassVar[str]

    def load_processor(self, source: str, revision: str | None, settings: ModelSettings | None) -> QwenProcessor:
        """The stored processor; its limit of 12.8 million pixels a picture gives way to that of `settings`."""
        processor = QwenProcessor.stored(source, revision)
        if settings is not None:
            pictures = processor.image_processor
            pictures.size = type(pictures.size)(**budget(settings))
        return processor

    def picture_size(self, config: Any) -> int:
        """896, as MedGemma is shown; these families have no size of their own."""
        return _SIZE

    def ask(self, processor: Any, settings: ModelSettings, views: Views, pictures: Pictures) -> Prompt:
        """Pixels: `pixel_values` [patches of all pictures, values], `image_grid_thw` int64 [pictures, 3]."""
        made = processor.apply_chat_template(
            [chat_of(settings, views, pictures)],
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
            add_generation_prompt=True,
            processor_kwargs={"images_kwargs": {"size": budget(settings)}},
        )
        tokens = {name: made[name][0] for name in ("input_ids", *self.columns)}
        return Prompt(tokens, {name: made[name] for name in ("pixel_values", "image_grid_thw")})

    def ending(self, processor: Any) -> int:
        """`<|im_end|>`."""
        return int(processor.tokenizer.convert_tokens_to_ids(END_OF_TURN))

    def features(self, model: Any, pixels: Tensors) -> list[Tensors]:
        """`states` [levels, patches, tower width] a picture: what each merger takes, the last level's first; `grid`."""
        tower, grids = model.model.visual, pixels["image_grid_thw"]
        values = pixels["pixel_values"].to(tower.dtype)
        heard = _overheard(self._mergers(tower), lambda: tower(values, grid_thw=grids))
        states = self._in_order(tower, torch.stack(heard), grids)
        shares = torch.split(states, grids.prod(-1).tolist(), dim=1)
        return [{"states": share, "grid": grid} for share, grid in zip(shares, grids, strict=True)]

    def image_tokens(self, model: Any, features: Sequence[Tensors]) -> list[Tensors]:
        """`tokens` [levels, tokens, width] a picture, first those that take its placeholders' place; `grid` [3]."""
        tower = model.model.visual
        states = torch.cat([f["states"] for f in features], dim=1)
        merged = torch.stack([merge(s) for merge, s in zip(self._mergers(tower), states, strict=True)])
        counts = [f["states"].shape[1] // tower.spatial_merge_size**2 for f in features]
        shares = torch.split(merged, counts, dim=1)
        return [{"tokens": share, "grid": f["grid"]} for share, f in zip(shares, features, strict=True)]

    def given(self, model: Any, image_tokens: Sequence[Tensors]) -> dict[str, Any]:
        """As transformers takes what was encoded before; positions follow from `image_grid_thw`."""
        return {
            "mm_encoder_outputs": {"image": self._encoded([t["tokens"] for t in image_tokens])},
            "image_grid_thw": torch.stack([t["grid"] for t in image_tokens]),
        }

    def touched(self, model: Any, modules: Modules) -> TrainableModules:
        """The projector is the tower's mergers: they are linear, so that LoRA takes them as it takes the rest."""
        if modules is Modules.LANGUAGE:
            return TrainableModules(_LANGUAGE)
        if modules is Modules.PROJECTOR:
            return TrainableModules(f"{_LANGUAGE}|{self._projector}", projector=True)
        return TrainableModules(f"{_LANGUAGE}|{self._projector}|{self._tower}", projector=True, tower=True)

    @abstractmethod
    def _mergers(self, tower: Any) -> list[nn.Module]:
        """The layers that make a token of `merge_size` x `merge_size` patches, that of the last states first."""

    def _in_order(self, tower: Any, states: Tensor, grids: Tensor) -> Tensor:
        """States [levels, patches, width] with every picture's patches from its top left to its bottom right."""
        return states

    @abstractmethod
    def _encoded(self, tokens: Sequence[Tensor]) -> BaseModelOutputWithPooling:
        """Tokens [levels, tokens, width] a picture as the tower's output."""


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
        """Out of the order of windows, in which this tower keeps patches to its end."""
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
    """Fewest and most pixels of one picture, by the names that transformers gives them.

    No picture is enlarged to a least size, as published processors do; so none that fits a square of `size` has more
    than size^2 / (patch x merge)^2 tokens.
    """
    return {"shortest_edge": 1, "longest_edge": settings.encoding.size**2}


def _overheard(modules: Sequence[nn.Module], run: Callable[[], Any]) -> list[Tensor]:
    """What modules are given while something runs, in the order of `modules`."""
    heard: dict[nn.Module, Tensor] = {}

    def hear(module: nn.Module, given: tuple[Tensor, ...]) -> None:
        heard[module] = given[0]

    hooks = [module.register_forward_pre_hook(hear) for module in modules]
    try:
        run()
    finally:
        for hook in hooks:
            hook.remove()
    return [heard[module] for module in modules]
