"""The processor of Phi-3.5-vision: its tokenizer and how it cuts images, read from the files as published."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from amrg.models.phi3v.cutting import Cutting

IMAGE = "<|image|>"
END = "<|end|>"
_TAG = re.compile(r"<\|image_(\d+)\|>")


@dataclass
class Phi3VProcessor:
    """Makes a model's inputs of a text with `<|image_1|>`, `<|image_2|>`, ... in it, and the images these name.

    Texts between images are tokenized one by one, as the published processor does: a tokenizer that begins a text
    with a token of its own does so after every image. `tokenizer.json` is taken unchanged; transformers'
    `LlamaTokenizer` would rebuild it, and split the text after a special token otherwise.
    """

    tokenizer: Any
    image_processor: Cutting

    @classmethod
    def from_pretrained(cls, source: str | Path, revision: str | None = None) -> Phi3VProcessor:
        """Read a checkpoint's tokenizer and `preprocessor_config.json`, from a folder or the hub; runs no code of it.

        Raises:
            OSError: a file is missing.
        """
        tokenizer = PreTrainedTokenizerFast.from_pretrained(source, revision=revision)
        return cls(tokenizer, Cutting.from_pretrained(source, revision))

    def save_pretrained(self, folder: str | Path) -> None:
        """Write both into the files that they are published in."""
        self.tokenizer.save_pretrained(folder)
        self.image_processor.save_pretrained(Path(folder))

    def cutting_for(self, size: int) -> Phi3VProcessor:
        """The same, cutting square images into as many crops as cover `size` pixels a side."""
        side = ceil(size / self.image_processor.crop_size)
        return Phi3VProcessor(self.tokenizer, replace(self.image_processor, num_crops=side**2))

    def __call__(self, text: str, images: Sequence[Image.Image] = ()) -> dict[str, Tensor]:
        """`input_ids` and `attention_mask` int64 [T], with what `Cutting` makes of the images, where there are any.

        Raises:
            ValueError: the text does not name every image once, in their order.
        """
        first, *rest = _TAG.split(text)
        if [int(n) for n in rest[::2]] != list(range(1, len(images) + 1)):
            raise ValueError(
                f"the prompt names images {', '.join(rest[::2]) or 'none'}; expected each of the {len(images)} "
                "given once, in order, as <|image_1|>, <|image_2|>, ..."
            )
        encoded = self.image_processor(images) if images else {}
        numbers = self._numbers(first)
        place = self.tokenizer.convert_tokens_to_ids(IMAGE)
        for size, after in zip(encoded.get("image_sizes", ()), rest[1::2], strict=True):
            numbers += [place] * self.image_processor.tokens(*size.tolist()) + self._numbers(after)
        tokens = torch.tensor(numbers)
        return {"input_ids": tokens, "attention_mask": torch.ones_like(tokens), **encoded}

    def _numbers(self, text: str) -> list[int]:
        return list(self.tokenizer(text).input_ids)
