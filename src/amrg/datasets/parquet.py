"""Cases as Parquet, exact in both directions, and the facts stored with each part."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from amrg.birads import Report
from amrg.core.files import atomic_write
from amrg.core.hashing import sha256_of_lines
from amrg.core.values import Value
from amrg.datasets.case import Case
from amrg.datasets.importer import DatasetError, Oddity

_FACTS = b"amrg"
_IMAGE = pa.struct(
    [("file", pa.string()), ("laterality", pa.string()), ("view", pa.string()), ("masks", pa.list_(pa.string()))]
)
SCHEMA = pa.schema(
    [
        ("key", pa.string()),
        ("dataset", pa.string()),
        ("group", pa.string()),
        ("source", pa.string()),
        ("licence", pa.string()),
        ("images", pa.list_(_IMAGE)),
        ("reference", pa.string()),  # amrg.birads.Report as JSON, without default values
        ("text", pa.string()),
        ("labels", pa.map_(pa.string(), pa.string())),
        ("published_split", pa.string()),
        ("notes", pa.list_(pa.string())),
    ]
)


class PartFacts(Value):
    """Facts about a part, stored in its own file so that cases and facts are written together or not at all.

    `items` is the hash of the table rows it was made from, `hash` that of its cases, independent of the folder.
    """

    layout: int
    dataset: str
    root: str
    software: str
    items: str
    hash: str
    cases: int
    images: int
    oddities: tuple[Oddity, ...] = ()


def to_table(cases: Sequence[Case]) -> pa.Table:
    """Cases as rows of `SCHEMA`."""
    return pa.Table.from_pylist([_row(case) for case in cases], schema=SCHEMA)


def from_table(table: pa.Table) -> list[Case]:
    """Rows of `SCHEMA` as cases."""
    return [_case(row) for row in table.to_pylist()]


def hash_of(cases: Sequence[Case]) -> str:
    """A hash of the cases' content, the same for any version of the Parquet writer."""
    return sha256_of_lines(case.model_dump_json() for case in cases)


def write_part(path: Path, cases: Sequence[Case], facts: PartFacts) -> None:
    """Write a part with its facts, atomically."""
    table = to_table(cases).replace_schema_metadata({_FACTS: facts.model_dump_json().encode()})
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as partial, partial.open("wb") as file:
        pq.write_table(table, file, compression="zstd")
        file.flush()
        os.fsync(file.fileno())


def read_facts(path: Path) -> PartFacts:
    """The facts of a part.

    Raises:
        DatasetError: the file is no part of a data set.
    """
    try:
        return PartFacts.model_validate_json((pq.read_schema(path).metadata or {})[_FACTS])
    except (pa.ArrowInvalid, OSError, KeyError, ValueError) as error:
        raise _unreadable(path) from error


def read_part(path: Path, columns: list[str] | None = None) -> pa.Table:
    """A part's table, or some of its columns.

    Raises:
        DatasetError: the file is no part of a data set.
    """
    try:
        return pq.read_table(path, columns=columns)
    except (pa.ArrowInvalid, OSError) as error:
        raise _unreadable(path) from error


def stream_part(path: Path, rows: int = 100) -> Iterator[Case]:
    """The cases of a part in order, `rows` of them in memory at a time.

    Raises:
        DatasetError: the file is no part of a data set.
    """
    table = read_part(path)
    for start in range(0, table.num_rows, rows):
        yield from from_table(table.slice(start, rows))


def _row(case: Case) -> dict[str, Any]:
    row = case.model_dump(mode="json", exclude={"reference"})
    row["reference"] = case.reference.model_dump_json(exclude_defaults=True)
    row["labels"] = list(case.labels.items())
    return row


def _case(row: dict[str, Any]) -> Case:
    report = Report.model_validate_json(row["reference"])
    return Case.model_validate({**row, "reference": report, "labels": dict(row["labels"])})


def _unreadable(path: Path) -> DatasetError:
    return DatasetError(f"{path}: not a readable part of a data set; remove {path.parent.parent} and import again")
