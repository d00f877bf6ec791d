"""Shared by all commands: results on stdout, all else on stderr, user errors as one line."""

from __future__ import annotations

import errno
import json
import os
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
    """Print one line on stderr and exit with the code."""
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
    """Exit with one line where the output folder cannot be written, or an input file cannot be read."""
    try:
        yield
    except OSError as error:
        named, why = _error_file(error) or folder, error.strerror or error
        if _is_input(error, named, folder):
            fail(Exit.UNREADABLE, f"{named}: cannot be read ({why}); change its permissions, or name another file")
        fail(Exit.UNWRITABLE, f"{named}: cannot be written ({why}); name another folder, or free disk space")


def refuse_unwritable(folder: Path) -> None:
    """Exit with one line where a folder cannot be created or written to. The folder is not created yet."""
    there = next(path for path in (folder.absolute(), *folder.absolute().parents) if os.path.lexists(path))
    if not there.is_dir():
        fail(Exit.UNWRITABLE, f"{there}: not a folder, so {folder} cannot be created; name another folder")
    if not os.access(there, os.W_OK | os.X_OK):
        fail(Exit.UNWRITABLE, f"{there}: no permission to write, so {folder} cannot be written; name another folder")


_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)


def _error_file(error: OSError) -> Path | None:
    """The file that an error names, or None."""
    return Path(error.filename) if isinstance(error.filename, str | os.PathLike) else None


def _is_input(error: OSError, named: Path, folder: Path) -> bool:
    """Whether the file is an input: neither in the output folder nor above it."""
    file, place = named.absolute(), folder.absolute()
    return error.errno not in _NO_ROOM and not file.is_relative_to(place) and not place.is_relative_to(file)


def quieten() -> None:
    """Silence transformers' own progress bars: `busy` already names the step."""
    from transformers.utils import logging

    logging.disable_progress_bar()


@contextmanager
def busy(message: str) -> Iterator[None]:
    """A spinner on stderr during a long step."""
    with err.status(message):
        yield


@contextmanager
def bars() -> Iterator[Callable[[str, int, int], None]]:
    """Progress bars on stderr, one for each step that is counted."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True) as display:
        tasks = {}

        def progress(what: str, done: int, count: int) -> None:
            if what not in tasks:
                tasks[what] = display.add_task(what, total=count)
            display.update(tasks[what], completed=done)

        yield progress
