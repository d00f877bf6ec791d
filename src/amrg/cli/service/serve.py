"""`amrg serve`: the DICOM node, the worker that drafts and the one that delivers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from amrg.cli.console import complain, fail, say
from amrg.cli.exits import Exit


def serve(
    config: Annotated[
        Path | None, typer.Option(help="Settings as docs/operations.md lists them (default: amrg.toml, where it is).")
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Say what is missing, and start nothing.")] = False,
) -> None:
    """Receive studies by DICOM, draft them, and keep them for a reader to sign, until stopped."""
    from amrg.service import serve as service
    from amrg.service.settings import Settings, read_settings

    file = config or service.default_config()
    settings = Settings() if file is None else read_settings(file)
    if check:
        from amrg.service.processes.checking import find_problems, unreachable

        problems = list(find_problems(settings))
        away = list(unreachable(settings))
        for problem in (*problems, *away):
            complain(problem)
        if problems or away:
            raise typer.Exit(Exit.USAGE if problems else Exit.INCOMPLETE)
        say("nothing is missing, and every source and destination answers")
        return
    try:
        raise typer.Exit(service.serve(settings))
    except service.ServeError as error:
        fail(Exit.USAGE, str(error))
