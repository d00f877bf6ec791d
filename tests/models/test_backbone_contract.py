"""What every family keeps, whatever its quirks: prompts, image tokens, the loss, adapters, generation, files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from amrg.models.backbones.base import Modules
from amrg.models.known_answers import PROBES, drawn_images
from amrg.models.load import load_base, load_model
from amrg.training.loop.lora import adapters_attached
from tests.models.families import FAMILIES, VARIANTS
from tests.models.studies import ANSWERS, COUNTS, VIEWS, Subject, gradients, set_adapters
from tests.rounding import assert_same_but_rounded, difference


@pytest.fixture(scope="module", params=VARIANTS)
def subject(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Subject:
    family = VARIANTS[request.param]
    return Subject(family, family.load(tmp_path_factory.mktemp("base")))


@pytest.fixture(scope="module", params=FAMILIES)
def tiny(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Subject:
    """A tiny model of each family, for what takes long on a larger one and does not depend on it."""
    family = FAMILIES[request.param]
    return Subject(family, family.load(tmp_path_factory.mktemp("tiny")))


def test_prompt_and_answer_are_those_of_the_chat_template(subject: Subject) -> None:
    loaded, images = subject.loaded, subject.images(COUNTS[1], 1)
    prompt = subject.prompt(images).tokens["input_ids"].tolist()
    answer = loaded.backbone.answer(loaded.processor, ANSWERS[1])
    chat = subject.family.chat_ids(loaded, VIEWS, images, ANSWERS[1])
    assert chat[: len(prompt) + len(answer)] == [*prompt, *answer]
    assert loaded.processor.tokenizer.decode(chat[len(prompt) + len(answer) :]).strip() in ("", "<|endoftext|>")
    assert answer[-1] == loaded.processor.tokenizer.convert_tokens_to_ids(subject.family.end_token)


def test_an_image_has_the_same_tokens_alone_with_others_and_with_other_studies(subject: Subject) -> None:
    studies = [subject.images(count, seed) for seed, count in enumerate(COUNTS)]
    together = subject.image_tokens([subject.prompt(images) for images in studies])
    alone = [
        subject.image_tokens([subject.prompt([image], first)])
        for images in studies
        for first, image in enumerate(images)
    ]
    assert len(together) == sum(COUNTS)
    for (found,), expected in zip(alone, together, strict=True):
        assert_same_but_rounded(found["tokens"], expected["tokens"])


def test_images_reach_the_language_model(subject: Subject) -> None:
    one, other = (subject.hidden([subject.prompt(subject.images(2, seed))]) for seed in (0, 1))
    assert difference(one, other) > 1e-3


@pytest.mark.parametrize("modules", Modules)
def test_loss_and_gradients_are_those_of_the_plain_forward(subject: Subject, modules: Modules) -> None:
    examples = subject.examples()
    with adapters_attached(subject.loaded, subject.recipe(modules)) as tuned:
        tuned.eval()
        set_adapters(tuned)
        loss, expected = examples.loss(tuned, modules), examples.plain_loss(tuned.get_base_model())
        found, wanted = gradients(tuned, loss), gradients(tuned, expected)
    assert_same_but_rounded(loss, expected)
    assert_same_but_rounded(found, wanted)
    trained = {subject.family.part_of(name) for name, gradient in wanted.items() if gradient.any()}
    linear = {subject.family.part_of(n) for n, m in subject.loaded.model.named_modules() if isinstance(m, nn.Linear)}
    assert (
        trained
        == {
            Modules.LANGUAGE: {"language"},
            Modules.PROJECTOR: {"language", "projector"},
            Modules.TOWER: {"language", "projector", "tower"},
            Modules.ALL_LINEAR: linear,
        }[modules]
    )


@pytest.mark.parametrize("modules", Modules)
def test_adapters_are_in_the_linear_layers_of_the_chosen_parts(tiny: Subject, modules: Modules) -> None:
    linear = {n for n, m in tiny.loaded.model.named_modules() if isinstance(m, nn.Linear) and n != "lm_head"}
    used = {n for n in linear if tiny.family.unused is None or tiny.family.unused not in n}
    parts = {part: {n for n in used if tiny.family.part_of(n) == part} for part in ("language", "projector", "tower")}
    with adapters_attached(tiny.loaded, tiny.recipe(modules)) as tuned:
        found = set(tuned.targeted_module_names)
    assert (
        found
        == {
            Modules.LANGUAGE: parts["language"],
            Modules.PROJECTOR: parts["language"] | parts["projector"],
            Modules.TOWER: used,
            Modules.ALL_LINEAR: used,
        }[modules]
    )
    assert parts["language"]
    assert parts["tower"]


def test_gradients_are_the_same_with_checkpointing(tiny: Subject) -> None:
    examples, found = tiny.examples(), []
    for checkpointing in (False, True):
        recipe = tiny.recipe(Modules.TOWER).model_copy(update={"gradient_checkpointing": checkpointing})
        with adapters_attached(tiny.loaded, recipe) as tuned:
            set_adapters(tuned)
            found.append(gradients(tuned, examples.loss(tuned, Modules.TOWER)))
    assert_same_but_rounded(*found)


def test_a_trained_adapter_is_stored_and_loaded_again(tiny: Subject, tmp_path: Path) -> None:
    examples, prompts = tiny.examples(), tiny.prompts()
    with adapters_attached(tiny.loaded, tiny.recipe(Modules.PROJECTOR)) as tuned:
        losses = losses_of(tuned, examples)
        assert losses[-1] < losses[0] - 0.2  # a random head gets no better
        tuned.save_pretrained(tmp_path)
        tiny.loaded.settings.save(tmp_path)
        tuned.eval()
        answers = tiny.generate(prompts)
    assert Subject(tiny.family, load_model(str(tmp_path))).generate(prompts) == answers
    assert tiny.generate(prompts) != answers  # and the base is what it was


def losses_of(tuned: Any, examples: Any, steps: int = 12) -> list[float]:
    """Losses a label of a few steps."""
    optimiser = torch.optim.AdamW([p for p in tuned.parameters() if p.requires_grad], 0.02)
    losses = []
    for _ in range(steps):
        loss = examples.loss(tuned, Modules.PROJECTOR)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()) / examples.count)
    return losses


def test_generation_from_image_tokens_is_generation_from_pixels_alone_and_together(subject: Subject) -> None:
    prompts = subject.prompts()
    together = subject.generate(prompts)
    assert together == subject.generate_from_pixels(prompts)
    assert together == [subject.generate([prompt])[0] for prompt in prompts]
    assert {len(row) for row in together} == {12}


def test_generation_leaves_training_as_it_was(tiny: Subject) -> None:
    prompts = tiny.prompts()
    before = tiny.hidden(prompts)
    tiny.generate(prompts, 3)
    assert torch.equal(tiny.hidden(prompts), before)


def test_model_and_processor_are_saved_and_loaded_again(subject: Subject, tmp_path: Path) -> None:
    for part in (subject.loaded.model, subject.loaded.processor):
        part.save_pretrained(tmp_path)
    subject.loaded.settings.save(tmp_path)
    again = Subject(subject.family, load_base(str(tmp_path)))
    weights = again.loaded.model.state_dict()
    assert all(torch.equal(weights[name], t) for name, t in subject.loaded.model.state_dict().items())
    for ours, theirs in zip(again.prompts(), subject.prompts(), strict=True):
        for found, expected in ((ours.tokens, theirs.tokens), (ours.pixels, theirs.pixels)):
            assert all(torch.equal(found[name], tensor) for name, tensor in expected.items())


PIXELS = {
    "gemma3": (-0.72429, -16.32506),
    "phi3_v": (-1.16131, -1.49782),
    "qwen2_5_vl": (-1.16552, 12.62537),
    "qwen3_vl": (-0.72359, 2.53815),
    "smolvlm": (-0.71827, 37.45982),
}
"""Mean of a family's pixels, and their sum over sines of their places: any other resizing or scaling changes it."""


def test_pixels_of_an_image_are_those_that_they_were(tiny: Subject) -> None:
    """A library that prepares images in another way is noticed: a model would see what it was not trained on."""
    images = drawn_images(PROBES[0], tiny.loaded.settings.encoding.size)
    prompt = tiny.loaded.backbone.build_prompt(tiny.loaded.processor, tiny.loaded.settings, PROBES[0], images)
    pixels = prompt.pixels["pixel_values"].double().flatten()
    sines = torch.sin(torch.arange(len(pixels), dtype=torch.float64))
    found = (pixels.mean().item(), (pixels @ sines).item())
    assert found == pytest.approx(PIXELS[tiny.loaded.model.config.model_type], abs=1e-3)
