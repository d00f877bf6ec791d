"""A checkpoint of every family at the smallest size: its very class, random weights, a real processor."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from transformers import (
    Gemma3Config,
    Gemma3ForConditionalGeneration,
    Gemma3TextConfig,
    PretrainedConfig,
    SiglipVisionConfig,
)

from amrg.models import Channels, Hanging, ModelSettings, ViewEncoding
from amrg.models.embedded.mammogram_tower import CANDIDATES, MammogramTowerConfig
from amrg.models.embedded.tokenizer import build_processor, train_tokenizer, vocabulary
from tests.models.tiny_phi import tiny_phi
from tests.models.tiny_qwen import tiny_qwen2_5_vl, tiny_qwen3_vl
from tests.models.tiny_smolvlm import tiny_smolvlm

CORPUS = ["Breast composition: b.\nRight breast: BI-RADS 1.\n\nFindings: none. RCC LCC RMLO LMLO"] * 3
SIZE = 56


def tiny_gemma3(folder: Path) -> Path:
    """Gemma 3 with a SigLIP tower, as MedGemma has: 4 x 4 patches, pooled to 4 tokens a picture."""
    tower = SiglipVisionConfig(
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        image_size=SIZE,
        patch_size=14,
        vision_use_head=False,
    )
    return _write_gemma3(folder, tower, 4, ViewEncoding(size=SIZE))


def tiny_embedded(folder: Path) -> Path:
    """The embedded model's classes: Gemma 3 with the tower that finds candidates, on images of 128 pixels."""
    tower = MammogramTowerConfig(image_size=128, pyramid_width=16)
    encoding = ViewEncoding(size=128, channels=Channels.LAYERS, hanging=Hanging.CHEST_WALL_LEFT)
    return _write_gemma3(folder, tower, CANDIDATES + 1, encoding)


def _write_gemma3(folder: Path, tower: PretrainedConfig, tokens_a_view: int, encoding: ViewEncoding) -> Path:
    """A checkpoint of random weights with a tower of the given configuration."""
    torch.manual_seed(0)
    tokenizer = train_tokenizer(CORPUS, 400)
    numbers = vocabulary(tokenizer)
    config = Gemma3Config(
        text_config=Gemma3TextConfig(
            vocab_size=numbers.size,
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=3,
            num_attention_heads=4,
            num_key_value_heads=2,
            head_dim=8,
            query_pre_attn_scalar=8,
            max_position_embeddings=512,
            sliding_window=64,
            layer_types=["sliding_attention", "sliding_attention", "full_attention"],
            pad_token_id=numbers.pad,
            bos_token_id=numbers.begin,
            eos_token_id=numbers.end_of_turn,
        ),
        vision_config=tower,
        mm_tokens_per_image=tokens_a_view,
        boi_token_index=numbers.begin_of_image,
        eoi_token_index=numbers.end_of_image,
        image_token_index=numbers.image,
        pad_token_id=numbers.pad,
        bos_token_id=numbers.begin,
        eos_token_id=numbers.end_of_turn,
    )
    model = Gemma3ForConditionalGeneration(config)
    # A fresh projector is all zeros, as in Gemma 3: give it something to project.
    torch.nn.init.normal_(model.model.multi_modal_projector.mm_input_projection_weight, std=0.2)
    model.save_pretrained(folder)
    settings = ModelSettings(encoding=encoding, instruction="Report.", max_new_tokens=12)
    build_processor(tokenizer, settings, tokens_a_view).save_pretrained(folder)
    settings.save(folder)
    return folder


TINY: dict[str, Callable[[Path], Path]] = {
    "gemma3": tiny_gemma3,
    "phi3_v": tiny_phi,
    "qwen2_5_vl": tiny_qwen2_5_vl,
    "qwen3_vl": tiny_qwen3_vl,
    "smolvlm": tiny_smolvlm,
}
"""Family to what writes its tiny checkpoint into a folder."""

_LIKE_OTHERS = ("qwen3_vl", "smolvlm")

WHOLE_RUNS = [pytest.param(f, marks=pytest.mark.slow if f in _LIKE_OTHERS else []) for f in sorted(TINY)]
"""Families for tests of whole runs and exports, which cost seconds a family: those with a mechanism of their own (tied
words and a projector trained whole, crops, windows) in every run, the two that are like others in `make test-slow`."""
