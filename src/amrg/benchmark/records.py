"""Files of any system as records: JSON lines, CSV, a folder of text files; errors name file and line."""

from __future__ import annotations

import codecs
import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from numbers import Integral
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from amrg.birads import Report
from amrg.core.duplicates import duplicates
from amrg.datasets.tables.cells import stated
from amrg.metrics.bulk_parsing import MAX_CHARACTERS
from amrg.metrics.errors import BenchmarkError

FORMATS = (
    "JSON lines (.jsonl) with `id` and `text`, CSV (.csv) with columns id and text, a folder of .txt files, or "
    "RadEval's lists `refs` and `hyps` (.json)"
)

_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(frozen=True)
class Record:
    """One line, row or file: its place (`where`), the case's key, and its other fields as given."""

    where: str
    key: str
    fields: dict[str, Any]


class Side(StrEnum):
    """Which texts of RadEval's input are meant: its two lists by their names there."""

    REFERENCES = "refs"
    PREDICTIONS = "hyps"


def read_records(path: Path, side: Side) -> list[Record]:
    """The records of a file or folder, in its order (files by name), each key once.

    `side` says which list of RadEval's input is read; other formats have one text a record.

    Raises:
        BenchmarkError: there is no such file, it is in none of the four formats, a line is malformed, a key is missing
            or duplicate, or the encoding is not UTF-8.
    """
    if path.is_dir():
        records = list(_text_files(path))
    elif not path.is_file():
        raise BenchmarkError(f"{path}: no such file or folder; expected {FORMATS}")
    elif path.suffix.lower() in (".jsonl", ".ndjson"):
        records = list(_json_lines(path))
    elif path.suffix.lower() == ".csv":
        records = list(_rows(path))
    elif path.suffix.lower() == ".json":
        records = list(_radeval_lists(path, side))
    else:
        raise BenchmarkError(f"{path.name}: found a file ending in {path.suffix or 'nothing'!r}; expected {FORMATS}")
    if not records:
        raise BenchmarkError(f"{path.name}: found no record; expected {FORMATS}")
    _refuse_duplicates(records)
    return records


def records_of_texts(texts: Mapping[str, Any]) -> list[Record]:
    """Texts in memory as records, in their order; the place of each is its key.

    Raises:
        BenchmarkError: there is none, or a key is no text.
    """
    if not texts:
        raise BenchmarkError("found no text; expected at least one, by the key of its case")
    records = [Record(f"case {key!r}", _key(f"case {key!r}", {"id": key}), {"text": t}) for key, t in texts.items()]
    _refuse_duplicates(records)
    return records


def read_utf8(path: Path) -> str:
    """A file's text; a UTF-8 byte order mark is dropped, line ends stay as they are.

    Raises:
        BenchmarkError: it is UTF-16 or some 8-bit encoding, named with how to convert it.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise BenchmarkError(f"{path.name}: cannot be read ({error.strerror})") from error
    start = raw[:4000]
    if raw.startswith(_UTF16) or start.count(0) > len(start) // 4:
        raise BenchmarkError(f"{path.name}: found UTF-16, expected UTF-8; {_convert(path, 'UTF-16')}")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise BenchmarkError(
            f"{path.name} line {line}: found the byte {raw[error.start]:#04x}, expected UTF-8; this is most likely "
            f"latin-1 (Windows-1252): {_convert(path, 'WINDOWS-1252')}"
        ) from error


def _convert(path: Path, encoding: str) -> str:
    return f"convert it, as in `iconv -f {encoding} -t UTF-8 {path.name}`"


def _refuse_duplicates(records: list[Record]) -> None:
    first: dict[str, str] = {}
    for record in records:
        if record.key in first:
            raise BenchmarkError(
                f"{record.where}: duplicate id {record.key!r}, first at {first[record.key]}; remove one"
            )
        first[record.key] = record.where


def _json_lines(path: Path) -> Iterator[Record]:
    """An object a line; blank lines are skipped."""
    for number, line in enumerate(read_utf8(path).split("\n"), 1):
        if not line.strip():
            continue
        where = f"{path.name} line {number}"
        try:
            found = json.loads(line, parse_constant=_no_constant)
        except json.JSONDecodeError as error:
            raise BenchmarkError(
                f"{where}: no JSON ({error.msg} at character {error.pos + 1}); expected one object a line"
            ) from error
        except (ValueError, RecursionError) as error:  # NaN, thousands of digits, brackets without end
            raise BenchmarkError(f"{where}: no JSON ({str(error)[:60]}); expected one object a line") from error
        if not isinstance(found, dict):
            raise BenchmarkError(f"{where}: found {type(found).__name__}, expected an object with `id` and `text`")
        yield Record(where, _key(where, found), {k: v for k, v in found.items() if k not in ("id", "key")})


def _no_constant(name: str) -> float:
    """Python reads NaN and Infinity, which JSON does not have.

    Raises:
        ValueError: always.
    """
    raise ValueError(f"{name} is not a number of JSON")


def _key(where: str, fields: dict[str, Any]) -> str:
    """The case's key, under `id` or (as amrg stores it) `key`; an integer is read as its digits."""
    key = fields.get("id", fields.get("key"))
    if isinstance(key, Integral) and not isinstance(key, bool):  # numpy's integers too
        key = str(key)
    if key is not None and not isinstance(key, str):
        found = json.dumps(key, default=str)[:40]
        raise BenchmarkError(f"{where}: `id` is {found}; expected a text, or a whole number")
    if key is None or not key.strip():
        raise BenchmarkError(f"{where}: no `id`; found the fields {', '.join(map(str, fields)) or 'none'}")
    return key.strip()


