"""The engine of a local model: one tower pass a study, the same texts in any batch, nothing decoded for the refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from amrg.birads import Laterality, View
from amrg.generation.drafting import prepare
from amrg.generation.engines.base import Request
from amrg.generation.engines.local import LocalEngine, load_engine, local_engine
from amrg.imaging import read_studies
from amrg.models.embedded.features import read_suspicion
from amrg.models.embedded.mammogram_tower import MammogramTowerOutput
from amrg.phantom import Size, draw_exam, write_exam
from tests.models.tiny import TINY, tiny_embedded

SEEDS = (1_000_001, 1_000_002, 1_000_003)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> LocalEngine:
    return load_engine(str(tiny_embedded(tmp_path_factory.mktemp("tiny"))))


@pytest.fixture(scope="module")
def requests(engine: LocalEngine, tmp_path_factory: pytest.TempPathFactory) -> list[Request]:
    made = []
    for seed in SEEDS:
        folder = tmp_path_factory.mktemp(f"exam-{seed}")
        write_exam(draw_exam(seed, Size.SMALL), folder)
        (study,) = read_studies(folder).studies
        made.append(prepare(study, engine.settings).request)
    return made


@torch.inference_mode()
def text_of(engine: LocalEngine, request: Request) -> str:
    """A request's text by a pass of the tower of its own, as the family's own steps make it."""
    loaded, backbone = engine.loaded, engine.loaded.backbone
    prompt = backbone.build_prompt(loaded.processor, loaded.settings, request.views, request.images)
    tokens = {name: column[None] for name, column in prompt.tokens.items()}
    image_tokens = backbone.image_tokens(loaded.model, backbone.features(loaded.model, prompt.pixels))
    out = loaded.model.generate(
        **tokens,
        **backbone.model_inputs(loaded.model, image_tokens),
        max_new_tokens=loaded.settings.max_new_tokens,
        do_sample=False,
        eos_token_id=backbone.eos_token_id(loaded.processor),
    )
    text: str = loaded.processor.tokenizer.decode(out[0, tokens["input_ids"].shape[1] :], skip_special_tokens=True)
    return text.strip()


def test_the_tower_runs_once_a_study_for_text_and_features(engine: LocalEngine, requests: list[Request]) -> None:
    expected = [text_of(engine, request) for request in requests]
    tower = engine.loaded.finding_tower
    assert tower is not None
    outputs: list[MammogramTowerOutput] = []
    hook = tower.register_forward_hook(lambda *called: outputs.append(called[2]))
    try:
        generations = list(engine.generate(requests))
    finally:
        hook.remove()
    assert [generation.text for generation in generations] == expected
    for generation, request, out in zip(generations, requests, outputs, strict=True):
        features = generation.features
        assert features is not None
        assert len(features.candidates) == len(request.views)
        assert features.suspicion == read_suspicion(out)
        assert generation.domain is None  # nothing is known of its training images


def test_texts_do_not_depend_on_the_batch(engine: LocalEngine, requests: list[Request]) -> None:
    other = Request(requests[0].views[:2], requests[0].images[:2])  # a shorter prompt is padded
    mixed = [*requests, other]
    alone = [generation.text for generation in engine.generate(mixed)]
    together = local_engine(engine.loaded, max_batch=4)
    assert [generation.text for generation in together.generate(mixed)] == alone


def test_an_engine_says_which_model_it_is(engine: LocalEngine) -> None:
    identity = engine.identity
    assert (identity.name, identity.device, identity.dtype) == (engine.loaded.name, "cpu", "float32")
    assert identity.weights == engine.loaded.weights_hash
    assert identity.chat_template is not None
    assert len(identity.chat_template) == 64


@pytest.mark.parametrize("family", sorted(TINY))
def test_every_family_writes_the_same_in_any_batch(family: str, tmp_path: Path) -> None:
    one = load_engine(str(TINY[family](tmp_path)))
    size: Any = one.settings.encoding.size
    rng = np.random.default_rng(0)
    views = tuple((side, View.CC) for side in Laterality)
    made = [
        Request(views[:count], tuple(rng.integers(0, 255, (size, size, 3), dtype=np.uint8) for _ in range(count)))
        for count in (2, 1)
    ]
    alone, together = ([g.text for g in e.generate(made)] for e in (one, local_engine(one.loaded, max_batch=2)))
    assert alone == together
    assert all(generation.features is None for generation in one.generate(made))
