"""Tiny models for `check_vllm.py`: the families' own classes, of sizes that vLLM takes on a CPU, trained a bit.

An untrained model writes bytes that are no text and never ends, which a server cuts; so each learns four reports.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch.nn.functional import cross_entropy
from transformers import SiglipVisionConfig

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # the tests' tiny models

from amrg.birads import AnswerForm, Report  # noqa: E402
from amrg.birads.answers import write_answer  # noqa: E402
from amrg.generation.drafting import prepare  # noqa: E402
from amrg.generation.engines.base import Request  # noqa: E402
from amrg.imaging import read_studies  # noqa: E402
from amrg.models import ViewEncoding  # noqa: E402
from amrg.models.decoding.batched import batch_prompts  # noqa: E402
from amrg.models.export.exporting import ExportRequest, export_adapter, export_merged  # noqa: E402
from amrg.models.hubnames import rename_to_hub  # noqa: E402
from amrg.models.load import LoadedModel, load_base  # noqa: E402
from amrg.phantom import Size, draw_exam, write_exam  # noqa: E402
from tests.models import tiny, tiny_qwen  # noqa: E402
from tests.models.adapted import adapter_for  # noqa: E402

FIRST_SEED = 7_100_000
STEPS = 400
MOST_TOKENS = 300
Make = Callable[[Path], Path]


def gemma3(folder: Path) -> Path:
    """Gemma 3 with heads of 32 in tower and language model."""
    tower = SiglipVisionConfig(
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=tiny.SIZE,
        patch_size=14,
        vision_use_head=False,
    )
    return tiny.write_gemma3(folder, tower, 4, ViewEncoding(size=tiny.SIZE), head=32)


def qwen2_5_vl(folder: Path) -> Path:
    """Qwen2.5-VL with heads of 32 in tower and language model."""
    return tiny_qwen.tiny_qwen2_5_vl(folder, head=32)


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
    base = make(folder / "base")
    plain = load_base(str(base))
    loaded = replace(plain, settings=plain.settings.model_copy(update={"max_new_tokens": MOST_TOKENS}))
    loaded.settings.save(base)
    _train(loaded, studies)
    loaded.model.save_pretrained(base)
    rename_to_hub(base, loaded.model.config.model_type)  # as published: vLLM knows these names alone
    adapter = adapter_for(base, folder / "tuned", scale=0.02)
    export_merged(ExportRequest(adapter, folder / "merged", for_vllm=True))
    export_adapter(ExportRequest(adapter, folder / "adapter", for_vllm=True))


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
