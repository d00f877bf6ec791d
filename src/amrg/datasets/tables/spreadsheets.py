"""Tables as people export them: encoding, delimiter and headings are found out; other rows are refused by their line.

CSV with commas, semicolons, tabs or bars, in UTF-8, UTF-16 or Windows-1252, with Excel's `sep=` line or without; XLSX.
"""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

from amrg.datasets.importer import DatasetError, Odd, Oddity
from amrg.datasets.tables.columns import KnownColumns
from amrg.datasets.tables.readers import Numbered, sheet_names, xlsx_cells

DELIMITERS = {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a bar"}
_SEPARATOR = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)
_UNDECODED = re.compile("[\udc80-\udcff]+")
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
NumberedCells = tuple[int, list[str]]


def table_rows(path: Path, columns: KnownColumns, odd: Odd) -> Iterator[Numbered]:
    """The rows of a CSV or XLSX table, each with the number of its first line: known columns under their own names.

    Raises:
        DatasetError: it cannot be read, its columns cannot be right (see `KnownColumns.resolve`), or a row has another
            number of cells than the header.
    """
    is_csv = path.suffix.lower() != ".xlsx"
    rows = _csv_cells(path, columns, odd) if is_csv else _sheet_cells(path, odd)
    _, header = next(rows, (1, []))
    names = columns.resolve(path.name, header)
    unnamed = False
    for number, cells in rows:
        _check_width(f"{path.name} line {number}", len(names), cells, is_csv)
        padded = [*cells, *[""] * (len(names) - len(cells))]
        if not unnamed and any(cell.strip() for name, cell in zip(names, padded, strict=False) if not name):
            odd(Oddity(where=f"{path.name} line {number}", found="a cell without a column name", expected="a name"))
            unnamed = True
        yield number, {name: cell for name, cell in zip(names, padded, strict=False) if name}


def _check_width(where: str, names: int, cells: list[str], is_csv: bool) -> None:
    """Refuse a row with other cells than the header has: a break or delimiter inside a cell has split it."""
    if any(cell.strip() for cell in cells[names:]) or (is_csv and len(cells) < names):
        raise DatasetError(
            f"{where}: {len(cells)} cells for {names} columns; "
            "a cell with the delimiter, a quote or a line break in it needs quotes around it"
        )


def text_lines(path: Path, odd: Odd) -> Iterator[str]:
    """The lines of a text file with their ends; the first line that is not UTF-8 is odd.

    Raises:
        DatasetError: it is no text.
    """
    noted = False
    with path.open("rb") as file:
        encoding = _encoding(file.read(4))
    with path.open(encoding=encoding, errors="surrogateescape", newline="") as lines:
        for number, line in enumerate(lines, start=1):
            if "\x00" in line:
                raise DatasetError(f"{path.name} line {number}: contains NUL bytes; expected text in UTF-8")
            whole = _UNDECODED.sub(_as_windows, line)
            if whole != line and not noted:
                noted = True
                found = "bytes that are not UTF-8, read as Windows-1252"
                odd(Oddity(where=f"{path.name} line {number}", found=found, expected="UTF-8"))
            yield whole


def read_text(path: Path, odd: Odd) -> str:
    """A text file whole; its line ends stay as they are. Like `text_lines`."""
    return "".join(text_lines(path, odd))


def _encoding(start: bytes) -> str:
    """By the byte order mark, or by where the first characters have their zero byte; UTF-8 otherwise."""
    for mark, name in _BOMS:
        if start.startswith(mark):
            return name
    zeros = [byte == 0 for byte in start]
    if zeros == [False, True, False, True]:
        return "utf-16-le"
    return "utf-16-be" if zeros == [True, False, True, False] else "utf-8"


def _as_windows(found: re.Match[str]) -> str:
    """Bytes that were not UTF-8."""
    return found[0].encode("utf-8", "surrogateescape").decode("cp1252", errors="replace")


def _csv_cells(path: Path, columns: KnownColumns, odd: Odd) -> Iterator[NumberedCells]:
    """The rows of a CSV file that are not empty, the header first."""
    lines = text_lines(path, odd)
    delimiter, skipped = None, 0
    for first in lines:
        stated = _SEPARATOR.fullmatch(first)
        if first.strip() and (stated is None or delimiter is not None):
            break
        delimiter = stated[1] if stated is not None else delimiter
        skipped += 1
    else:
        return
    delimiter = delimiter or _delimiter(first, columns)
    for number, cells in _parsed(path, chain([first], lines), delimiter, skipped):
        if any(cell.strip() for cell in cells):
            yield number, cells


def _parsed(path: Path, lines: Iterable[str], delimiter: str, skipped: int) -> Iterator[NumberedCells]:
    """The cells of each row, with the line on which it starts."""
    reader = csv.reader(lines, delimiter=delimiter, strict=True, skipinitialspace=delimiter != "\t")
    while True:
        start = reader.line_num + 1 + skipped
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise DatasetError(
                f"{path.name} line {start}: not valid CSV ({error}); a quote in a cell is written twice, "
                "and the cell needs quotes around it"
            ) from error
        if cells is None:
            return
        yield start, cells


def _delimiter(header: str, columns: KnownColumns) -> str:
    """The delimiter by which a header has most known columns, then most columns."""

    def count(delimiter: str) -> tuple[int, int]:
        names = next(csv.reader([header], delimiter=delimiter), [])
        return sum(columns.known(name) is not None for name in names), len(names)

    return max(DELIMITERS, key=count)


def _sheet_cells(path: Path, odd: Odd) -> Iterator[NumberedCells]:
    """The rows of the first sheet; another sheet with cells is odd, as it is not read."""
    first, *others = sheet_names(path)
    for name in others:
        if next(xlsx_cells(path, name), None) is not None:
            odd(Oddity(where=f"{path.name}, sheet {name}", found="a sheet that is not read", expected="one sheet"))
    yield from xlsx_cells(path, first)
