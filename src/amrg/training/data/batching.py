"""Which samples meet in which step: of like length, shuffled, decided by seed and step alone.

No state is kept from step to step, so a resumed run, or another process of the same run, draws the same batches.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

from amrg.core.hashing import sha256_of_text
from amrg.training.data.samples import Sample

POOL = 16
"""Batches that are sorted by length together: few padded tokens, and hardly less chance in who meets whom."""

Indices = tuple[int, ...]


class BatchPlan:
    """Batches without end, epoch after epoch; in each epoch every sample comes exactly once.

    An epoch is cut into as few batches as `batch` allows, their sizes as equal as can be: no epoch ends with a batch
    of one sample that counts as much as any other.
    """

    def __init__(self, lengths: Sequence[int], batch: int, seed: int) -> None:
        """`lengths` are tokens a sample, `batch` the most samples of a step."""
        if not lengths or batch < 1:
            raise ValueError(f"{len(lengths)} samples in batches of {batch}; expected at least one of each")
        self.steps_an_epoch = -(-len(lengths) // batch)
        self._lengths = tuple(lengths)
        self._seed = seed
        self._epoch = lru_cache(maxsize=2)(self._drawn)

    def indices(self, step: int) -> Indices:
        """The samples of a step, the shortest first; steps count from 0."""
        epoch, at = divmod(step, self.steps_an_epoch)
        return self._epoch(epoch)[at]

    def _drawn(self, epoch: int) -> tuple[Indices, ...]:
        """All batches of an epoch: shuffled, sorted by length pool by pool, cut, and the batches shuffled."""
        order = _shuffled(range(len(self._lengths)), f"{self._seed} {epoch} samples")
        starts = [len(order) * i // self.steps_an_epoch for i in range(self.steps_an_epoch + 1)]
        batches = []
        for first in range(0, self.steps_an_epoch, POOL):
            cuts = starts[first : first + POOL + 1]
            pool = sorted(order[cuts[0] : cuts[-1]], key=self._lengths.__getitem__)
            batches += [tuple(pool[a - cuts[0] : b - cuts[0]]) for a, b in pairwise(cuts)]
        return tuple(batches[i] for i in _shuffled(range(len(batches)), f"{self._seed} {epoch} batches"))


def share(indices: Sequence[int], rank: int, world: int) -> Indices:
    """One process's part of a step's samples: disjoint, together all, sizes within one, lengths mixed alike."""
    return tuple(indices[rank::world])


def lengths_of(samples: Sequence[Sample]) -> tuple[int, ...]:
    """Tokens a sample, prompt and answer: what `BatchPlan` takes."""
    return tuple(len(sample.prompt["input_ids"]) + len(sample.answer) for sample in samples)


def _shuffled(items: Sequence[int], lot: str) -> list[int]:
    """In the order of their hashes: the same on every machine and version."""
    return sorted(items, key=lambda item: sha256_of_text(f"{lot} {item}"))
