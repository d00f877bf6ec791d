"""Published shapes as checkpoints of random bfloat16 weights, for `check_full_size.py`.

Names and shapes of tensors and the configuration are those of the published files (`tests/models/published`). The
processor has the family's own image processing at the published size around a small byte-level tokenizer, whose
numbers of special tokens are written into the configuration.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from transformers import Qwen2VLImageProcessorPil

from amrg.models import ModelSettings, ViewEncoding
from amrg.models.backbones.base import Backbone
from amrg.models.backbones.qwen import QwenProcessor
from amrg.models.backbones.registry import backbone_of
from amrg.models.embedded.tokenizer import build_processor, train_tokenizer, vocabulary
from amrg.models.phi3v import Cutting, Phi3VProcessor

PUBLISHED = Path("tests/models/published")
SHARD = 1_000_000_000
"""Bytes a file of weights; a larger tensor has a file of its own."""
ITEM = torch.bfloat16.itemsize
NEW_TOKENS = 24
REPORT = "Breast composition: b.\nRight breast: BI-RADS 1.\nLeft breast: BI-RADS 2."

Shapes = dict[str, tuple[int, ...]]
Numbers = dict[str, int]

_QWEN_TURNS = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{% for item in message['content'] %}"
    "{% if item['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>{% else %}{{ item['text'] }}{% endif %}"
    "{% endfor %}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
_PHI_TURNS = (
    "{% for message in messages %}<|{{ message['role'] }}|>\n{{ message['content'] }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)


@dataclass(frozen=True)
class Shape:
    """A checkpoint to be written: hub name, configuration, tensors by name, and the side of its images in pixels."""

    name: str
    config: dict[str, Any]
    tensors: Shapes
    images: int

    @classmethod
    def published(cls, name: str) -> Shape:
        """A published checkpoint by its hub name, with images of the size that amrg takes by default."""
        document = json.loads((PUBLISHED / f"{name.split('/')[1].lower()}.json").read_text(encoding="utf-8"))
        tensors = {
            key.replace("{n}", str(n)): tuple(tensor["shape"])
            for key, tensor in document["tensors"].items()
            for n in range(tensor.get("count", 1))
        }
        bare = cls(name, document["config"], tensors, 0)
        return replace(bare, images=bare.backbone.image_size(bare.read_config))

    @property
    def backbone(self) -> Backbone:
        """Its family."""
        found = backbone_of(self.config["model_type"])
        assert found is not None
        return found

    @property
    def read_config(self) -> Any:
        """Its configuration as the class reads it."""
        return self.backbone.model_class.config_class.from_dict(self.config)

    @property
    def label(self) -> str:
        """A folder's name."""
        return self.name.split("/")[1].lower()


def write_shape(shape: Shape, folder: Path) -> None:
    """Write a checkpoint of random weights, with the processor and the settings that go with it."""
    folder.mkdir(parents=True, exist_ok=True)
    processor, numbers = _MAKERS[shape.config["model_type"]](shape)
    processor.save_pretrained(folder)
    (folder / "config.json").write_text(json.dumps(_with_numbers(shape.config, numbers), indent=1), encoding="utf-8")
    ModelSettings(encoding=ViewEncoding(size=shape.images), max_new_tokens=NEW_TOKENS).save(folder)
    generator = torch.Generator().manual_seed(0)
    index: dict[str, str] = {}
    for number, tensors in enumerate(shards(shape.tensors)):
        file = f"model-{number:05d}.safetensors"
        save_file({n: _weight(n, size, generator) for n, size in tensors.items()}, folder / file, {"format": "pt"})
        index |= dict.fromkeys(tensors, file)
    document = {"metadata": {}, "weight_map": index}
    (folder / "model.safetensors.index.json").write_text(json.dumps(document), encoding="utf-8")


def shards(tensors: Shapes) -> Iterator[Shapes]:
    """The tensors of each file."""
    held: Shapes = {}
    size = 0
    for name, shape in tensors.items():
        more = ITEM * torch.Size(shape).numel()
        if held and size + more > SHARD:
            yield held
            held, size = {}, 0
        held[name] = shape
        size += more
    yield held


def _weight(name: str, shape: tuple[int, ...], generator: torch.Generator) -> torch.Tensor:
    """Matrices of small numbers, norms of ones, biases of zeros."""
    if len(shape) == 1:
        return torch.full(shape, 0.0 if name.endswith("bias") else 1.0, dtype=torch.bfloat16)
    return torch.empty(shape, dtype=torch.bfloat16).normal_(std=0.02, generator=generator)


def _with_numbers(config: dict[str, Any], numbers: Numbers) -> dict[str, Any]:
    """A configuration with the tokenizer's numbers of special tokens, in its text part too."""
    found = {**config, **numbers}
    if "text_config" in config:
        plain = {name: numbers[name] for name in ("pad_token_id", "bos_token_id", "eos_token_id")}
        found["text_config"] = {**config["text_config"], **plain}
    return found


def _gemma3(shape: Shape) -> tuple[Any, Numbers]:
    tokenizer = train_tokenizer([REPORT] * 3, 400)
    known = vocabulary(tokenizer)
    settings = ModelSettings(encoding=ViewEncoding(size=shape.images))
    return build_processor(tokenizer, settings, shape.config["mm_tokens_per_image"]), {
        "pad_token_id": known.pad,
        "bos_token_id": known.begin,
        "eos_token_id": known.end_of_turn,
        "boi_token_index": known.begin_of_image,
        "eoi_token_index": known.end_of_image,
        "image_token_index": known.image,
    }


def _qwen(shape: Shape) -> tuple[Any, Numbers]:
    named = {"eos_token_id": "im_end", **{f"{n}_token_id": n for n in ("vision_start", "vision_end")}}
    named |= {"image_token_id": "image_pad", "video_token_id": "video_pad"}
    tokenizer, numbers = _tokenizer(named, ("im_start",))
    pictures = Qwen2VLImageProcessorPil(patch_size=shape.read_config.vision_config.patch_size)
    return QwenProcessor(pictures, tokenizer, _QWEN_TURNS), numbers


def _phi(shape: Shape) -> tuple[Any, Numbers]:
    tokenizer, numbers = _tokenizer({"image_token_id": "image", "eos_token_id": "end"}, ("user", "assistant"))
    tokenizer.chat_template = _PHI_TURNS
    config = shape.read_config
    cutting = Cutting(num_img_tokens=config.img_processor["num_img_tokens"], crop_size=config.crop_size)
    return Phi3VProcessor(tokenizer, cutting), numbers


def _tokenizer(named: dict[str, str], others: tuple[str, ...]) -> tuple[Any, Numbers]:
    """A tokenizer with special tokens `<|name|>`, and the numbers of those that a configuration names."""
    tokenizer = train_tokenizer([REPORT] * 3, 400)
    tokenizer.add_special_tokens({"additional_special_tokens": [f"<|{n}|>" for n in (*named.values(), *others)]})
    numbers = {key: int(tokenizer.convert_tokens_to_ids(f"<|{name}|>")) for key, name in named.items()}
    return tokenizer, {"pad_token_id": tokenizer.pad_token_id, "bos_token_id": tokenizer.bos_token_id, **numbers}


_MAKERS = {"gemma3": _gemma3, "qwen2_5_vl": _qwen, "phi3_v": _phi}
