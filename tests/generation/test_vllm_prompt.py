"""vLLM takes a prompt as the chat template writes it: the local token ids before placeholders are repeated."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from amrg.birads import Laterality, View
from amrg.generation.engines.vllm_prompt import prompt_ids
from amrg.models.load import load_base
from tests.models.tiny import TINY

VIEWS = [(side, view) for view in (View.CC, View.MLO) for side in Laterality]


@pytest.mark.parametrize("family", ["gemma3", "qwen2_5_vl", "qwen3_vl"])
@pytest.mark.parametrize("count", [1, 4])
def test_ids_are_the_local_ones_with_one_placeholder_an_image(family: str, count: int, tmp_path: Path) -> None:
    loaded = load_base(str(TINY[family](tmp_path)))
    size, config = loaded.settings.encoding.size, loaded.model.config
    images = [np.zeros((size, size, 3), np.uint8)] * count
    local = loaded.backbone.build_prompt(loaded.processor, loaded.settings, VIEWS[:count], images)
    ids = local.tokens["input_ids"].tolist()
    folded = [t for i, t in enumerate(ids) if t != config.image_token_id or ids[i - 1] != t]
    if family == "gemma3":  # line ends, start, image, end, line ends stand for the start alone
        start = config.boi_token_id
        around = [i for i, t in enumerate(folded) if t == start]
        folded = [t for i, t in enumerate(folded) if not any(i in (a - 1, a + 1, a + 2, a + 3) for a in around)]
        assert len(around) == count
    assert prompt_ids(loaded.processor, loaded.settings, VIEWS[:count], images) == folded
