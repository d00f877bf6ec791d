"""Two studies as any family is asked about them, learns from them and writes of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from amrg.birads import Laterality, View
from amrg.models import messages, to_pil
from amrg.models.backbones.base import DecodingSettings, Images, Modules, Prompt, Tensors
from amrg.models.load import LoadedModel
from amrg.training.data.samples import IGNORE, Batch, Stage, stage_of
from amrg.training.loop.lora import ReportLoss, adapters_attached, concatenate
from amrg.training.recipe import Lora, Recipe

VIEWS = [(side, view) for view in (View.CC, View.MLO) for side in Laterality]
ANSWERS = ("Breast composition: b.", "Right breast: BI-RADS 1.\n\nFindings: none.")
COUNTS = (2, 3)  # pictures a study
OwnPixels = Callable[[tuple[Tensors, ...]], dict[str, Any]]
"""Pixels of several studies as a family's own forward pass takes them."""


def pictures(loaded: LoadedModel, count: int, seed: int) -> Images:
    size = loaded.settings.encoding.size
    drawn = np.random.default_rng(seed)
    return [drawn.integers(0, 256, (size, size, 3), dtype=np.uint8) for _ in range(count)]


def studies(loaded: LoadedModel) -> list[Prompt]:
    return [
        loaded.backbone.build_prompt(loaded.processor, loaded.settings, VIEWS[:count], pictures(loaded, count, seed))
        for seed, count in enumerate(COUNTS)
    ]


def whole_chat(loaded: LoadedModel, answer: str) -> list[int]:
    """Token numbers of the second study with its answer, as the chat template writes them."""
    shown = pictures(loaded, COUNTS[1], 1)
    chat = messages(VIEWS[: COUNTS[1]], [to_pil(p) for p in shown], loaded.settings)
    chat.append({"role": "assistant", "content": [{"type": "text", "text": answer}]})
    made = loaded.processor.apply_chat_template([chat], tokenize=True, return_dict=True, return_tensors="pt")
    numbers: list[int] = made["input_ids"][0].tolist()
    return numbers


def padded(rows: list[Tensor], value: int, side: str) -> Tensor:
    return nn.utils.rnn.pad_sequence(rows, True, value, padding_side=side)


def columns(loaded: LoadedModel, rows: list[Tensors], side: str) -> Tensors:
    values = {"input_ids": loaded.processor.tokenizer.pad_token_id, **loaded.backbone.columns}
    mask = padded([torch.ones_like(row["input_ids"]) for row in rows], 0, side)
    return {n: padded([row[n] for row in rows], v, side) for n, v in values.items()} | {"attention_mask": mask}


def seen(loaded: LoadedModel, pixels: Tensors) -> list[Tensors]:
    """Image tokens of pixels."""
    with torch.no_grad():
        return loaded.backbone.image_tokens(loaded.model, loaded.backbone.features(loaded.model, pixels))


def writing(loaded: LoadedModel, longest: int = 8) -> DecodingSettings:
    return DecodingSettings(
        longest, loaded.backbone.eos_token_id(loaded.processor), loaded.processor.tokenizer.pad_token_id
    )


def written(loaded: LoadedModel, asked: list[Prompt]) -> list[list[int]]:
    """What is written of studies asked about together, padded on the left."""
    tokens = columns(loaded, [a.tokens for a in asked], "left")
    return loaded.backbone.generate(
        loaded.model, tokens, seen(loaded, concatenate(tuple(a.pixels for a in asked))), writing(loaded)
    )


def written_from_pixels(loaded: LoadedModel, asked: list[Prompt], own: OwnPixels) -> list[list[int]]:
    """The same by transformers alone."""
    how = writing(loaded)
    tokens = columns(loaded, [a.tokens for a in asked], "left")
    out = loaded.model.generate(
        **tokens,
        **own(tuple(a.pixels for a in asked)),
        max_new_tokens=how.max_new_tokens,
        do_sample=False,
        eos_token_id=how.eos_token_id,
        pad_token_id=how.pad_token_id,
    )
    rows = out[:, tokens["input_ids"].shape[1] :].tolist()
    return [row[: row.index(how.eos_token_id)] if how.eos_token_id in row else row for row in rows]


