"""Gemma 3, tiny with MedGemma's tower and embedded: pictures seen both ways, the plain forward's loss, one template."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from amrg.models.backbones.base import Modules, Tensors
from amrg.models.embedded.tokenizer import END_OF_TURN
from amrg.models.load import LoadedModel, load_base, load_model
from amrg.training.loop.lora import adapters_attached, concatenate
from tests.models.lessons import (
    ANSWERS,
    Compared,
    columns,
    compared,
    recipe,
    seen,
    studies,
    taught_for,
    whole_chat,
    written,
    written_from_pixels,
)
from tests.models.tiny import TINY

CLOSE = 1e-5


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    return load_base(str(TINY["gemma3"](tmp_path_factory.mktemp("gemma3"))))


@pytest.fixture(scope="module", params=["tiny", "embedded"])
def loaded(request: pytest.FixtureRequest, tiny: LoadedModel) -> LoadedModel:
    return tiny if request.param == "tiny" else load_base()


def own(pixels: tuple[Tensors, ...]) -> dict[str, Tensor]:
    return concatenate(pixels)


# Pictures seen both ways


def _changed_by_the_last_token_of_a_picture(loaded: LoadedModel, types: int) -> Tensor:
    """Which positions of a prompt of two pictures change with the second picture's last token; [T]."""
    asked = studies(loaded)[0]
    tokens = columns(loaded, [asked.tokens], "left")
    tokens["token_type_ids"] = tokens["token_type_ids"] * types
    before = seen(loaded, asked.pixels)
    after = [{"tokens": t["tokens"].clone()} for t in before]
    after[1]["tokens"][-1] += 1.0
    with torch.no_grad():
        one, other = (loaded.backbone.hidden(loaded.model, tokens, shown)[0] for shown in (before, after))
    return (one - other).abs().amax(-1) > 1e-4


def test_tokens_of_a_picture_see_each_other_both_ways(loaded: LoadedModel) -> None:
    ids = studies(loaded)[0].tokens["input_ids"]
    held = (ids == loaded.model.config.image_token_id).nonzero()[:, 0]
    first, second = held.chunk(2)
    both_ways = _changed_by_the_last_token_of_a_picture(loaded, 1)
    assert both_ways[second].all()
    assert not both_ways[: second[0]].any()  # nor the picture before it: each sees itself alone
    assert first[-1] < second[0] - 1


def test_without_the_column_they_would_see_backwards_only(loaded: LoadedModel) -> None:
    ids = studies(loaded)[0].tokens["input_ids"]
    last = int((ids == loaded.model.config.image_token_id).nonzero()[-1])
    causal = _changed_by_the_last_token_of_a_picture(loaded, 0)
    assert not causal[:last].any()
    assert causal[last:].all()


# Training


def _parts(found: Compared) -> dict[str, float]:
    """The largest gradient of language model, projector and tower."""
    parts = {"language": "language_model", "projector": "multi_modal_projector", "tower": "vision_tower"}
    return {p: max((g for n, g in found.largest.items() if word in n), default=0.0) for p, word in parts.items()}


@pytest.mark.parametrize("modules", Modules)
def test_loss_and_gradients_are_those_of_the_plain_forward(loaded: LoadedModel, modules: Modules) -> None:
    found = compared(loaded, modules, own)
    assert found.loss < CLOSE
    assert found.gradient < CLOSE
    parts = _parts(found)
    convolutional = modules is Modules.ALL_LINEAR and hasattr(loaded.model.model.vision_tower, "stages")
    learned = {
        "language": True,
        "projector": modules in (Modules.PROJECTOR, Modules.TOWER),
        "tower": modules is Modules.TOWER or (modules is Modules.ALL_LINEAR and not convolutional),
    }
    assert {part: value > 0 for part, value in parts.items()} == learned
    assert max(parts.values()) > 10 * CLOSE


def test_a_taught_adapter_is_stored_and_found_again(tiny: LoadedModel, tmp_path: Path) -> None:
    with adapters_attached(tiny, recipe(tiny, Modules.PROJECTOR)) as tuned:
        losses = taught_for(tiny, tuned, 12)
        assert losses[-1] < losses[0] - 0.2  # a head drawn at random can be talked into no more
        tuned.save_pretrained(tmp_path)
        tiny.settings.save(tmp_path)
        tuned.eval()
        answers = written(tiny, studies(tiny))
    assert written(load_model(str(tmp_path)), studies(tiny)) == answers
    assert written(tiny, studies(tiny)) != answers  # and the base has forgotten


# Asking and writing


def test_prompt_and_answer_are_the_chat_templates_own(loaded: LoadedModel) -> None:
    asked = studies(loaded)[1]
    answer = loaded.backbone.answer(loaded.processor, ANSWERS[1])
    line_end = loaded.processor.tokenizer.encode("\n", add_special_tokens=False)
    assert whole_chat(loaded, ANSWERS[1]) == [*asked.tokens["input_ids"].tolist(), *answer, *line_end]
    assert answer[-1] == loaded.processor.tokenizer.convert_tokens_to_ids(END_OF_TURN)


def test_what_is_written_from_image_tokens_is_written_from_pixels(loaded: LoadedModel) -> None:
    asked = studies(loaded)
    assert written(loaded, asked) == written_from_pixels(loaded, asked, own)


def test_what_is_written_does_not_depend_on_who_is_asked_beside(loaded: LoadedModel) -> None:
    asked = studies(loaded)
    assert len(asked[0].tokens["input_ids"]) < len(asked[1].tokens["input_ids"])
    assert written(loaded, asked) == [written(loaded, [one])[0] for one in asked]


# Names


def test_weights_loaded_under_the_hubs_names_are_saved_under_them(tiny: LoadedModel, tmp_path: Path) -> None:
    """transformers dropped the tower's inner `vision_model` in memory; files that have it keep it."""
    assert tiny.folder is not None
    for file in tiny.folder.glob("*.json*"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    stored = load_file(tiny.folder / "model.safetensors")
    renamed = {n.replace("vision_tower.", "vision_tower.vision_model."): t for n, t in stored.items()}
    assert renamed.keys() != stored.keys()
    save_file(renamed, tmp_path / "model.safetensors", metadata={"format": "pt"})
    again = load_base(str(tmp_path))
    again.model.save_pretrained(tmp_path / "again")
    kept = load_file(tmp_path / "again" / "model.safetensors")
    assert kept.keys() == renamed.keys()
    assert all(torch.equal(kept[name], renamed[name]) for name in renamed)
