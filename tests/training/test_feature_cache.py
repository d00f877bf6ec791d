"""What is held in memory is bounded, and read again only where it was let go."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from amrg.core import memory
from amrg.core.memory import available_memory
from amrg.training.data.feature_cache import FeatureCache, Parts
from amrg.training.data.samples import Stage


class Disk:
    """Reads parts of 800 bytes a case, and remembers which it was asked for."""

    def __init__(self) -> None:
        self.requested: list[str] = []

    def read(self, key: str) -> Parts:
        self.requested.append(key)
        return ({"tokens": torch.zeros(100)}, {"tokens": torch.ones(100)})


@pytest.mark.parametrize(
    ("most", "read"),
    [
        (10_000, "abc"),  # all fits: each is read once
        (1_600, "abcab"),  # two fit: what was asked for longest ago goes first
        (799, "abcabbaa"),  # none fits
    ],
)
def test_memory_holds_what_fits(most: int, read: str) -> None:
    disk = Disk()
    shown = FeatureCache(Stage.IMAGE_TOKENS, disk.read, most)
    for key in "abcabbaa":
        assert [part["tokens"].sum().item() for part in shown.of(key)] == [0, 100]
    assert "".join(disk.requested) == read


def test_a_container_and_the_other_processes_of_a_run_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = available_memory()
    (tmp_path / "memory.max").write_text("4000\n")
    monkeypatch.setattr(memory, "own_groups", lambda controller: [tmp_path])
    assert available_memory() == 4000 < whole
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    disk = Disk()
    shown = FeatureCache(Stage.FEATURES, disk.read)  # a quarter of 4000 bytes for two: room for none
    shown.of("a")
    shown.of("a")
    assert disk.requested == ["a", "a"]
    (tmp_path / "memory.max").write_text("max\n")
    assert available_memory() >= whole
