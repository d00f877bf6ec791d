"""`amrg model known-answers`: what a model that was not exported answers, so that a server can be asked for proof."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from amrg.cli.completion import models
from amrg.cli.console import busy, complain, fail, out, print_json, quieten, refuse_unwritable, writing
from amrg.cli.exits import Exit
from amrg.cli.options import AsJson


def known_answers(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="Folder or hub name of a model.", autocompletion=models)
    ],
    folder: Annotated[Path, typer.Option("--out", help="Folder to write known-answers.json to; no weights are.")],
    as_json: AsJson = False,
) -> None:
    """Write what a model answers to drawn studies, by which a server is known to serve it.

    Name the folder as --model of an engine. An export has its own: this is for models as published.
    """
    refuse_unwritable(folder)
    with writing(folder), busy("loading the model, and asking it"):
        quieten()
        from amrg.models import ModelError
        from amrg.models.export.original import write_original_answers

        try:
            made = write_original_answers(model, folder)
        except ModelError as error:
            fail(Exit.NO_MODEL, str(error))
    for line in made.warnings:
        complain(line)
    known = made.known
    if as_json:
        found = {"name": known.name, "weights": known.weights, "source": known.source}
        print_json({**found, "folder": str(folder), "serve": made.serve})
        return
    if made.serve is not None:
        out.print(f"serve it with vLLM: {made.serve}", markup=False, soft_wrap=True)
    out.print(f"{len(known.answers)} known answers of {known.source} ({known.name}) in {folder}", markup=False)
