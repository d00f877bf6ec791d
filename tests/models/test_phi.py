"""Phi-3.5-vision's quirks: numbered images in the prompt, rope factors that change at a turn, files as published."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import AutoConfig

from amrg.birads import Laterality, View
from amrg.models import ModelError, ModelSettings, ViewEncoding
from amrg.models.backbones.base import DecodingSettings, Modules, Prompt, Tensors
from amrg.models.backbones.phi3 import Phi3Vision
from amrg.models.decoding.batched import batch_prompts
from amrg.models.load import LoadedModel, load_base
from amrg.models.phi3v import Phi3VProcessor
from amrg.training.loop.lora import adapters_attached
from tests.models.families import FAMILIES
from tests.models.published import read_published
from tests.models.studies import Subject
from tests.models.tiny_phi import CROP, TURN, tiny_phi
from tests.rounding import assert_same_but_rounded

PUBLISHED = read_published("microsoft/Phi-3.5-vision-instruct")
VIEWS = [(Laterality.RIGHT, View.CC), (Laterality.LEFT, View.CC), (Laterality.RIGHT, View.MLO)]
TOKENS = 27  # image tokens of a square picture: 2 x 2 crops


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    return load_base(str(tiny_phi(tmp_path_factory.mktemp("phi"))))


def ask(loaded: LoadedModel, number: int, instruction: str = "Report.", seed: int = 0) -> Prompt:
    """A study of so many views: the first two square, the third upright."""
    drawn = np.random.default_rng(seed + number)
    sides = [(2 * CROP, 2 * CROP), (2 * CROP, 2 * CROP), (3 * CROP, CROP)][:number]
    images = [drawn.integers(0, 256, (*side, 3), dtype=np.uint8) for side in sides]
    settings = loaded.settings.model_copy(update={"instruction": instruction})
    return loaded.backbone.build_prompt(loaded.processor, settings, VIEWS[:number], images)


def image_tokens(loaded: LoadedModel, prompts: list[Prompt]) -> list[Tensors]:
    return Subject(FAMILIES["phi3_v"], loaded).image_tokens(prompts)


# Asking


def test_a_prompt_has_the_published_form(loaded: LoadedModel) -> None:
    text = loaded.processor.tokenizer.decode(ask(loaded, 2).tokens["input_ids"])
    places = "<|image|>" * TOKENS
    # The tokenizer begins every text between pictures anew, as the published processor has it do.
    expected = f"<s><|user|>\nRCC\n{places}<s>\nLCC\n{places}<s>\nReport.<|end|>\n<|assistant|>"
    assert re.sub(r" +", "", text) == expected


@pytest.mark.parametrize(("size", "crops"), [(2 * CROP, 4), (2 * CROP + 1, 9), (4 * CROP, 16)])
def test_the_size_of_the_settings_is_honoured(loaded: LoadedModel, size: int, crops: int) -> None:
    settings = loaded.settings.model_copy(update={"encoding": ViewEncoding(size=size)})
    prompt = loaded.backbone.build_prompt(
        loaded.processor, settings, VIEWS[:1], [np.zeros((size, size, 3), dtype=np.uint8)]
    )
    assert prompt.pixels["pixel_values"].shape[1] == 1 + crops
    stored = loaded.backbone.load_processor(str(loaded.folder), None, settings)
    assert stored.image_processor.num_crops == crops


@pytest.mark.parametrize("text", ["none", "<|image_2|>", "<|image_1|> <|image_1|>", "<|image_2|> <|image_1|>"])
def test_a_prompt_that_names_other_pictures_is_refused(loaded: LoadedModel, text: str) -> None:
    pictures = [Image.new("RGB", (CROP, CROP))] * max(1, text.count("image"))
    with pytest.raises(ValueError, match="the prompt names images"):
        loaded.processor(text, pictures)


# Seeing


def test_an_image_has_as_many_tokens_as_its_crops_make(loaded: LoadedModel) -> None:
    counts = [len(image["tokens"]) for image in image_tokens(loaded, [ask(loaded, 3)])]
    assert counts == [TOKENS, TOKENS, 4 * 4 + 1 + 4 * 2]


def test_places_without_pictures_and_pictures_without_places_are_refused(loaded: LoadedModel) -> None:
    two = ask(loaded, 2)
    ids = two.tokens["input_ids"][None]
    with pytest.raises(ValueError, match="54 places for image tokens, but 0 image tokens"):
        loaded.model(input_ids=ids)
    with pytest.raises(ValueError, match="54 places for image tokens, but 79 image tokens"):
        loaded.model(input_ids=ids, **ask(loaded, 3).pixels)


# Training


def test_a_second_pass_is_as_good_as_the_first(loaded: LoadedModel) -> None:
    # The published model overwrites the placeholders in `input_ids`: a second pass over a batch finds none.
    subject = Subject(FAMILIES["phi3_v"], loaded)
    examples = subject.examples()
    before = examples.tokens["input_ids"].clone()
    with adapters_attached(loaded, subject.recipe(Modules.LANGUAGE)) as tuned, torch.no_grad():
        losses = [examples.loss(tuned, Modules.LANGUAGE).item() for _ in range(2)]
    assert torch.equal(examples.tokens["input_ids"], before)
    assert losses[0] == losses[1]
    # A run whose labels are gone ends with a loss of 0.0.
    assert losses[0] > examples.count


# Writing


def test_what_is_written_is_what_the_whole_text_makes_likeliest(loaded: LoadedModel) -> None:
    # The answer passes the position at which rope factors change, where what is in the cache is worth nothing more.
    prompt = ask(loaded, 2, "Report. " * 17)
    tokens, encoded = batch_prompts(loaded, [prompt]), image_tokens(loaded, [prompt])
    begun = tokens["input_ids"].shape[1]
    assert begun < TURN - 3 < TURN + 3 < begun + 24
    (written,) = loaded.backbone.generate(loaded.model, tokens, encoded, DecodingSettings(24, -1, 0))
    whole = torch.cat([tokens["input_ids"], torch.tensor([written])], 1)
    with torch.no_grad():
        for n, token in enumerate(written):
            read = whole[:, : begun + n]
            logits = loaded.model(input_ids=read, **loaded.backbone.model_inputs(loaded.model, encoded)).logits
            assert int(logits[0, -1].argmax()) == token


@pytest.mark.parametrize("words", [2, 17])
def test_a_batch_padded_on_the_left_writes_what_each_study_does_alone(loaded: LoadedModel, words: int) -> None:
    # With 17 words, the first passes the turn on its way, and the second is past it from the start.
    prompts = [ask(loaded, 2, "Report. " * words), ask(loaded, 3, "Report. " * words), ask(loaded, 1)]
    subject = Subject(FAMILIES["phi3_v"], loaded)
    together = subject.generate(prompts, 24)
    assert together == subject.generate_from_pixels(prompts, 24)
    assert together == [subject.generate([study], 24)[0] for study in prompts]


def test_padding_changes_nothing_past_the_turn(loaded: LoadedModel) -> None:
    # One study shorter than the turn beside one longer: each has its own rope factors.
    prompts = [ask(loaded, 1), ask(loaded, 3, "Report. " * 40)]
    lengths = [len(a.tokens["input_ids"]) for a in prompts]
    assert lengths[0] < TURN < lengths[1]
    left = batch_prompts(loaded, prompts)
    counts = left["attention_mask"].sum(1).tolist()
    right = {n: torch.stack([row.roll(c) for row, c in zip(t, counts, strict=True)]) for n, t in left.items()}
    for tokens in (left, right):
        with torch.no_grad():
            together = loaded.backbone.hidden(loaded.model, tokens, image_tokens(loaded, prompts))
            for n, study in enumerate(prompts):
                alone = loaded.backbone.hidden(
                    loaded.model, batch_prompts(loaded, [study]), image_tokens(loaded, [study])
                )
                found = together[n, tokens["attention_mask"][n].bool()]
                assert_same_but_rounded(found, alone[0])


# Files


def test_names_in_a_checkpoint_are_the_published_ones(loaded: LoadedModel) -> None:
    assert loaded.folder is not None
    stored = load_file(loaded.folder / "model.safetensors")
    layered = {re.sub(r"layers\.\d+\.", "layers.{n}.", name) for name in stored}
    assert layered == set(PUBLISHED.tensors)


def test_saved_and_loaded_it_is_the_same(loaded: LoadedModel, tmp_path: Path) -> None:
    assert loaded.folder is not None
    loaded.model.save_pretrained(tmp_path)
    loaded.processor.save_pretrained(tmp_path)
    loaded.settings.save(tmp_path)
    for name in ("model.safetensors", "config.json", "preprocessor_config.json", "tokenizer.json"):
        assert (tmp_path / name).read_bytes() == (loaded.folder / name).read_bytes(), name
    again = load_base(str(tmp_path))
    assert torch.equal(ask(again, 3).tokens["input_ids"], ask(loaded, 3).tokens["input_ids"])


def test_embeddings_that_are_stored_twice_are_read_once(loaded: LoadedModel, tmp_path: Path) -> None:
    assert loaded.folder is not None
    for file in loaded.folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    stored = load_file(loaded.folder / "model.safetensors")
    stored["model.vision_embed_tokens.wte.weight"] = stored["model.embed_tokens.weight"].clone()
    save_file(stored, tmp_path / "model.safetensors", {"format": "pt"})
    _, info = loaded.backbone.model_class.from_pretrained(tmp_path, output_loading_info=True)
    assert not info["unexpected_keys"]
    assert not info["missing_keys"]


def test_files_as_published_are_read_and_their_code_is_not_run(tmp_path: Path, loaded: LoadedModel) -> None:
    assert loaded.folder is not None
    code = "raise SystemExit('remote code was run')\n"
    for name in ("configuration_phi3_v", "modeling_phi3_v", "processing_phi3_v"):
        (tmp_path / f"{name}.py").write_text(code, encoding="utf-8")
    tokenizer = json.loads((loaded.folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    template = (loaded.folder / "chat_template.jinja").read_text(encoding="utf-8")
    tokenizer |= {"tokenizer_class": "LlamaTokenizer", "legacy": False, "chat_template": template}
    documents = {
        "config.json": PUBLISHED.config,
        "tokenizer_config.json": tokenizer,
        "tokenizer.json": json.loads((loaded.folder / "tokenizer.json").read_text(encoding="utf-8")),
        "preprocessor_config.json": {
            "auto_map": {"AutoProcessor": "processing_phi3_v.Phi3VProcessor"},
            "image_mean": [0.48145466, 0.4578275, 0.40821073],
            "image_processor_type": "Phi3VImageProcessor",
            "image_std": [0.26862954, 0.26130258, 0.27577711],
            "num_crops": 4,
            "num_img_tokens": 144,
            "processor_class": "Phi3VProcessor",
        },
    }
    for name, document in documents.items():
        (tmp_path / name).write_text(json.dumps(document), encoding="utf-8")
    config = AutoConfig.from_pretrained(tmp_path)
    size = Phi3Vision().image_size(config)
    processor = Phi3Vision().load_processor(str(tmp_path), None, ModelSettings(encoding=ViewEncoding(size=size)))
    assert size == 672
    assert config.image_token_id == 32044
    assert config._attn_implementation is None  # not the published flash attention
    assert processor.image_processor == Phi3VProcessor.from_pretrained(tmp_path).image_processor
    made = processor("<|user|>\n<|image_1|>\nReport.<|end|>\n", [Image.new("RGB", (40, 30))])
    assert made["pixel_values"].shape == (1, 5, 3, 336, 336)
    assert int((made["input_ids"] == processor.tokenizer.convert_tokens_to_ids("<|image|>")).sum()) == 757
    text = "<|user|>\nRight breast.<|end|>\n<|assistant|>\n"
    assert processor.tokenizer(text).input_ids == loaded.processor.tokenizer(text).input_ids


def test_a_configuration_is_written_as_it_was_published(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(PUBLISHED.config), encoding="utf-8")
    AutoConfig.from_pretrained(tmp_path).save_pretrained(tmp_path)
    written = json.loads((tmp_path / "config.json").read_text(encoding="utf-8"))
    ours = {"_name_or_path", "_attn_implementation", "auto_map", "torch_dtype", "transformers_version"}
    assert {k: v for k, v in PUBLISHED.config.items() if written.get(k) != v}.keys() == ours
    assert written["dtype"] == PUBLISHED.config["torch_dtype"]


@pytest.mark.parametrize(
    ("part", "key", "value"),
    [
        ("img_processor", "layer_idx", -1),
        ("img_processor", "name", "siglip"),
        ("embd_layer", "projection_cls", "linear"),
    ],
)
def test_another_layout_is_refused(part: str, key: str, value: object) -> None:
    config = {**PUBLISHED.config, part: {**PUBLISHED.config[part], key: value}}
    with pytest.raises(ModelError, match=f"config.json: {key} is {value!r}; expected"):
        Phi3Vision().model_class.config_class(**config)
