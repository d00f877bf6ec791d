"""SmolVLM2's quirks: images as a whole and in crops, blank ones too; the hub's processor files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from amrg.models.decoding.batched import batch_prompts
from tests.models.families import VARIANTS
from tests.models.studies import COUNTS, Subject
from tests.models.tiny_smolvlm import TOKENS_A_CROP, TOWER
from tests.rounding import assert_same_but_rounded, difference

CROPS = {TOWER: 1, 2 * TOWER: 5}  # an image larger than the tower is cut into four crops, and is there as a whole too


@pytest.fixture(scope="module", params=["smolvlm", "smolvlm in crops"])
def subject(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Subject:
    family = VARIANTS[request.param]
    return Subject(family, family.load(tmp_path_factory.mktemp("base")))


def test_the_settings_size_decides_the_crops(subject: Subject) -> None:
    loaded, crops = subject.loaded, CROPS[subject.loaded.settings.encoding.size]
    for prompt, count in zip(subject.prompts(), COUNTS, strict=True):
        assert prompt.pixels["crops"].tolist() == [crops] * count
        assert prompt.pixels["pixel_values"].shape == (crops * count, 3, TOWER, TOWER)
        assert [len(t["tokens"]) for t in subject.image_tokens([prompt])] == [crops * TOKENS_A_CROP] * count
        assert loaded.backbone.placeholders(loaded.model.config, prompt.tokens) == crops * TOKENS_A_CROP * count


def test_a_blank_image_keeps_its_place(subject: Subject) -> None:
    """transformers drops images that are all zeros as padding, and their placeholders then stay empty."""
    prompt, loaded = subject.prompts()[1], subject.loaded
    blank = {n: p.clone() for n, p in prompt.pixels.items()}
    blank["pixel_values"][: CROPS[loaded.settings.encoding.size]] = 0.0
    one_blank = type(prompt)(prompt.tokens, blank)
    before, after = (subject.image_tokens([p]) for p in (prompt, one_blank))
    assert difference(after[0]["tokens"], before[0]["tokens"]) > 1e-3
    for one, other in zip(before[1:], after[1:], strict=True):
        assert_same_but_rounded(one["tokens"], other["tokens"])
    zeros = prompt.pixels | {"pixel_values": torch.zeros_like(prompt.pixels["pixel_values"])}
    assert subject.hidden([type(prompt)(prompt.tokens, zeros)]).isfinite().all()
    with torch.no_grad(), pytest.raises(ValueError, match="do not match"):
        loaded.model(**batch_prompts(loaded, [prompt]), **subject.family.own_pixels([zeros]))


def test_the_processor_is_saved_as_it_is_published(tmp_path: Path) -> None:
    """Under the class that serving engines look for, with the size that the model takes and what videos need."""
    crops = VARIANTS["smolvlm in crops"].load(tmp_path / "base")
    assert crops.folder is not None
    crops.processor.save_pretrained(tmp_path)
    names = ("processor_config.json", "preprocessor_config.json")
    found, published = (
        {name: json.loads((folder / name).read_text(encoding="utf-8")) for name in names}
        for folder in (tmp_path, crops.folder)
    )
    assert found["processor_config.json"] == published["processor_config.json"]
    expected = published["preprocessor_config.json"] | {"size": {"longest_edge": 2 * TOWER}}
    del expected["processor_class"]
    assert {n: found["preprocessor_config.json"].get(n) for n in expected} == expected
    assert "Assistant:" in (tmp_path / "chat_template.jinja").read_text(encoding="utf-8")
