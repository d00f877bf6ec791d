"""`make model`: draw phantoms, train the tower, train the language model, fit the guard.

Every stage writes to the run folder, and is skipped or resumed when started again after an interruption.
Run as `python -m amrg.training.embedded.build RUN_FOLDER`.
"""

from __future__ import annotations

import argparse
import logging
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from pydantic import Field
from transformers import AutoModel, Gemma3ForConditionalGeneration, PreTrainedTokenizerFast

from amrg import __version__
from amrg.core.values import Value
from amrg.models import view_name
from amrg.models.card import EMBEDDED
from amrg.models.embedded.architecture import SETTINGS, SIZE, TOKENS_A_VIEW, WIDTHS, build, tower_config
from amrg.models.embedded.features import extract_features, view_statistics
from amrg.models.embedded.guard import Array, fit_guard
from amrg.models.embedded.tokenizer import build_processor, train_tokenizer, vocabulary
from amrg.models.load import save_heads
from amrg.models.views import with_position
from amrg.training.embedded.breast_features import breasts
from amrg.training.embedded.language_metrics import Reader
from amrg.training.embedded.language_stage import ExamMaker, Prompts, fit_projector, language_loss
from amrg.training.embedded.loop import Schedule, StageRun
from amrg.training.embedded.phantom_shards import VIEW_ORDER, DrawJob, draw_shards, jobs, load_shard
from amrg.training.embedded.vision_metrics import vision_metrics
from amrg.training.embedded.vision_stage import Batches, ViewSample, VisionModel, samples, vision_loss

log = logging.getLogger("amrg.training")
VOCABULARY = 1024


class EmbeddedRecipe(Value):
    """Everything that determines the embedded model. Saved with its weights.

    The language stage has its own exams: features of the tower's training images are more certain than those of new
    images, and a language model trained on them would rely on them too much.
    """

    software: str = __version__
    rich_first_seed: int = 0
    rich_exams: int = Field(2000, gt=0)
    screening_first_seed: int = 500_000
    screening_exams: int = Field(1500, gt=0)
    language_rich_first_seed: int = 100_000
    language_rich_exams: int = Field(800, gt=0)
    language_screening_first_seed: int = 600_000
    language_screening_exams: int = Field(4000, gt=0)
    held_out_first_seed: int = 900_000
    held_out_exams: int = Field(200, gt=0)
    tower: Schedule = Schedule(steps=9000, batch_size=16, peak_learning_rate=2e-3, warmup_steps=300, ema_decay=0.998)
    tower_ends: int = Field(7500, gt=0)  # where new exams are added
    fresh_rich_first_seed: int = 10_000
    fresh_rich_exams: int = Field(1800, gt=0)
    fresh_screening_first_seed: int = 510_000
    fresh_screening_exams: int = Field(1200, gt=0)
    tower_again: Schedule = Schedule(
        steps=4500, batch_size=16, peak_learning_rate=1e-3, warmup_steps=100, ema_decay=0.998, seed=1
    )
    zoom: tuple[float, float] = (0.88, 1.1)
    tower_whole: Schedule = Schedule(
        steps=800, batch_size=16, peak_learning_rate=4e-4, warmup_steps=50, ema_decay=0.995, seed=2
    )
    few_views: int = Field(1200, ge=0)  # steps of the language stage with mostly one view or one breast
    language: Schedule = Schedule(
        steps=5500, batch_size=16, peak_learning_rate=1.5e-3, warmup_steps=100, ema_decay=0.995
    )


