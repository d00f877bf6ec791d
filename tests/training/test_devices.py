"""What training computes in follows the device, and everything of a step is moved there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from amrg.training.embedded.devices import autocast_on, moved, training_device
from amrg.training.embedded.loop import Schedule, StageRun

PROCESSOR = torch.device("cpu")


@dataclass(frozen=True)
class Parts:
    """A batch of two fields."""

    pixels: Tensor
    attributes: dict[str, Tensor]


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [
        ({"avx2": True, "avx512_bf16": False}, torch.float32),
        ({"avx2": True, "avx512_bf16": True}, torch.bfloat16),
        ({"neon": True, "bf16": True}, torch.bfloat16),
    ],
)
def test_bfloat16_only_where_the_processor_computes_in_it(
    monkeypatch: pytest.MonkeyPatch, capabilities: dict[str, bool], expected: torch.dtype
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    with autocast_on(PROCESSOR):
        product = torch.ones(2, 2) @ torch.ones(2, 2)
    assert product.dtype is expected


def test_a_device_without_bfloat16_computes_in_float32() -> None:
    other = torch.device("meta")
    with autocast_on(other):
        product = torch.ones(2, 2, device=other) @ torch.ones(2, 2, device=other)
    assert product.dtype is torch.float32


def test_a_batch_is_moved_with_its_dictionaries() -> None:
    batch = moved(Parts(torch.zeros(2), {"shape": torch.zeros(2)}), torch.device("meta"))
    assert batch.pixels.is_meta
    assert batch.attributes["shape"].is_meta


def test_a_run_moves_its_module_and_the_averages(tmp_path: Path) -> None:
    schedule = Schedule(steps=1, batch_size=1, peak_learning_rate=1e-3)
    run = StageRun(nn.Linear(2, 2), schedule, tmp_path, device=torch.device("meta"))
    assert all(parameter.is_meta for parameter in run.module.parameters())
    assert all(average.is_meta for average in run.averaged.values())


def test_an_accelerator_that_is_there_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda = torch.device("cuda")
    for found, expected in ((cuda, cuda), (None, PROCESSOR)):
        monkeypatch.setattr(
            torch.accelerator,
            "current_accelerator",
            lambda check_available, found=found: found if check_available else cuda,
        )
        assert training_device() == expected
