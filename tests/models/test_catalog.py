"""The hub's models: each of a family that amrg has, at one commit; one that does not come is one line."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import transformers.utils.hub
from huggingface_hub import HfApi, constants
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from amrg.models import ModelError, list_models
from amrg.models.backbones.registry import BACKBONES
from amrg.models.catalog import KNOWN, pinned_revision
from amrg.models.load import load_base
from tests.models.adapted import as_cached
from tests.models.published import published_names, read_published
from tests.models.tiny import TINY

NAME = "google/medgemma-4b-it"


def test_every_known_model_has_a_family_and_a_commit() -> None:
    assert {k.family for k in KNOWN} == {b.family for b in BACKBONES}
    assert all(k.revision is not None and re.fullmatch(r"[0-9a-f]{40}", k.revision) for k in KNOWN)


def test_every_known_model_has_published_data_at_its_commit() -> None:
    assert {k.name: k.revision for k in KNOWN} == {n: read_published(n).revision for n in published_names()}


def test_the_list_has_the_embedded_model_and_all_known() -> None:
    listed = list_models()
    assert [m.name for m in listed] == ["amrg-embedded", *(k.name for k in KNOWN)]
    assert listed[0].available
    assert {m.name for m in listed if m.gated} == {k.name for k in KNOWN if k.licence.startswith("Health AI")}


def _answer(kind: type[HfHubHTTPError], status: int) -> HfHubHTTPError:
    response: Any = SimpleNamespace(headers={}, status_code=status, request=None)
    return kind("first line\nsecond line", response=response)


TROUBLE: dict[str, tuple[Callable[[], Exception], str]] = {
    "nobody logged in": (lambda: _answer(GatedRepoError, 401), f"nobody is logged in.*huggingface.co/{NAME}"),
    "no access": (lambda: _answer(GatedRepoError, 403), "account that is logged in has no access"),
    "no such model": (lambda: _answer(RepositoryNotFoundError, 404), "not on the hub, or is private.*amrg model list"),
    "no such commit": (lambda: _answer(RevisionNotFoundError, 404), f"no commit '{pinned_revision(NAME)}'"),
    "no network": (lambda: LocalEntryNotFoundError("not cached"), "hub cannot be reached.*hf download"),
    "cut off": (lambda: ConnectionError("refused"), "hub cannot be reached.*--local-dir FOLDER"),
}


@pytest.fixture
def empty_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))


@pytest.mark.usefixtures("empty_cache")
@pytest.mark.parametrize("trouble", TROUBLE)
def test_a_model_that_does_not_come_is_one_line(trouble: str, monkeypatch: pytest.MonkeyPatch) -> None:
    make, message = TROUBLE[trouble]

    def refuse(*args: object, **kwargs: object) -> str:
        raise make()

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(HfApi, "model_info", lambda *args, **kwargs: None)  # the hub is reached
    monkeypatch.setattr(transformers.utils.hub, "hf_hub_download", refuse)
    with pytest.raises(ModelError, match=message) as refused:
        load_base(NAME)
    assert "\n" not in str(refused.value)
    assert NAME in str(refused.value)


@pytest.mark.usefixtures("empty_cache")
def test_offline_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ModelError, match="HF_HUB_OFFLINE is set: unset it, or run `hf download"):
        load_base(NAME)


def test_a_model_in_the_cache_is_loaded_offline_and_says_its_commit(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    commit = "0123456789abcdef0123456789abcdef01234567"
    TINY["smolvlm"](as_cached(tmp_path, "someone/tiny", commit, monkeypatch))
    for revision in (None, "main", commit):
        loaded = load_base("someone/tiny", revision)
        assert (loaded.revision, loaded.folder) == (commit, None)
    with pytest.raises(ModelError, match=f"not in this machine's cache.*--revision {'f' * 40}"):
        load_base("someone/tiny", "f" * 40)


BROKEN: dict[str, Callable[[Path], object]] = {
    "no configuration": lambda folder: (folder / "config.json").unlink(),
    "a configuration of no model": lambda folder: (folder / "config.json").write_text("{}", encoding="utf-8"),
    "a configuration of an unknown model": lambda folder: (folder / "config.json").write_text(
        '{"model_type": "no_such"}', encoding="utf-8"
    ),
    "a configuration that is no JSON": lambda folder: (folder / "config.json").write_text("{", encoding="utf-8"),
    "no weights": lambda folder: (folder / "model.safetensors").unlink(),
    "weights cut short": lambda folder: os.truncate(folder / "model.safetensors", 9_000),
    "no tokenizer": lambda folder: (folder / "tokenizer.json").unlink(),
}


@pytest.mark.parametrize("broken", sorted(BROKEN))
def test_a_folder_that_is_no_whole_checkpoint_is_one_line(broken: str, tmp_path: Path) -> None:
    folder = TINY["gemma3"](tmp_path / "base")
    BROKEN[broken](folder)
    with pytest.raises(ModelError, match=r"model 'base' .*expected") as raised:
        load_base(str(folder))
    assert "\n" not in str(raised.value)


def test_code_that_a_model_brings_is_neither_run_nor_offered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = TINY["gemma3"](tmp_path / "base")
    code = {"model_type": "internvl_chat", "auto_map": {"AutoConfig": "theirs.Config"}}
    (folder / "config.json").write_text(json.dumps(code), encoding="utf-8")
    (folder / "theirs.py").write_text("raise SystemExit('it was run')", encoding="utf-8")
    monkeypatch.setattr("builtins.input", pytest.fail)
    with pytest.raises(ModelError, match="model 'base' cannot be loaded") as raised:
        load_base(str(folder))
    assert "\n" not in str(raised.value)
