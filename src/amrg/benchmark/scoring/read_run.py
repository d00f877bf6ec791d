"""A run folder as the page reads it: all scores and the manifest, texts only of selected cases."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from amrg.benchmark.layout import CASES, MANIFEST, PREDICTIONS, SCORES
from amrg.benchmark.records import first_error
from amrg.benchmark.references import References
from amrg.benchmark.scoring.measure import pairs_of
from amrg.benchmark.submissions import Outputs
from amrg.core.errors import first_line
from amrg.datasets.case import Case
from amrg.metrics.errors import BenchmarkError
from amrg.metrics.pairs import Pair
from amrg.metrics.prediction import Prediction
from amrg.metrics.scores import SCHEMA, Scores

_Line = TypeVar("_Line", Case, Prediction)


def read_scores(folder: Path) -> Scores:
    """The scores of a run.

    Raises:
        BenchmarkError: there are none, or they are of another layout.
    """
    path = folder / SCORES
    _refuse_missing(path)
    try:
        scores = Scores.model_validate_json(path.read_bytes())
    except ValidationError as error:
        _refuse_other_schema(path, _object(path).get("schema_version"))
        raise BenchmarkError(f"{path}: {first_error(error)}; score the run again") from error
    _refuse_other_schema(path, scores.schema_version)
    return scores


def distinct_names(folders: Sequence[Path], systems: Sequence[str]) -> list[str]:
    """What runs are called next to each other: by their system, or by their folder where two have the same one."""
    names = Counter(systems)
    return [str(folder) if names[system] > 1 else system for folder, system in zip(folders, systems, strict=True)]


def _refuse_other_schema(path: Path, found: object) -> None:
    if found != SCHEMA:
        raise BenchmarkError(f"{path}: found schema_version {found!r}, expected {SCHEMA}; score the run again")


def read_manifest(folder: Path) -> dict[str, Any]:
    """The run's manifest; empty where there is none.

    Raises:
        BenchmarkError: the file holds no JSON object.
    """
    path = folder / MANIFEST
    return _object(path, f"copy it again, or score {PREDICTIONS} into another folder") if path.is_file() else {}


def _object(path: Path, remedy: str = "score the run again") -> dict[str, Any]:
    """A file's one JSON object."""
    _refuse_missing(path)
    try:
        found = json.loads(path.read_bytes())
    except ValueError as error:  # no JSON, or no UTF-8
        raise BenchmarkError(f"{path}: no JSON ({first_line(error)}); {remedy}") from error
    if not isinstance(found, dict):
        raise BenchmarkError(f"{path}: found {type(found).__name__}, expected an object; {remedy}")
    return found


def refuse_changed(folder: Path, scores: Scores, references: References, outputs: Outputs) -> None:
    """Refuse a run whose cases or predictions are no longer those of its scores.

    Raises:
        BenchmarkError: naming which.
    """
    for what, now, then in (
        ("cases", references.hash, scores.data.hash),
        ("predictions", outputs.hash, scores.predictions_hash),
    ):
        if now != then:
            raise BenchmarkError(f"{folder}: its {what} are not those of its scores; score the run again")


def reference_lengths(folder: Path) -> dict[str, int]:
    """Characters of every reference text, by key.

    Raises:
        BenchmarkError: the folder holds no cases, or a line is malformed.
    """
    return {row["key"]: len(row.get("text") or "") for _, row in _rows(folder / CASES)}


def read_cases(folder: Path, keys: set[str]) -> dict[str, tuple[Case, Pair]]:
    """These cases of the run with their pairs as they were scored, by key, in the order in which they were scored.

    Raises:
        BenchmarkError: a file or a case is missing, or a line is malformed.
    """
    cases, predictions = _read_lines(folder / CASES, Case, keys), _read_lines(folder / PREDICTIONS, Prediction, keys)
    pairs = pairs_of(list(cases.values()), [predictions[key] for key in cases])
    return {key: (case, pair) for (key, case), pair in zip(cases.items(), pairs, strict=True)}


def _read_lines(path: Path, kind: type[_Line], keys: set[str]) -> dict[str, _Line]:
    """The lines of these cases, in the file's order."""
    found: dict[str, _Line] = {}
    for where, row in _rows(path):
        if row["key"] in keys:
            try:
                found[row["key"]] = kind.model_validate_json(json.dumps(row))
            except ValidationError as error:
                raise BenchmarkError(f"{where}: {first_error(error)}; score the run again") from error
    missing = sorted(keys - found.keys())
    if missing:
        raise BenchmarkError(
            f"{path}: no line for case {missing[0]!r}, which scores.json holds ({len(missing)} such cases); "
            "score the run again"
        )
    return found


def _rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each line's place and fields, `key` among them; one line at a time is in memory."""
    _refuse_missing(path)
    with path.open(encoding="utf-8", newline="\n") as lines:
        for number, line in enumerate(lines, 1):
            where = f"{path} line {number}"
            try:
                row = json.loads(line)
            except json.JSONDecodeError as error:
                raise BenchmarkError(f"{where}: no JSON ({error.msg}); score the run again") from error
            if not isinstance(row, dict) or not isinstance(row.get("key"), str):
                raise BenchmarkError(f"{where}: expected an object with a `key`; score the run again")
            yield where, row


def _refuse_missing(path: Path) -> None:
    if not path.is_file():
        raise BenchmarkError(f"no {path.name} in the run folder {path.parent.name}: run or score the benchmark first")
