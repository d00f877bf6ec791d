"""SmolVLM2 at the smallest size, its processor's files laid out as the hub has them."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    LlamaConfig,
    PreTrainedTokenizerFast,
    SmolVLMConfig,
    SmolVLMForConditionalGeneration,
)
from transformers.models.smolvlm.configuration_smolvlm import SmolVLMVisionConfig

from amrg.models import ModelSettings, ViewEncoding

CORPUS = ["Assistant: Breast composition: b.\nRight breast: BI-RADS 1.\n\nFindings: none. User: RCC LCC RMLO LMLO"] * 3
TOWER = 32  # pixels a side of what the tower sees: 4 x 4 patches, 4 tokens a crop
TOKENS_A_CROP = 4
SPECIAL = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<global-img>",
    *(f"<row_{row}_col_{column}>" for row in range(1, 7) for column in range(1, 7)),
    "<fake_token_around_image>",
    "<image>",
    "<end_of_utterance>",
)

CHAT_TEMPLATE = (
    "<|im_start|>{% for message in messages %}{{ message['role'] | capitalize }}"
    "{% if message['content'][0]['type'] == 'image' %}{{ ':' }}{% else %}{{ ': ' }}{% endif %}"
    "{% for line in message['content'] %}{% if line['type'] == 'text' %}{{ line['text'] }}"
    "{% elif line['type'] == 'image' %}{{ '<image>' }}{% endif %}{% endfor %}<end_of_utterance>\n"
    "{% endfor %}{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"
)


def tiny_smolvlm(folder: Path, size: int = TOWER) -> Path:
    """A SigLIP-like tower, pixel shuffle and a Llama; pictures of `size` are cut where they are over `TOWER`."""
    torch.manual_seed(0)
    tokenizer = _tokenizer()
    number = tokenizer.convert_tokens_to_ids
    config = SmolVLMConfig(
        text_config=LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            max_position_embeddings=1024,
            pad_token_id=number("<|im_end|>"),
            bos_token_id=number("<|im_start|>"),
            eos_token_id=number("<end_of_utterance>"),
        ),
        vision_config=SmolVLMVisionConfig(
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=4,
            image_size=TOWER,
            patch_size=8,
        ),
        scale_factor=2,
        image_token_id=number("<image>"),
        tie_word_embeddings=False,
    )
    SmolVLMForConditionalGeneration(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    for name, document in _processor_files().items():
        (folder / name).write_text(json.dumps(document, indent=2), encoding="utf-8")
    ModelSettings(encoding=ViewEncoding(size=size), instruction="Report.", max_new_tokens=12).save(folder)
    return folder


def _tokenizer() -> PreTrainedTokenizerFast:
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=[AddedToken(t, special=True, normalized=False) for t in SPECIAL],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    core.train_from_iterator(CORPUS, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=core,
        bos_token="<|im_start|>",
        eos_token="<end_of_utterance>",
        pad_token="<|im_end|>",
        unk_token="<|endoftext|>",
        padding_side="left",
        extra_special_tokens={
            "fake_image_token": "<fake_token_around_image>",
            "image_token": "<image>",
            "end_of_utterance_token": "<end_of_utterance>",
            "global_image_token": "<global-img>",
        },
    )


def _processor_files() -> dict[str, dict[str, object]]:
    """As published, at this size: every picture is enlarged to 4 x 4 crops and the whole of it."""
    return {
        "preprocessor_config.json": {
            "image_processor_type": "SmolVLMImageProcessor",
            "processor_class": "SmolVLMProcessor",
            "do_image_splitting": True,
            "image_mean": [0.5, 0.5, 0.5],
            "image_std": [0.5, 0.5, 0.5],
            "max_image_size": {"longest_edge": TOWER},
            "resample": 1,
            "size": {"longest_edge": 4 * TOWER},
            "video_sampling": {"fps": 1, "max_frames": 64, "video_size": {"longest_edge": TOWER}},
        },
        "processor_config.json": {"image_seq_len": TOKENS_A_CROP, "processor_class": "SmolVLMProcessor"},
        "chat_template.json": {"chat_template": CHAT_TEMPLATE},
    }
