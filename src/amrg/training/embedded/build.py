"""`make model`: draw phantoms, teach the tower to see, teach the language model to write, fit the guard.

Every stage writes into the run folder and is skipped or resumed when started again: kill it at any point.
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
    """Everything that decides the embedded model. Stored beside its weights.

    The language stage has exams of its own: features of pictures that the tower was taught on are surer than those of
    pictures it meets later, and a language model taught on them would trust what it sees too much.
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
    tower_ends: int = Field(7500, gt=0)  # where fresh exams take over
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
    few_views: int = Field(1200, ge=0)  # steps of the language stage that mostly show one view or one breast
    language: Schedule = Schedule(
        steps=5500, batch_size=16, peak_learning_rate=1.5e-3, warmup_steps=100, ema_decay=0.995
    )


def drawn(recipe: EmbeddedRecipe, folder: Path) -> dict[str, list[DrawJob]]:
    """All shards of the recipe, drawn where missing."""
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


def teach_tower(recipe: EmbeddedRecipe, plan: dict[str, list[DrawJob]], folder: Path) -> VisionModel:
    """Train the tower with its heads on faint lesions, then mostly on fresh exams, at last on whole pictures.

    Returns averaged weights.
    """
    torch.manual_seed(recipe.tower.seed)
    seer = VisionModel(AutoModel.from_config(tower_config()), WIDTHS)
    shown = _samples(plan["held out"])[:320]
    pools = {name: _samples(plan[name]) for name in ("rich", "screening", "fresh rich", "fresh screening")}
    first = [(0.7, pools["rich"]), (0.3, pools["screening"])]
    draw = Batches(first, recipe.tower)
    seer = _teach_tower(StageRun(seer, recipe.tower, folder / "tower"), draw, recipe.tower_ends, shown)
    mixed = list(zip((0.25, 0.1, 0.45, 0.2), pools.values(), strict=True))
    draw = Batches(mixed, recipe.tower_again, recipe.zoom)
    again = StageRun(seer, recipe.tower_again, folder / "tower-again")
    seer = _teach_tower(again, draw, recipe.tower_again.steps, shown)
    # Cut pictures never show what lies far from the breast; without this round the tower takes it for lesions.
    draw = Batches(mixed, recipe.tower_whole, recipe.zoom, columns=SIZE)
    whole = StageRun(seer, recipe.tower_whole, folder / "tower-whole")
    return _teach_tower(whole, draw, recipe.tower_whole.steps, shown)


