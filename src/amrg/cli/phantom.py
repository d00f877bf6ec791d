"""`amrg phantom`: draw exams with known truth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from amrg.cli.completion import POPULATIONS, SIZES
from amrg.cli.console import bars, fail, print_json, refuse_no_room, refuse_unwritable, say, writing
from amrg.cli.exits import Exit
from amrg.cli.options import AsJson
from amrg.core.plurals import counted


def phantom(
    folder: Annotated[
        Path,
        typer.Argument(metavar="OUT", help="Folder for the exams: one folder a study, and cases.jsonl with the truth."),
    ],
    count: Annotated[int, typer.Option(min=1, help="Number of exams.")] = 1,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the first exam; each next exam has the next seed.")] = 0,
    size: Annotated[str, typer.Option(help="full (0.1 mm pixels) or small (0.4 mm).", autocompletion=SIZES)] = "full",
    population: Annotated[
        str,
        typer.Option(
            help="screening, rich (lesions in nearly every breast) or shifted (another site).",
            autocompletion=POPULATIONS,
        ),
    ] = "screening",
    workers: Annotated[
        int, typer.Option(min=1, help="Number of processes; the result is the same for any number.")
    ] = 1,
    as_json: AsJson = False,
) -> None:
    """Draw phantom exams: four DICOM views a study, with their truth in cases.jsonl."""
    from amrg.phantom import CASES, POPULATIONS, PhantomError, Size, draw_set

    if size not in tuple(Size):
        fail(Exit.USAGE, f"--size is {size!r}; expected {' or '.join(Size)}")
    if population not in POPULATIONS:
        fail(Exit.USAGE, f"--population is {population!r}; expected one of {', '.join(POPULATIONS)}")
    refuse_unwritable(folder)
    if not (folder / CASES).exists():  # a set that is resumed has some of it
        refuse_no_room(folder, count * Size(size).study_bytes)
    folders = []
    try:
        with writing(folder), bars() as progress:
            for done in draw_set(count, seed, folder, Size(size), POPULATIONS[population], workers):
                folders.append(done.folder.name)
                progress("drawing", len(folders), count)
    except PhantomError as error:
        fail(Exit.UNREADABLE, str(error))
    if as_json:
        settings = {"out": str(folder), "count": count, "seed": seed, "size": size, "population": population}
        print_json({**settings, "studies": folders})
    else:
        say(f"{counted(count, f'{population} exam')} of size {size} from seed {seed} in {folder}")
