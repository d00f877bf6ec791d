"""The samples of each step: of similar length, shuffled, determined by seed and step only.

No state is kept from step to step, so a resumed run, or another process of the same run, draws the same batches.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

from amrg.core.hashing import sha256_of_text
from amrg.training.data.samples import Sample

POOL = 16
"""Batches that are sorted by length together: little padding, and still nearly random batches."""

Indices = tuple[int, ...]


class BatchPlan:
    """An endless series of batches; in each epoch every sample occurs exactly once.

    An epoch has the fewest batches that `batch_size` allows, of nearly equal sizes: no epoch ends with a batch of one
    sample that counts as much as any other.
    """

    def __init__(self, lengths: Sequence[int], batch_size: int, seed: int) -> None:
        """`lengths` are tokens per sample, `batch_size` the maximum samples of a step."""
        if not lengths or batch_size < 1:
            raise ValueError(f"{len(lengths)} samples in batches of {batch_size}; expected at least one of each")
        self.steps_per_epoch = -(-len(lengths) // batch_size)
        self._lengths = tuple(lengths)
        self._seed = seed
        self._epoch = lru_cache(maxsize=2)(self._shuffled_batches)

    def indices(self, step: int) -> Indices:
        """The samples of a step, the shortest first; steps count from 0."""
        epoch, at = divmod(step, self.steps_per_epoch)
        return self._epoch(epoch)[at]

    def _shuffled_batches(self, epoch: int) -> tuple[Indices, ...]:
        """All batches of an epoch: shuffled, sorted by length pool by pool, cut, and the batches shuffled."""
        order = _shuffle(range(len(self._lengths)), f"{self._seed} {epoch} samples")
        starts = [len(order) * i // self.steps_per_epoch for i in range(self.steps_per_epoch + 1)]
        batches = []
        for first in range(0, self.steps_per_epoch, POOL):
            cuts = starts[first : first + POOL + 1]
            pool = sorted(order[cuts[0] : cuts[-1]], key=self._lengths.__getitem__)
            batches += [tuple(pool[a - cuts[0] : b - cuts[0]]) for a, b in pairwise(cuts)]
        return tuple(batches[i] for i in _shuffle(range(len(batches)), f"{self._seed} {epoch} batches"))


def shard(indices: Sequence[int], rank: int, world: int) -> Indices:
    """One process's part of a step's samples: disjoint, sizes within one, similar lengths in each part."""
    return tuple(indices[rank::world])


def lengths_of(samples: Sequence[Sample]) -> tuple[int, ...]:
    """Tokens per sample, prompt and answer, for `BatchPlan`."""
    return tuple(len(sample.prompt["input_ids"]) + len(sample.answer) for sample in samples)


def _shuffle(items: Sequence[int], seed: str) -> list[int]:
    """Items in the order of their hashes: the same on every machine and version."""
    return sorted(items, key=lambda item: sha256_of_text(f"{seed} {item}"))
