"""One loop for every backbone: what changes nothing, what is left, what is refused, and what a failure costs."""

from __future__ import annotations

import errno
import json
import re
import resource
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from amrg.generation import Request
from amrg.generation.engines.local import local_engine
from amrg.metrics.validation import WatchedMetric
from amrg.models import ModelSettings
from amrg.models.adapters.attaching import attach
from amrg.models.backbones.base import Modules, TrainableModules
from amrg.models.decoding.phrases import FILE_NAME as PHRASES
from amrg.models.guard.distance import TrainingDistance
from amrg.models.load import load_base, load_model
from amrg.training.callbacks import STOPPED, NoCallback
from amrg.training.data import base_model
from amrg.training.data.collating import Padding, collate
from amrg.training.data.prepared import PreparedData
from amrg.training.data.samples import Batch, Sample
from amrg.training.documents import RecipeError
from amrg.training.errors import TuningError, training_memory_advice
from amrg.training.loop import checkpoints, tuning, validating
from amrg.training.loop.distributed import DeviceGroup
from amrg.training.loop.lora import ReportLoss, adapters_attached, eval_mode, train_mode
from amrg.training.loop.schedule import learning_rate_at
from amrg.training.loop.stepping import Stepper, trainable
from amrg.training.loop.tuning import TrainedAdapter, tune
from amrg.training.loop.validating import DraftWriter
from amrg.training.outputs.artifacts import read_training, write_adapter
from amrg.training.outputs.run_folder import RunSpec, RunStatus, refuse_different_run, run_status, write_run
from amrg.training.overriding import override
from amrg.training.recipe import Lora, LrScheduler, Precision, Quantization, Recipe
from tests.models.tiny import TINY
from tests.rounding import assert_same_but_rounded
from tests.training.comparing import same_but_rounded, state_of
from tests.training.small import RECIPE, VIEWS, base, fabricated, picture

PLAIN = RECIPE.model_copy(update={"lora": Lora(rank=4, alpha=8, dropout=0.0), "learning_rate": 1e-3})


@pytest.fixture(autouse=True)
def _no_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing its charts takes longer than a run does here; tests/training/test_summary.py looks at it."""
    monkeypatch.setattr(tuning, "write_summary", lambda *_: None)


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bases")


@pytest.fixture(scope="module")
def prepared(bases: Path) -> PreparedData:
    return fabricated(base(bases))


def tuned(prepared: PreparedData, recipe: Recipe, folder: Path) -> TrainedAdapter:
    return tune(prepared, recipe, folder, NoCallback())


@pytest.fixture(scope="module")
def never_failed(prepared: PreparedData, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of `RECIPE` that nothing happened to."""
    folder = tmp_path_factory.mktemp("never") / "run"
    tuned(prepared, RECIPE, folder)
    return folder


