"""One loss for every family: that of the plain forward pass, however samples are padded, batched, sorted or stored."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from torch import Tensor, nn

from amrg.datasets import open_dataset
from amrg.models.backbones.base import DecodingSettings, Modules
from amrg.training.data.batching import BatchPlan, lengths_of
from amrg.training.data.collating import Padding, collate, collate_prompts
from amrg.training.data.feature_cache import FeatureCache
from amrg.training.data.prepared import DataSource, PreparedData
from amrg.training.data.samples import IGNORE, Batch, Sample, Stage
from amrg.training.loop.lora import LOGITS_CHUNK, ReportLoss, image_tokens_of, token_losses, with_lora
from amrg.training.recipe import Lora, Precision
from tests.datasets.fixtures import dataset_of
from tests.models.families import FAMILIES
from tests.models.tiny import TINY
from tests.rounding import assert_same_but_rounded
from tests.training.exams import drawn, prepared, split_as, tiny_recipe

PICTURES = (4, 1, 2, 4)  # a case: exams differ in their views
STAGES = {Stage.IMAGE_TOKENS: Modules.LANGUAGE, Stage.FEATURES: Modules.PROJECTOR, Stage.PIXELS: Modules.TOWER}


@dataclass(frozen=True)
class Tuned:
    """A tiny base with adapters that already do something, and its samples shown at every stage."""

    prepared: PreparedData
    model: PeftModel
    shown: dict[Stage, FeatureCache]

    @property
    def samples(self) -> tuple[Sample, ...]:
        return self.prepared.train

    @property
    def pad(self) -> Padding:
        return Padding.of(self.prepared.loaded)

    def batch(self, samples: Sequence[Sample], stage: Stage = Stage.PIXELS) -> Batch:
        return collate(samples, self.shown[stage], self.pad)

    def loss(self, batch: Batch) -> Tensor:
        loss: Tensor = ReportLoss(self.model, self.prepared.loaded.backbone)(batch)
        return loss

    def gradients(self, loss: Tensor) -> dict[str, Tensor]:
        """Of everything that is trained and that the loss depends on."""
        trained = {name: p for name, p in self.model.named_parameters() if p.requires_grad}
        found = torch.autograd.grad(loss, list(trained.values()), allow_unused=True)
        return {name: g for name, g in zip(trained, found, strict=True) if g is not None}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> DataSource:
    """Exams of four, one and two pictures, with texts of several lengths."""
    folder = tmp_path_factory.mktemp("exams")
    whole = open_dataset(drawn(folder).data)
    cases = [
        case.model_copy(update={"images": case.images[:pictures], "text": case.text[: 150 - 30 * number].strip()})
        for number, (case, pictures) in enumerate(zip(whole.cases(), (*PICTURES, 4), strict=False))
    ]
    dataset = dataset_of(folder / "drawn", cases)
    keys = dataset.keys()
    split_as(dataset, "some", (keys[:-1], keys[-1:], ()))
    return DataSource(dataset.folder, "some")


@pytest.fixture(scope="module", params=sorted(TINY))
def tuned(request: pytest.FixtureRequest, source: DataSource, tmp_path_factory: pytest.TempPathFactory) -> Tuned:
    """Every family in turn, its tower and projector with adapters too."""
    folder: Path = tmp_path_factory.mktemp(request.param)
    recipe = tiny_recipe(folder, request.param)
    made = {
        stage: prepared(recipe.model_copy(update={"lora": Lora(modules=modules)}), source, folder / "cache")
        for stage, modules in STAGES.items()
    }
    assert {stage: one.features.stage for stage, one in made.items()} == {stage: stage for stage in STAGES}
    chosen = made[Stage.PIXELS]
    model = with_lora(chosen.loaded, recipe.model_copy(update={"lora": Lora(rank=4, modules=Modules.TOWER)})).eval()
    return Tuned(chosen, model, {stage: one.features for stage, one in made.items()})


def stirred(model: PeftModel, only: Callable[[str], bool] = lambda name: True) -> None:
    """Give fresh adapters, which begin with zeros, something to do; the others do nothing."""
    torch.manual_seed(1)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.05) if only(name) else torch.nn.init.zeros_(parameter)


def language(name: str) -> bool:
    """Whether an adapter is one of the language model's."""
    return not any(part in name for part in ("vision", "visual", "connector", "projector"))


def plain(tuned: Tuned, sample: Sample) -> Tensor:
    """The plain forward pass with labels of one study, as the model's own class does it: summed over its labels."""
    alone = tuned.batch([sample])
    (pixels,) = alone.images
    labelled = int((alone.labels[:, 1:] != IGNORE).sum())
    model = tuned.model.get_base_model()
    own = FAMILIES[tuned.prepared.loaded.backbone.family].own_pixels([pixels])
    loss: Tensor = model(**alone.tokens, **own, labels=alone.labels, use_cache=False).loss
    return loss * labelled


def test_loss_and_gradients_are_those_of_the_plain_forward(tuned: Tuned) -> None:
    stirred(tuned.model)
    expected = torch.stack([plain(tuned, sample) for sample in tuned.samples]).sum()
    loss = tuned.loss(tuned.batch(tuned.samples))
    assert_same_but_rounded(loss, expected)
    gradients = tuned.gradients(expected)
    assert_same_but_rounded(tuned.gradients(loss), gradients)
    for kind in (True, False):  # there is something to compare, in the tower and projector too
        assert all(g.any() for name, g in gradients.items() if language(name) is kind)


