"""`make model`: train the tower, choose its operating points, train the language model, fit its guard.

Every stage writes to the run folder, and is skipped or resumed when started again after an interruption.
Run as `python -m amrg.training.embedded.build FILMS RUN_FOLDER`.
"""

from __future__ import annotations

import argparse
import json
import logging
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from itertools import chain, product
from pathlib import Path
from typing import NamedTuple

import torch
from pydantic import Field
from torch import Tensor
from transformers import Gemma3ForConditionalGeneration, PreTrainedTokenizerFast

from amrg import __version__
from amrg.birads import AnswerForm
from amrg.core.hashing import sha256_of_file
from amrg.core.values import Value, differing, flatten
from amrg.datasets.names import canonical_name
from amrg.datasets.training_set import CaseDigests, TrainingSet
from amrg.models import view_name
from amrg.models.card import TRAINED_ON
from amrg.models.checkpoint import EMBEDDED
from amrg.models.decoding.phrases import Phrases, shared_phrases
from amrg.models.embedded.architecture import SETTINGS, SIZE, TOKENS_A_VIEW, build
from amrg.models.embedded.mammogram_tower import MammogramTower
from amrg.models.embedded.tokenizer import build_processor, train_tokenizer, vocabulary
from amrg.models.graph.exporting import export_graph
from amrg.models.load import load_base
from amrg.training.embedded.breasts import drawn_breasts, film_breasts
from amrg.training.embedded.exam_maker import BreastPool, Exam, ExamMaker
from amrg.training.embedded.language_metrics import Reader
from amrg.training.embedded.language_stage import Prompts, language_loss, start_projector
from amrg.training.embedded.loop import Schedule, StageRun
from amrg.training.embedded.phantom_shards import VIEW_ORDER, DrawJob, DrawnExams, draw_shards, load_shard
from amrg.training.embedded.wordings import SENTENCES, Wording, dmid_texts, instruction, shared_sentences
from amrg.training.guard.distance import fit_guard
from amrg.training.tower.batches import drawn_views
from amrg.training.tower.build import ENCODING, TowerRecipe, Towers, train_tower
from amrg.training.tower.films import CROPS, read_films
from amrg.training.tower.operating_points import name_earlier, set_operating_points
from amrg.training.tower.suspicion import calibrate_suspicion

log = logging.getLogger("amrg.training")
VOCABULARY = 1536
PHRASE_STEPS = 120  # steps whose texts give the phrases that speed up drafting
CORPUS_FROM, CORPUS_STEPS = 1_000_000, 200  # steps whose exams the tokenizer is trained on: none of training's
_STAGES = ("tower-small", "tower-full", "tower-further", "tower-regions", "language-first", "language")


class LanguageExams(DrawnExams):
    """Phantoms for the language model, and their share of its exams."""

    share: float = Field(gt=0)


class EmbeddedRecipe(Value):
    """Everything that determines the embedded model. Saved with its weights.

    The language stage has drawn exams of its own: tokens of the tower's training images are more certain than those of
    new images, and a language model trained on them would rely on them too much. Of films there are too few for that.
    """

    software: str = __version__
    tower: TowerRecipe = TowerRecipe()
    language_exams: tuple[LanguageExams, ...] = (
        LanguageExams(population="rich", first_seed=140_000, exams=2200, share=0.15),
        LanguageExams(population="screening", first_seed=640_000, exams=3750, share=0.2),
        LanguageExams(population="varied-rich", first_seed=150_000, exams=1550, share=0.12),
        LanguageExams(population="varied-screening", first_seed=650_000, exams=3100, share=0.23),
        LanguageExams(population="asymmetric", first_seed=160_000, exams=350, share=0.08),
        LanguageExams(population="varied-asymmetric", first_seed=170_000, exams=300, share=0.06),
    )
    film_share: float = 0.2
    sentence_share: float = Field(0.06, ge=0, lt=1)  # of the texts: DMID's shared sentences, without images
    films_with_findings: float = Field(0.75, ge=0, le=1)  # share of their breasts
    held_out: DrawnExams = DrawnExams(population="screening", first_seed=900_000, exams=100)
    film_versions: int = Field(4, gt=0)
    few_views: int = Field(200, ge=0)  # steps of the first language round with mostly one view or one breast
    language_first: Schedule = Schedule(
        steps=1000, batch_size=16, peak_learning_rate=2e-3, warmup_steps=100, ema_decay=0.99
    )
    language: Schedule = Schedule(
        steps=12_600, batch_size=16, peak_learning_rate=1.2e-3, warmup_steps=100, ema_decay=0.995, seed=1
    )
    language_last: Schedule = Schedule(
        steps=1500, batch_size=16, peak_learning_rate=1e-3, warmup_steps=100, ema_decay=0.995, seed=2
    )
    averaged_runs: int = Field(2, ge=0)  # of `language_last`, all from the end of `language`, each with its own seed

    @property
    def stages(self) -> tuple[str, ...]:
        """Folders of a run, one a stage."""
        return (*_STAGES, *map(_last_stage, range(self.averaged_runs)))


