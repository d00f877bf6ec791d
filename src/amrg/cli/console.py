"""Shared by all commands: results on stdout, all else on stderr, user errors as one line."""

from __future__ import annotations

import errno
import json
import os
import shutil
import sys
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import typer
from rich.console import Console, ConsoleDimensions, ConsoleOptions, RenderableType, RenderResult
from rich.markup import escape
from rich.measure import Measurement
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Column, Table
from rich.text import Text

from amrg.cli.exits import Exit
from amrg.core.files import FULL, is_full

UNBOUNDED = 100_000  # columns of what is no terminal: a pipe or a file has no width
UNBROKEN = 32  # characters: a table's cell up to this length stays on one line
_NARROWEST = 20  # columns of a cell that may be wrapped


class _Console(Console):
    """A console that wraps lines only on a terminal."""

    @property
    def size(self) -> ConsoleDimensions:
        """Columns and rows."""
        found = super().size
        return found if self.is_terminal else ConsoleDimensions(UNBOUNDED, found.height)

    @size.setter
    def size(self, new: tuple[int, int]) -> None:
        self._width, self._height = new


out = _Console(highlight=False)
err = _Console(stderr=True, highlight=False)


def visible(text: object) -> str:
    """A text with its control characters written as escapes, but for line breaks and tabs: none drives a terminal."""
    return "".join(
        c.encode("unicode_escape").decode() if c not in "\n\t" and unicodedata.category(c) == "Cc" else c
        for c in str(text)
    )


def say(text: object, style: str | None = None) -> None:
    """A line on stdout as it is: no markup in it is read, and no terminal breaks it, so that a path can be copied."""
    out.print(visible(text), style=style, markup=False, soft_wrap=True)


def note(text: object) -> None:
    """A line on stderr as it is, like `say`."""
    err.print(visible(text), markup=False, soft_wrap=True)


class ResultTable(Table):
    """A table that cuts nothing: a name, a number or an interval stays on one line, longer texts wrap at words.

    Where a terminal is too narrow for that, every row is printed as lines of `column: value`. Cells are printed as they
    are: no markup in them is read.
    """

    def add_row(self, *cells: RenderableType | None, **options: Any) -> None:
        """Add a row of texts."""
        super().add_row(*(escape(visible(cell)) if isinstance(cell, str) else cell for cell in cells), **options)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The table, or its rows one below the other."""
        widths = [self._least_width(console, options, column) for column in self.columns]
        if sum(widths) + 3 * len(widths) + 1 <= options.max_width:
            for column, width in zip(self.columns, widths, strict=True):
                column.min_width = width
                column.overflow = "fold"
            yield from super().__rich_console__(console, options)
            return
        if self.title:
            yield Text(str(self.title), style="italic")
        headers = [str(column.header) for column in self.columns]
        for row in zip(*(column.cells for column in self.columns), strict=True):
            for header, cell in zip(headers, row, strict=True):
                if value := " ".join(str(cell).split()):
                    line = console.render_str(f"{header}: {value}" if header else value)
                    if line.cell_len > options.max_width and len(value) <= options.max_width and header:
                        yield Text(f"{header}:")
                        line = console.render_str(value)
                    yield line
            yield Text("")

    def _least_width(self, console: Console, options: ConsoleOptions, column: Column) -> int:
        """Columns of the screen that a column needs."""
        wide = options.update(width=UNBOUNDED)
        cells = [Measurement.get(console, wide, cell) for cell in (column.header, *column.cells)]
        return max(cell.maximum if cell.maximum <= UNBROKEN else max(cell.minimum, _NARROWEST) for cell in cells)


def fail(code: Exit, message: str) -> NoReturn:
    """Print one line on stderr and exit with the code."""
    complain(message)
    raise typer.Exit(code)


def complain(message: str) -> None:
    """One line on stderr."""
    sys.stderr.write("amrg: " + visible(" ".join(message.split())) + "\n")


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
        fail(Exit.UNWRITABLE, unwritable(error, folder))


def unwritable(error: OSError, folder: Path) -> str:
    """The one sentence on a file that could not be written: how much is free where the disk is full."""
    named = _error_file(error) or folder
    return f"{named}: cannot be written ({error.strerror or error}); {_remedy(error, named)}"


def _remedy(error: OSError, named: Path) -> str:
    if error.errno == errno.EFBIG:
        return "a limit on the size of files is lower (ulimit -f): raise it, or name another folder"
    if not is_full(error):
        return "name another folder, or free disk space"
    return (
        f"{_free(named) / 2**20:,.1f} MiB are free there: free disk space, or name another folder, "
        "then run the same command again"
    )


def refuse_no_room(folder: Path, needed: int) -> None:
    """Exit with one line where a folder's disk has less than the needed bytes free."""
    if (free := _free(folder)) < needed:
        fail(
            Exit.UNWRITABLE,
            f"{folder}: {needed / 2**20:,.0f} MiB are needed, {free / 2**20:,.0f} MiB are free there; "
            "free disk space, or name another folder",
        )


def _free(path: Path) -> int:
    """Free bytes of the disk that a path, or the nearest folder above it that exists, is on."""
    return shutil.disk_usage(_nearest(path)).free


def _nearest(path: Path) -> Path:
    return next(there for there in (path.absolute(), *path.absolute().parents) if os.path.lexists(there))


def refuse_unwritable(folder: Path) -> None:
    """Exit with one line where a folder cannot be created or written to. The folder is not created yet."""
    there = _nearest(folder)
    if not there.is_dir():
        fail(Exit.UNWRITABLE, f"{there}: not a folder, so {folder} cannot be created; name another folder")
    if not os.access(there, os.W_OK | os.X_OK):
        fail(Exit.UNWRITABLE, f"{there}: no permission to write, so {folder} cannot be written; name another folder")


_NO_ROOM = (*FULL, errno.EROFS)


def _error_file(error: OSError) -> Path | None:
    """The file that an error names, or None."""
    return Path(error.filename) if isinstance(error.filename, str | os.PathLike) else None


def _is_input(error: OSError, named: Path, folder: Path) -> bool:
    """Whether the file is an input: neither in the output folder nor above it."""
    file, place = named.absolute(), folder.absolute()
    return error.errno not in _NO_ROOM and not file.is_relative_to(place) and not place.is_relative_to(file)


def quieten() -> None:
    """Silence progress bars of the hub and of transformers: `busy` already names the step.

    transformers takes the hub's setting over when it is imported, and is not imported for that: most drafts need none
    of it.
    """
    from huggingface_hub.utils.tqdm import disable_progress_bars

    disable_progress_bars()
    if (transformers_logging := sys.modules.get("transformers.utils.logging")) is not None:
        transformers_logging.disable_progress_bar()


@contextmanager
def busy(message: str) -> Iterator[None]:
    """A spinner on stderr during a long step."""
    with err.status(message):
        yield


@contextmanager
def bars() -> Iterator[Callable[[str, int, int], None]]:
    """Progress bars on stderr, one for each step that is counted; without a terminal a line for each tenth of it."""
    if not err.is_terminal:
        yield _progress_lines()
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True) as display:
        tasks = {}

        def progress(what: str, done: int, count: int) -> None:
            if what not in tasks:
                tasks[what] = display.add_task(what, total=count)
            display.update(tasks[what], completed=done)

        yield progress


def _progress_lines() -> Callable[[str, int, int], None]:
    printed: dict[str, int] = {}

    def progress(what: str, done: int, count: int) -> None:
        tenth = done * 10 // count
        if tenth > printed.get(what, -1):
            printed[what] = tenth
            note(f"{what}: {done:,} of {count:,}")

    return progress
