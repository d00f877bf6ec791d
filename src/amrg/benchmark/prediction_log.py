"""Predictions as they are stored: one a line, each flushed before the next, resumed where a run was interrupted."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from pydantic import ValidationError

from amrg.core.files import atomic_write
from amrg.metrics.errors import BenchmarkError
from amrg.metrics.prediction import Prediction

Predict = Callable[[str], Prediction]
"""A case's key to what a system writes for it."""

DIFFERENT_RUN = "the folder contains a different run; use an empty folder, or repeat the same run to resume it"


def resume_predictions(path: Path, keys: Sequence[str], predict: Predict) -> Iterator[Prediction]:
    """A prediction a key, in the order of `keys`: those on file first, then the others, each written before it is
    yielded.

    However often this is interrupted, the file ends with the same bytes, as long as `predict` is deterministic.

    Raises:
        BenchmarkError: the file holds predictions of other cases.
    """
    done = read_finished(path, keys)
    yield from done
    with path.open("ab") as lines:
        for key in keys[len(done) :]:
            prediction = predict(key)
            lines.write(to_line(prediction))
            lines.flush()  # a complete line says that the case is done
            yield prediction


def read_finished(path: Path, keys: Sequence[str]) -> list[Prediction]:
    """The predictions on file; an incomplete last line is removed.

    Raises:
        BenchmarkError: the file holds predictions of other cases.
    """
    done: list[Prediction] = []
    complete = 0
    for line in path.read_bytes().splitlines(keepends=True) if path.is_file() else []:
        prediction = _parsed(line)
        if prediction is None:
            break
        expected = f"case {keys[len(done)]}" if len(done) < len(keys) else "no further case"
        refuse_other_run(f"{path.name} line {len(done) + 1}", f"case {prediction.key}", expected)
        done.append(prediction)
        complete += len(line)
    if path.is_file() and path.stat().st_size > complete:
        os.truncate(path, complete)
    return done


def write_predictions(path: Path, predictions: Sequence[Prediction]) -> None:
    """Write a file of predictions atomically, replacing any that exists."""
    with atomic_write(path) as partial:
        partial.write_bytes(b"".join(to_line(p) for p in predictions))


def to_line(prediction: Prediction) -> bytes:
    """A prediction as its line: fields at their default are omitted."""
    return prediction.model_dump_json(exclude_defaults=True).encode() + b"\n"


def _parsed(line: bytes) -> Prediction | None:
    """A complete line as a prediction; None where the run was interrupted while it was written."""
    if not line.endswith(b"\n"):
        return None
    try:
        return Prediction.model_validate_json(line)
    except ValidationError:
        return None


def refuse_other_run(where: str, found: str, expected: str) -> None:
    """Refuse to resume what a different run wrote.

    Raises:
        BenchmarkError: found is not expected.
    """
    if found != expected:
        raise BenchmarkError(f"{where}: found {found}, expected {expected}: {DIFFERENT_RUN}")
