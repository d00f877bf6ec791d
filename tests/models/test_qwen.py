"""Qwen2.5-VL's and Qwen3-VL's quirks: the pixel budget, deepstack levels, the published repetition penalty."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from amrg.models import ModelError, ViewEncoding
from amrg.models.backbones.qwen import QwenProcessor
from amrg.models.load import LoadedModel, load_base
from tests.models.families import FAMILIES
from tests.models.studies import VIEWS, Subject
from tests.rounding import assert_same_but_rounded


@pytest.fixture(scope="module", params=["qwen2_5_vl", "qwen3_vl"])
def subject(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Subject:
    family = FAMILIES[request.param]
    return Subject(family, family.load(tmp_path_factory.mktemp("base")))


@pytest.mark.parametrize("size", [33, 60, 100, 112, 256, 333, 640])
@pytest.mark.parametrize("narrow", [1, 2, 4])
def test_no_image_has_more_tokens_than_its_size_allows(subject: Subject, size: int, narrow: int) -> None:
    loaded, drawn = subject.loaded, np.random.default_rng(0)
    settings = loaded.settings.model_copy(update={"encoding": ViewEncoding(size=size)})
    shapes = [(size, size // narrow), (2 * size, 3 * size)]
    images = [drawn.integers(0, 256, (*shape, 3), dtype=np.uint8) for shape in shapes]
    prompt = loaded.backbone.build_prompt(loaded.processor, settings, VIEWS[:2], images)
    patches = prompt.pixels["image_grid_thw"].prod(-1)
    assert (patches // 4).max() <= size**2 / (loaded.processor.image_processor.patch_size * 2) ** 2
    assert patches.sum() == len(prompt.pixels["pixel_values"])
    placeholders = prompt.tokens["input_ids"] == loaded.model.config.image_token_id
    assert placeholders.sum() == patches.sum() // 4
    assert torch.equal(prompt.tokens["mm_token_type_ids"], placeholders.long())


def test_the_settings_replace_the_stored_limit(subject: Subject) -> None:
    loaded = subject.loaded
    assert loaded.folder is not None
    stored = json.loads((loaded.folder / "preprocessor_config.json").read_text(encoding="utf-8"))
    assert stored["size"]["longest_edge"] > 12_000_000
    assert loaded.processor.image_processor.size["longest_edge"] == loaded.settings.encoding.size**2


def test_features_and_image_tokens_are_the_plain_models(subject: Subject) -> None:
    for prompt in subject.prompts():
        with torch.no_grad():
            plain = subject.loaded.model.model.get_image_features(**prompt.pixels, return_dict=True)
        levels = [plain.pooler_output, *getattr(plain, "deepstack_features", [])]
        found = subject.image_tokens([prompt])
        assert len(found) == len(prompt.pixels["image_grid_thw"])
        for n, image in enumerate(found):
            assert torch.equal(image["grid"], prompt.pixels["image_grid_thw"][n])
            assert_same_but_rounded(image["tokens"], torch.stack([level[n] for level in levels]))


def test_every_name_of_a_processor_leads_to_ours(subject: Subject, tmp_path: Path) -> None:
    """As the hub has them: classes that need torchvision, the template in its own JSON."""
    loaded = subject.loaded
    loaded.processor.save_pretrained(tmp_path)
    template = (tmp_path / "chat_template.jinja").read_text(encoding="utf-8")
    (tmp_path / "chat_template.jinja").unlink()
    (tmp_path / "chat_template.json").write_text(json.dumps({"chat_template": template}), encoding="utf-8")
    stored = json.loads((tmp_path / "preprocessor_config.json").read_text(encoding="utf-8"))
    assert "processor_class" not in stored
    stored |= {"image_processor_type": "Qwen2VLImageProcessorFast", "processor_class": "Qwen2_5_VLProcessor"}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(stored), encoding="utf-8")
    processor = QwenProcessor.stored(str(tmp_path), None)
    again = LoadedModel("", loaded.backbone, None, processor, loaded.settings, None, None)
    for ours, theirs in zip(Subject(subject.family, again).prompts(), subject.prompts(), strict=True):
        assert torch.equal(ours.tokens["input_ids"], theirs.tokens["input_ids"])
        assert torch.equal(ours.pixels["pixel_values"], theirs.pixels["pixel_values"])


def test_the_published_repetition_penalty_changes_nothing(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    """Qwen2.5-VL publishes 1.05, which transformers applies to greedy answers too."""
    prompts = subject.prompts()[:1]
    plain = subject.generate(prompts)
    monkeypatch.setattr(subject.loaded.model.generation_config, "repetition_penalty", 9.0)
    assert subject.generate(prompts) == plain


@pytest.mark.parametrize(("old", "new"), [("visual.", "vision_model."), ("blocks.0.", "layers.0.")])
def test_a_tower_under_other_names_is_refused(
    subject: Subject, tmp_path: Path, old: str, new: str, caplog: pytest.LogCaptureFixture
) -> None:
    write_changed(subject, tmp_path, lambda name, tensor: (name.replace(old, new), tensor))
    caplog.clear()
    with pytest.raises(ModelError, match=r"lacks \d+ weights .*model\.visual\.blocks\.0\.attn.*are unknown") as refused:
        load_base(str(tmp_path))
    assert "\n" not in str(refused.value)
    assert [r for r in caplog.records if r.name == "transformers.modeling_utils"] == []


def test_weights_of_another_shape_are_refused(subject: Subject, tmp_path: Path) -> None:
    write_changed(subject, tmp_path, lambda name, tensor: (name, tensor[:-1] if name.endswith("qkv.bias") else tensor))
    with pytest.raises(ModelError, match=r"another shape .*blocks\.0\.attn\.qkv\.bias: \(95,\) for \(96,\)"):
        load_base(str(tmp_path))


def write_changed(subject: Subject, folder: Path, of: Any) -> None:
    """A checkpoint with every tensor renamed or reshaped."""
    base = subject.loaded.folder
    assert base is not None
    for file in base.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    tensors = load_file(folder / "model.safetensors")
    save_file(dict(of(n, t) for n, t in tensors.items()), folder / "model.safetensors", {"format": "pt"})
