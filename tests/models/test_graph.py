"""The embedded model without torch: prompt, pixels, tower and language model as transformers computes them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import Gemma3ForConditionalGeneration, Gemma3TextConfig
from transformers.models.gemma3 import Gemma3ForCausalLM

from amrg.birads import AnswerForm, Laterality, View
from amrg.models import ModelError
from amrg.models.checkpoint import EMBEDDED, GRAPH, SINGLE
from amrg.models.embedded.features import read_candidates, read_suspicion, run_tower
from amrg.models.graph.decoder import Decoder, build_decoder
from amrg.models.graph.loading import load_graph_model
from amrg.models.graph.prompt import PromptWriter
from amrg.models.load import LoadedModel, load_model

SIDES = tuple(Laterality)
VIEWS = tuple((side, view) for view in (View.CC, View.MLO) for side in SIDES)


@pytest.fixture(scope="module")
def loaded() -> LoadedModel:
    return load_model()


def text_config(**changed: object) -> Gemma3TextConfig:
    """A small language model of the embedded one's kind."""
    settings: dict[str, object] = {
        "vocab_size": 50,
        "hidden_size": 24,
        "intermediate_size": 40,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 8,
        "query_pre_attn_scalar": 8,
        "layer_types": ["full_attention"] * 3,
    }
    return Gemma3TextConfig(**(settings | changed))


@pytest.fixture(scope="module")
def causal() -> Gemma3ForCausalLM:
    torch.manual_seed(1)
    model = Gemma3ForCausalLM(text_config()).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "norm" in name:
                weight.normal_(std=0.3)  # Gemma starts its norms at zero, where a wrong one would go unseen
    return model


@pytest.fixture(scope="module")
def decoder(causal: Gemma3ForCausalLM) -> Decoder:
    weights = {f"language_model.{name}": weight.numpy() for name, weight in causal.state_dict().items()}
    return build_decoder(causal.config.to_dict(), weights)


def test_hidden_states_and_next_tokens_are_those_of_transformers(causal: Gemma3ForCausalLM, decoder: Decoder) -> None:
    read = torch.randint(0, 50, (1, 40), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = causal(read).logits[0]
    numbers = read[0].tolist()
    reading = decoder.start(40)
    states = reading.hidden(decoder.embed(numbers[:30]), np.tri(30, dtype=bool))
    assert np.abs(reading.logits(states) - expected[:30].numpy()).max() < 1e-4
    assert reading.advance(numbers[30:35]) == expected[30:35].argmax(-1).tolist()
    reading.rewind(3)  # what was read beyond is forgotten
    assert reading.advance(numbers[32:]) == expected[32:].argmax(-1).tolist()


def test_tokens_of_an_image_attend_to_each_other_in_both_directions(
    causal: Gemma3ForCausalLM, decoder: Decoder
) -> None:
    numbers = list(range(3, 23))
    images = [(2, 8), (10, 16)]
    allowed = torch.ones(20, 20, dtype=torch.bool).tril()
    for start, end in images:
        allowed[start:end, start:end] = True
    mask = torch.zeros(1, 1, 20, 20).masked_fill(~allowed, torch.finfo(torch.float32).min)
    with torch.inference_mode():
        out = causal.model(torch.tensor([numbers]), attention_mask={"full_attention": mask})
        expected = causal.lm_head(out.last_hidden_state)[0, -1]
    reading = decoder.start(20)
    assert reading.read_prompt(decoder.embed(numbers), images) == int(expected.argmax())
    states = decoder.start(20).hidden(decoder.embed(numbers), allowed.numpy())
    assert np.abs(reading.logits(states)[-1] - expected.numpy()).max() < 1e-4


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"final_logit_softcapping": 30.0}, "final_logit_softcapping is 30.0"),
        ({"layer_types": ["sliding_attention", "full_attention", "full_attention"]}, "layer_types"),
        ({"hidden_activation": "gelu"}, "hidden_activation is 'gelu'"),
    ],
)
def test_a_language_model_that_would_be_computed_wrongly_is_refused(changed: dict[str, object], named: str) -> None:
    with pytest.raises(ModelError, match=named):
        build_decoder(text_config(**changed).to_dict(), {})