class DrawnPlan(NamedTuple):
    """Shards of phantoms: those that are only measured on, and those of the language model by their parts."""

    held_out: list[DrawJob]
    language: list[tuple[LanguageExams, list[DrawJob]]]


def build_model(recipe: EmbeddedRecipe, films: Path, folder: Path, out: Path) -> None:
    """From films and phantoms to a checkpoint folder with its recipe and training logs."""
    started = time.monotonic()
    plan = draw_phantoms(recipe, folder / "exams")
    towers = train_tower(recipe.tower, films, folder)
    points = [choose_operating_points(recipe, films, folder, tower, plan.held_out) for tower in towers]
    model, tokenizer, make = train_language(recipe, films, folder, towers, plan)
    assemble(model, tokenizer, out)
    written_phrases(make, tokenizer).save(out)
    fit_guard(load_base(str(out)), films, recipe.tower.sources, plan.held_out).save(out)
    export_graph(out)
    (out / "recipe.json").write_text(recipe.model_dump_json(indent=2) + "\n", encoding="utf-8")
    (out / "operating-points.json").write_text(json.dumps(points[-1], indent=2) + "\n", encoding="utf-8")
    sets = [found.model_dump(mode="json") for found in training_sets(films, recipe.tower)]
    (out / TRAINED_ON).write_text(json.dumps(sets, indent=2) + "\n", encoding="utf-8")
    for stage in recipe.stages:
        shutil.copy(folder / stage / "log.csv", out / f"{stage}-log.csv")
    log.info("model written after %.0f s", time.monotonic() - started)


def claim_folder(recipe: EmbeddedRecipe, folder: Path) -> None:
    """Write the recipe to a run folder, so that its stages are resumed with this one only.

    Raises:
        ValueError: it has stages of another recipe, or of one that it does not name.
    """
    path = folder / "recipe.json"
    if path.is_file():
        there = EmbeddedRecipe.model_validate_json(path.read_text(encoding="utf-8"))
        before, now = (dict(flatten(one.model_dump(mode="json"))) for one in (there, recipe))
        names = differing(before, now)
        found = "; ".join(f"{name}: the folder has {before.get(name)}, this run {now.get(name)}" for name in names)
    else:
        found = "its recipe.json is missing" if any((folder / stage).exists() for stage in recipe.stages) else ""
    if found:
        raise ValueError(f"{folder}: the folder has stages of another recipe ({found}); use an empty folder")
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(recipe.model_dump_json(indent=2) + "\n", encoding="utf-8")


def training_sets(films: Path, recipe: TowerRecipe) -> list[TrainingSet]:
    """What the model learns from: phantoms, and real images by the bytes of their files."""
    found = [TrainingSet(name="phantom")]  # by seeds below a million, which no benchmark draws from
    usable = [film for film in read_films(films) if not film.record.get("also_in_test")]
    listed = [film for film in usable if film.fold != recipe.held_out and film.source in (*recipe.sources, CROPS)]
    for name in sorted({film.record["dataset"] for film in listed}):
        files = [film.folder / film.name for film in listed if film.record["dataset"] == name]
        digests = CaseDigests(images=tuple(sorted(sha256_of_file(file)[:16] for file in files)))
        found.append(TrainingSet(name=canonical_name(name), split="train", n=len(files), digests=digests))
    return found


def draw_phantoms(recipe: EmbeddedRecipe, folder: Path) -> DrawnPlan:
    """Shards of the phantoms that the tower is not trained on; missing ones are drawn."""
    plan = DrawnPlan(
        recipe.held_out.jobs(folder, ENCODING), [(part, part.jobs(folder, ENCODING)) for part in recipe.language_exams]
    )
    draw_shards([*plan.held_out, *(job for _, part in plan.language for job in part)])
    return plan


