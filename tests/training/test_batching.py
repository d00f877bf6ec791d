"""Batches follow from seed and step alone, hold every sample once an epoch, and are of like length."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amrg.training.data.batching import POOL, BatchPlan, shard

LENGTHS = st.lists(st.integers(1, 400), min_size=1, max_size=200)
BATCHES = st.integers(1, 40)
SEEDS = st.integers(0, 2**32)


@given(LENGTHS, BATCHES, SEEDS, st.integers(0, 5))
def test_every_epoch_holds_every_sample_once(lengths: list[int], batch: int, seed: int, epoch: int) -> None:
    plan = BatchPlan(lengths, batch, seed)
    steps = range(epoch * plan.steps_per_epoch, (epoch + 1) * plan.steps_per_epoch)
    batches = [plan.indices(step) for step in steps]
    assert sorted(i for indices in batches for i in indices) == list(range(len(lengths)))
    sizes = [len(indices) for indices in batches]
    assert max(sizes) <= batch
    assert max(sizes) - min(sizes) <= 1
    assert len(batches) == -(-len(lengths) // batch)


@given(LENGTHS, BATCHES, SEEDS, st.lists(st.integers(0, 300), min_size=1, max_size=8))
def test_a_step_does_not_depend_on_those_before_it(lengths: list[int], batch: int, seed: int, steps: list[int]) -> None:
    asked_in_turn = BatchPlan(lengths, batch, seed)
    assert [asked_in_turn.indices(step) for step in steps] == [
        BatchPlan(lengths, batch, seed).indices(s) for s in steps
    ]


@given(st.lists(st.integers(), max_size=50), st.integers(1, 9))
def test_processes_share_a_step(indices: list[int], world: int) -> None:
    parts = [shard(indices, rank, world) for rank in range(world)]
    assert Counter(i for part in parts for i in part) == Counter(indices)
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def padded(plan: BatchPlan, lengths: np.ndarray, steps: range) -> int:
    """Tokens of padding in so many steps."""
    batches = [lengths[list(plan.indices(step))] for step in steps]
    return int(sum((batch.max() - batch).sum() for batch in batches))


def test_batches_are_of_like_length_and_no_two_epochs_are_alike() -> None:
    lengths = np.random.default_rng(0).integers(50, 500, 16 * POOL * 2)
    plan = BatchPlan(lengths.tolist(), 16, 1)
    epochs = [range(e * plan.steps_per_epoch, (e + 1) * plan.steps_per_epoch) for e in range(3)]
    unsorted = [lengths[start : start + 16] for start in range(0, len(lengths), 16)]
    assert padded(plan, lengths, epochs[0]) < 0.15 * sum((b.max() - b).sum() for b in unsorted)
    orders = [[plan.indices(step) for step in steps] for steps in epochs]
    assert len({frozenset(indices) for order in orders for indices in order}) > 2.9 * plan.steps_per_epoch
    longest = [max(lengths[list(indices)]) for indices in orders[0]]
    assert longest != sorted(longest)
    assert plan.indices(0) != BatchPlan(lengths.tolist(), 16, 2).indices(0)


def test_the_draw_is_the_same_on_every_machine_and_version() -> None:
    assert [BatchPlan([3, 9, 4, 7, 5, 8, 6], 3, 0).indices(step) for step in range(6)] == [
        (3, 5, 1),
        (4, 6),
        (0, 2),
        (4, 6),
        (0, 2),
        (3, 5, 1),
    ]


@pytest.mark.parametrize(("lengths", "batch"), [([], 1), ([4], 0)])
def test_nothing_to_draw_is_refused(lengths: list[int], batch: int) -> None:
    with pytest.raises(ValueError, match="at least one"):
        BatchPlan(lengths, batch, 0)
