"""Where what a model is shown of a case comes from: pixels, or what a frozen tower or projector made of them.

What is frozen is computed once, before training, one study at a time, in the numbers that training computes in. So it
does not depend on which studies meet in a batch, and it is what the model sees when it drafts that study.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from threading import Lock

import torch

from amrg.models.backbones.base import Prompt, Tensors
from amrg.models.load import LoadedModel
from amrg.training.data.samples import Stage
from amrg.training.data.tensor_store import TensorStore, bytes_of

_CGROUP = Path("/sys/fs/cgroup/memory.max")  # the second version's, at a container's root

Parts = tuple[Tensors, ...]
"""An entry a picture; of `Stage.PIXELS` one for the whole study."""


class FeatureCache:
    """Cases by key, at one stage; those that were asked for last are held in memory, up to `most` bytes."""

    def __init__(self, stage: Stage, read: Callable[[str], Parts], most: int | None = None) -> None:
        """`most` None: a quarter of the machine's memory, shared by its processes. What fits is read but once."""
        self.stage = stage
        self._read = read
        self._most = memory() // 4 // _processes() if most is None else most
        self._held: OrderedDict[str, Parts] = OrderedDict()
        self._bytes = 0
        self._lock = Lock()  # a loop may collate the next batch while a step goes on

    def of(self, key: str) -> Parts:
        """What is shown of a case, on the processor; not to be changed in place.

        Raises:
            TuningError: nothing is stored of it.
        """
        with self._lock:
            if key not in self._held:
                self._held[key] = self._read(key)
                self._bytes += _bytes(self._held[key])
            self._held.move_to_end(key)
            parts = self._held[key]
            self._let_go()
            return parts

    def _let_go(self) -> None:
        """Forget what was asked for longest ago, until the rest fits."""
        while self._bytes > self._most:
            _, gone = self._held.popitem(last=False)
            self._bytes -= _bytes(gone)


def stored_parts(store: TensorStore, key: str) -> Parts:
    """A case's features or image tokens as `encode_images` made them, in memory of their own."""
    by_picture: dict[int, Tensors] = {}
    for both, tensor in store.read(key).items():
        number, name = both.split(".", 1)
        by_picture.setdefault(int(number), {})[name] = tensor.clone()
    return tuple(by_picture[number] for number in sorted(by_picture))


@torch.no_grad()
def encode_images(loaded: LoadedModel, asked: Prompt, stage: Stage) -> Tensors:
    """What is frozen made of one study's pixels, as it is stored: `0.tokens`, `1.tokens` of pictures in order."""
    backbone, model = loaded.backbone, loaded.model
    made = backbone.features(model, {name: tensor.to(model.device) for name, tensor in asked.pixels.items()})
    if stage is Stage.IMAGE_TOKENS:
        made = backbone.image_tokens(model, made)
    return {f"{number}.{name}": tensor for number, part in enumerate(made) for name, tensor in part.items()}


def memory() -> int:
    """Bytes of memory that this machine, or the container that it is, may use."""
    there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = _CGROUP.read_text().strip() if _CGROUP.is_file() else "max"
    return min(there, int(limit)) if limit.isdigit() else there


def _processes() -> int:
    """Processes of the run on this machine, as torch's launchers say it."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", "1"))


def _bytes(parts: Parts) -> int:
    return sum(map(bytes_of, parts))
