"""Tiny models for `check_vllm.py`: the families' own classes, of sizes that vLLM takes on a CPU, trained a bit.

An untrained model writes bytes that are no text and never ends, which a server cuts; so each learns four reports.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from peft import get_peft_model_state_dict
from safetensors.torch import save_file
from torch.nn.functional import cross_entropy
from transformers import (
    Gemma3Config,
    Gemma3ForConditionalGeneration,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2Tokenizer,
    Qwen2VLImageProcessorPil,
)

from amrg.birads import AnswerForm, Report
from amrg.birads.answers import write_answer
from amrg.generation.drafting import prepare
from amrg.generation.engines.base import Request
from amrg.imaging import read_studies
from amrg.models import ModelSettings, ViewEncoding
from amrg.models.adapters.files import WEIGHTS_FILE
from amrg.models.backbones.qwen import QwenProcessor
from amrg.models.decoding.batched import batch_prompts
from amrg.models.embedded.tokenizer import build_processor, train_tokenizer, vocabulary
from amrg.models.export.exporting import ExportRequest, export_adapter, export_merged
from amrg.models.hubnames import rename_to_hub
from amrg.models.load import LoadedModel, load_base
from amrg.phantom import Size, draw_exam, write_exam
from amrg.training.loop.lora import with_lora
from amrg.training.recipe import Lora, Recipe

FIRST_SEED = 7_100_000
STEPS = 400
WORDS = ["Breast composition: b. Right breast: BI-RADS 1. Findings: none. RCC LCC RMLO LMLO\n"] * 3
SETTINGS = {"instruction": "Report.", "max_new_tokens": 300}
HEAD = 32  # the width of a head that vLLM's attention for CPUs takes
TEXT = {
    "hidden_size": 2 * HEAD,
    "intermediate_size": 128,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "max_position_embeddings": 1024,
}
QWEN_MARKS = ("im_start", "im_end", "vision_start", "vision_end", "image_pad", "video_pad")
QWEN_TURNS = (
    "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n{% for message in messages %}<|im_start|>"
    "{{ message['role'] }}\n{% for item in message['content'] %}{% if item['type'] == 'text' %}{{ item['text'] }}"
    "{% else %}<|vision_start|><|image_pad|><|vision_end|>{% endif %}{% endfor %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
Make = Callable[[Path], Path]


def gemma3(folder: Path) -> Path:
    """Gemma 3 with a SigLIP tower on images of 56 pixels: 16 patches, pooled to 4 tokens."""
    tokenizer = train_tokenizer(WORDS, 400)
    ids = vocabulary(tokenizer)
    ends = {"pad_token_id": ids.pad, "bos_token_id": ids.begin, "eos_token_id": ids.end_of_turn}
    tower = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 2}
    kinds = ["sliding_attention", "sliding_attention", "full_attention"]
    text = {"head_dim": HEAD, "query_pre_attn_scalar": HEAD, "sliding_window": 64, "layer_types": kinds}
    config = Gemma3Config(
        text_config={**TEXT, **text, **ends, "vocab_size": ids.size},
        vision_config={**tower, "image_size": 56, "patch_size": 14, "vision_use_head": False},
        mm_tokens_per_image=4,
        boi_token_index=ids.begin_of_image,
        eoi_token_index=ids.end_of_image,
        image_token_index=ids.image,
        **ends,
    )
    settings = ModelSettings(encoding=ViewEncoding(size=56), **SETTINGS)
    model = Gemma3ForConditionalGeneration(config)
    torch.nn.init.normal_(model.model.multi_modal_projector.mm_input_projection_weight, std=0.2)  # fresh, it is zero
    return _write(folder, model, build_processor(tokenizer, settings, 4), settings)


def qwen2_5_vl(folder: Path) -> Path:
    """Qwen2.5-VL on images of 112 pixels: 64 patches in four windows, 16 tokens."""
    tokenizer = Qwen2Tokenizer().train_new_from_iterator(WORDS, 350)
    tokenizer.add_special_tokens({"additional_special_tokens": [f"<|{name}|>" for name in QWEN_MARKS]})
    tokenizer.eos_token = "<|im_end|>"
    ids = {name: tokenizer.convert_tokens_to_ids(f"<|{name}|>") for name in (*QWEN_MARKS, "endoftext")}
    ends = {"bos_token_id": ids["endoftext"], "eos_token_id": ids["im_end"], "pad_token_id": ids["endoftext"]}
    positions = {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [8, 4, 4]}
    tower = {"hidden_size": 64, "intermediate_size": 96, "depth": 2, "num_heads": 2, "out_hidden_size": 2 * HEAD}
    config = Qwen2_5_VLConfig(
        text_config={**TEXT, **ends, "vocab_size": len(tokenizer), "rope_parameters": positions},
        vision_config={**tower, "patch_size": 14, "window_size": 56, "fullatt_block_indexes": [1]},
        tie_word_embeddings=True,
        image_token_id=ids["image_pad"],
        video_token_id=ids["video_pad"],
        vision_start_token_id=ids["vision_start"],
        vision_end_token_id=ids["vision_end"],
    )
    pictures = Qwen2VLImageProcessorPil(patch_size=14, min_pixels=3136, max_pixels=12_845_056)  # as published
    settings = ModelSettings(encoding=ViewEncoding(size=112), **SETTINGS)
    model = Qwen2_5_VLForConditionalGeneration(config)
    return _write(folder, model, QwenProcessor(pictures, tokenizer, QWEN_TURNS), settings)


def _write(folder: Path, model: Any, processor: Any, settings: ModelSettings) -> Path:
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    settings.save(folder)
    return folder


FAMILIES: dict[str, Make] = {"gemma3": gemma3, "qwen2_5_vl": qwen2_5_vl}


def draw_studies(folder: Path, count: int) -> Path:
    """Phantom exams, drawn once."""
    for number in range(count):
        if not (folder / str(number)).is_dir():
            write_exam(draw_exam(FIRST_SEED + number, Size.SMALL), folder / str(number))
    return folder


def make_exports(folder: Path, make: Make, studies: Path) -> None:
    """A base that learned reports of the studies, and an adapter on it, exported merged and by itself."""
    (folder / "base").mkdir(parents=True)
    torch.manual_seed(0)
    base = make(folder / "base")
    loaded = load_base(str(base))
    _train(loaded, studies)
    loaded.model.save_pretrained(base)
    rename_to_hub(base, loaded.model.config.model_type)  # as published: vLLM knows these names alone
    adapter = _adapter(base, folder / "tuned")
    export_merged(ExportRequest(adapter, folder / "merged", for_vllm=True))
    export_adapter(ExportRequest(adapter, folder / "adapter", for_vllm=True))


def _adapter(base: Path, folder: Path) -> Path:
    """An adapter as `amrg train` leaves it, that moves every weight a little."""
    loaded, recipe = load_base(str(base)), Recipe(base=str(base), lora=Lora(rank=4, alpha=8))
    tuned = with_lora(loaded, recipe)
    with torch.no_grad():
        for name, parameter in tuned.named_parameters():
            if "lora_B" in name:
                parameter.add_(torch.randn(parameter.shape) * 0.03)
    folder.mkdir()
    tuned.peft_config["default"].save_pretrained(folder)
    save_file(get_peft_model_state_dict(tuned, save_embedding_layers=False), folder / WEIGHTS_FILE)
    loaded.settings.save(folder)
    return folder


def _train(loaded: LoadedModel, studies: Path) -> None:
    """Teach a model short reports of studies: all of its weights, until it knows them."""
    requests = [prepare(study, loaded.settings).request for study in read_studies(studies).studies]
    truths = [draw_exam(FIRST_SEED + number, Size.SMALL).truth for number in range(len(requests))]
    model = loaded.model.train()
    for parameter in model.parameters():
        parameter.requires_grad_(True)
    optimiser = torch.optim.AdamW(model.parameters(), lr=2e-3)
    torch.manual_seed(0)
    for step in range(STEPS):
        number = step % len(requests)
        loss = _loss(loaded, requests[number], _report(truths[number]))
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        if step % 100 == 99:
            print(f"training: step {step + 1}, loss {loss.item():.3f}", flush=True)
    model.eval()


def _report(truth: Report) -> str:
    return write_answer(truth, "End.", AnswerForm.FINDINGS_FIRST)


def _loss(loaded: LoadedModel, request: Request, text: str) -> Any:
    """Cross-entropy of an answer after its prompt."""
    backbone, model = loaded.backbone, loaded.model
    prompt = backbone.build_prompt(loaded.processor, loaded.settings, request.views, request.images)
    tokens = batch_prompts(loaded, [prompt])
    answer = torch.tensor([backbone.answer(loaded.processor, text)])
    for name, column in tokens.items():
        values = answer if name == "input_ids" else torch.full_like(answer, backbone.columns.get(name, 1))
        tokens[name] = torch.cat([column, values], 1)
    images = backbone.image_tokens(model, backbone.features(model, prompt.pixels))
    hidden = backbone.hidden(model, tokens, images)[0, -answer.shape[1] - 1 : -1]
    return cross_entropy(backbone.head(model)(hidden).float(), answer[0])
