"""The engine: a loaded model with its guard, from pictures to text and to what its features say place by place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from amrg.birads import Laterality, View
from amrg.models import LoadedModel, as_image, load_model, messages
from amrg.models.guard import Array, Guard, see, view_statistics

Pictures = Sequence[npt.NDArray[np.uint8]]
Views = Sequence[tuple[Laterality, View]]


@dataclass(frozen=True)
class Seen:
    """What the tower saw: a probability a cell and kind [views, cells, kinds], and statistics for the guard."""

    cells: npt.NDArray[np.float32]
    statistics: Array


@dataclass(frozen=True)
class Engine:
    """A model ready to draft, and its guard where it has one."""

    loaded: LoadedModel
    guard: Guard | None

    def see(self, pictures: Pictures) -> Seen | None:
        """Features read place by place; None for a model whose features amrg has no heads for."""
        if self.loaded.heads is None:
            return None
        stages, pixels = see(self.loaded.model.model.vision_tower, np.stack(pictures))
        with torch.inference_mode():
            cells = self.loaded.heads.cells(stages[-2].flatten(2).transpose(1, 2)).sigmoid().numpy()
        return Seen(cells, view_statistics(stages, pixels))

    def write(self, views: Views, pictures: Pictures) -> str:
        """The model's own text on a study, decoded greedily: same input, same text."""
        loaded = self.loaded
        chat = messages(views, [as_image(p) for p in pictures], loaded.settings)
        inputs = loaded.processor.apply_chat_template(
            [chat], tokenize=True, return_dict=True, return_tensors="pt", add_generation_prompt=True
        ).to(loaded.model.device, dtype=loaded.model.dtype)
        with torch.inference_mode():
            out = loaded.model.generate(**inputs, max_new_tokens=loaded.settings.longest_answer, do_sample=False)
        answer = out[0, inputs["input_ids"].shape[1] :]
        text: str = loaded.processor.tokenizer.decode(answer, skip_special_tokens=True)
        return text.strip()


def load_engine(model: str | None = None) -> Engine:
    """Load a model by folder or hub name (None: the embedded one) with the guard stored beside it.

    Raises:
        ModelError: the model is missing, gated or not of the Gemma 3 class.
    """
    loaded = load_model(model)
    return Engine(loaded, Guard.load(loaded.folder))
