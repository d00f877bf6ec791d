"""Two studies as any family takes them: their prompts, batches with answers, gradients of the loss on these."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from amrg.birads import Laterality, View
from amrg.models.backbones.base import DecodingSettings, Images, Modules, Prompt, Tensors
from amrg.models.decoding.batched import batch_prompts
from amrg.models.load import LoadedModel
from amrg.training.data.samples import IGNORE, Batch, Stage, stage_of
from amrg.training.loop.lora import ReportLoss, concatenate
from amrg.training.recipe import Lora, Recipe
from tests.models.families import Family

VIEWS = [(Laterality.RIGHT, View.CC), (Laterality.LEFT, View.CC), (Laterality.RIGHT, View.MLO)]
ANSWERS = ("Breast composition: b.", "Right breast: BI-RADS 1.\n\nFindings: none.")
COUNTS = (2, 3)  # images a study


@dataclass(frozen=True)
class Subject:
    """A family with its model: what a test is about."""

    family: Family
    loaded: LoadedModel

    def images(self, count: int, seed: int) -> Images:
        """Random images of the family's shapes."""
        half, drawn = self.loaded.settings.encoding.size // 2, np.random.default_rng(seed)
        shapes = self.family.shapes[:count]
        return [drawn.integers(0, 256, (half * rows, half * columns, 3), dtype=np.uint8) for rows, columns in shapes]

    def prompt(self, images: Images, first: int = 0) -> Prompt:
        """Of images of the views from `first` on."""
        loaded, views = self.loaded, VIEWS[first : first + len(images)]
        return loaded.backbone.build_prompt(loaded.processor, loaded.settings, views, images)

    def prompts(self) -> list[Prompt]:
        """Of two studies, one of two and one of three images."""
        return [self.prompt(self.images(count, seed)) for seed, count in enumerate(COUNTS)]

    def image_tokens(self, prompts: Sequence[Prompt]) -> list[Tensors]:
        """Of all images of several studies."""
        pixels = concatenate(tuple(p.pixels for p in prompts))
        with torch.no_grad():
            return self.loaded.backbone.image_tokens(
                self.loaded.model, self.loaded.backbone.features(self.loaded.model, pixels)
            )

    def hidden(self, prompts: Sequence[Prompt]) -> Tensor:
        """Last hidden states [B, T, width] of prompts padded on the left."""
        with torch.no_grad():
            return self.loaded.backbone.hidden(
                self.loaded.model, batch_prompts(self.loaded, prompts), self.image_tokens(prompts)
            )

    def decoding(self, tokens: int = 12) -> DecodingSettings:
        """So many tokens and no end: random weights would end where they like, and little would be compared."""
        return DecodingSettings(tokens, -1, self.loaded.processor.tokenizer.pad_token_id)

    def generate(self, prompts: Sequence[Prompt], tokens: int = 12) -> list[list[int]]:
        """Answers to prompts padded on the left, from image tokens."""
        columns = batch_prompts(self.loaded, prompts)
        return self.loaded.backbone.generate(
            self.loaded.model, columns, self.image_tokens(prompts), self.decoding(tokens)
        )

    def generate_from_pixels(self, prompts: Sequence[Prompt], tokens: int = 12) -> list[list[int]]:
        """The same by the model's own class alone."""
        columns, decoding = batch_prompts(self.loaded, prompts), self.decoding(tokens)
        out = self.loaded.model.generate(
            **columns,
            **self.family.own_pixels([p.pixels for p in prompts]),
            max_new_tokens=decoding.max_new_tokens,
            do_sample=False,
            eos_token_id=decoding.eos_token_id,
            pad_token_id=decoding.pad_token_id,
        )
        rows: list[list[int]] = out[:, columns["input_ids"].shape[1] :].tolist()
        return rows

    def examples(self) -> Examples:
        """The two studies with their answers, padded on the right."""
        backbone, prompts = self.loaded.backbone, self.prompts()
        answers = [torch.tensor(backbone.answer(self.loaded.processor, text)) for text in ANSWERS]
        more = [{n: torch.zeros_like(a) for n in backbone.columns} | {"input_ids": a} for a in answers]
        rows = [{n: torch.cat([p.tokens[n], m[n]]) for n in m} for p, m in zip(prompts, more, strict=True)]
        labels = [
            torch.cat([torch.full_like(p.tokens["input_ids"], IGNORE), a])
            for p, a in zip(prompts, answers, strict=True)
        ]
        fill = {"input_ids": self.loaded.processor.tokenizer.pad_token_id, **backbone.columns}
        columns = {name: padded([row[name] for row in rows], value) for name, value in fill.items()}
        columns["attention_mask"] = padded([torch.ones_like(row["input_ids"]) for row in rows], 0)
        return Examples(self, columns, padded(labels, IGNORE), tuple(p.pixels for p in prompts))

    def recipe(self, modules: Modules) -> Recipe:
        """A recipe with small adapters in some modules, without dropout."""
        return Recipe(base=str(self.loaded.folder), lora=Lora(rank=2, alpha=4, dropout=0.0, modules=modules))


def padded(rows: list[Tensor], value: int) -> Tensor:
    """Rows filled up at their ends."""
    return nn.utils.rnn.pad_sequence(rows, True, value)


@dataclass(frozen=True)
class Examples:
    """Studies with their answers: token columns and labels [B, T], pixels a study."""

    of: Subject
    tokens: Tensors
    labels: Tensor
    pixels: tuple[Tensors, ...]

    @property
    def count(self) -> int:
        """Labelled tokens."""
        return int((self.labels[:, 1:] != IGNORE).sum())

    def batch(self, modules: Modules) -> Batch:
        """As training has it, images processed as far as a choice of modules leaves them unchanged."""
        loaded = self.of.loaded
        stage = stage_of(loaded.backbone.trainable_modules(loaded.model, modules))
        images: Any = self.pixels
        with torch.no_grad():
            if stage is not Stage.PIXELS:
                images = loaded.backbone.features(loaded.model, concatenate(self.pixels))
            if stage is Stage.IMAGE_TOKENS:
                images = loaded.backbone.image_tokens(loaded.model, images)
        return Batch(("a", "b"), self.tokens, self.labels, stage, tuple(images))

    def loss(self, model: Any, modules: Modules) -> Tensor:
        """amrg's loss of a model with adapters, summed over labels."""
        loss: Tensor = ReportLoss(model, self.of.loaded.backbone)(self.batch(modules))
        return loss

    def plain_loss(self, model: Any) -> Tensor:
        """The same by the model's own class."""
        pixels = self.of.family.own_pixels(self.pixels)
        mean: Tensor = model(**self.tokens, **pixels, labels=self.labels, use_cache=False).loss
        return mean * self.count


def set_adapters(model: nn.Module) -> None:
    """Give fresh adapters, whose second half is zeros, something to do."""
    torch.manual_seed(1)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            nn.init.normal_(parameter, std=0.05)


def gradients(model: nn.Module, loss: Tensor) -> dict[str, Tensor]:
    """Of everything trained that the loss depends on."""
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    found = torch.autograd.grad(loss, list(trained.values()), allow_unused=True)
    return {name: g for name, g in zip(trained, found, strict=True) if g is not None}
