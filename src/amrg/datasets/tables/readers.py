"""Tables as published, streamed: CSV and XLSX rows by column name, required columns checked."""

from __future__ import annotations

import csv
import datetime
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from openpyxl import load_workbook

from amrg.core.duplicates import duplicates
from amrg.datasets.importer import DatasetError

Numbered = tuple[int, dict[str, str]]

HEADER_WITHIN = 100
"""Rows of a sheet among which its header is looked for: legends come first in some."""


def numbered_csv_rows(path: Path, required: Sequence[str], delimiter: str = ",") -> Iterator[Numbered]:
    """The rows of a CSV file, each with the number of the line it ends on: column to cell as written.

    Names are stripped; cells that a short row lacks are empty.

    Raises:
        DatasetError: the file is missing, is no text, lacks a required column, or a row has more cells than columns.
    """
    reader = csv.reader(_lines(path), delimiter=delimiter)
    try:
        names = [name.strip() for name in next(reader, [])]
        check_columns(path, names, required)
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield reader.line_num, _by_name(f"{path.name}, line {reader.line_num}", names, cells)
    except csv.Error as error:
        raise DatasetError(f"{path.name}, line {reader.line_num}: not valid CSV ({error}); correct the line") from error


def xlsx_rows(path: Path, required: Sequence[str], sheet: str | None = None) -> Iterator[dict[str, str]]:
    """The rows of a sheet (the first where not named) below the first row that has all required names.

    Cells are text: whole numbers without a point, empty cells empty.

    Raises:
        DatasetError: the file is missing, is no XLSX, has no such sheet, or no row with all required columns.
    """
    names: list[str] | None = None
    nearest: list[str] = []
    for number, cells in xlsx_cells(path, sheet):
        if names is not None:
            yield _by_name(f"{path.name}, row {number}", names, cells)
            continue
        found = [cell.strip() for cell in cells]
        if set(required) <= set(found):
            names = found
            check_columns(path, names, required)
        elif number > HEADER_WITHIN:
            break
        nearest = max(nearest, found, key=lambda row: len(set(required) & set(row)))
    if names is None:
        check_columns(path, nearest, required)


def xlsx_cells(path: Path, sheet: str | None = None) -> Iterator[tuple[int, list[str]]]:
    """The rows of a sheet that are not empty, each with its number, from 1, and its cells as text.

    Raises:
        DatasetError: the file is missing, is no XLSX, or has no such sheet.
    """
    with _workbook(path) as book:
        if sheet is not None and sheet not in book.sheetnames:
            raise DatasetError(f"{path.name}: no sheet {sheet!r}; found the sheets {', '.join(book.sheetnames)}")
        page = book[sheet] if sheet is not None else book.worksheets[0]
        page.reset_dimensions()  # the size that some writers store is wrong
        for number, row in enumerate(page.iter_rows(values_only=True), start=1):
            if any(value is not None for value in row):
                yield number, [_as_text(value) for value in row]


def sheet_names(path: Path) -> list[str]:
    """The sheets of a workbook in order.

    Raises:
        DatasetError: the file is missing, or is no XLSX.
    """
    with _workbook(path) as book:
        return [sheet.title for sheet in book.worksheets]


@contextmanager
def _workbook(path: Path) -> Iterator[Any]:
    """An XLSX file, open."""
    _check_there(path)
    try:
        with warnings.catch_warnings():  # styles and validations that openpyxl does not know change no cell
            warnings.simplefilter("ignore")
            book = load_workbook(path, read_only=True, data_only=True)
    except Exception as error:  # a broken file ends in any of zipfile's, xml's and openpyxl's own
        raise DatasetError(f"{path.name}: not a readable XLSX workbook ({error}); download the file again") from error
    with closing(book):
        yield book


def check_columns(path: Path, found: Sequence[str], required: Sequence[str]) -> None:
    """Check the columns of a table.

    Raises:
        DatasetError: one is missing or occurs twice.
    """
    if missing := [name for name in required if name not in found]:
        raise DatasetError(
            f"{path.name}: missing column{'s' if len(missing) > 1 else ''} {', '.join(missing)}; "
            f"found {', '.join(filter(None, found)) or 'none'}"
        )
    if doubled := [name for name in duplicates(found) if name in required]:
        raise DatasetError(f"{path.name}: the column {doubled[0]} occurs twice; expected once")


def _by_name(where: str, names: Sequence[str], cells: Sequence[str]) -> dict[str, str]:
    """One row by column; unnamed columns are dropped."""
    if any(cell.strip() for cell in cells[len(names) :]):
        raise DatasetError(f"{where}: {len(cells)} cells for {len(names)} columns; a cell with a comma may need quotes")
    padded = [*cells, *[""] * (len(names) - len(cells))]
    return {name: cell for name, cell in zip(names, padded, strict=False) if name}


def _lines(path: Path) -> Iterator[str]:
    """Lines of a text file, UTF-8 or, where a line is not, Windows-1252 as old spreadsheets write."""
    _check_there(path)
    with path.open("rb") as file:
        yield from _decode(path, file)


def _decode(path: Path, lines: Iterable[bytes]) -> Iterator[str]:
    for number, raw in enumerate(lines, start=1):
        if b"\x00" in raw:
            raise DatasetError(f"{path.name}, line {number}: contains NUL bytes; expected text in UTF-8")
        try:
            yield raw.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError:
            yield raw.decode("cp1252", errors="replace")


def _check_there(path: Path) -> None:
    if not path.is_file():
        raise DatasetError(f"{path.name}: no such file in {path.parent}; check that this is the folder of the data set")


def _as_text(value: object) -> str:
    """A cell as text."""
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, datetime.datetime):
        return value.date().isoformat() if value.time() == datetime.time() else value.isoformat()
    return str(value)
