"""A language model that learned from one hospital's views alone, from random weights, with a base's tower.

    python scripts/from_scratch.py ../shared/data/films BASE runs/show/films/hospital RUN_FOLDER OUT

The comparison for LoRA tuning of BASE to that hospital (`make show-hospital`): the training patients of the data set's
split, the same tokenizer and prompts, as many steps of as many exams. OUT is a checkpoint folder for
`amrg benchmark run --model`.
"""

from __future__ import annotations

import argparse
import logging
import shutil
from pathlib import Path

from transformers import PreTrainedTokenizerFast

from amrg.datasets.store import open_dataset
from amrg.models.checkpoint import EMBEDDED
from amrg.models.embedded.architecture import SETTINGS, SIZE, TOKENS_A_VIEW
from amrg.models.embedded.mammogram_tower import MammogramTower
from amrg.models.embedded.tokenizer import build_processor
from amrg.models.load import load_base
from amrg.training.embedded.breasts import film_breasts
from amrg.training.embedded.build import assemble, fresh_model
from amrg.training.embedded.exam_maker import BreastPool, ExamMaker
from amrg.training.embedded.language_stage import Prompts, language_loss
from amrg.training.embedded.loop import Schedule, StageRun
from amrg.training.tower.film_shards import FilmView, film_views, held_out_fold

SOURCE = "cesm"
SPLIT = "published"


def views_of(films: Path, cache: Path, data: Path) -> list[FilmView]:
    """The hospital's views of the split's training patients."""
    patients = set(open_dataset(data).split(SPLIT).train)
    views = film_views(films, cache / "views", 0, SIZE, held_out_fold(EMBEDDED))
    return [view for view in views if view.film.source == SOURCE and view.film.record["patient"] in patients]


def main() -> None:
    """Train it and write the checkpoint."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("films", type=Path, help="folder with films.jsonl")
    parser.add_argument("base", type=Path, help="checkpoint folder whose tower and tokenizer are used")
    parser.add_argument("data", type=Path, help="data set folder of the hospital's patients")
    parser.add_argument("folder", type=Path, help="folder for images, checkpoints and logs")
    parser.add_argument("out", type=Path, help="checkpoint folder")
    parser.add_argument("--steps", type=int, default=300)
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    trained = load_base(str(given.base)).model.model.vision_tower
    assert isinstance(trained, MammogramTower)  # that of an embedded model
    views = views_of(given.films, given.folder, given.data)
    breasts = film_breasts(trained, views, given.folder / "tokens" / "hospital")
    make = ExamMaker([(1.0, BreastPool(breasts, complete=False))], seed=0, few_views=0)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(given.base)
    model = fresh_model(tokenizer, seed=0)
    model.model.vision_tower.load_state_dict(trained.state_dict())
    schedule = Schedule(steps=given.steps, batch_size=16, peak_learning_rate=2e-3, warmup_steps=50, ema_decay=0.99)
    prompts = Prompts(build_processor(tokenizer, SETTINGS, TOKENS_A_VIEW))
    run = StageRun(model, schedule, given.folder / "from-scratch")
    run.resume()
    run.train(lambda step: language_loss(model, make(step, schedule.batch_size), prompts), until=given.steps)
    assemble(run, tokenizer, given.out)
    shutil.copy(given.base / "guard.safetensors", given.out)  # of the same tower


if __name__ == "__main__":
    main()