def prompts() -> Iterator[tuple[tuple[Laterality, View], ...]]:
    """Views of an exam: every choice of one to four, and eight."""
    for count in range(1, 5):
        yield from combinations(VIEWS, count)
    yield VIEWS * 2


@pytest.mark.parametrize("answer", AnswerForm)
def test_prompts_and_pixels_are_the_processor_s(loaded: LoadedModel, answer: AnswerForm) -> None:
    settings = loaded.settings.model_copy(update={"answer": answer})
    writer = PromptWriter.of_folder(EMBEDDED, settings)
    size = settings.encoding.size
    levels = np.resize(np.arange(256, dtype=np.uint8), (size, size, 3))
    for views in prompts():
        made = loaded.backbone.build_prompt(loaded.processor, settings, views, [levels] * len(views))
        assert writer.tokens(views) == made.tokens["input_ids"].tolist()
    assert np.array_equal(writer.pixels(levels), made.pixels["pixel_values"][0].numpy())
    assert writer.end_of_turn == loaded.backbone.eos_token_id(loaded.processor)
    numbers = loaded.processor.tokenizer.encode("FINDINGS LIST\nnone\nACR B\n", add_special_tokens=False)
    assert writer.text(numbers) == loaded.processor.tokenizer.decode(numbers).strip()


def test_the_graph_sees_what_the_tower_sees(loaded: LoadedModel) -> None:
    levels = np.random.default_rng(0).integers(0, 256, (2, 512, 512, 3), dtype=np.uint8)
    levels[:, :, 300:] = 0
    drawn = np.stack([load_graph_model(EMBEDDED).prompt.pixels(level) for level in levels])
    tower = loaded.finding_tower
    assert tower is not None
    with torch.inference_mode():
        out = run_tower(tower, torch.from_numpy(drawn))
        tokens = loaded.model.model.multi_modal_projector(out.last_hidden_state).numpy()
    model = load_graph_model(EMBEDDED)
    observed = model.tower.observe(list(levels), model.prompt.pixels)
    for view, expected in zip(observed, tokens, strict=True):
        assert np.abs(view.tokens - expected).max() < 1e-3
    assert max(view.suspicion for view in observed) == pytest.approx(read_suspicion(out), abs=1e-5)
    for view, candidates in zip(observed, read_candidates(out), strict=True):
        found = view.places[view.cells >= 0]
        assert np.abs(found[:, 0] - [c.lesion for c in candidates]).max() < 1e-4


def test_a_graph_of_other_weights_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(EMBEDDED, folder)
    weights = bytearray((folder / SINGLE).read_bytes())
    weights[-1] ^= 1
    (folder / SINGLE).write_bytes(weights)
    with pytest.raises(ModelError, match=f"{GRAPH} was made of other weights than {SINGLE}"):
        load_graph_model(folder)
    (folder / GRAPH).write_bytes(b"no graph")
    with pytest.raises(ModelError, match=f"{GRAPH} cannot be loaded .* or remove the file to compute with torch"):
        load_graph_model(folder)


@pytest.mark.parametrize(
    "name", ["config.json", SINGLE, "processor_config.json", "tokenizer.json", "chat_template.jinja"]
)
@pytest.mark.parametrize("size", [None, 100], ids=["missing", "cut"])
def test_a_file_that_is_missing_or_cut_is_named(name: str, size: int | None, tmp_path: Path) -> None:
    folder = shutil.copytree(EMBEDDED, tmp_path / "copied")
    content = (folder / name).read_bytes()
    (folder / name).unlink()
    if size is not None:
        (folder / name).write_bytes(content[:size])
    with pytest.raises(ModelError, match=rf"^model copied: {name} is missing or damaged \(.*\); .* copy it again$"):
        load_graph_model(folder)


def test_the_graph_refers_to_the_weights_and_repeats_none_of_the_large_ones() -> None:
    config = json.loads((EMBEDDED / "config.json").read_bytes())
    assert config["model_type"] == Gemma3ForConditionalGeneration.config_class.model_type
    assert (EMBEDDED / GRAPH).stat().st_size < (EMBEDDED / SINGLE).stat().st_size // 50
