"""`amrg benchmark run`: a model over a part of a split, with baselines and perturbed images, scored."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from amrg.cli.benchmark import exit_on_benchmark_error, exit_on_overlap, report_scores, write_run_page
from amrg.cli.completion import PARTS, SCORE_TEXTS, stored_splits
from amrg.cli.console import bars, busy, complain, fail, quieten, refuse_unwritable, writing
from amrg.cli.exits import Exit
from amrg.cli.options import (
    Answer,
    AsJson,
    DataFolder,
    EngineName,
    LabelTexts,
    MeteorJar,
    Model,
    RadEval,
    RayAddress,
    RetryFailed,
    Seed,
)
from amrg.cli.study_input import absolute_model, answer_form
from amrg.core.plurals import counted

if TYPE_CHECKING:
    from amrg.benchmark.run.run_config import RunConfig
    from amrg.birads import AnswerForm
    from amrg.core.progress import Progress
    from amrg.datasets.training_set import TrainingProvenance
    from amrg.generation import Engine


SplitName = Annotated[str, typer.Option(help="Split of the data set, by name.", autocompletion=stored_splits)]
RunFolder = Annotated[
    Path | None,
    typer.Option("--out", help="Run folder; an interrupted run is resumed. Default: runs/MODEL-DATA-SPLIT-PART."),
]
Part = Annotated[str, typer.Option(help="train, validation or test.", autocompletion=PARTS)]
ScoredText = Annotated[
    str,
    typer.Option(
        help="Text that is scored: the findings in a report style (clinical, impression-first, dmid, cesm), or "
        "the model's own text (model).",
        autocompletion=SCORE_TEXTS,
    ),
]
FirstCases = Annotated[int | None, typer.Option(min=1, help="Only the first cases of the part.")]
Perturbed = Annotated[
    int, typer.Option(min=0, help="Number of cases also drafted on blanked, shuffled and mirrored images.")
]
TrainData = Annotated[
    Path | None,
    typer.Option("--train-data", help="Data set to fit the baselines on. Default: the split's train part."),
]


def run(
    data: DataFolder,
    split: SplitName,
    given: RunFolder = None,
    model: Model = None,
    part: Part = "test",
    score_text: ScoredText = "clinical",
    answer: Answer = None,
    engine_name: EngineName = "local",
    limit: FirstCases = None,
    perturbed: Perturbed = 100,
    training: TrainData = None,
    label_texts: LabelTexts = False,
    meteor_jar: MeteorJar = False,
    radeval: RadEval = None,
    seed: Seed = 0,
    retry_failed: RetryFailed = False,
    ray: RayAddress = None,
    as_json: AsJson = False,
) -> None:
    """Draft every case of a part, also on perturbed images; score it with blind baselines, write the page."""
    with busy("loading the model"):
        quieten()
        from amrg.benchmark.run.run_config import RunConfig, ScoreText
        from amrg.benchmark.run.running import run as run_model
        from amrg.benchmark.scoring.measure import OptionalMetrics
        from amrg.benchmark.scoring.score_run import score_run
        from amrg.benchmark.scoring.scoring import ScoringOptions
        from amrg.datasets import open_dataset
        from amrg.generation.engines.loading import refuse_engine_name

        if score_text not in tuple(ScoreText):
            fail(Exit.USAGE, f"--score-text is {score_text!r}; expected {', '.join(ScoreText)}")
        form = answer_form(answer)
        refuse_engine_name(engine_name, model)
        with exit_on_benchmark_error():
            open_dataset(data).split(split)  # what is cheap is looked at before a model is loaded
        if given is not None:
            refuse_unwritable(given)
        model = absolute_model(model) if ray is not None else model
        load = _loader(model, form, engine_name)
        engine = _load(load)
    folder = given or Path("runs") / "-".join([Path(engine.identity.name).name, data.resolve().name, split, part])
    config = RunConfig(
        data=data,
        split=split,
        out=folder,
        part=part,
        score_text=ScoreText(score_text),
        limit=limit,
        perturbed=perturbed,
        training=training,
        seed=seed,
        retry_failed=retry_failed,
        command=shlex.join(["amrg", *sys.argv[1:]]),
    )
    with exit_on_benchmark_error(), writing(folder):
        with bars() as progress:
            elsewhere = None if ray is None else partial(_predict_on_ray, config, load, ray, progress)
            references = run_model(config, engine, progress, elsewhere)
        with busy(f"scoring {counted(len(references.cases), 'case')}"):
            extras = OptionalMetrics(label_texts, meteor_jar, tuple(radeval or ()))
            provenance = _provenance(engine, model)
            options = ScoringOptions(engine.identity.name, seed, extras=extras, provenance=provenance)
            scores = score_run(folder, references, options)
    write_run_page(folder, data)
    report_scores(scores, folder, as_json)
    exit_on_overlap(scores)


def _loader(model: str | None, form: AnswerForm | None, engine_name: str) -> Callable[[], Engine]:
    """What loads the engine, here and on other machines: it is pickled."""
    from amrg.generation.engines import loading, local

    if engine_name == loading.LOCAL:  # benchmarks are of transformers' pass of the tower, not of an exported graph's
        return partial(local.load_engine, model, answer=form)
    return partial(loading.load_engine, model, answer=form, engine=engine_name)


def _load(load: Callable[[], Engine]) -> Engine:
    """The engine, its notes on stderr; leaves with one line where it cannot be loaded."""
    from amrg.models import ModelError

    try:
        engine = load()
    except ModelError as error:
        fail(Exit.NO_MODEL, str(error))
    for line in engine.notes:
        complain(line)
    return engine


def _provenance(engine: Engine, model: str | None) -> TrainingProvenance:
    """What the model that ran was trained on; of one that runs elsewhere, by its folder here."""
    from amrg.generation.engines.local import LocalEngine
    from amrg.models.checkpoint import EMBEDDED
    from amrg.models.provenance import provenance_at, provenance_of

    if isinstance(engine, LocalEngine):
        return provenance_of(engine.loaded)
    return provenance_at([EMBEDDED if model is None else Path(model)])


def _predict_on_ray(config: RunConfig, load: Callable[[], Engine], address: str, progress: Progress) -> None:
    """Make the predictions of a run's cases on a Ray cluster."""
    from amrg.benchmark.run.on_ray import predict_on_ray
    from amrg.core.ray_cluster import RayPlan

    shared = replace(config, data=config.data.resolve(), out=config.out.resolve())
    predict_on_ray(shared, load, RayPlan(address), progress)
