"""Every family at the smallest size, and what its tests must know that the interface does not say."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from amrg.models.backbones.base import Images, Tensors, Views, chat_of
from amrg.models.backbones.phi3 import _as_text
from amrg.models.backbones.smolvlm import END_OF_UTTERANCE
from amrg.models.embedded.tokens import END_OF_TURN
from amrg.models.load import LoadedModel, load_base
from amrg.training.loop.lora import concatenate
from tests.models.tiny import TINY, tiny_embedded
from tests.models.tiny_smolvlm import TOWER, tiny_smolvlm

Pixels = Sequence[Tensors]
"""Pixels of several studies."""
SQUARE = ((2, 2), (2, 2), (2, 2))


def by_chat_template(loaded: LoadedModel, views: Views, images: Images, answer: str) -> list[int]:
    """By the processor's template."""
    chat = chat_of(loaded.settings, views, images)
    chat.append({"role": "assistant", "content": [{"type": "text", "text": answer}]})
    made = loaded.processor.apply_chat_template([chat], tokenize=True, return_dict=True, return_tensors="pt")
    ids: list[int] = made["input_ids"][0].tolist()
    return ids


def by_phi_template(loaded: LoadedModel, views: Views, images: Images, answer: str) -> list[int]:
    """By the tokenizer's template, which knows text alone: the images are named in it."""
    chat = chat_of(loaded.settings, views, images)
    chat_images = [item["image"] for item in chat[0]["content"] if item["type"] == "image"]
    turns = [*_as_text(chat), {"role": "assistant", "content": answer}]
    text = loaded.processor.tokenizer.apply_chat_template(turns, tokenize=False)
    ids: list[int] = loaded.processor(text, chat_images)["input_ids"].tolist()
    return ids


@dataclass(frozen=True)
class Family:
    """One family, or one way to load it.

    `build` writes a tiny checkpoint into a folder, `shapes` are heights and widths of a study's images in halves of the
    encoding's size. `tower`, `projector` and `unused` (layers that are never run) are what the names of their modules
    contain.
    """

    build: Callable[[Path], Path]
    end_token: str
    tower: str
    projector: str
    unused: str | None = None
    shapes: tuple[tuple[int, int], ...] = SQUARE
    own_pixels: Callable[[Pixels], dict[str, Any]] = lambda pixels: concatenate(tuple(pixels))
    """Pixels of several studies as the family's own forward pass takes them."""
    chat_ids: Callable[[LoadedModel, Views, Images, str], list[int]] = by_chat_template
    """Token ids of a study's prompt with its answer, as the family's own chat template writes them."""

    def load(self, folder: Path) -> LoadedModel:
        """The model, its checkpoint written to a folder."""
        return load_base(str(self.build(folder)))

    def part_of(self, module: str) -> str:
        """The part that a module or parameter belongs to: tower, projector or language."""
        return "tower" if self.tower in module else "projector" if self.projector in module else "language"


def padded_crops(pixels: Pixels) -> dict[str, Any]:
    """As SmolVLM's processor pads studies: with crops that are all zeros, and a mask of what is an image."""
    rows = [p["pixel_values"] for p in pixels]
    masks = [torch.ones_like(row[:, 0], dtype=torch.long) for row in rows]
    pad = nn.utils.rnn.pad_sequence
    return {"pixel_values": pad(rows, True), "pixel_attention_mask": pad(masks, True)}


_GEMMA = Family(TINY["gemma3"], END_OF_TURN, "vision_tower", "multi_modal_projector")
_QWEN = Family(TINY["qwen2_5_vl"], "<|im_end|>", ".visual.blocks.", ".visual.", shapes=((2, 2), (2, 1), (1, 2)))
_SMOLVLM = Family(TINY["smolvlm"], END_OF_UTTERANCE, "vision_model", "connector", own_pixels=padded_crops)

FAMILIES: dict[str, Family] = {
    "gemma3": _GEMMA,
    "phi3_v": Family(
        TINY["phi3_v"],
        "<|end|>",
        ".img_processor.",
        ".img_projection.",
        unused=".encoder.layers.2.",
        shapes=((2, 2), (2, 2), (3, 1)),
        chat_ids=by_phi_template,
    ),
    "qwen2_5_vl": _QWEN,
    "qwen3_vl": dataclasses.replace(_QWEN, build=TINY["qwen3_vl"]),
    "smolvlm": _SMOLVLM,
}
"""Every family by its name."""
VARIANTS: dict[str, Family] = FAMILIES | {
    "embedded": dataclasses.replace(_GEMMA, build=tiny_embedded),
    "smolvlm in crops": dataclasses.replace(_SMOLVLM, build=partial(tiny_smolvlm, size=2 * TOWER)),
}
"""Those, and other ways in which some are loaded: a tower of convolutions, images larger than the tower."""