def draw_phantoms(recipe: EmbeddedRecipe, folder: Path) -> dict[str, list[DrawJob]]:
    """All shards of the recipe; missing ones are drawn."""
    encoding = SETTINGS.encoding
    parts = {
        "rich": ("faint-rich", recipe.rich_first_seed, recipe.rich_exams),
        "screening": ("faint-screening", recipe.screening_first_seed, recipe.screening_exams),
        "fresh rich": ("rich", recipe.fresh_rich_first_seed, recipe.fresh_rich_exams),
        "fresh screening": ("screening", recipe.fresh_screening_first_seed, recipe.fresh_screening_exams),
        "held out": ("screening", recipe.held_out_first_seed, recipe.held_out_exams),
        "language rich": ("rich", recipe.language_rich_first_seed, recipe.language_rich_exams),
        "language screening": ("screening", recipe.language_screening_first_seed, recipe.language_screening_exams),
    }
    plan = {name: jobs(folder, *part, encoding) for name, part in parts.items()}
    todo = [job for part in plan.values() for job in part]
    for done, job in enumerate(draw_shards(todo), 1):
        if done % 10 == 0:
            log.info("drawn %d of %d shards (%s)", done, len(todo), job.stem.name)
    return plan


def train_tower(recipe: EmbeddedRecipe, plan: dict[str, list[DrawJob]], folder: Path) -> VisionModel:
    """Train the tower with its heads on faint lesions, then mostly on new exams, finally on uncropped images.

    Returns a model with averaged weights.
    """
    torch.manual_seed(recipe.tower.seed)
    vision_model = VisionModel(AutoModel.from_config(tower_config()), WIDTHS)
    held_out = _samples(plan["held out"])[:320]
    pools = {name: _samples(plan[name]) for name in ("rich", "screening", "fresh rich", "fresh screening")}
    first = [(0.7, pools["rich"]), (0.3, pools["screening"])]
    draw = Batches(first, recipe.tower)
    vision_model = _train_round(
        StageRun(vision_model, recipe.tower, folder / "tower"), draw, recipe.tower_ends, held_out
    )
    mixed = list(zip((0.25, 0.1, 0.45, 0.2), pools.values(), strict=True))
    draw = Batches(mixed, recipe.tower_again, recipe.zoom)
    again = StageRun(vision_model, recipe.tower_again, folder / "tower-again")
    vision_model = _train_round(again, draw, recipe.tower_again.steps, held_out)
    # Cropped images have no background far from the breast; without this round the tower finds lesions there.
    draw = Batches(mixed, recipe.tower_whole, recipe.zoom, columns=SIZE)
    whole = StageRun(vision_model, recipe.tower_whole, folder / "tower-whole")
    return _train_round(whole, draw, recipe.tower_whole.steps, held_out)


