"""SmolVLM2: pictures whole and in crops, blank ones too; the plain forward's loss, one template, the hub's files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from amrg.models.backbones.base import Modules, Tensors
from amrg.models.backbones.smolvlm import END_OF_UTTERANCE
from amrg.models.load import LoadedModel, load_base, load_model
from amrg.training.loop.lora import adapters_attached, concatenate
from tests.models.lessons import (
    ANSWERS,
    COUNTS,
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
from tests.models.tiny_smolvlm import TOKENS_A_CROP, TOWER, tiny_smolvlm

CLOSE = 1e-5
CROPS = {TOWER: 1, 2 * TOWER: 5}  # a picture larger than the tower is cut in four and seen whole as well


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    return load_base(str(tiny_smolvlm(tmp_path_factory.mktemp("whole"))))


@pytest.fixture(scope="module")
def cut(tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    return load_base(str(tiny_smolvlm(tmp_path_factory.mktemp("cut"), 2 * TOWER)))


@pytest.fixture(scope="module", params=["whole", "cut"])
def loaded(request: pytest.FixtureRequest) -> LoadedModel:
    found: LoadedModel = request.getfixturevalue(request.param)
    return found


def own(pixels: tuple[Tensors, ...]) -> dict[str, Any]:
    """As transformers' processor pads studies: with crops that are all zeros, and a mask of what is a picture."""
    rows = [p["pixel_values"] for p in pixels]
    shown = [torch.ones_like(row[:, 0], dtype=torch.long) for row in rows]
    pad = nn.utils.rnn.pad_sequence
    return {"pixel_values": pad(rows, True), "pixel_attention_mask": pad(shown, True)}


# Pictures


def test_the_settings_size_decides_the_crops(loaded: LoadedModel) -> None:
    crops = CROPS[loaded.settings.encoding.size]
    for asked, count in zip(studies(loaded), COUNTS, strict=True):
        assert asked.pixels["crops"].tolist() == [crops] * count
        assert asked.pixels["pixel_values"].shape == (crops * count, 3, TOWER, TOWER)
        held = loaded.backbone.placeholders(loaded.model.config, asked.tokens)
        shown = seen(loaded, asked.pixels)
        assert [len(t["tokens"]) for t in shown] == [crops * TOKENS_A_CROP] * count
        assert held == crops * TOKENS_A_CROP * count


def test_studies_joined_are_seen_as_alone(loaded: LoadedModel) -> None:
    asked = studies(loaded)
    together = seen(loaded, concatenate(tuple(a.pixels for a in asked)))
    alone = [t for a in asked for t in seen(loaded, a.pixels)]
    for one, other in zip(together, alone, strict=True):
        torch.testing.assert_close(one["tokens"], other["tokens"])


def test_a_blank_picture_keeps_its_place(loaded: LoadedModel) -> None:
    """transformers drops pictures that are all zeros as padding, and their placeholders then stay empty."""
    asked = studies(loaded)[1]
    crops = CROPS[loaded.settings.encoding.size]
    blanked = {n: p.clone() for n, p in asked.pixels.items()}
    blanked["pixel_values"][:crops] = 0.0
    before, after = seen(loaded, asked.pixels), seen(loaded, blanked)
    assert not torch.allclose(before[0]["tokens"], after[0]["tokens"])
    for one, other in zip(before[1:], after[1:], strict=True):
        torch.testing.assert_close(one["tokens"], other["tokens"])
    nothing = asked.pixels | {"pixel_values": torch.zeros_like(asked.pixels["pixel_values"])}
    tokens = columns(loaded, [asked.tokens], "left")
    with torch.no_grad():
        hidden = loaded.backbone.hidden(loaded.model, tokens, seen(loaded, nothing))
        assert hidden.isfinite().all()
        with pytest.raises(ValueError, match="do not match"):
            loaded.model(**tokens, **own((nothing,)))


# Training


