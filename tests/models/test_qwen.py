"""Qwen2.5-VL and Qwen3-VL: the pixel budget, the way from pixels to image tokens, positions, training and writing."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from amrg.birads import Laterality, View
from amrg.models import ModelError, ModelSettings, ViewEncoding, messages
from amrg.models.backbones.base import DecodingSettings, Images, Modules, Prompt, Tensors
from amrg.models.backbones.qwen import QwenProcessor
from amrg.models.load import LoadedModel, load_base
from amrg.models.views import to_pil
from amrg.training.data.samples import IGNORE, Batch, Stage, stage_of
from amrg.training.loop.lora import ReportLoss, adapters_attached, concatenate
from amrg.training.recipe import Lora, Recipe
from tests.models.tiny import TINY

FAMILIES = ("qwen2_5_vl", "qwen3_vl")
VIEWS = [(Laterality.RIGHT, View.CC), (Laterality.LEFT, View.CC), (Laterality.RIGHT, View.MLO)]
ANSWERS = ["Breast composition: b.", "Right breast: BI-RADS 1.\n\nFindings: none."]


@pytest.fixture(scope="module", params=FAMILIES)
def loaded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    return load_base(str(TINY[request.param](tmp_path_factory.mktemp(request.param))))


def pictures(sides: list[tuple[int, int]], seed: int = 0) -> Images:
    drawn = np.random.default_rng(seed)
    return [drawn.integers(0, 256, (*side, 3), dtype=np.uint8) for side in sides]


def studies(loaded: LoadedModel) -> list[Prompt]:
    """One of two views, one of three, pictures of three shapes among them."""
    size = loaded.settings.encoding.size
    sides = [[(size, size), (size, size // 2)], [(size // 2, size), (size, size), (size, size // 2)]]
    return [ask(loaded, pictures(s, n)) for n, s in enumerate(sides)]


def ask(loaded: LoadedModel, shown: Images, settings: ModelSettings | None = None) -> Prompt:
    return loaded.backbone.build_prompt(loaded.processor, settings or loaded.settings, VIEWS[: len(shown)], shown)


def padded(rows: list[Tensor], value: int, left: bool) -> Tensor:
    return nn.utils.rnn.pad_sequence(rows, True, value, padding_side="left" if left else "right")


def prompts(loaded: LoadedModel, asked: list[Prompt]) -> Tensors:
    """Columns of prompts, padded on the left."""
    pad = {"input_ids": loaded.processor.tokenizer.pad_token_id, **loaded.backbone.columns}
    columns = {name: padded([a.tokens[name] for a in asked], pad[name], left=True) for name in pad}
    mask = padded([torch.ones_like(a.tokens["input_ids"]) for a in asked], 0, left=True)
    return {**columns, "attention_mask": mask}


def image_tokens(loaded: LoadedModel, pixels: Tensors) -> list[Tensors]:
    return loaded.backbone.image_tokens(loaded.model, loaded.backbone.features(loaded.model, pixels))


@dataclass(frozen=True)
class Lesson:
    """Two studies with their answers, padded on the right."""

    tokens: Tensors
    labels: Tensor
    pixels: tuple[Tensors, ...]

    def batch(self, loaded: LoadedModel, stage: Stage) -> Batch:
        """As training has it, everything taken as far as `stage` says."""
        shown: Any = self.pixels
        with torch.no_grad():
            if stage is not Stage.PIXELS:
                shown = loaded.backbone.features(loaded.model, concatenate(self.pixels))
            if stage is Stage.IMAGE_TOKENS:
                shown = loaded.backbone.image_tokens(loaded.model, shown)
        return Batch(("a", "b"), self.tokens, self.labels, stage, tuple(shown))

    def plain(self, model: Any) -> Tensor:
        """transformers' own loss, as a sum."""
        loss: Tensor = model(**self.tokens, **concatenate(self.pixels), labels=self.labels).loss
        return loss * (self.labels[:, 1:] != IGNORE).sum()


def lesson(loaded: LoadedModel) -> Lesson:
    asked = studies(loaded)
    answers = [torch.tensor(loaded.backbone.answer(loaded.processor, text)) for text in ANSWERS]
    pad = {"input_ids": loaded.processor.tokenizer.pad_token_id, **loaded.backbone.columns}
    more = [{"input_ids": a, "mm_token_type_ids": torch.zeros_like(a)} for a in answers]
    columns = {
        name: padded(
            [torch.cat([a.tokens[name], m[name]]) for a, m in zip(asked, more, strict=True)], value, left=False
        )
        for name, value in pad.items()
    }
    rows = [torch.cat([torch.full_like(a.tokens["input_ids"], IGNORE), n]) for a, n in zip(asked, answers, strict=True)]
    labels = padded(rows, IGNORE, left=False)
    mask = padded([torch.ones_like(row) for row in rows], 0, left=False)
    return Lesson({**columns, "attention_mask": mask}, labels, tuple(a.pixels for a in asked))


