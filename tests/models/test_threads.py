"""Threads: one for a small model on a processor, unless the user has decided otherwise."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from amrg.core.threads import AMRG as VARIABLE
from amrg.generation.engines import loading
from amrg.generation.engines.loading import works_in_one_thread
from amrg.generation.engines.local import load_engine
from amrg.models import ModelError, threads
from amrg.models.adapters.files import CONFIG_FILE, WEIGHTS_FILE
from amrg.models.checkpoint import NAME, SINGLE
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


def test_as_many_processes_as_cores_are_for_what_computes_in_one_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the files alone: no weight is read before there are processes."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    merged, adapter, large = tmp_path / "merged", tmp_path / "adapter", tmp_path / "adapter-of-a-hub-model"
    for folder, name in ((merged, SINGLE), (adapter, WEIGHTS_FILE), (large, WEIGHTS_FILE)):
        folder.mkdir()
        save_file({"weight": torch.zeros(2, 3)}, folder / name)
    for folder, base in ((adapter, NAME), (large, "google/medgemma-4b-it")):
        (folder / CONFIG_FILE).write_text(json.dumps({"base_model_name_or_path": base}), encoding="utf-8")
    in_one = {name: works_in_one_thread("local", name) for name in (None, NAME, *map(str, (merged, adapter, large)))}
    assert in_one == {None: True, NAME: True, str(merged): True, str(adapter): True, str(large): False}
    assert not works_in_one_thread("openai:http://localhost/v1", str(merged))
    assert not works_in_one_thread("local", "google/medgemma-4b-it")
    monkeypatch.setattr(loading, "SMALL", 6)
    assert not works_in_one_thread("local", str(merged))
