"""Options that more than one command has."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from amrg.cli.completion import ANSWERS, ENGINES, FACILITIES, models

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Limit = Annotated[int, typer.Option(min=1, max=100_000, help="The newest so many.")]

DataFolder = Annotated[Path, typer.Option(help="Data set folder, as `amrg data import` writes it.")]

Model = Annotated[
    str | None,
    typer.Option(help="Folder or hub name of a model or adapter; the embedded one by default.", autocompletion=models),
]
Answer = Annotated[
    str | None,
    typer.Option(
        help="What is requested of the model: findings-first or narrative (default: as its settings say).",
        autocompletion=ANSWERS,
    ),
]
EngineName = Annotated[
    str,
    typer.Option(
        "--engine",
        help="local, vllm (in this process), or openai:URL, a server that `amrg model check` took.",
        autocompletion=ENGINES,
    ),
]
Facility = Annotated[
    str | None,
    typer.Option(help="us: assessments and density in the words that 21 CFR 900.12 fixes.", autocompletion=FACILITIES),
]

RetryFailed = Annotated[bool, typer.Option("--retry-failed", help="Try studies again that failed in an earlier run.")]
RetryTrials = Annotated[bool, typer.Option("--retry-failed", help="Run failed trials again, once.")]
RayAddress = Annotated[
    str | None, typer.Option("--ray", help="Address of a Ray cluster that does the work: host:port, ray://..., auto.")
]

LabelTexts = Annotated[
    bool, typer.Option("--score-label-texts", help="Let text metrics count references rendered from labels.")
]
MeteorJar = Annotated[bool, typer.Option("--meteor-jar", help="Also METEOR 1.5, by its Java program.")]
RadEval = Annotated[
    list[str] | None, typer.Option("--radeval", help="Also a metric of RadEval, by its name there; repeatable.")
]
Seed = Annotated[int, typer.Option(min=0, help="Random seed.")]

Ranks = Annotated[str, typer.Option(help="LoRA ranks, separated by commas.")]
Alphas = Annotated[str, typer.Option(help="LoRA alphas: numbers, or multiples of the rank such as 2x.")]
Seeds = Annotated[str, typer.Option(help="Seeds that every configuration is run with, to measure the seed variance.")]
RecipeFile = Annotated[
    Path | None, typer.Option("--recipe", help="Recipe in YAML or JSON; omitted fields have their defaults.")
]
Changes = Annotated[
    list[str] | None, typer.Option("--set", help="A field of the recipe, such as lora.rank=8; repeatable.")
]
Prune = Annotated[bool, typer.Option("--prune/--no-prune", help="Stop weak trials early.")]