def read_object(path: Path) -> dict[str, Any]:
    """The one JSON object of a file.

    Raises:
        BenchmarkError: it cannot be read, or is no object of JSON.
    """
    text = read_utf8(path)
    try:
        found = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise BenchmarkError(f"{path.name}: no JSON ({str(error)[:60]}); expected one object") from error
    if not isinstance(found, dict):
        raise BenchmarkError(f"{path.name}: found {type(found).__name__}, expected an object")
    return found


def _radeval_lists(path: Path, side: Side) -> Iterator[Record]:
    """A record a text of RadEval's lists; without `keys`, cases are numbered from 0 in their order."""
    found = read_object(path)
    refs, hyps = (found.get(name) for name in Side)
    if not isinstance(refs, list) or not isinstance(hyps, list) or len(refs) != len(hyps):
        counts = ", ".join(
            f"{n}: {len(v) if isinstance(v, list) else 'no list'}" for n, v in (("refs", refs), ("hyps", hyps))
        )
        raise BenchmarkError(f"{path.name}: {counts}; expected RadEval's lists `refs` and `hyps`, of one length")
    keys = found.get("keys", [str(number) for number in range(len(refs))])
    if not isinstance(keys, list) or len(keys) != len(refs):
        raise BenchmarkError(
            f"{path.name}: `keys` is no list of {len(refs)}; expected the key of every text, or no `keys`"
        )
    for number, (key, text) in enumerate(zip(keys, found[side], strict=True)):
        where = f"{path.name} {side}[{number}]"
        yield Record(where, _key(where, {"id": key}), {"text": text})


def _rows(path: Path) -> Iterator[Record]:
    """A record a row of a CSV with a header."""
    written = read_utf8(path)
    csv.field_size_limit(max(csv.field_size_limit(), len(written)))  # a long text is the reader's to judge, not csv's
    reader = csv.DictReader(io.StringIO(written, newline=""), strict=True)
    try:
        header = [name.strip() for name in reader.fieldnames or []]
        if not {"id", "text"} <= set(header):
            raise BenchmarkError(f"{path.name} line 1: found {', '.join(header) or 'nothing'}; {_columns(header)}")
        if twice := duplicates(header):
            raise BenchmarkError(f"{path.name} line 1: the column {twice[0]} is there twice; expected each once")
        reader.fieldnames = header
        for row in reader:
            where = f"{path.name} line {reader.line_num}"
            if None in row or None in row.values():
                raise BenchmarkError(
                    f"{where}: the row does not have as many fields as the header ({len(header)}); quote texts that "
                    "contain commas or line ends"
                )
            yield Record(where, _key(where, row), {k: v for k, v in row.items() if k != "id"})
    except csv.Error as error:
        first = written.split("\n", 1)[0].strip()
        if reader.line_num == 0 and _other_delimiter([first]) is not None:  # a quoted header of another delimiter
            raise BenchmarkError(f"{path.name} line 1: found {first}; {_columns([first])}") from error
        raise BenchmarkError(f"{path.name} line {reader.line_num}: {error}; is a double quote left open?") from error


def _other_delimiter(header: list[str]) -> str | None:
    return next((sign for sign in (";", "\t") if any(sign in name for name in header)), None)


def _columns(header: list[str]) -> str:
    found = _other_delimiter(header)
    if found is not None:
        return f"expected the columns id and text, separated by commas, not {found!r}"
    return "expected the columns id and text"


def _text_files(folder: Path) -> Iterator[Record]:
    """A record a `.txt` file, its stem the key."""
    files = sorted(p for p in folder.iterdir() if p.is_file() and p.suffix.lower() == ".txt")
    if not files:
        raise BenchmarkError(f"{folder.name}: found no .txt file in the folder; expected {FORMATS}")
    for path in files:
        yield Record(path.name, path.stem, {"text": read_utf8(path)})


def list_some(names: Iterable[str], limit: int = 5) -> str:
    """A few names, and how many more there are."""
    given = sorted(names)
    more = f" and {len(given) - limit} more" if len(given) > limit else ""
    return ", ".join(given[:limit]) + more


def first_error(invalid: ValidationError) -> str:
    """The first validation error: field, found, expected."""
    fault = invalid.errors(include_url=False)[0]
    place = ".".join(map(str, fault["loc"])) or "the document"
    return f"`{place}` is {str(fault['input'])[:60]!r}: {fault['msg']}"


def record_report(record: Record) -> Report | None:
    """The structured report that a record has besides its text.

    Raises:
        BenchmarkError: it is not a report in amrg's layout.
    """
    if record.fields.get("report") in (None, ""):
        return None
    try:
        return Report.model_validate_json(json.dumps(record.fields["report"]))
    except ValidationError as invalid:
        raise BenchmarkError(f"{record.where}: report: {first_error(invalid)}") from invalid


def text_problem(text: str | None) -> str | None:
    """Why a text cannot be scored; None where it can."""
    if text is None or not stated(text):
        return "no text"
    if len(text) > MAX_CHARACTERS:
        return f"a text of over {MAX_CHARACTERS:,} characters"
    if any("\ud800" <= c <= "\udfff" for c in text):
        return "a text with an unpaired surrogate"
    return None