@pytest.mark.parametrize("modules", Modules)
def test_loss_and_gradients_are_those_of_the_plain_forward(loaded: LoadedModel, modules: Modules) -> None:
    found = compared(loaded, modules, own)
    assert found.loss < CLOSE
    assert found.gradient < CLOSE
    learned = {"text_model"}
    learned |= {"connector"} if modules is not Modules.LANGUAGE else set()
    learned |= {"vision_model"} if modules in (Modules.TOWER, Modules.ALL_LINEAR) else set()
    changed = {n: g for n, g in found.largest.items() if g > 0}
    assert {p for p in ("text_model", "connector", "vision_model") if any(p in n for n in changed)} == learned
    assert max(changed.values()) > 10 * CLOSE


def test_all_linear_is_every_linear_layer_but_the_head(whole: LoadedModel) -> None:
    linear = {n for n, m in whole.model.named_modules() if isinstance(m, nn.Linear)} - {"lm_head"}
    with adapters_attached(whole, recipe(whole, Modules.ALL_LINEAR)) as tuned:
        touched = {n.removeprefix("base_model.model.") for n, m in tuned.named_modules() if hasattr(m, "lora_A")}
    assert touched == linear


def test_a_taught_adapter_is_stored_and_found_again(whole: LoadedModel, tmp_path: Path) -> None:
    with adapters_attached(whole, recipe(whole, Modules.PROJECTOR)) as tuned:
        losses = taught_for(whole, tuned, 12)
        assert losses[-1] < losses[0] - 0.2  # a head drawn at random can be talked into no more
        tuned.save_pretrained(tmp_path)
        whole.settings.save(tmp_path)
        tuned.eval()
        answers = written(whole, studies(whole))
    assert written(load_model(str(tmp_path)), studies(whole)) == answers
    assert written(whole, studies(whole)) != answers  # and the base has forgotten


# Asking and writing


def test_prompt_and_answer_are_the_chat_templates_own(loaded: LoadedModel) -> None:
    asked = studies(loaded)[1]
    answer = loaded.backbone.answer(loaded.processor, ANSWERS[1])
    line_end = loaded.processor.tokenizer.encode("\n", add_special_tokens=False)
    assert whole_chat(loaded, ANSWERS[1]) == [*asked.tokens["input_ids"].tolist(), *answer, *line_end]
    assert answer[-1] == loaded.processor.tokenizer.convert_tokens_to_ids(END_OF_UTTERANCE)


def test_what_is_written_from_image_tokens_is_written_from_pixels(loaded: LoadedModel) -> None:
    asked = studies(loaded)
    assert written(loaded, asked) == written_from_pixels(loaded, asked, own)


def test_what_is_written_does_not_depend_on_who_is_asked_beside(loaded: LoadedModel) -> None:
    asked = studies(loaded)
    assert written(loaded, asked) == [written(loaded, [one])[0] for one in asked]


# Files


def test_model_and_processor_are_saved_and_found_again(loaded: LoadedModel, tmp_path: Path) -> None:
    loaded.model.save_pretrained(tmp_path)
    loaded.processor.save_pretrained(tmp_path)
    loaded.settings.save(tmp_path)
    again = load_base(str(tmp_path))
    weights = again.model.state_dict()
    assert all(torch.equal(weights[name], t) for name, t in loaded.model.state_dict().items())
    for ours, theirs in zip(studies(again), studies(loaded), strict=True):
        assert torch.equal(ours.tokens["input_ids"], theirs.tokens["input_ids"])
        assert torch.equal(ours.pixels["pixel_values"], theirs.pixels["pixel_values"])


def test_the_processor_is_saved_as_it_is_published(cut: LoadedModel, tmp_path: Path) -> None:
    """Under the class that serving engines look for, with the size that the model was shown and what videos need."""
    assert cut.folder is not None
    cut.processor.save_pretrained(tmp_path)
    found, published = (
        {
            n: json.loads((f / n).read_text(encoding="utf-8"))
            for n in ("processor_config.json", "preprocessor_config.json")
        }
        for f in (tmp_path, cut.folder)
    )
    assert found["processor_config.json"] == published["processor_config.json"]
    pictures = published["preprocessor_config.json"] | {"size": {"longest_edge": 2 * TOWER}}
    kept = {n: found["preprocessor_config.json"].get(n) for n in pictures if n != "processor_class"}
    assert kept == {n: v for n, v in pictures.items() if n != "processor_class"}
    assert "Assistant:" in (tmp_path / "chat_template.jinja").read_text(encoding="utf-8")
