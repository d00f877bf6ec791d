"""vLLM takes a prompt as the chat template writes it, before placeholders are repeated: from the local token ids."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from amrg.birads import Laterality, View
from amrg.generation.engines.vllm_prompt import one_placeholder_an_image
from amrg.models.backbones.base import chat_of
from amrg.models.load import load_base
from tests.models.tiny import TINY

VIEWS = [(side, view) for view in (View.CC, View.MLO) for side in Laterality]


@pytest.mark.parametrize("family", ["gemma3", "qwen2_5_vl", "qwen3_vl"])
@pytest.mark.parametrize("count", [1, 4])
def test_folded_ids_are_those_of_the_chat_template_s_text(family: str, count: int, tmp_path: Path) -> None:
    loaded = load_base(str(TINY[family](tmp_path)))
    size = loaded.settings.encoding.size
    images = [np.zeros((size, size, 3), np.uint8)] * count
    prompt = loaded.backbone.build_prompt(loaded.processor, loaded.settings, VIEWS[:count], images)
    chat = chat_of(loaded.settings, VIEWS[:count], images)
    text = loaded.processor.apply_chat_template([chat], tokenize=False, add_generation_prompt=True)[0]
    expected = loaded.processor.tokenizer.encode(text, add_special_tokens=False)
    assert one_placeholder_an_image(prompt.tokens["input_ids"].tolist(), loaded.model.config) == expected
