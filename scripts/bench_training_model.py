"""The shrunk MedGemma that `bench_training.py` trains, its data, and how its work divides beside the real model's.

Every width is a tenth of the real one, the vocabulary's too (26,221 rows of 256 instead of 262,208 of 2,560), and
the depth is the real one: so tower, body and head stand to each other as they do in MedGemma 4B, in parameters and in
work. Rows of the real vocabulary above a tenth of its width would be a head of ten times its share. Two things differ:
heads are an eighth as wide, and pictures have 448 pixels a side instead of 896 (attention over 4,096 patches would
outweigh all shrunk matrices), for which the tower is wider and shallower than a tenth, so that its share of the work is
the real one's at most.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from dmid_data import DMID, dmid_reports
from PIL import Image
from transformers import Gemma3Config, Gemma3ForConditionalGeneration, Gemma3TextConfig, SiglipVisionConfig

from amrg.birads import Style, render
from amrg.datasets import import_dataset, importer_of, make_split, open_dataset
from amrg.models import ModelSettings, ViewEncoding
from amrg.models.embedded.tokenizer import build_processor, train_tokenizer, vocabulary
from amrg.phantom import SCREENING, Size, draw_exam

STEP = 16
"""Exams a step: the notebook's 4 x 4."""
INSTRUCTION = "Write the mammography report of this picture: composition, BI-RADS category, findings."
PIECES = 335
"""Tokens that the tokenizer learns: so few that a DMID report takes about 150 tokens, as longer reports take of
Gemma's. The rest of the vocabulary's rows are there, are computed, and are never right."""


@dataclass(frozen=True)
class Shape:
    """What decides a Gemma 3's work: widths, depths, heads, vocabulary, pictures."""

    width: int
    middle: int
    layers: int
    heads: int
    pairs: int  # key-value heads
    head_width: int
    vocabulary: int
    tower_width: int
    tower_middle: int
    tower_layers: int
    tower_heads: int
    pixels: int
    patch: int
    image_tokens: int

    @property
    def patches(self) -> int:
        """Patches a picture."""
        return (self.pixels // self.patch) ** 2

    def parameters(self) -> dict[str, int]:
        """Of tower, body and head, matrices alone; the embeddings are the head's."""
        attention = self.width * self.head_width * (2 * self.heads + 2 * self.pairs)
        layer = 4 * self.tower_width**2 + 2 * self.tower_width * self.tower_middle
        return {
            "tower": self.tower_layers * layer,
            "body": self.layers * (attention + 3 * self.width * self.middle),
            "head": self.vocabulary * self.width,
        }

    def work(self, tokens: int) -> dict[str, int]:
        """Floating-point operations of one sample forward, logits of every token; `tokens` hold its one picture's."""
        matrices = self.parameters()
        attention_tower = 4 * self.patches**2 * self.tower_width * self.tower_layers
        attention_body = 4 * tokens**2 * self.heads * self.head_width * self.layers
        return {
            "tower": 2 * self.patches * matrices["tower"] + attention_tower,
            "body": 2 * tokens * matrices["body"] + attention_body,
            "head": 2 * tokens * matrices["head"],
        }


MEDGEMMA = Shape(2560, 10240, 34, 8, 4, 256, 262_208, 1152, 4304, 27, 16, 896, 14, 256)
"""MedGemma 4B, as its published configuration has it."""
SHRUNK = Shape(256, 1024, 34, 8, 4, 32, 26_221, 288, 1076, 11, 4, 448, 14, 64)
TINY = Shape(32, 64, 2, 4, 2, 8, 1024, 32, 64, 2, 2, 56, 14, 4)
"""To try the benchmark itself."""


def shares(work: dict[str, int]) -> str:
    """Shares of tower, body and head as a reader sees them."""
    return ", ".join(f"{name} {value / sum(work.values()):.0%}" for name, value in work.items())


def write_checkpoint(folder: Path, shape: Shape, texts: list[str]) -> None:
    """Random weights of a shape, with a processor whose tokenizer knows the texts."""
    torch.manual_seed(0)
    tokenizer = train_tokenizer([*texts, *[INSTRUCTION, "RCC LCC RMLO LMLO user model"] * (len(texts) // 4)], PIECES)
    numbers = vocabulary(tokenizer)
    named = {"pad_token_id": numbers.pad, "bos_token_id": numbers.begin, "eos_token_id": numbers.end_of_turn}
    config = Gemma3Config(
        text_config=Gemma3TextConfig(
            vocab_size=shape.vocabulary,
            hidden_size=shape.width,
            intermediate_size=shape.middle,
            num_hidden_layers=shape.layers,
            num_attention_heads=shape.heads,
            num_key_value_heads=shape.pairs,
            head_dim=shape.head_width,
            query_pre_attn_scalar=shape.head_width,
            sliding_window=1024,
            **named,
        ),
        vision_config=SiglipVisionConfig(
            hidden_size=shape.tower_width,
            intermediate_size=shape.tower_middle,
            num_hidden_layers=shape.tower_layers,
            num_attention_heads=shape.tower_heads,
            image_size=shape.pixels,
            patch_size=shape.patch,
            vision_use_head=False,
        ),
        mm_tokens_per_image=shape.image_tokens,
        boi_token_index=numbers.begin_of_image,
        eoi_token_index=numbers.end_of_image,
        image_token_index=numbers.image,
        **named,
    )
    model = Gemma3ForConditionalGeneration(config)
    # A fresh projector is all zeros, as in Gemma 3: give it something to project.
    torch.nn.init.normal_(model.model.multi_modal_projector.mm_input_projection_weight, std=0.02)
    model.save_pretrained(folder)
    settings = ModelSettings(encoding=ViewEncoding(size=shape.pixels), instruction=INSTRUCTION, max_new_tokens=4)
    build_processor(tokenizer, settings, shape.image_tokens).save_pretrained(folder)
    settings.save(folder)


def reports(count: int) -> list[str]:
    """Texts of real DMID reports where they are here, else rendered from drawn exams."""
    if DMID.is_dir():
        return [text.replace("\r\n", "\n").strip() for text in list(dmid_reports().values())[:count]]
    truths = (draw_exam(seed, Size.SMALL, SCREENING).truth for seed in range(count))
    return [render(truth, Style.DMID) for truth in truths]


def write_data(folder: Path, texts: list[str], pixels: int) -> Path:
    """A data set of one random picture and one text a case, imported and split."""
    raw, rng = folder / "raw", np.random.default_rng(0)
    raw.mkdir(parents=True, exist_ok=True)
    with (raw / "cases.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["id", "files", "text", "laterality", "view"])
        for number, text in enumerate(texts):
            picture = rng.integers(60, 200, (2 * pixels, 2 * pixels), dtype=np.uint8)
            picture[:, pixels:] = 0
            Image.fromarray(picture).save(raw / f"{number}.png")
            table.writerow([number, f"{number}.png", text, "L", "MLO"])
    for _ in import_dataset(importer_of("generic"), raw, folder / "data"):
        pass
    dataset = open_dataset(folder / "data")
    split = make_split(dataset, "clean")
    # amrg evens out the last batches of an epoch; the notebook cannot: an epoch without a remainder has none.
    whole = split.train[: len(split.train) // STEP * STEP]
    dataset.write_split(split.model_copy(update={"train": whole}).with_hash())
    return folder / "data"
