"""Tiny checkpoints of Qwen2.5-VL and Qwen3-VL: their very classes, tokenizer, picture processor and turns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import (
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2Tokenizer,
    Qwen2VLImageProcessorPil,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
)

from amrg.models import ModelSettings, ViewEncoding
from amrg.models.backbones.qwen import QwenProcessor

CORPUS = ["Breast composition: b.\nRight breast: BI-RADS 1.\n\nFindings: none. RCC LCC RMLO LMLO"] * 3
END_OF_TEXT = "<|endoftext|>"
HALF = [0.5, 0.5, 0.5]
# In the order of their numbers in the published vocabulary, from 151644 on.
SPECIAL = [f"<|{name}|>" for name in ("im_start", "im_end", "vision_start", "vision_end", "vision_pad")]
SPECIAL += ["<|image_pad|>", "<|video_pad|>"]

# The turns of the published templates: text as it is, a picture between its two marks, every turn ended alike.
_TURNS = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}{% for item in message['content'] %}"
    "{% if item['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% elif item['type'] == 'text' %}{{ item['text'] }}{% endif %}"
    "{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
# Qwen2.5-VL gets a default system prompt where the chat has none; Qwen3-VL does not.
_SYSTEM = (
    "{% if messages[0]['role'] != 'system' %}<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n{% endif %}"
)


def tiny_qwen2_5_vl(folder: Path) -> Path:
    """8 x 8 patches, 16 tokens in four windows: one layer sees windows, one all, before three language layers."""
    tokenizer = _tokenizer()
    vision = {"hidden_size": 32, "intermediate_size": 48, "depth": 2, "num_heads": 2, "out_hidden_size": 32}
    config = Qwen2_5_VLConfig(
        text_config=_text(tokenizer, rope_parameters=_positions(interleaved=False)),
        vision_config={**vision, "patch_size": 14, "window_size": 56, "fullatt_block_indexes": [1]},
        tie_word_embeddings=True,
        **_marks(tokenizer),
    )
    pictures = Qwen2VLImageProcessorPil(patch_size=14, min_pixels=3136, max_pixels=12_845_056)  # as published
    processor = QwenProcessor(pictures, tokenizer, _SYSTEM + _TURNS)
    return _write(folder, Qwen2_5_VLForConditionalGeneration(config), processor, 112)


def tiny_qwen3_vl(folder: Path) -> Path:
    """4 x 4 patches, states of two layers handed to the first two of three language layers."""
    tokenizer = _tokenizer()
    vision = {"hidden_size": 32, "intermediate_size": 48, "depth": 3, "num_heads": 2, "out_hidden_size": 32}
    config = Qwen3VLConfig(
        text_config=_text(tokenizer, head_dim=8, rope_parameters=_positions(interleaved=True)),
        vision_config={**vision, "patch_size": 16, "num_position_embeddings": 16, "deepstack_visual_indexes": [0, 1]},
        tie_word_embeddings=True,
        **_marks(tokenizer),
    )
    published = {"size": {"shortest_edge": 65_536, "longest_edge": 16_777_216}, "image_mean": HALF, "image_std": HALF}
    processor = QwenProcessor(Qwen2VLImageProcessorPil(patch_size=16, **published), tokenizer, _TURNS)
    return _write(folder, Qwen3VLForConditionalGeneration(config), processor, 64)


def _tokenizer() -> Any:
    """Qwen2's byte-level pairs, learned on a few words; a turn's end ends a text, as in the published files."""
    tokenizer = Qwen2Tokenizer().train_new_from_iterator(CORPUS, 350)
    tokenizer.add_special_tokens({"additional_special_tokens": SPECIAL})
    tokenizer.eos_token = "<|im_end|>"
    return tokenizer


def _text(tokenizer: Any, **more: Any) -> dict[str, Any]:
    return {
        "vocab_size": len(tokenizer),
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 512,
        "bos_token_id": tokenizer.convert_tokens_to_ids(END_OF_TEXT),
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.convert_tokens_to_ids(END_OF_TEXT),
        **more,
    }


def _positions(interleaved: bool) -> dict[str, Any]:
    """Of the four frequencies of a head, two count time, one rows, one columns."""
    return {
        "rope_type": "default",
        "rope_theta": 10000.0,
        "mrope_section": [2, 1, 1],
        **({"mrope_interleaved": True} if interleaved else {}),
    }


def _marks(tokenizer: Any) -> dict[str, int]:
    names = {"image": "image_pad", "video": "video_pad", "vision_start": "vision_start", "vision_end": "vision_end"}
    return {f"{key}_token_id": tokenizer.convert_tokens_to_ids(f"<|{name}|>") for key, name in names.items()}


def _write(folder: Path, model: Any, processor: QwenProcessor, size: int) -> Path:
    torch.manual_seed(0)
    for parameter in model.parameters():
        if parameter.ndim > 1:  # a fresh model's are so small that what is seen hardly changes what is written
            torch.nn.init.normal_(parameter, std=0.2)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    settings = ModelSettings(encoding=ViewEncoding(size=size), instruction="Report.", max_new_tokens=12)
    settings.save(folder)
    return folder
