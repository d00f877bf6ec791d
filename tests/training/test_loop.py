"""The loop resumes to the very weights of a run that never stopped, and says so when a loss goes wrong."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from amrg.training.embedded.loop import Schedule, StageRun, StepLoss

SCHEDULE = Schedule(steps=30, batch_size=4, peak_learning_rate=1e-2, warmup_steps=5)


def _module() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 5), nn.GELU(), nn.Linear(5, 1))


def _loss(module: nn.Module) -> StepLoss:
    def of(step: int) -> tuple[Tensor, Mapping[str, float]]:
        generator = torch.Generator().manual_seed(step)
        x = torch.randn(4, 3, generator=generator)
        return (module(x) - x.sum(1, keepdim=True)).square().mean(), {}

    return of


def test_killed_and_resumed_equals_never_stopped(tmp_path: Path) -> None:
    whole = StageRun(_module(), SCHEDULE, tmp_path / "whole")
    whole.train(_loss(whole.module))
    first = StageRun(_module(), SCHEDULE, tmp_path / "parts")
    first.train(_loss(first.module), until=13)
    second = StageRun(_module(), SCHEDULE, tmp_path / "parts")
    assert second.resume()
    second.train(_loss(second.module))
    for a, b in zip(whole.module.parameters(), second.module.parameters(), strict=True):
        assert torch.equal(a, b)
    assert all(torch.equal(whole.averaged[k], second.averaged[k]) for k in whole.averaged)


def test_a_loss_that_is_no_number_keeps_the_last_checkpoint(tmp_path: Path) -> None:
    run = StageRun(_module(), SCHEDULE, tmp_path)
    run.train(_loss(run.module), until=10)
    with pytest.raises(FloatingPointError, match=r"loss is nan at step 10.*lower peak_learning_rate"):
        run.train(lambda _: (torch.tensor(float("nan")), {}))
    again = StageRun(_module(), SCHEDULE, tmp_path)
    assert again.resume()
    assert again.step == 10


def test_learning_rate_warms_up_and_falls() -> None:
    rates = [SCHEDULE.learning_rate_at(step) for step in range(30)]
    assert rates[0] < rates[4] == pytest.approx(1e-2)
    assert rates[5:] == sorted(rates[5:], reverse=True)
    assert rates[-1] < 1e-3
