"""Gemma 3's quirks: the tokens of an image attend to each other in both directions; names of weights on the hub."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from amrg.models.decoding.batched import batch_prompts
from amrg.models.load import load_base
from tests.models.families import VARIANTS
from tests.models.studies import Subject


@pytest.fixture(scope="module", params=["gemma3", "embedded"])
def subject(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Subject:
    family = VARIANTS[request.param]
    return Subject(family, family.load(tmp_path_factory.mktemp("base")))


def image_positions(subject: Subject) -> Tensor:
    """Positions of image tokens in a prompt of two images."""
    ids = subject.prompts()[0].tokens["input_ids"]
    positions: Tensor = (ids == subject.loaded.model.config.image_token_id).nonzero()[:, 0]
    return positions


def changed_by_the_last_image_token(subject: Subject, types: int) -> Tensor:
    """Which positions of a prompt of two images change with the second image's last token: bool [T]."""
    prompt, loaded = subject.prompts()[0], subject.loaded
    columns = batch_prompts(loaded, [prompt])
    columns["token_type_ids"] = columns["token_type_ids"] * types
    before = subject.image_tokens([prompt])
    after = [{"tokens": t["tokens"].clone()} for t in before]
    after[1]["tokens"][-1] += 1.0
    with torch.no_grad():
        one, other = (loaded.backbone.hidden(loaded.model, columns, tokens)[0] for tokens in (before, after))
    return (one - other).abs().amax(-1) > 1e-4


def test_tokens_of_an_image_attend_to_each_other_in_both_directions(subject: Subject) -> None:
    first, second = image_positions(subject).chunk(2)
    changed = changed_by_the_last_image_token(subject, 1)
    assert changed[second].all()
    assert not changed[: second[0]].any()  # nor the image before it
    assert first[-1] < second[0] - 1


def test_without_the_column_they_attend_backwards_only(subject: Subject) -> None:
    last = int(image_positions(subject)[-1])
    changed = changed_by_the_last_image_token(subject, 0)
    assert not changed[:last].any()
    assert changed[last:].all()


def test_weights_loaded_under_the_hubs_names_are_saved_under_them(tmp_path: Path) -> None:
    """transformers dropped the tower's inner `vision_model` in memory; files that have it keep it."""
    base = VARIANTS["gemma3"].load(tmp_path / "base").folder
    assert base is not None
    hub = tmp_path / "hub"
    hub.mkdir()
    for file in base.glob("*.json*"):
        (hub / file.name).write_bytes(file.read_bytes())
    stored = load_file(base / "model.safetensors")
    renamed = {n.replace("vision_tower.", "vision_tower.vision_model."): t for n, t in stored.items()}
    assert renamed.keys() != stored.keys()
    save_file(renamed, hub / "model.safetensors", metadata={"format": "pt"})
    load_base(str(hub)).model.save_pretrained(tmp_path / "again")
    saved = load_file(tmp_path / "again" / "model.safetensors")
    assert saved.keys() == renamed.keys()
    assert all(torch.equal(saved[name], renamed[name]) for name in renamed)
