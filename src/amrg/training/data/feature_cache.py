"""The image inputs of training: pixels, or the output of a frozen tower or projector.

Frozen parts run once, before training, one study at a time, in the dtype of training. So the result does not depend on
the batch, and it is the same as when the model drafts that study.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable
from threading import Lock

import torch

from amrg.core.memory import available_memory
from amrg.models.backbones.base import Prompt, Tensors
from amrg.models.load import LoadedModel
from amrg.training.data.samples import Stage
from amrg.training.data.tensor_store import TensorStore, bytes_of

Parts = tuple[Tensors, ...]
"""One entry per image; for `Stage.PIXELS` one for the study."""


class FeatureCache:
    """Cases by key, at one stage; the most recently used are kept in memory, up to `max_bytes`."""

    def __init__(self, stage: Stage, read: Callable[[str], Parts], max_bytes: int | None = None) -> None:
        """`max_bytes` None: a quarter of the machine's memory, shared by its processes."""
        self.stage = stage
        self._read = read
        self._max_bytes = available_memory() // 4 // _processes() if max_bytes is None else max_bytes
        self._cached: OrderedDict[str, Parts] = OrderedDict()
        self._bytes = 0
        self._lock = Lock()  # a loop may collate the next batch during a step

    def of(self, key: str) -> Parts:
        """The image inputs of a case, on the CPU; not to be changed in place.

        Raises:
            TuningError: the case is not stored.
        """
        with self._lock:
            if key not in self._cached:
                self._cached[key] = self._read(key)
                self._bytes += _bytes(self._cached[key])
            self._cached.move_to_end(key)
            parts = self._cached[key]
            self._evict()
            return parts

    def _evict(self) -> None:
        """Drop the least recently used cases until the rest fits."""
        while self._bytes > self._max_bytes:
            _, dropped = self._cached.popitem(last=False)
            self._bytes -= _bytes(dropped)


def stored_parts(store: TensorStore, key: str) -> Parts:
    """A case's features or image tokens as `encode_images` returned them, copied from the store."""
    by_image: dict[int, Tensors] = {}
    for both, tensor in store.read(key).items():
        number, name = both.split(".", 1)
        by_image.setdefault(int(number), {})[name] = tensor.clone()
    return tuple(by_image[number] for number in sorted(by_image))


@torch.no_grad()
def encode_images(loaded: LoadedModel, prompt: Prompt, stage: Stage) -> Tensors:
    """One study's pixels through the frozen parts, as stored: `0.tokens`, `1.tokens` for images in order."""
    backbone, model = loaded.backbone, loaded.model
    encoded = backbone.features(model, {name: tensor.to(model.device) for name, tensor in prompt.pixels.items()})
    if stage is Stage.IMAGE_TOKENS:
        encoded = backbone.image_tokens(model, encoded)
    return {f"{number}.{name}": tensor for number, part in enumerate(encoded) for name, tensor in part.items()}


def _processes() -> int:
    """Processes of the run on this machine, as set by torch's launchers."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", "1"))


def _bytes(parts: Parts) -> int:
    return sum(map(bytes_of, parts))