@dataclass(frozen=True)
class Lesson:
    """Two studies with their answers, padded on the right."""

    tokens: Tensors
    labels: Tensor
    pixels: tuple[Tensors, ...]

    def batch(self, loaded: LoadedModel, stage: Stage) -> Batch:
        """As training has it, everything taken as far as `stage` says."""
        shown: Any = self.pixels
        with torch.no_grad():
            if stage is not Stage.PIXELS:
                shown = loaded.backbone.features(loaded.model, concatenate(self.pixels))
            if stage is Stage.IMAGE_TOKENS:
                shown = loaded.backbone.image_tokens(loaded.model, shown)
        return Batch(("a", "b"), self.tokens, self.labels, stage, tuple(shown))

    def plain(self, model: Any, own: OwnPixels) -> Tensor:
        """transformers' own loss, as a sum over labels."""
        loss: Tensor = model(**self.tokens, **own(self.pixels), labels=self.labels, use_cache=False).loss
        return loss * self.count

    @property
    def count(self) -> int:
        return int((self.labels[:, 1:] != IGNORE).sum())


def lesson(loaded: LoadedModel) -> Lesson:
    asked = studies(loaded)
    answers = [torch.tensor(loaded.backbone.answer(loaded.processor, text)) for text in ANSWERS]
    more = [{n: torch.zeros_like(a) for n in loaded.backbone.columns} | {"input_ids": a} for a in answers]
    rows = [{n: torch.cat([a.tokens[n], m[n]]) for n in m} for a, m in zip(asked, more, strict=True)]
    labels = [
        torch.cat([torch.full_like(a.tokens["input_ids"], IGNORE), n]) for a, n in zip(asked, answers, strict=True)
    ]
    return Lesson(columns(loaded, rows, "right"), padded(labels, IGNORE, "right"), tuple(a.pixels for a in asked))


def recipe(loaded: LoadedModel, modules: Modules) -> Recipe:
    return Recipe(base=str(loaded.folder), lora=Lora(rank=2, alpha=4, dropout=0.0, modules=modules))


def gradients(model: nn.Module, loss: Tensor) -> dict[str, Tensor]:
    """Of everything trained that the loss depends on."""
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    found = torch.autograd.grad(loss, list(trained.values()), allow_unused=True)
    return {name: g for name, g in zip(trained, found, strict=True) if g is not None}


@dataclass(frozen=True)
class Compared:
    """ReportLoss beside the plain forward pass: differences a label, and the largest plain gradient of each part."""

    loss: float
    gradient: float
    largest: dict[str, float]


def compared(loaded: LoadedModel, modules: Modules, own: OwnPixels) -> Compared:
    taught = lesson(loaded)
    with adapters_attached(loaded, recipe(loaded, modules)) as tuned:
        tuned.eval()
        torch.manual_seed(1)
        for name, parameter in tuned.named_parameters():
            if "lora_B" in name:  # begins as zeros: give it something to do
                nn.init.normal_(parameter, std=0.05)
        touched = loaded.backbone.trainable_modules(tuned.get_base_model(), modules)
        loss = ReportLoss(tuned, loaded.backbone)(taught.batch(loaded, stage_of(touched)))
        found = gradients(tuned, loss)
        expected = taught.plain(tuned.get_base_model(), own)
        wanted = gradients(tuned, expected)
    assert found.keys() == wanted.keys()
    return Compared(
        abs(float(loss.detach() - expected.detach())) / taught.count,
        max(float((found[n] - g).abs().max()) for n, g in wanted.items()) / taught.count,
        {n: float(g.abs().max()) / taught.count for n, g in wanted.items()},
    )


def taught_for(loaded: LoadedModel, tuned: Any, steps: int) -> list[float]:
    """Losses a label of a few steps on the lesson, at the stage that training would show it."""
    taught = lesson(loaded)
    touched = loaded.backbone.trainable_modules(tuned.get_base_model(), Modules.PROJECTOR)
    batch = taught.batch(loaded, stage_of(touched))
    loss_of = ReportLoss(tuned, loaded.backbone)
    optimiser = torch.optim.AdamW([p for p in tuned.parameters() if p.requires_grad], 0.02)
    losses = []
    for _ in range(steps):
        loss = loss_of(batch)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()) / taught.count)
    return losses