def _teach_tower(run: StageRun, draw: Batches, ends: int, shown: Sequence[ViewSample]) -> VisionModel:
    """One round, up to step `ends`; returns a seer with averaged weights."""
    seer = run.module
    assert isinstance(seer, VisionModel)  # what this round trains
    run.resume()
    while run.step < ends:
        run.train(lambda step: vision_loss(seer, *draw(step)), until=min(ends, (run.step // 500 + 1) * 500))
        figures = vision_metrics(_averaged(run), shown)
        log.info("%s step %d: %s", run.folder.name, run.step, _shown(figures))
    return _averaged(run)


def teach_language(
    recipe: EmbeddedRecipe, plan: dict[str, list[DrawJob]], seer: VisionModel, folder: Path
) -> tuple[StageRun, PreTrainedTokenizerFast]:
    """Train the language model on cached features of the finished tower."""
    rich, screening, held_out = (
        breasts(seer.tower, plan[name]) for name in ("language rich", "language screening", "held out")
    )
    make = ExamMaker([(0.35, rich), (0.65, screening)], recipe.language.seed, recipe.few_views)
    tokenizer = train_tokenizer(_corpus(make, recipe.language.steps), VOCABULARY)
    prompts = Prompts(build_processor(tokenizer, SETTINGS, TOKENS_A_VIEW), SETTINGS)
    torch.manual_seed(recipe.language.seed)
    model = build(vocabulary(tokenizer))
    some = torch.from_numpy(np.concatenate([b.tokens for b in rich[:1000]]).astype(np.float32)).flatten(0, 1)
    fit_projector(model, seer.heads, some)
    model.model.vision_tower.load_state_dict(seer.tower.state_dict())
    model.model.vision_tower.requires_grad_(False).eval()
    run = StageRun(model, recipe.language, folder / "language")
    run.resume()
    shown = ExamMaker([(1.0, held_out)], recipe.language.seed, few_views=0).whole(recipe.held_out_exams // 2)
    reader = Reader(prompts, tokenizer, shown)
    while run.step < recipe.language.steps:
        run.train(
            lambda step: language_loss(model, make(step, recipe.language.batch_size), prompts),
            until=(run.step // 500 + 1) * 500,
        )
        log.info("language step %d: %s", run.step, _shown(reader.metrics(model)))
    return run, tokenizer


def _corpus(make: ExamMaker, first: int) -> Iterator[str]:
    """Texts to learn the tokenizer from: reports, and as often the words of the prompt."""
    for step in range(first, first + 200):
        yield from (exam.text for exam in make(step, 16))
        yield from (view_name(*view) for view in VIEW_ORDER)
        yield SETTINGS.instruction


def assemble(run: StageRun, tokenizer: PreTrainedTokenizerFast, seer: VisionModel, out: Path) -> None:
    """Write the checkpoint folder: weights, processor, settings, heads."""
    out.mkdir(parents=True, exist_ok=True)
    model = run.module
    assert isinstance(model, Gemma3ForConditionalGeneration)  # what teach_language trains
    model.load_state_dict(run.averaged_state())
    model.generation_config.do_sample = False
    model.save_pretrained(out)
    build_processor(tokenizer, SETTINGS, TOKENS_A_VIEW).save_pretrained(out)
    SETTINGS.save(out)
    save_heads(seer.heads, out)


def fit(seer: VisionModel, plan: dict[str, list[DrawJob]], out: Path) -> None:
    """Fit the guard on training phantoms; its threshold leaves all but one in a hundred held-out exams in."""
    train = [s for name in ("screening", "rich") for job in plan[name][:8] for s in _statistics(seer, job)]
    held_out = [s for job in plan["held out"] for s in _statistics(seer, job)]
    fit_guard(np.concatenate(train), held_out, quantile=0.99, margin=1.1).save(out)


def _statistics(seer: VisionModel, job: DrawJob) -> list[Array]:
    """Feature statistics of every exam of a shard: [4, features] each."""
    shard = load_shard(job)
    return [view_statistics(*extract_features(seer.tower, with_position(exam))) for exam in shard.pictures]


def _samples(part: Sequence[DrawJob]) -> list[ViewSample]:
    return samples([load_shard(job) for job in part])


def _averaged(run: StageRun) -> VisionModel:
    """A seer with a run's averaged weights, for use."""
    averaged = VisionModel(AutoModel.from_config(tower_config()), WIDTHS)
    averaged.load_state_dict(run.averaged_state())
    return averaged.eval()


def _shown(figures: dict[str, float]) -> str:
    return " ".join(f"{name} {value:.3f}" for name, value in figures.items())


def build_model(recipe: EmbeddedRecipe, folder: Path, out: Path) -> None:
    """The whole of it: phantoms to a checkpoint folder with its recipe and training logs."""
    started = time.monotonic()
    plan = drawn(recipe, folder / "exams")
    seer = teach_tower(recipe, plan, folder)
    run, tokenizer = teach_language(recipe, plan, seer, folder)
    assemble(run, tokenizer, seer, out)
    fit(seer, plan, out)
    (out / "recipe.json").write_text(recipe.model_dump_json(indent=2) + "\n", encoding="utf-8")
    for stage in ("tower", "tower-again", "tower-whole", "language"):
        shutil.copy(folder / stage / "log.csv", out / f"{stage}-log.csv")
    log.info("model written after %.0f s", time.monotonic() - started)


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line of `make model`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where pictures, checkpoints and logs go (about 8 GB)")
    parser.add_argument("--recipe", type=Path, help="JSON of a recipe; the built-in one where not given")
    parser.add_argument("--out", type=Path, default=EMBEDDED, help="checkpoint folder (the package's own)")
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    recipe = EmbeddedRecipe()
    if given.recipe is not None:
        recipe = EmbeddedRecipe.model_validate_json(given.recipe.read_text(encoding="utf-8"))
    build_model(recipe, given.folder, given.out)


if __name__ == "__main__":
    main()
