"""The embedded model is a real Gemma 3: transformers builds, saves and loads it by its own auto classes."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForImageTextToText, AutoProcessor, Gemma3ForConditionalGeneration

from amrg.birads import Laterality, View
from amrg.models import ModelError, messages, to_pil
from amrg.models.backbones.base import Modules
from amrg.models.embedded.architecture import SETTINGS, SIZE, TOKENS_A_VIEW, build
from amrg.models.embedded.tokenizer import LINE_ENDS, build_processor, train_tokenizer, vocabulary
from amrg.models.load import load_model

VIEWS = [(side, view) for view in (View.CC, View.MLO) for side in Laterality]
CORPUS = ["Breast composition: b.\nRight breast: BI-RADS 1.\n\nFindings: none."] * 3


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checkpoint")
    torch.manual_seed(0)
    tokenizer = train_tokenizer(CORPUS, 400)
    build(vocabulary(tokenizer)).save_pretrained(folder)
    build_processor(tokenizer, SETTINGS, TOKENS_A_VIEW).save_pretrained(folder)
    SETTINGS.save(folder)
    return folder


def _pictures(seed: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.integers(0, 255, (SIZE, SIZE, 3), dtype=np.uint8) for _ in VIEWS]


def test_all_four_views_stand_in_one_prompt(checkpoint: Path) -> None:
    processor = AutoProcessor.from_pretrained(checkpoint)
    chat = messages(VIEWS, [to_pil(p) for p in _pictures(0)], SETTINGS)
    inputs = processor.apply_chat_template(
        [chat], tokenize=True, return_dict=True, return_tensors="pt", add_generation_prompt=True
    )
    text = processor.tokenizer.decode(inputs["input_ids"][0])
    assert inputs["pixel_values"].shape == (4, 3, SIZE, SIZE)
    assert int((inputs["token_type_ids"] == 1).sum()) == 4 * TOKENS_A_VIEW
    assert [text.index(name) for name in ("RCC", "LCC", "RMLO", "LMLO")] == sorted(
        text.index(name) for name in ("RCC", "LCC", "RMLO", "LMLO")
    )
    assert text.endswith("<start_of_turn>model\n")


def test_auto_classes_load_what_was_saved(checkpoint: Path) -> None:
    model = AutoModelForImageTextToText.from_pretrained(checkpoint)
    assert type(model) is Gemma3ForConditionalGeneration
    ours = load_model(str(checkpoint))
    same = zip(model.state_dict().items(), ours.model.state_dict().items(), strict=True)
    assert all(a == b and torch.equal(x, y) for (a, x), (b, y) in same)


def test_loading_keeps_every_weight_and_statistic(tmp_path: Path) -> None:
    torch.manual_seed(1)
    tokenizer = train_tokenizer(CORPUS, 400)
    model = build(vocabulary(tokenizer))
    with torch.no_grad():
        for tensor in model.state_dict().values():
            if tensor.is_floating_point():
                tensor.add_(torch.rand_like(tensor))
    model.save_pretrained(tmp_path)
    build_processor(tokenizer, SETTINGS, TOKENS_A_VIEW).save_pretrained(tmp_path)
    loaded = load_model(str(tmp_path)).model.state_dict()
    for name, tensor in model.state_dict().items():
        assert torch.equal(loaded[name], tensor), name


def test_pictures_reach_the_logits(checkpoint: Path) -> None:
    loaded = load_model(str(checkpoint))
    chats = [messages(VIEWS, [to_pil(p) for p in _pictures(seed)], SETTINGS) for seed in (0, 1)]
    # A fresh projector is all zeros, as in Gemma 3: give it something to project.
    torch.nn.init.normal_(loaded.model.model.multi_modal_projector.mm_input_projection_weight)
    logits = []
    for chat in chats:
        inputs = loaded.processor.apply_chat_template(
            [chat], tokenize=True, return_dict=True, return_tensors="pt", add_generation_prompt=True
        )
        with torch.inference_mode():
            logits.append(loaded.model(**inputs).logits[0, -1])
    assert not torch.allclose(logits[0], logits[1])


@pytest.mark.parametrize("modules", list(Modules))
def test_no_adapter_changes_what_the_towers_read_outs_mean(checkpoint: Path, modules: Modules) -> None:
    loaded = load_model(str(checkpoint))
    chosen = loaded.backbone.trainable_modules(loaded.model, modules)
    names = [name for name, _ in loaded.model.named_modules() if re.fullmatch(chosen.lora, name)]
    assert names
    assert not [name for name in names if ".heads." in name or ".regions." in name]
    assert chosen.tower is any("vision_tower" in name for name in names)


def test_line_ends_are_single_tokens(checkpoint: Path) -> None:
    tokenizer = AutoProcessor.from_pretrained(checkpoint).tokenizer
    for line_end in LINE_ENDS:
        assert len(tokenizer.encode(line_end, add_special_tokens=False)) == 1
    assert tokenizer.decode(tokenizer.encode("Größe 5 µm\n\nx", add_special_tokens=False)) == "Größe 5 µm\n\nx"


def test_under_forty_megabytes(checkpoint: Path) -> None:
    assert sum(f.stat().st_size for f in checkpoint.glob("*.safetensors")) < 40e6


@pytest.mark.parametrize(("name", "message"), [("no-such-folder", "no such folder"), ("./no/folder", "no such folder")])
def test_a_missing_model_is_one_clear_line(name: str, message: str) -> None:
    with pytest.raises(ModelError, match=message) as refused:
        load_model(name)
    assert "\n" not in str(refused.value)


def test_another_class_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "siglip"}', encoding="utf-8")
    with pytest.raises(ModelError, match="expected one of gemma3"):
        load_model(str(tmp_path))