def choose_operating_points(
    recipe: EmbeddedRecipe, films: Path, folder: Path, tower: MammogramTower, drawn: Sequence[DrawJob]
) -> dict[str, float]:
    """Fold thresholds and the suspicion's calibration into the tower's heads, by held-out patients and phantoms."""
    real = recipe.tower.views(films, folder, 0)
    held_out = [view.labelled for view in real if view.film.fold == recipe.tower.held_out]
    phantoms = [view for job in drawn for view in drawn_views(load_shard(job))]
    points = set_operating_points(tower, [*held_out, *phantoms], SIZE)
    fit = calibrate_suspicion(tower, [*held_out, *phantoms], SIZE)
    log.info("operating points (logits): %s; suspicion: %s", _format(points), fit)
    return points


@dataclass(frozen=True)
class LanguageData:
    """Exams as one tower encodes them: pools with their shares to train on, a pool to measure on."""

    tower: MammogramTower
    pools: Sequence[tuple[float, BreastPool]]
    sentences: Sequence[str]
    sentence_share: float
    held_out: BreastPool
    measured: int  # exams of the held-out pool

    def make(self, seed: int, few_views: int = 0) -> ExamMaker:
        """Training exams."""
        return ExamMaker(self.pools, seed, few_views, self.sentences, self.sentence_share)

    def held_out_exams(self, seed: int) -> list[Exam]:
        """Exams that are only measured on."""
        return ExamMaker([(1.0, self.held_out)], seed, few_views=0).full_exams(self.measured)


def language_data(
    recipe: EmbeddedRecipe, films: Path, folder: Path, tower: MammogramTower, plan: DrawnPlan
) -> LanguageData:
    """All exams of a recipe as a tower encodes them."""
    return LanguageData(
        tower,
        language_pools(recipe, films, folder, tower, plan),
        shared_sentences(dmid_texts(films.parent)),
        recipe.sentence_share,
        BreastPool(drawn_breasts(tower, plan.held_out), complete=True),
        recipe.held_out.exams // 2,
    )


def train_language(
    recipe: EmbeddedRecipe, films: Path, folder: Path, towers: Towers, plan: DrawnPlan
) -> tuple[Gemma3ForConditionalGeneration, PreTrainedTokenizerFast, ExamMaker]:
    """Train the language model: on tokens of the first tower, then on those of the last; at the end several times from
    one start, and the mean of these runs is the model."""
    data = language_data(recipe, films, folder, towers.small, plan)
    make = data.make(recipe.language_first.seed, recipe.few_views)
    tokenizer = stored_tokenizer(folder / "tokenizer", make, films.parent)
    model = fresh_model(tokenizer, recipe.language_first.seed)
    train_round(StageRun(model, recipe.language_first, folder / "language-first"), data, make, tokenizer)
    data = language_data(recipe, films, folder, towers.last, plan)
    make = data.make(recipe.language.seed)
    train_round(StageRun(model, recipe.language, folder / "language"), data, make, tokenizer)
    runs = [deepcopy(model) for _ in range(recipe.averaged_runs)]
    for number, one in enumerate(runs):
        schedule = recipe.language_last.model_copy(update={"seed": recipe.language_last.seed + number})
        train_round(StageRun(one, schedule, folder / _last_stage(number)), data, data.make(schedule.seed), tokenizer)
    if runs:
        model.load_state_dict(mean_state([one.state_dict() for one in runs]))
    return model, tokenizer, make


def _last_stage(number: int) -> str:
    """The folder of one of the runs that are averaged."""
    return f"language-last-{number}"


