"""Drafted tokens with a transformers model: the answer of `generate`, in front of the sliding window and beyond it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from amrg.birads import Laterality, View
from amrg.models.decoding.batched import batch_prompts, decode_rows
from amrg.models.decoding.cached import CachedModel, decode_drafted
from amrg.models.decoding.greedy import write_answer
from amrg.models.decoding.phrases import Phrases
from amrg.models.load import LoadedModel, load_model
from tests.models.tiny import tiny_gemma3

VIEWS = tuple((side, view) for view in (View.CC, View.MLO) for side in Laterality)


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    """Gemma 3 with layers that see 64 tokens, random weights."""
    return load_model(str(tiny_gemma3(tmp_path_factory.mktemp("gemma"))))


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("views", [1, 4])
def test_the_answer_is_that_of_generate(loaded: LoadedModel, views: int, attention: str) -> None:
    loaded.model.set_attn_implementation(attention)
    images = list(np.random.default_rng(views).integers(0, 256, (views, 56, 56, 3), dtype=np.uint8))
    with torch.inference_mode():
        prompt = loaded.backbone.build_prompt(loaded.processor, loaded.settings, VIEWS[:views], images)
        tokens = batch_prompts(loaded, [prompt])
        image_tokens = loaded.backbone.image_tokens(loaded.model, loaded.backbone.features(loaded.model, prompt.pixels))
        (expected,) = decode_rows(loaded, tokens, image_tokens, 90)
        assert len(tokens["input_ids"][0]) + len(expected) > 64  # the window is passed
        wrong = [token + 1 for token in expected[20:40]]
        for runs in ([expected], [expected[:30], [expected[19], *wrong], expected[40:]], [wrong]):
            reader = CachedModel(loaded.model)
            columns = {name: column for name, column in tokens.items() if name != "attention_mask"}
            first = reader.read_prompt(columns, loaded.backbone.model_inputs(loaded.model, image_tokens))
            end = loaded.backbone.eos_token_id(loaded.processor)
            assert write_answer(reader, first, end, 90, Phrases.of_runs(runs)) == expected
        assert decode_drafted(loaded, tokens, image_tokens, 90, Phrases.of_runs([expected])) == expected
