"""A tiny checkpoint of Phi-3.5-vision: its very class, a tokenizer and files laid out as the published ones."""

from __future__ import annotations

from pathlib import Path

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from amrg.models import ModelSettings, ViewEncoding
from amrg.models.phi3v import Cutting, Phi3VConfig, Phi3VForCausalLM, Phi3VProcessor

CORPUS = ["Breast composition: b.\nRight breast: BI-RADS 1.\n\nFindings: none. RCC LCC RMLO LMLO"] * 3
CROP, PATCH = 28, 7  # 4 x 4 patches and 4 tokens a crop
TURN = 192  # positions at which rope factors change: a prompt of four views is about as long
BYTES = [f"<0x{n:02X}>" for n in range(256)]
# In the order of their numbers in the published vocabulary, from 32000 on.
SPECIAL = ["<|endoftext|>", "<|assistant|>", "<|system|>", "<|end|>", "<|user|>", "<|image|>"]
TEMPLATE = (
    "{% for message in messages %}{{'<|' + message['role'] + '|>' + '\n' + message['content'] + '<|end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt and messages[-1]['role'] != 'assistant' %}"
    "{{- '<|assistant|>\n' -}}{% endif %}"
)
SHORT = [1.0, 1.05, 1.1, 1.3, 1.6, 2.0]
LONG = [1.1, 1.4, 2.5, 6.0, 12.0, 20.0]


def tiny_phi(folder: Path) -> Path:
    """Three Phi-3 layers with grouped heads and both kinds of rope factors, three CLIP layers, four crops."""
    torch.manual_seed(0)
    tokenizer = llama_tokenizer()
    model = Phi3VForCausalLM(Phi3VConfig(**published_form(len(tokenizer))))
    for separator in (model.model.vision_embed_tokens.glb_GN, model.model.vision_embed_tokens.sub_GN):
        torch.nn.init.normal_(separator, std=0.5)  # fresh ones are zeros
    model.save_pretrained(folder)
    Phi3VProcessor(tokenizer, Cutting(num_img_tokens=4, crop_size=CROP)).save_pretrained(folder)
    ModelSettings(encoding=ViewEncoding(size=2 * CROP), instruction="Report.", max_new_tokens=48).save(folder)
    return folder


def published_form(vocabulary: int) -> dict[str, object]:
    """A configuration with the keys that the published `config.json` has."""
    return {
        "vocab_size": vocabulary,
        "image_token_id": vocabulary - 1,
        "hidden_size": 48,
        "intermediate_size": 64,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 32 * TURN,
        "original_max_position_embeddings": TURN,
        "rope_scaling": {"short_factor": SHORT, "long_factor": LONG, "type": "su"},
        "rope_theta": 10000.0,
        "sliding_window": 64 * TURN,
        "initializer_range": 0.1,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "pad_token_id": vocabulary - len(SPECIAL),
        "img_processor": {
            "name": "clip_vision_model",
            "model_name": "tiny",
            "image_dim_out": 16,
            "num_img_tokens": 4,
            "image_size": CROP,
            "patch_size": PATCH,
            "intermediate_size": 32,
            "num_attention_heads": 2,
            "num_hidden_layers": 3,
        },
    }


def llama_tokenizer() -> PreTrainedTokenizerFast:
    """LLaMA's kind: BPE that falls back to bytes, every text begun with a space and the token of beginning."""
    core = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    core.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    trainer = trainers.BpeTrainer(vocab_size=420, special_tokens=["<unk>", "<s>", "</s>", *BYTES], show_progress=False)
    core.train_from_iterator(CORPUS, trainer)
    core.add_special_tokens([_special(token) for token in SPECIAL])
    core.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    core.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core, bos_token="<s>", eos_token="<|endoftext|>", pad_token="<|endoftext|>", unk_token="<unk>"
    )
    tokenizer.chat_template = TEMPLATE
    return tokenizer


def _special(token: str) -> AddedToken:
    """A special token; the assistant's swallows the line end after it, as the published one does."""
    return AddedToken(token, special=True, normalized=False, rstrip=token == "<|assistant|>")
