"""`amrg benchmark run`: a model over a part of a split, with baselines and changed pictures, scored."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from amrg.cli.benchmark import AsJson, LabelTexts, MeteorJar, RadEval, Seed, refusing, report_scores, write_run_page
from amrg.cli.console import bars, busy, fail, quieten, writing
from amrg.cli.exits import Exit


def run(
    data: Annotated[Path, typer.Option(help="Data set folder, as `amrg data import` writes it.")],
    split: Annotated[str, typer.Option(help="Split of the data set, by name.")],
    given: Annotated[
        Path | None,
        typer.Option("--out", help="Folder of the run; one that was broken off goes on. runs/MODEL-DATA-SPLIT-PART."),
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="Folder or hub name of a model or adapter; the embedded one.")
    ] = None,
    part: Annotated[str, typer.Option(help="train, validation or test.")] = "test",
    words: Annotated[
        str,
        typer.Option(
            help="Whose words are scored: amrg's (a house style of --style in report), or written, the model's own."
        ),
    ] = "clinical",
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first cases of the part.")] = None,
    pictures: Annotated[
        int, typer.Option(min=0, help="Cases drafted on blanked, shuffled and mirrored pictures too.")
    ] = 100,
    training: Annotated[
        Path | None, typer.Option("--train-data", help="Data set for baselines to learn from, not the train part.")
    ] = None,
    label_texts: LabelTexts = False,
    meteor_jar: MeteorJar = False,
    radeval: RadEval = None,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Draft every case of a part, blind baselines beside, changed pictures too; score all, write the page."""
    with busy("loading the model"):
        quieten()
        from amrg.benchmark.run.predict import ScoredText
        from amrg.benchmark.run.run_config import RunConfig
        from amrg.benchmark.run.running import run as run_model
        from amrg.benchmark.scoring.measure import OptionalMetrics
        from amrg.benchmark.scoring.score_run import score_run
        from amrg.benchmark.scoring.scoring import Options
        from amrg.generation import load_engine
        from amrg.models import ModelError

        if words not in tuple(ScoredText):
            fail(Exit.USAGE, f"--words is {words!r}; expected {', '.join(ScoredText)}")
        try:
            engine = load_engine(model)
        except ModelError as error:
            fail(Exit.NO_MODEL, str(error))
    folder = given or Path("runs") / "-".join([Path(engine.loaded.name).name, data.resolve().name, split, part])
    order = RunConfig(
        data=data,
        split=split,
        out=folder,
        part=part,
        words=ScoredText(words),
        limit=limit,
        pictures=pictures,
        training=training,
        seed=seed,
        command=shlex.join(["amrg", *sys.argv[1:]]),
    )
    with refusing(), writing(folder):
        with bars() as progress:
            references = run_model(order, engine, progress)
        with busy(f"scoring {len(references.cases)} cases"):
            extras = OptionalMetrics(label_texts, meteor_jar, tuple(radeval or ()))
            scores = score_run(folder, references, Options(engine.loaded.name, seed, extras=extras))
    write_run_page(folder, data)
    report_scores(scores, folder, as_json)