def recipe(loaded: LoadedModel, modules: Modules) -> Recipe:
    return Recipe(base=str(loaded.folder), lora=Lora(rank=2, alpha=4, dropout=0.0, modules=modules))


# Pixels


@pytest.mark.parametrize("size", [33, 60, 100, 112, 256, 333, 640])
@pytest.mark.parametrize("narrow", [1, 2, 4])
def test_no_picture_has_more_tokens_than_its_size_allows(loaded: LoadedModel, size: int, narrow: int) -> None:
    settings = loaded.settings.model_copy(update={"encoding": ViewEncoding(size=size)})
    asked = ask(loaded, pictures([(size, size // narrow), (2 * size, 3 * size)]), settings)
    token = (loaded.processor.image_processor.patch_size * 2) ** 2
    assert (asked.pixels["image_grid_thw"].prod(-1) // 4).max() <= size**2 / token
    assert asked.pixels["image_grid_thw"].prod(-1).sum() == len(asked.pixels["pixel_values"])
    placeholders = asked.tokens["input_ids"] == loaded.model.config.image_token_id
    assert placeholders.sum() == asked.pixels["image_grid_thw"].prod(-1).sum() // 4
    assert torch.equal(asked.tokens["mm_token_type_ids"], placeholders.long())


def test_the_stored_limit_gives_way_to_the_settings(loaded: LoadedModel) -> None:
    assert loaded.folder is not None
    stored = json.loads((loaded.folder / "preprocessor_config.json").read_text(encoding="utf-8"))
    assert stored["size"]["longest_edge"] > 12_000_000
    assert loaded.processor.image_processor.size["longest_edge"] == loaded.settings.encoding.size**2


def test_features_and_image_tokens_are_the_plain_models(loaded: LoadedModel) -> None:
    for asked in studies(loaded):
        with torch.no_grad():
            plain = loaded.model.model.get_image_features(**asked.pixels, return_dict=True)
            found = image_tokens(loaded, asked.pixels)
        levels = [plain.pooler_output, *getattr(plain, "deepstack_features", [])]
        assert len(found) == len(asked.pixels["image_grid_thw"])
        for n, picture in enumerate(found):
            assert torch.equal(picture["grid"], asked.pixels["image_grid_thw"][n])
            torch.testing.assert_close(picture["tokens"], torch.stack([at[n] for at in levels]), rtol=0, atol=1e-6)


def test_a_picture_is_the_same_alone_and_among_others(loaded: LoadedModel) -> None:
    asked = studies(loaded)[1]
    grids = asked.pixels["image_grid_thw"]
    parts = torch.split(asked.pixels["pixel_values"], grids.prod(-1).tolist())
    with torch.no_grad():
        together = image_tokens(loaded, asked.pixels)
        for n, part in enumerate(parts):
            alone = image_tokens(loaded, {"pixel_values": part, "image_grid_thw": grids[n : n + 1]})
            torch.testing.assert_close(alone[0]["tokens"], together[n]["tokens"], rtol=0, atol=1e-5)


# Words


def test_a_turn_is_the_same_in_training_and_in_the_template(loaded: LoadedModel) -> None:
    shown = pictures([(64, 64), (64, 32)])
    asked = ask(loaded, shown)
    chat = messages(VIEWS[:2], [to_pil(p) for p in shown], loaded.settings)
    chat.append({"role": "assistant", "content": [{"type": "text", "text": ANSWERS[1]}]})
    whole = loaded.processor.apply_chat_template([chat], tokenize=True, return_dict=True, return_tensors="pt")
    answer = loaded.backbone.answer(loaded.processor, ANSWERS[1])
    line_end = loaded.processor.tokenizer.encode("\n")
    assert whole["input_ids"][0].tolist() == [*asked.tokens["input_ids"].tolist(), *answer, *line_end]
    assert answer[-1] == loaded.processor.tokenizer.convert_tokens_to_ids("<|im_end|>")


def test_every_name_of_a_processor_leads_to_ours(loaded: LoadedModel, tmp_path: Path) -> None:
    """As the hub has them: classes that want torchvision, the template in its own JSON."""
    loaded.processor.save_pretrained(tmp_path)
    template = (tmp_path / "chat_template.jinja").read_text(encoding="utf-8")
    (tmp_path / "chat_template.jinja").unlink()
    (tmp_path / "chat_template.json").write_text(json.dumps({"chat_template": template}), encoding="utf-8")
    stored = json.loads((tmp_path / "preprocessor_config.json").read_text(encoding="utf-8"))
    assert "processor_class" not in stored
    stored |= {"image_processor_type": "Qwen2VLImageProcessorFast", "processor_class": "Qwen2_5_VLProcessor"}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(stored), encoding="utf-8")
    again = LoadedModel(
        "", loaded.backbone, None, QwenProcessor.stored(str(tmp_path), None), loaded.settings, None, None
    )
    for ours, theirs in zip(studies(again), studies(loaded), strict=True):
        assert torch.equal(ours.tokens["input_ids"], theirs.tokens["input_ids"])
        assert torch.equal(ours.pixels["pixel_values"], theirs.pixels["pixel_values"])


# Writing


@pytest.mark.parametrize("chosen", [slice(0, 1), slice(0, 2)])
def test_what_is_written_from_image_tokens_is_written_from_pixels(loaded: LoadedModel, chosen: slice) -> None:
    asked = studies(loaded)[chosen]
    tokens = prompts(loaded, asked)
    pad = loaded.processor.tokenizer.pad_token_id
    # No end: random weights would end where they like, and the test would see little.
    writing = DecodingSettings(12, -1, pad)
    pixels = concatenate(tuple(a.pixels for a in asked))
    with torch.no_grad():
        seen = image_tokens(loaded, pixels)
        plain = loaded.model.generate(
            **tokens, **pixels, max_new_tokens=12, do_sample=False, eos_token_id=-1, pad_token_id=pad
        )
    assert (
        loaded.backbone.generate(loaded.model, tokens, seen, writing)
        == plain[:, tokens["input_ids"].shape[1] :].tolist()
    )
    alone = [
        loaded.backbone.generate(loaded.model, prompts(loaded, [a]), image_tokens(loaded, a.pixels), writing)
        for a in asked
    ]
    assert [row for rows in alone for row in rows] == plain[:, tokens["input_ids"].shape[1] :].tolist()


def test_other_pictures_are_other_words(loaded: LoadedModel) -> None:
    size = loaded.settings.encoding.size
    texts = set()
    for seed in range(4):
        asked = ask(loaded, pictures([(size, size)] * 2, seed))
        with torch.no_grad():
            seen = image_tokens(loaded, asked.pixels)
        rows = loaded.backbone.generate(loaded.model, prompts(loaded, [asked]), seen, DecodingSettings(12, -1, 0))
        texts.add(tuple(rows[0]))
    assert len(texts) > 1


def test_the_published_penalty_on_repetition_changes_nothing(loaded: LoadedModel) -> None:
    """Qwen2.5-VL publishes 1.05, which transformers applies to greedy answers too."""
    asked = studies(loaded)[:1]
    writing = DecodingSettings(12, -1, 0)
    with torch.no_grad():
        seen = image_tokens(loaded, asked[0].pixels)
        plain = loaded.backbone.generate(loaded.model, prompts(loaded, asked), seen, writing)
        loaded.model.generation_config.repetition_penalty = 9.0
        found = loaded.backbone.generate(loaded.model, prompts(loaded, asked), seen, writing)
        loaded.model.generation_config.repetition_penalty = None
    assert found == plain


def test_writing_leaves_training_as_it_was(loaded: LoadedModel) -> None:
    learned = lesson(loaded)
    batch = learned.batch(loaded, Stage.IMAGE_TOKENS)
    with torch.no_grad():
        before = loaded.backbone.hidden(loaded.model, batch.tokens, batch.images)
        asked = studies(loaded)[:1]
        seen = image_tokens(loaded, asked[0].pixels)
        loaded.backbone.generate(loaded.model, prompts(loaded, asked), seen, DecodingSettings(3, -1, 0))
        after = loaded.backbone.hidden(loaded.model, batch.tokens, batch.images)
    assert torch.equal(before, after)


# Training


@pytest.mark.parametrize("modules", Modules)
def test_loss_and_gradients_are_the_plain_forwards(loaded: LoadedModel, modules: Modules) -> None:
    learned = lesson(loaded)
    stage = stage_of(loaded.backbone.trainable_modules(loaded.model, modules))
    batch = learned.batch(loaded, stage)
    with adapters_attached(loaded, recipe(loaded, modules)) as tuned:
        adapters = {name: p for name, p in tuned.named_parameters() if p.requires_grad}
        torch.manual_seed(1)
        for parameter in adapters.values():
            nn.init.normal_(parameter, std=0.05)  # fresh adapters change nothing, and hide what feeds their first half
        ours = ReportLoss(tuned, loaded.backbone)(batch)
        found = torch.autograd.grad(ours, list(adapters.values()))
        plain = learned.plain(loaded.model)
        wanted = torch.autograd.grad(plain, list(adapters.values()))
    torch.testing.assert_close(ours, plain, rtol=1e-5, atol=0)
    for name, one, other in zip(adapters, found, wanted, strict=True):
        scale = float(other.abs().max())
        assert scale > 0, name
        torch.testing.assert_close(one, other, rtol=0, atol=1e-5 * max(1.0, scale), msg=name)


@pytest.mark.parametrize("modules", Modules)
def test_what_a_choice_of_modules_touches(loaded: LoadedModel, modules: Modules) -> None:
    linear = {n for n, m in loaded.model.named_modules() if isinstance(m, nn.Linear) and n != "lm_head"}
    tower = {n for n in linear if ".visual.blocks." in n}
    projector = {n for n in linear if ".visual." in n} - tower
    wanted = {
        Modules.LANGUAGE: linear - tower - projector,
        Modules.PROJECTOR: linear - tower,
        Modules.TOWER: linear,
        Modules.ALL_LINEAR: linear,
    }[modules]
    with adapters_attached(loaded, recipe(loaded, modules)) as tuned:
        assert set(tuned.targeted_module_names) == wanted
    assert tower
    assert projector


def test_it_learns(loaded: LoadedModel) -> None:
    batch = lesson(loaded).batch(loaded, Stage.FEATURES)
    with adapters_attached(loaded, recipe(loaded, Modules.PROJECTOR)) as tuned:
        loss = ReportLoss(tuned, loaded.backbone)
        steps = torch.optim.AdamW([p for p in tuned.parameters() if p.requires_grad], lr=1e-2)
        first = loss(batch).item()
        for _ in range(15):
            steps.zero_grad()
            loss(batch).backward()
            steps.step()
        assert loss(batch).item() < 0.7 * first


# Loading


def test_saved_and_loaded_it_is_the_same(loaded: LoadedModel, tmp_path: Path) -> None:
    loaded.model.save_pretrained(tmp_path)
    loaded.processor.save_pretrained(tmp_path)
    loaded.settings.save(tmp_path)
    again = load_base(str(tmp_path))
    batch = lesson(loaded).batch(loaded, Stage.PIXELS)
    losses = [ReportLoss(_bare(m.model), m.backbone)(batch) for m in (loaded, again)]
    assert torch.equal(*losses)


@pytest.mark.parametrize(("old", "new"), [("visual.", "vision_model."), ("blocks.0.", "layers.0.")])
def test_a_tower_under_other_names_is_refused(
    loaded: LoadedModel, tmp_path: Path, old: str, new: str, caplog: pytest.LogCaptureFixture
) -> None:
    change(loaded, tmp_path, lambda name, tensor: (name.replace(old, new), tensor))
    caplog.clear()
    with pytest.raises(ModelError, match=r"lacks \d+ weights .*model\.visual\.blocks\.0\.attn.*are unknown") as refused:
        load_base(str(tmp_path))
    assert "\n" not in str(refused.value)
    assert [r for r in caplog.records if r.name == "transformers.modeling_utils"] == []


def test_weights_of_another_shape_are_refused(loaded: LoadedModel, tmp_path: Path) -> None:
    change(loaded, tmp_path, lambda name, tensor: (name, tensor[:-1] if name.endswith("qkv.bias") else tensor))
    with pytest.raises(ModelError, match=r"another shape .*blocks\.0\.attn\.qkv\.bias: \(95,\) for \(96,\)"):
        load_base(str(tmp_path))


def change(loaded: LoadedModel, folder: Path, of: Any) -> None:
    """A checkpoint with every tensor renamed or reshaped."""
    assert loaded.folder is not None
    for file in loaded.folder.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    tensors = load_file(folder / "model.safetensors")
    save_file(dict(of(n, t) for n, t in tensors.items()), folder / "model.safetensors", {"format": "pt"})


def _bare(model: Any) -> Any:
    """A model without adapters, where training expects one with them."""
    return type("Bare", (nn.Module,), {"get_base_model": lambda self: model})()
