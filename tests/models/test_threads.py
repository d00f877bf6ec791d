"""Threads: one for a small model on a processor, unless the user has decided otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import nn

from amrg.core.threads import AMRG as VARIABLE
from amrg.generation.engines.local import load_engine
from amrg.models import ModelError, threads
from amrg.models.threads import set_threads
from tests.models.tiny import tiny_embedded

SMALL, LARGE = nn.Linear(2, 3), nn.Linear(2, 3, device="meta")


@pytest.fixture(autouse=True)
def three_threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A process of three cores whose user has decided nothing."""
    before = torch.get_num_threads()
    for name in (VARIABLE, "OMP_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(threads, "available_cores", lambda: 3)
    yield
    torch.set_num_threads(before)


def test_a_small_model_runs_in_one_thread_and_a_large_one_after_it_in_as_many_as_before() -> None:
    for model, expected in ((LARGE, 3), (SMALL, 1), (SMALL, 1), (LARGE, 3)):
        set_threads(model)
        assert torch.get_num_threads() == expected


def test_a_model_of_many_parameters_is_not_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "SMALL", 9)
    set_threads(SMALL)  # 6 weights and 3 biases
    assert torch.get_num_threads() == 3


def test_the_user_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    set_threads(SMALL)
    assert torch.get_num_threads() == 3
    monkeypatch.setenv(VARIABLE, "2")
    for model in (SMALL, LARGE):
        set_threads(model)
        assert torch.get_num_threads() == 2


@pytest.mark.parametrize("requested", ["0", "-1", "two", "1.5"])
def test_what_is_no_number_of_threads_is_refused(requested: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, requested)
    with pytest.raises(ModelError, match=f"AMRG_NUM_THREADS is {requested!r}; expected a number of threads"):
        set_threads(SMALL)


def test_the_embedded_model_drafts_in_one_thread(tmp_path: Path) -> None:
    load_engine(str(tiny_embedded(tmp_path)))
    assert torch.get_num_threads() == 1