def mean_state(states: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """The mean of models that were trained from one start, weight by weight (model soups, Wortsman 2022)."""
    return {name: torch.stack([state[name] for state in states]).mean(0) for name in states[0]}


def language_pools(
    recipe: EmbeddedRecipe, films: Path, folder: Path, tower: MammogramTower, plan: DrawnPlan
) -> list[tuple[float, BreastPool]]:
    """Drawn and real breasts as a tower encodes them, with their shares."""
    real = []
    for version in range(min(recipe.film_versions, recipe.tower.versions)):
        views = recipe.tower.views(films, folder, version)
        trained = [view for view in views if view.film.fold != recipe.tower.held_out]
        real += film_breasts(tower, trained, folder / "tokens" / f"views-v{version}")
    drawn = [(part.share, BreastPool(drawn_breasts(tower, shards), complete=True)) for part, shards in plan.language]
    return [*drawn, (recipe.film_share, BreastPool(real, complete=False, with_findings=recipe.films_with_findings))]


def stored_tokenizer(folder: Path, make: ExamMaker, shared: Path) -> PreTrainedTokenizerFast:
    """The tokenizer of a run, trained where it is not there yet; `shared` is the folder that may have DMID's texts."""
    if not folder.is_dir():
        train_tokenizer(chain(_corpus(make), dmid_texts(shared)), VOCABULARY).save_pretrained(folder)
    return PreTrainedTokenizerFast.from_pretrained(folder)


def fresh_model(tokenizer: PreTrainedTokenizerFast, seed: int) -> Gemma3ForConditionalGeneration:
    """The whole model with a frozen tower."""
    torch.manual_seed(seed)
    model = build(vocabulary(tokenizer))
    start_projector(model)
    model.model.vision_tower.requires_grad_(False).eval()
    return model


def train_round(run: StageRun, data: LanguageData, make: ExamMaker, tokenizer: PreTrainedTokenizerFast) -> None:
    """One round of the language stage, with metrics every 500 steps; its model has the averaged weights then."""
    model = run.module
    assert isinstance(model, Gemma3ForConditionalGeneration)  # what this stage trains
    model.model.vision_tower.load_state_dict(data.tower.state_dict())
    prompts = Prompts(build_processor(tokenizer, SETTINGS, TOKENS_A_VIEW))
    reader = Reader(prompts, tokenizer, data.held_out_exams(run.schedule.seed))
    run.resume()
    while run.step < run.schedule.steps:
        run.train(
            lambda step: language_loss(model, make(step, run.schedule.batch_size), prompts),
            until=(run.step // 500 + 1) * 500,
        )
        log.info("%s step %d: %s", run.folder.name, run.step, _format(reader.metrics(model)))
    model.load_state_dict(run.averaged_state())


def written_phrases(make: ExamMaker, tokenizer: PreTrainedTokenizerFast) -> Phrases:
    """The phrases of texts like those that the language model was trained to write."""
    prompts = Prompts(build_processor(tokenizer, SETTINGS, TOKENS_A_VIEW))
    texts = (exam.text for step in range(PHRASE_STEPS) for exam in make.exams(step, 16))
    return shared_phrases((str(i), prompts.answer(text)) for i, text in enumerate(texts))  # none is a patient's


def _corpus(make: ExamMaker) -> Iterator[str]:
    """Training texts of the tokenizer: reports, and as often the text of the prompt."""
    for step in range(CORPUS_FROM, CORPUS_FROM + CORPUS_STEPS):
        yield from (exam.text for exam in make.exams(step, 16))
        yield from (view_name(*view) for view in VIEW_ORDER)
        yield from (SENTENCES, *(instruction(*form) for form in product(Wording, AnswerForm)))


def assemble(model: Gemma3ForConditionalGeneration, tokenizer: PreTrainedTokenizerFast, out: Path) -> None:
    """Write the checkpoint folder: weights, processor, settings."""
    out.mkdir(parents=True, exist_ok=True)
    name_earlier(model.model.vision_tower)
    model.generation_config.do_sample = False
    model.save_pretrained(out)
    build_processor(tokenizer, SETTINGS, TOKENS_A_VIEW).save_pretrained(out)
    SETTINGS.save(out)


def _format(metrics: dict[str, float]) -> str:
    return " ".join(f"{name} {value:.3f}" for name, value in metrics.items())


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line of `make model`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("films", type=Path, help="folder with films.jsonl")
    parser.add_argument("folder", type=Path, help="folder for images, checkpoints and logs (about 20 GB)")
    parser.add_argument("--recipe", type=Path, help="recipe in JSON (default: the built-in one)")
    parser.add_argument("--out", type=Path, default=EMBEDDED, help="checkpoint folder (the package's own)")
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    recipe = EmbeddedRecipe()
    if given.recipe is not None:
        recipe = EmbeddedRecipe.model_validate_json(given.recipe.read_text(encoding="utf-8"))
    try:
        claim_folder(recipe, given.folder)
    except ValueError as error:
        parser.error(str(error))
    build_model(recipe, given.films, given.folder, given.out)


if __name__ == "__main__":
    main()
