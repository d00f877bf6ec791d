"""The files of an export: Parquet that Hugging Face's `datasets` opens, JSON lines, and RadEval's lists."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from amrg.benchmark.exports.rows import ExportedRun
from amrg.benchmark.scoring.measure import OptionalMetrics, pairs_of, texts_of
from amrg.core.files import atomic_write, write_text


def write_export(run: ExportedRun, form: str, path: Path, label_texts: bool = False) -> int:
    """Write a run in one of `FORMS`; returns the number of rows.

    `label_texts`: RadEval gets references rendered from labels too.

    Raises:
        OSError: the file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    return FORMS[form](run, path, label_texts)


def _parquet(run: ExportedRun, path: Path, _: bool) -> int:
    rows = list(run.rows(pairs_of(run.cases, run.predictions)))
    schema = run.schema()
    features = {"info": {"features": {field.name: _feature(field.type) for field in schema}}}
    stated = {b"huggingface": json.dumps(features).encode(), b"amrg": json.dumps(run.about()).encode()}
    table = pa.Table.from_pylist(rows, schema=schema.with_metadata(stated))
    with atomic_write(path) as partial, partial.open("wb") as file:
        pq.write_table(table, file, compression="zstd")
    return len(rows)


def _feature(kind: pa.DataType) -> Any:
    """An Arrow type as `datasets` stores it in a Parquet file; a list in the form that all its versions read."""
    if pa.types.is_struct(kind):
        return {field.name: _feature(field.type) for field in kind}
    if pa.types.is_list(kind):
        return [_feature(kind.value_type)]
    names = {pa.string(): "string", pa.float64(): "float64", pa.int32(): "int32", pa.bool_(): "bool"}
    return {"dtype": names[kind], "_type": "Value"}


def _json_lines(run: ExportedRun, path: Path, _: bool) -> int:
    rows = list(run.rows(pairs_of(run.cases, run.predictions)))
    write_text(path, (json.dumps(row, ensure_ascii=False) for row in rows))
    return len(rows)


def _radeval(run: ExportedRun, path: Path, label_texts: bool) -> int:
    """The texts that amrg's own text metrics compare, so that both tools score the same."""
    texts = texts_of(pairs_of(run.cases, run.predictions), OptionalMetrics(label_texts))
    scored = [pair for pair in texts if pair.text is not None]
    document = {
        "keys": [pair.key for pair in scored],
        "refs": [pair.reference_text for pair in scored],
        "hyps": [pair.text for pair in scored],
    }
    write_text(path, [json.dumps(document, indent=1, ensure_ascii=False)])
    return len(scored)


FORMS: Mapping[str, Callable[[ExportedRun, Path, bool], int]] = {
    "parquet": _parquet,
    "jsonl": _json_lines,
    "radeval": _radeval,
}
"""What `amrg benchmark export --to` writes."""
