"""What every command shares: results on stdout, all else on stderr, users' mistakes as one line."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from amrg.cli.exits import Exit

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


def fail(code: Exit, message: str) -> NoReturn:
    """One line on stderr, and out."""
    complain(message)
    raise typer.Exit(code)


def complain(message: str) -> None:
    """One line on stderr."""
    sys.stderr.write("amrg: " + " ".join(message.split()) + "\n")


def print_json(document: Any) -> None:
    """One JSON document on stdout and nothing else."""
    sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False, default=str) + "\n")


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Leaves with one line where the folder asked for cannot be written."""
    try:
        yield
    except OSError as error:
        fail(Exit.UNWRITABLE, f"{folder}: cannot be written ({error.strerror}); name another folder, or make room")


def quieten() -> None:
    """Silence transformers' own progress bars: `busy` already says what takes its time."""
    from transformers.utils import logging

    logging.disable_progress_bar()


@contextmanager
def busy(message: str) -> Iterator[None]:
    """A spinner on stderr while something takes its time."""
    with err.status(message):
        yield


@contextmanager
def bars() -> Iterator[Callable[[str, int, int], None]]:
    """Bars on stderr, one for each thing that is done case by case."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True) as shown:
        tasks = {}

        def progress(what: str, done: int, count: int) -> None:
            if what not in tasks:
                tasks[what] = shown.add_task(what, total=count)
            shown.update(tasks[what], completed=done)

        yield progress