def _train_round(run: StageRun, draw: Batches, ends: int, held_out: Sequence[ViewSample]) -> VisionModel:
    """One round, up to step `ends`; returns a model with averaged weights."""
    vision_model = run.module
    assert isinstance(vision_model, VisionModel)  # what this round trains
    run.resume()
    while run.step < ends:
        run.train(lambda step: vision_loss(vision_model, *draw(step)), until=min(ends, (run.step // 500 + 1) * 500))
        metrics = vision_metrics(_averaged(run), held_out)
        log.info("%s step %d: %s", run.folder.name, run.step, _format(metrics))
    return _averaged(run)


def train_language(
    recipe: EmbeddedRecipe, plan: dict[str, list[DrawJob]], vision_model: VisionModel, folder: Path
) -> tuple[StageRun, PreTrainedTokenizerFast]:
    """Train the language model on cached features of the finished tower."""
    rich, screening, held_out = (
        breasts(vision_model.tower, plan[name]) for name in ("language rich", "language screening", "held out")
    )
    make = ExamMaker([(0.35, rich), (0.65, screening)], recipe.language.seed, recipe.few_views)
    tokenizer = train_tokenizer(_corpus(make, recipe.language.steps), VOCABULARY)
    prompts = Prompts(build_processor(tokenizer, SETTINGS, TOKENS_A_VIEW), SETTINGS)
    torch.manual_seed(recipe.language.seed)
    model = build(vocabulary(tokenizer))
    some = torch.from_numpy(np.concatenate([b.tokens for b in rich[:1000]]).astype(np.float32)).flatten(0, 1)
    fit_projector(model, vision_model.heads, some)
    model.model.vision_tower.load_state_dict(vision_model.tower.state_dict())
    model.model.vision_tower.requires_grad_(False).eval()
    run = StageRun(model, recipe.language, folder / "language")
    run.resume()
    exams = ExamMaker([(1.0, held_out)], recipe.language.seed, few_views=0).full_exams(recipe.held_out_exams // 2)
    reader = Reader(prompts, tokenizer, exams)
    while run.step < recipe.language.steps:
        run.train(
            lambda step: language_loss(model, make(step, recipe.language.batch_size), prompts),
            until=(run.step // 500 + 1) * 500,
        )
        log.info("language step %d: %s", run.step, _format(reader.metrics(model)))
    return run, tokenizer


def _corpus(make: ExamMaker, first: int) -> Iterator[str]:
    """Training texts of the tokenizer: reports, and as often the text of the prompt."""
    for step in range(first, first + 200):
        yield from (exam.text for exam in make(step, 16))
        yield from (view_name(*view) for view in VIEW_ORDER)
        yield SETTINGS.instruction


def assemble(run: StageRun, tokenizer: PreTrainedTokenizerFast, vision_model: VisionModel, out: Path) -> None:
    """Write the checkpoint folder: weights, processor, settings, heads."""
    out.mkdir(parents=True, exist_ok=True)
    model = run.module
    assert isinstance(model, Gemma3ForConditionalGeneration)  # what teach_language trains
    model.load_state_dict(run.averaged_state())
    model.generation_config.do_sample = False
    model.save_pretrained(out)
    build_processor(tokenizer, SETTINGS, TOKENS_A_VIEW).save_pretrained(out)
    SETTINGS.save(out)
    save_heads(vision_model.heads, out)


def fit(vision_model: VisionModel, plan: dict[str, list[DrawJob]], out: Path) -> None:
    """Fit the guard on training phantoms; its threshold accepts 99 % of held-out exams."""
    train = [s for name in ("screening", "rich") for job in plan[name][:8] for s in _statistics(vision_model, job)]
    held_out = [s for job in plan["held out"] for s in _statistics(vision_model, job)]
    fit_guard(np.concatenate(train), held_out, quantile=0.99, margin=1.1).save(out)


def _statistics(vision_model: VisionModel, job: DrawJob) -> list[Array]:
    """Feature statistics of every exam of a shard: [4, features] each."""
    shard = load_shard(job)
    return [view_statistics(*extract_features(vision_model.tower, with_position(exam))) for exam in shard.images]


def _samples(part: Sequence[DrawJob]) -> list[ViewSample]:
    return samples([load_shard(job) for job in part])


def _averaged(run: StageRun) -> VisionModel:
    """A vision model with a run's averaged weights, in evaluation mode."""
    averaged = VisionModel(AutoModel.from_config(tower_config()), WIDTHS)
    averaged.load_state_dict(run.averaged_state())
    return averaged.eval()


def _format(metrics: dict[str, float]) -> str:
    return " ".join(f"{name} {value:.3f}" for name, value in metrics.items())


def build_model(recipe: EmbeddedRecipe, folder: Path, out: Path) -> None:
    """From phantoms to a checkpoint folder with its recipe and training logs."""
    started = time.monotonic()
    plan = draw_phantoms(recipe, folder / "exams")
    vision_model = train_tower(recipe, plan, folder)
    run, tokenizer = train_language(recipe, plan, vision_model, folder)
    assemble(run, tokenizer, vision_model, out)
    fit(vision_model, plan, out)
    (out / "recipe.json").write_text(recipe.model_dump_json(indent=2) + "\n", encoding="utf-8")
    for stage in ("tower", "tower-again", "tower-whole", "language"):
        shutil.copy(folder / stage / "log.csv", out / f"{stage}-log.csv")
    log.info("model written after %.0f s", time.monotonic() - started)


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line of `make model`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder for images, checkpoints and logs (about 8 GB)")
    parser.add_argument("--recipe", type=Path, help="recipe in JSON (default: the built-in one)")
    parser.add_argument("--out", type=Path, default=EMBEDDED, help="checkpoint folder (the package's own)")
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    recipe = EmbeddedRecipe()
    if given.recipe is not None:
        recipe = EmbeddedRecipe.model_validate_json(given.recipe.read_text(encoding="utf-8"))
    build_model(recipe, given.folder, given.out)


if __name__ == "__main__":
    main()
