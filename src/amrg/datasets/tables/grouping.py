"""Rows of tables to items: rows of one case are brought together, in any order of the table."""

from __future__ import annotations

import errno
import json
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from amrg.datasets.importer import Item
from amrg.datasets.tables.readers import Numbered

Row = dict[str, str]

WHERE = "@"
"""Names that begin with it are no published columns: this one has the table and line of a row."""


def with_line_numbers(path: Path, rows: Iterable[Numbered]) -> Iterator[Row]:
    """Numbered rows, each with its file and line under `WHERE`."""
    return ({**row, WHERE: f"{path.name} line {number}"} for number, row in rows)


def with_row_numbers(name: str, rows: Iterable[Row]) -> Iterator[Row]:
    """Rows whose line is not known, each with its number among the rows of `name` under `WHERE`."""
    return ({**row, WHERE: f"{name} row {number}"} for number, row in enumerate(rows, start=1))


def group_rows(rows: Iterable[tuple[str, Row]]) -> Iterator[Item]:
    """Items by key, in the order in which their keys first occur; the rows of an item in their own order.

    The tables need not be sorted. Rows wait in a temporary database on disk, so memory stays bounded for any number.
    """
    with _disk_errors(), closing(sqlite3.connect("")) as waiting:  # without a name: a private file, closed with it
        waiting.execute("CREATE TABLE row (number INTEGER PRIMARY KEY, key TEXT, cells TEXT)")
        waiting.executemany("INSERT INTO row (key, cells) VALUES (?, ?)", ((key, json.dumps(row)) for key, row in rows))
        waiting.execute("CREATE INDEX by_key ON row (key)")
        keys = waiting.execute("SELECT key FROM row GROUP BY key ORDER BY MIN(number)")
        for (key,) in keys:
            found = waiting.execute("SELECT cells FROM row WHERE key = ? ORDER BY number", (key,))
            yield Item(key, tuple(json.loads(cells) for (cells,) in found))


@contextmanager
def _disk_errors() -> Iterator[None]:
    """A temporary folder that is full, as the system's own error."""
    try:
        yield
    except sqlite3.OperationalError as error:
        folder = tempfile.gettempdir()
        raise OSError(errno.ENOSPC, f"rows of the table cannot be kept there: {error}", folder) from error


def labels_of(rows: Iterable[Row]) -> dict[str, str]:
    """The published columns of a case: a value where all its rows agree, else each row's in order, joined by ` | `.

    Columns that are empty in every row are omitted.
    """
    columns: dict[str, list[str]] = {}
    for row in rows:
        for name, cell in row.items():
            if not name.startswith(WHERE):
                columns.setdefault(name, []).append(cell.strip())
    return {
        name: cells[0] if len(set(cells)) == 1 else " | ".join(cells) for name, cells in columns.items() if any(cells)
    }
