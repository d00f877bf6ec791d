"""The prompt of the embedded model without transformers: the same tokens and pixels as its processor makes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from jinja2 import Template
from jinja2.sandbox import ImmutableSandboxedEnvironment
from tokenizers import Tokenizer

from amrg.birads import Laterality, View
from amrg.models.embedded.tokens import BEGIN, BEGIN_OF_IMAGE, END_OF_IMAGE, END_OF_TURN, IMAGE
from amrg.models.errors import ModelError
from amrg.models.graph.reading import reading
from amrg.models.settings import ModelSettings, view_name

TEMPLATE = "chat_template.jinja"


@dataclass(frozen=True)
class PromptWriter:
    """Tokenizer, chat template and pixel values of a checkpoint; `image_tokens` stand for each image."""

    tokenizer: Tokenizer
    template: str
    settings: ModelSettings
    image_tokens: int
    pixel_values: npt.NDArray[np.float32]

    @classmethod
    def of_folder(cls, folder: Path, settings: ModelSettings) -> PromptWriter:
        """Those of a checkpoint's folder.

        Raises:
            ModelError: a file is missing or damaged; names it.
        """
        with reading(folder / "processor_config.json") as file:
            processor = json.loads(file.read_bytes())
            image_tokens = int(processor["image_seq_length"])
            images = processor["image_processor"]
            levels = (np.arange(256) * float(images["rescale_factor"])).astype(np.float32)
            mean, deviation = (np.float32(images[name][0]) for name in ("image_mean", "image_std"))
        with reading(folder / "tokenizer.json") as file:
            tokenizer = Tokenizer.from_file(str(file))
        with reading(folder / TEMPLATE) as file:
            template = file.read_text(encoding="utf-8")
            _compiled(template)
        return cls(tokenizer, template, settings, image_tokens, ((levels - mean) / deviation).astype(np.float32))

    @property
    def end_of_turn(self) -> int:
        """The token that ends an answer."""
        return _number(self.tokenizer, END_OF_TURN)

    @property
    def image(self) -> int:
        """The token that stands for a part of an image."""
        return _number(self.tokenizer, IMAGE)

    def tokens(self, views: Sequence[tuple[Laterality, View]]) -> list[int]:
        """Token ids of the prompt of a study with these views, up to the start of the model's turn."""
        content = [item for view in views for item in ({"type": "text", "text": view_name(*view)}, {"type": "image"})]
        content.append({"type": "text", "text": self.settings.full_instruction})
        text = _compiled(self.template).render(
            messages=[{"role": "user", "content": content}], bos_token=BEGIN, add_generation_prompt=True
        )
        expanded = f"\n\n{BEGIN_OF_IMAGE}{IMAGE * self.image_tokens}{END_OF_IMAGE}\n\n"
        numbers: list[int] = self.tokenizer.encode(text.replace(BEGIN_OF_IMAGE, expanded), add_special_tokens=False).ids
        return numbers

    def pixels(self, image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """An image [H, W, 3] as the tower takes it, [3, H, W]."""
        return self.pixel_values.take(image.transpose(2, 0, 1))

    def text(self, numbers: Sequence[int]) -> str:
        """The text of an answer's tokens."""
        text: str = self.tokenizer.decode(list(numbers), skip_special_tokens=True)
        return text.strip()


@lru_cache(maxsize=4)
def _compiled(template: str) -> Template:
    """A chat template, compiled once a process and not for every study."""
    return ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True).from_string(template)


def _number(tokenizer: Tokenizer, token: str) -> int:
    """The id of a special token.

    Raises:
        ModelError: the tokenizer does not have it.
    """
    number = tokenizer.token_to_id(token)
    if number is None:
        raise ModelError(f"tokenizer.json has no {token}; copy the model again")
    return int(number)