@pytest.fixture(scope="module")
def plain(prepared: PreparedData, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of `PLAIN`, without dropout."""
    folder = tmp_path_factory.mktemp("plain") / "run"
    tuned(prepared, PLAIN, folder)
    return folder


def adapter(folder: Path) -> dict[str, Tensor]:
    found: dict[str, Tensor] = load_file(folder / "adapter_model.safetensors")
    return found


@pytest.mark.parametrize("family", sorted(TINY))
@pytest.mark.parametrize("modules", [Modules.LANGUAGE, Modules.TOWER])
def test_an_adapter_knows_how_far_images_are_from_its_training_images(
    family: str, modules: Modules, bases: Path, tmp_path: Path
) -> None:
    lora = Lora(rank=4, modules=modules)
    recipe = RECIPE.model_copy(update={"base": str(bases / family), "steps": 2, "lora": lora})
    made = fabricated(base(bases, family), recipe)
    tuned(made, recipe, tmp_path / "run")
    known = TrainingDistance.load(tmp_path / "run")
    assert known is not None
    engine = local_engine(load_model(str(tmp_path / "run")))
    assert engine.training is not None
    assert (tmp_path / "run" / PHRASES).is_file() == engine.loaded.backbone.takes_drafted_tokens == bool(engine.phrases)
    (generation,) = engine.generate([Request(VIEWS, tuple(picture(f"case-0 {view}") for view in VIEWS))])
    assert generation.domain is not None
    assert generation.domain.threshold == known.threshold
    assert generation.domain.in_domain  # a study that it was trained on


@pytest.mark.parametrize("modules", [Modules.LANGUAGE, Modules.TOWER])
def test_a_base_is_afterwards_bit_for_bit_what_it_was(modules: Modules, bases: Path, tmp_path: Path) -> None:
    recipe = RECIPE.model_copy(
        update={"lora": Lora(rank=2, modules=modules), "gradient_checkpointing": True, "steps": 2}
    )
    loaded = base(bases)
    before, weights = state_of(loaded.model), {k: v.clone() for k, v in loaded.model.state_dict().items()}
    tuned(fabricated(loaded, recipe), recipe, tmp_path / "first")
    assert state_of(loaded.model) == before
    after = loaded.model.state_dict()
    assert list(after) == list(weights)
    assert all(torch.equal(after[name], weights[name]) for name in weights)
    assert not hasattr(loaded.model, "peft_config")
    tuned(fabricated(loaded, recipe), recipe, tmp_path / "second")
    first, second = ((tmp_path / run / "adapter_model.safetensors").read_bytes() for run in ("first", "second"))
    assert first == second, "a trial is not the same after another one"


def test_running_statistics_stay_the_bases() -> None:
    module = nn.Sequential(nn.BatchNorm2d(2), nn.Dropout())
    train_mode(module)
    assert module[1].training
    module(torch.randn(3, 2, 4, 4))
    assert torch.equal(module[0].running_mean, torch.zeros(2))  # type: ignore[arg-type]


@pytest.mark.parametrize("at_once", [1, 3])
def test_how_many_are_held_at_once_changes_nothing_but_rounding(
    at_once: int, plain: Path, prepared: PreparedData, tmp_path: Path
) -> None:
    tuned(prepared, PLAIN.model_copy(update={"micro_batch_size": at_once}), tmp_path / "parts")
    same_but_rounded(adapter(tmp_path / "parts"), adapter(plain))


@pytest.mark.parametrize("family", sorted(TINY))
def test_gradient_checkpointing_changes_no_gradient(family: str, bases: Path) -> None:
    loaded = base(bases, family)
    prepared = fabricated(loaded)
    batch = collate(prepared.train[:3], prepared.features, Padding.of(loaded))
    plain, checkpointed = (
        gradients(prepared, RECIPE.model_copy(update={"gradient_checkpointing": checkpointing}), batch)
        for checkpointing in (False, True)
    )
    assert plain
    assert_same_but_rounded({n: g for n, (g, _) in checkpointed.items()}, {n: g for n, (g, _) in plain.items()})
    assert sum(calls for _, calls in checkpointed.values()) > sum(calls for _, calls in plain.values())


def gradients(prepared: PreparedData, recipe: Recipe, batch: Batch) -> dict[str, tuple[Tensor, int]]:
    """Gradients by parameter, and how often the layers were called for them: more often where they are checkpointed."""
    with adapters_attached(prepared.loaded, recipe) as model:
        train_mode(model)
        torch.manual_seed(1)
        calls = 0

        def count(*_: object) -> None:
            nonlocal calls
            calls += 1

        adapters = [m for name, m in model.named_modules() if name.endswith("lora_A.default")]
        hooks = [m.register_forward_hook(count) for m in adapters]
        torch.autograd.backward(ReportLoss(model, prepared.loaded.backbone)(batch))
        for hook in hooks:
            hook.remove()
        return {n: (p.grad.clone(), calls) for n, p in trainable(model).items() if p.grad is not None}


def test_what_is_left_drafts_what_was_predicted(bases: Path, prepared: PreparedData, tmp_path: Path) -> None:
    done = tuned(prepared, RECIPE, tmp_path)
    assert {p.name for p in tmp_path.iterdir()} >= {"log.csv", "validation.csv", "tensorboard"}
    assert Recipe.model_validate_json((tmp_path / "recipe.json").read_bytes()) == RECIPE
    assert read_training(tmp_path).summary(tmp_path) == done
    settings = ModelSettings.of_checkpoint(tmp_path, 1)
    assert settings.max_new_tokens == max(len(s.answer) for s in prepared.train) * 5 // 4
    bare = load_base(str(bases / "gemma3"))
    again = replace(prepared, loaded=replace(bare, settings=settings))
    drafts = drafts_of(again, attach(bare.model, tmp_path).tuned, prepared.validation)
    lines = (tmp_path / "predictions-validation.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == [
        {"key": sample.key, "text": text} for sample, text in zip(prepared.validation, drafts, strict=True)
    ]
    assert drafts != drafts_of(again, load_base(str(bases / "gemma3")).model, prepared.validation)


@pytest.mark.parametrize("modules", list(Modules))
@pytest.mark.parametrize("family", sorted(TINY))
def test_an_adapter_holds_neither_embeddings_nor_head(
    family: str, modules: Modules, bases: Path, tmp_path: Path
) -> None:
    with adapters_attached(
        base(bases, family), RECIPE.model_copy(update={"lora": Lora(rank=2, modules=modules)})
    ) as model:
        write_adapter(tmp_path, model, {name: p.detach() for name, p in trainable(model).items()})
        held = {
            id(p) for part in (model.get_input_embeddings(), model.get_output_embeddings()) for p in part.parameters()
        }
        assert held.isdisjoint(map(id, trainable(model).values()))
    names = list(adapter(tmp_path))
    assert names
    assert [name for name in names if re.search(r"(?<!vision_)embed_tokens|lm_head", name)] == []


@pytest.mark.parametrize(
    "changed", [TrainableModules(r".*(?:q_proj|lm_head)"), TrainableModules(r".*q_proj", modules_to_save=("lm_head",))]
)
def test_a_trained_head_is_refused(
    changed: TrainableModules, prepared: PreparedData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loss has no gradient for it, so it would stay as it is without a word."""
    monkeypatch.setattr(type(prepared.loaded.backbone), "trainable_modules", lambda *_: changed)
    with pytest.warns(UserWarning, match="tie_word_embeddings"), pytest.raises(TuningError, match="lm_head"):
        tuned(prepared, PLAIN, tmp_path)
    with pytest.raises(RecipeError, match=r"lora.modules is .*lm_head.*expected one of language"):
        override(PLAIN, ["lora.modules=lm_head"])


def test_the_gradient_norm_does_not_depend_on_the_micro_batch_size(prepared: PreparedData) -> None:
    """Of answers of uneven length, where a mean of means would differ."""
    assert len({len(sample.answer) for sample in prepared.train}) > 1
    norms = []
    for size in (8, 4, 1):
        recipe = PLAIN.model_copy(update={"batch_size": 8, "micro_batch_size": size})
        with adapters_attached(prepared.loaded, recipe) as model:
            train_mode(model)
            devices = DeviceGroup(recipe, some_unused=False)
            stepper = Stepper(prepared, recipe, devices, ReportLoss(model, prepared.loaded.backbone))
            norms.append([stepper.run_step(step).grad_norm for step in range(2)])
    assert norms[1:] == [pytest.approx(norms[0], rel=1e-5)] * 2


def drafts_of(prepared: PreparedData, model: Any, samples: Sequence[Sample]) -> list[str]:
    """What a model writes, as long as its settings allow; `model` is the base, or has adapters in."""
    with eval_mode(model):
        return DraftWriter(prepared, prepared.loaded.settings.max_new_tokens).write(model, samples)


def test_the_best_adapter_is_left_and_patience_ends_the_run(
    prepared: PreparedData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    every = RECIPE.validation.model_copy(update={"every": 1, "patience": 2, "metric": WatchedMetric.BIRADS})
    recipe = RECIPE.model_copy(update={"validation": every, "lr_scheduler": LrScheduler.CONSTANT, "warmup_ratio": 0.0})
    values = iter([1.0, 0.2, 0.6, 0.4, 0.5, 0.9])  # the first is of the references, not of drafts
    monkeypatch.setattr(validating, "validation_values", lambda *_: {m: next(values) for m in [WatchedMetric.BIRADS]})
    done = tuned(prepared, recipe, tmp_path / "run")
    assert (done.best, done.steps, done.stopped) == (0.6, 4, "no improvement in 2 validations")
    assert done.best_step == 2
    values = iter([1.0, 0.2, 0.6])
    tuned(prepared, recipe.model_copy(update={"steps": 2}), tmp_path / "two")
    best, two = ((tmp_path / run / "adapter_model.safetensors").read_bytes() for run in ("run", "two"))
    assert best == two


def test_who_watches_can_stop_a_run(prepared: PreparedData, tmp_path: Path) -> None:
    class Impatient(NoCallback):
        def on_validation(self, step: int, value: float) -> bool:
            assert value == 0.0
            return step == 3

    done = tune(prepared, RECIPE, tmp_path, Impatient())
    assert (done.steps, done.best_step, done.stopped) == (3, 3, STOPPED)


@contextmanager
def failing(step: int, failure: Exception | float) -> Iterator[None]:
    """The loss of a step of training, counted from 1, fails: it is raised, or multiplied with what is no number."""
    real, left = ReportLoss.by_case, step

    def by_case(loss: ReportLoss, batch: Batch) -> Tensor:
        nonlocal left
        left -= torch.is_grad_enabled()
        if left:
            return real(loss, batch)
        if isinstance(failure, Exception):
            raise failure
        return real(loss, batch) * failure

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ReportLoss, "by_case", by_case)
        yield


CPU_IS_FULL = "[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory: you tried to allocate"


@pytest.mark.parametrize(
    ("failure", "message"),
    [
        (
            float("nan"),
            r"loss is nan at step 5 on cases case-\d, .*weights were not updated.*lower learning_rate \(now 0.01\)",
        ),
        (float("inf"), r"loss is inf at step 5"),
        (
            torch.OutOfMemoryError("CUDA out of memory"),
            r"memory ran out.*lower micro_batch_size \(now 4;.*quantization=nf4.*resume",
        ),
        (MemoryError(), r"memory ran out.*gradient_checkpointing=true.*max_image_tokens \(now None\)"),
        (RuntimeError(CPU_IS_FULL), r"memory ran out.*precision=bfloat16"),
    ],
    ids=["nan", "inf", "cuda", "memory", "cpu"],
)
def test_a_failure_is_one_line_and_costs_no_checkpoint(
    failure: Exception | float, message: str, never_failed: Path, prepared: PreparedData, tmp_path: Path
) -> None:
    before = state_of(prepared.loaded.model)
    with failing(5, failure), pytest.raises(TuningError, match=message) as raised:
        tuned(prepared, RECIPE, tmp_path / "run")
    assert "\n" not in str(raised.value)
    assert state_of(prepared.loaded.model) == before
    saved = checkpoints.load_checkpoint(tmp_path / "run" / checkpoints.FILE_NAME)
    assert saved is not None
    assert saved[0].step == 3
    assert run_status(tmp_path / "run") is RunStatus.INTERRUPTED
    tuned(prepared, RECIPE, tmp_path / "run")
    run, never = ((folder / "adapter_model.safetensors").read_bytes() for folder in (tmp_path / "run", never_failed))
    assert run == never


def test_a_run_that_ran_out_of_memory_goes_on_with_fewer_at_once(
    prepared: PreparedData, plain: Path, tmp_path: Path
) -> None:
    with failing(5, MemoryError()), pytest.raises(TuningError):
        tuned(prepared, PLAIN, tmp_path / "run")
    fewer = PLAIN.model_copy(update={"micro_batch_size": 2, "gradient_checkpointing": True})
    assert tuned(prepared, fewer, tmp_path / "run").steps == 6
    same_but_rounded(adapter(tmp_path / "run"), adapter(plain))
    began = Recipe.model_validate_json((tmp_path / "run" / "recipe.json").read_bytes())
    assert (began, read_training(tmp_path / "run").micro_batch_size) == (PLAIN, 2)


def test_what_fewer_at_once_change_is_said_where_units_are_dropped() -> None:
    assert "lower micro_batch_size (now 4; the same but for rounding)" in training_memory_advice(PLAIN)
    dropping = "lower micro_batch_size (now 4; the same but for rounding and for which units dropout drops)"
    assert dropping in training_memory_advice(RECIPE)


def test_a_full_disk_is_one_line_and_costs_no_checkpoint(
    prepared: PreparedData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tuning, "SAVE_EVERY", 0.0)
    sizes: list[int] = []

    class Filling(NoCallback):
        def on_step(self, stats: object) -> None:
            """After the second checkpoint no file may grow beyond half of it: the kernel refuses, as a full disk."""
            path = tmp_path / "run" / checkpoints.FILE_NAME
            if len(sizes) == 2:
                resource.setrlimit(resource.RLIMIT_FSIZE, (sizes[-1] // 2, resource.RLIM_INFINITY))
            sizes.append(path.stat().st_size if path.is_file() else 0)

    try:
        with pytest.raises(TuningError, match="the disk is full; the last checkpoint is intact") as raised:
            tune(prepared, RECIPE, tmp_path / "run", Filling())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert "\n" not in str(raised.value)
    assert not list((tmp_path / "run").glob("*.partial")), "it takes the room that is wanted"
    saved = checkpoints.load_checkpoint(tmp_path / "run" / checkpoints.FILE_NAME)
    assert saved is not None
    assert saved[0].step == 2
    assert tuned(prepared, RECIPE, tmp_path / "run").steps == 6


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_told_from_other_errors(
    number: int, prepared: PreparedData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, "the system's words")

    monkeypatch.setattr(checkpoints, "save_file", refuse)
    with pytest.raises(TuningError, match="the disk is full"):
        tuned(prepared, RECIPE, tmp_path / "run")
    number = errno.EACCES
    with pytest.raises(PermissionError):
        tuned(prepared, RECIPE, tmp_path / "run")


def test_a_folder_is_held_to_its_run(prepared: PreparedData, tmp_path: Path) -> None:
    first = tuned(prepared, RECIPE, tmp_path)
    written = (tmp_path / "training.json").stat().st_mtime_ns
    assert tuned(prepared, RECIPE, tmp_path) == first
    assert (tmp_path / "training.json").stat().st_mtime_ns == written, "a finished run was run again"
    other = RECIPE.model_copy(update={"lora": Lora(rank=8), "seed": 1})
    with pytest.raises(
        TuningError, match=r"lora.rank: the folder has 4, this run 8.*recipe.seed: the folder has 0, this run 1"
    ):
        tuned(prepared, other, tmp_path)
    elsewhere = replace(prepared, data=prepared.data.model_copy(update={"split_hash": "1"}))
    with pytest.raises(TuningError, match=r'data.split_hash: the folder has "0", this run "1"'):
        tuned(elsewhere, RECIPE, tmp_path)


def test_a_hub_base_of_another_commit_is_another_run(prepared: PreparedData, tmp_path: Path) -> None:
    one, other = (
        RunSpec.of(replace(prepared, loaded=replace(prepared.loaded, folder=None, revision=commit)), RECIPE)
        for commit in ("a1", "b2")
    )
    write_run(tmp_path, one)
    refuse_different_run(tmp_path, one)
    with pytest.raises(TuningError, match='weights: the folder has "a1", this run "b2"'):
        refuse_different_run(tmp_path, other)
    moved = one.recipe.model_copy(update={"base": "elsewhere/tiny"})  # the same weights, in another place by now
    refuse_different_run(tmp_path, one.model_copy(update={"recipe": moved}))


def test_a_base_that_is_prompted_otherwise_by_now_is_another_run(prepared: PreparedData, tmp_path: Path) -> None:
    write_run(tmp_path, RunSpec.of(prepared, RECIPE))
    changed = prepared.loaded.settings.model_copy(update={"instruction": "Report it."})
    other = RunSpec.of(replace(prepared, loaded=replace(prepared.loaded, settings=changed)), RECIPE)
    with pytest.raises(TuningError, match=r'settings.instruction: the folder has ".*", this run "Report it."'):
        refuse_different_run(tmp_path, other)
    write_run(tmp_path, RunSpec.of(prepared, RECIPE).model_copy(update={"settings": None}))  # as of an earlier amrg
    refuse_different_run(tmp_path, other)


def test_an_adapter_of_something_else_is_not_overwritten(prepared: PreparedData, tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text("{}", encoding="utf-8")
    with pytest.raises(TuningError, match="contains an adapter from elsewhere"):
        tuned(prepared, RECIPE, tmp_path)


def test_a_metric_that_nothing_is_known_of_is_refused(prepared: PreparedData, tmp_path: Path) -> None:
    without = tuple(
        replace(s, text="Nothing.", reference=s.reference.model_copy(update={"assessments": ()}))
        for s in prepared.validation
    )
    validation = RECIPE.validation.model_copy(update={"metric": WatchedMetric.BIRADS})
    recipe = RECIPE.model_copy(update={"validation": validation})
    with pytest.raises(TuningError, match=r"birads_accuracy_7_worst_strict.*none of the 2 validation references"):
        tuned(replace(prepared, validation=without), recipe, tmp_path)


def test_in_bfloat16_adapters_are_kept_in_float32(bases: Path, tmp_path: Path) -> None:
    bare = load_base(str(TINY["gemma3"](bases / "half")), dtype=torch.bfloat16)
    bare.model.requires_grad_(False)
    recipe = RECIPE.model_copy(
        update={"precision": Precision.BFLOAT16, "lora": Lora(rank=4, modules=Modules.PROJECTOR)}
    )
    tuned(fabricated(bare, recipe), recipe, tmp_path)
    assert {t.dtype for t in adapter(tmp_path).values()} == {torch.float32}
    assert {p.dtype for p in bare.model.parameters()} == {torch.bfloat16}
    losses = [float(row.split(",")[1]) for row in (tmp_path / "log.csv").read_text("utf-8").splitlines()[1:]]
    assert losses[-1] < losses[0] < 7


def test_four_bits_are_those_of_qlora(monkeypatch: pytest.MonkeyPatch) -> None:
    """nf4, quantised twice, computed in bfloat16; bitsandbytes itself runs with CUDA only."""
    given: list[Any] = []

    def load(name: str, revision: str | None, quantization: Any, dtype: torch.dtype) -> NoReturn:
        given.append(quantization)
        raise KeyboardInterrupt

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(base_model, "find_spec", lambda name: name)
    monkeypatch.setattr(base_model, "load_base", load)
    with pytest.raises(KeyboardInterrupt):
        base_model.load_recipe_base(RECIPE.model_copy(update={"quantization": Quantization.NF4}))
    (config,) = given
    assert (config.load_in_4bit, config.bnb_4bit_quant_type, config.bnb_4bit_use_double_quant) == (True, "nf4", True)
    assert config.bnb_4bit_compute_dtype is torch.bfloat16


def test_the_rate_warms_up_and_falls_to_nothing() -> None:
    recipe = Recipe(steps=10, learning_rate=1.0, warmup_ratio=0.2)
    assert [learning_rate_at(recipe, s) for s in (0, 1, 2)] == [0.5, 1.0, 1.0]
    for decay, half in ((LrScheduler.CONSTANT, 1.0), (LrScheduler.LINEAR, 0.5), (LrScheduler.COSINE, 0.5)):
        assert learning_rate_at(recipe.model_copy(update={"lr_scheduler": decay}), 6) == pytest.approx(half)
    assert learning_rate_at(recipe.model_copy(update={"warmup_ratio": 0.0}), 0) == 1.0
    assert 0.0 < learning_rate_at(recipe, 9) < 0.05
