"""The embedded model: a real `Gemma3ForConditionalGeneration` of a few million parameters.

Its tower finds candidates in a view (`amrg.models.embedded.mammogram_tower`,
docs/decisions/0022-a-tower-that-finds-candidates.md). All else is transformers' own.
"""

from __future__ import annotations

from transformers import Gemma3Config, Gemma3ForConditionalGeneration, Gemma3TextConfig

from amrg.birads import AnswerForm
from amrg.models.embedded.mammogram_tower import SIDE, MammogramTowerConfig
from amrg.models.embedded.tokenizer import Vocabulary
from amrg.models.settings import ModelSettings
from amrg.models.views import Channels, Hanging, ViewEncoding

SIZE = 512  # pixels a side of the image
TOKENS_A_VIEW = SIDE * SIDE
SETTINGS = ModelSettings(
    encoding=ViewEncoding(size=SIZE, channels=Channels.LAYERS, hanging=Hanging.CHEST_WALL_LEFT),
    instruction="Report.",
    list_instruction="Findings list.",
    answer=AnswerForm.FINDINGS_FIRST,
    max_new_tokens=480,
)


def config(vocabulary: Vocabulary) -> Gemma3Config:
    """The whole configuration, with the tokens of a vocabulary."""
    layers = 5
    text = Gemma3TextConfig(
        vocab_size=vocabulary.size,
        hidden_size=192,
        intermediate_size=512,
        num_hidden_layers=layers,
        num_attention_heads=6,
        num_key_value_heads=3,
        head_dim=32,
        query_pre_attn_scalar=32,
        max_position_embeddings=2048,
        sliding_window=2048,
        layer_types=["full_attention"] * layers,
        rope_parameters={
            "full_attention": {"rope_type": "default", "rope_theta": 10_000.0},
            "sliding_attention": {"rope_type": "default", "rope_theta": 10_000.0},
        },
        attention_dropout=0.0,
        pad_token_id=vocabulary.pad,
        bos_token_id=vocabulary.begin,
        eos_token_id=vocabulary.end_of_turn,
    )
    return Gemma3Config(
        text_config=text,
        vision_config=MammogramTowerConfig(image_size=SIZE),
        mm_tokens_per_image=TOKENS_A_VIEW,
        boi_token_index=vocabulary.begin_of_image,
        eoi_token_index=vocabulary.end_of_image,
        image_token_index=vocabulary.image,
        pad_token_id=vocabulary.pad,
        bos_token_id=vocabulary.begin,
        eos_token_id=vocabulary.end_of_turn,
    )


def build(vocabulary: Vocabulary) -> Gemma3ForConditionalGeneration:
    """A fresh model with random weights (seed them with `torch.manual_seed`)."""
    return Gemma3ForConditionalGeneration(config(vocabulary))