@pytest.mark.parametrize("tokens", [0, 1, LOGITS_CHUNK, 2 * LOGITS_CHUNK + 1])
def test_logits_held_a_few_tokens_at_a_time_give_the_same_losses_and_gradients(tokens: int) -> None:
    torch.manual_seed(0)
    head, labels, weights = nn.Linear(8, 50).requires_grad_(False), torch.randint(50, (tokens,)), torch.rand(tokens)
    hidden = torch.randn(tokens, 8, requires_grad=True)
    plain = nn.functional.cross_entropy(head(hidden), labels, reduction="none")
    split = token_losses(hidden, labels, head)
    assert_same_but_rounded(split, plain)
    found, expected = (torch.autograd.grad((losses * weights).sum(), hidden)[0] for losses in (split, plain))
    assert_same_but_rounded(found, expected)
    with torch.no_grad():
        assert_same_but_rounded(token_losses(hidden, labels, head), plain)


def leftwards(batch: Batch, pad: Padding) -> Batch:
    """The same batch padded on the left."""
    counts = batch.tokens["attention_mask"].sum(1).tolist()

    def moved(column: Tensor) -> Tensor:
        return torch.stack([row.roll(len(row) - count) for row, count in zip(column, counts, strict=True)])

    return replace(batch, tokens={n: moved(c) for n, c in batch.tokens.items()}, labels=moved(batch.labels))


def test_padding_side_and_batch_size_change_nothing(tuned: Tuned) -> None:
    stirred(tuned.model)
    whole = tuned.batch(tuned.samples)
    assert (whole.tokens["attention_mask"] == 0).any()
    loss = tuned.loss(whole)
    expected = tuned.gradients(loss)
    left = tuned.loss(leftwards(whole, tuned.pad))
    assert_same_but_rounded(left, loss)
    assert_same_but_rounded(tuned.gradients(left), expected)
    for size in (1, 3):
        starts = range(0, len(tuned.samples), size)
        parts = torch.stack([tuned.loss(tuned.batch(tuned.samples[at : at + size])) for at in starts]).sum()
        assert_same_but_rounded(parts, loss)
        assert_same_but_rounded(tuned.gradients(parts), expected)


def test_bucketing_changes_nothing_of_an_epoch(tuned: Tuned) -> None:
    lengths = lengths_of(tuned.samples)
    sums = []
    with torch.no_grad():
        for seed in range(3):
            plan = BatchPlan(lengths, 2, seed)
            drawn_up = [[tuned.samples[i] for i in plan.indices(step)] for step in range(plan.steps_per_epoch)]
            sums.append(sum(tuned.loss(tuned.batch(samples)) for samples in drawn_up))
    for total in sums[1:]:
        assert_same_but_rounded(torch.as_tensor(total), torch.as_tensor(sums[0]))


def test_what_is_frozen_and_stored_gives_the_loss_bit_for_bit(tuned: Tuned) -> None:
    stirred(tuned.model, language)  # the tower is as it was when its features were stored
    for sample in tuned.samples:
        losses = {stage: tuned.loss(tuned.batch([sample], stage)) for stage in STAGES}
        assert len({float(loss.detach()) for loss in losses.values()}) == 1
        found = {stage: tuned.gradients(loss) for stage, loss in losses.items()}
        learned = {name for name in found[Stage.IMAGE_TOKENS] if language(name)}
        assert learned
        assert all(torch.equal(found[stage][name], found[Stage.PIXELS][name]) for stage in STAGES for name in learned)


def test_what_is_stored_in_bfloat16_is_exact_too(source: DataSource, tmp_path: Path) -> None:
    recipe = tiny_recipe(tmp_path).model_copy(update={"precision": Precision.BFLOAT16})
    losses: dict[Stage, list[float]] = {}
    for stage, modules in STAGES.items():
        made = prepared(recipe.model_copy(update={"lora": Lora(modules=modules)}), source, tmp_path / "cache")
        model = with_lora(made.loaded, recipe).eval()
        tuned = Tuned(made, model, {stage: made.features})
        stirred(model)
        losses[stage] = [tuned.loss(tuned.batch([sample], stage)).item() for sample in tuned.samples]
    assert losses[Stage.IMAGE_TOKENS] == losses[Stage.FEATURES] == losses[Stage.PIXELS]
    assert model.get_base_model().dtype == torch.bfloat16


def test_what_is_stored_gives_the_same_loss_in_any_batch(tuned: Tuned) -> None:
    stirred(tuned.model, language)
    with torch.no_grad():
        losses = {stage: tuned.loss(tuned.batch(tuned.samples, stage)) for stage in STAGES}
    for loss in losses.values():
        assert_same_but_rounded(loss, losses[Stage.PIXELS])


def test_what_is_written_does_not_depend_on_who_is_asked_beside(tuned: Tuned) -> None:
    stirred(tuned.model)
    loaded = tuned.prepared.loaded
    writing = DecodingSettings(6, loaded.backbone.eos_token_id(loaded.processor), tuned.pad.token)

    def written(samples: Sequence[Sample]) -> list[list[int]]:
        batch = collate_prompts(samples, tuned.shown[Stage.PIXELS], tuned.pad)
        model = tuned.model.get_base_model()
        with torch.no_grad():
            seen = image_tokens_of(model, loaded.backbone, batch)
        return loaded.backbone.generate(model, batch.tokens, seen, writing)

    assert written(tuned.samples) == [written([sample])[0] for sample in tuned.samples]


def test_placeholders_are_as_many_as_image_tokens(tuned: Tuned) -> None:
    backbone, config = tuned.prepared.loaded.backbone, tuned.prepared.loaded.model.config
    counts = [backbone.placeholders(config, sample.prompt) for sample in tuned.samples]
    assert counts[0] > 0
    assert [count * PICTURES[0] for count in counts] == [counts[0] * pictures for pictures in PICTURES]
