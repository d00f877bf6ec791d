"""Predictions as they are stored: one a line, each flushed before the next, resumed where a run was interrupted."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from amrg.core.files import atomic_write
from amrg.metrics.errors import BenchmarkError
from amrg.metrics.prediction import Prediction

Predict = Callable[[Sequence[str]], Iterator[Prediction]]
"""Keys of cases to what a system writes for them, in order; it may draw several cases before the first is there."""

DIFFERENT_RUN = "the folder contains a different run; use an empty folder, or repeat the same run to resume it"


@dataclass(frozen=True)
class WrittenLine:
    """A line of a file of predictions: when it was written (seconds since 1970), and at which byte it begins."""

    time: float
    path: Path
    start: int


def resume_predictions(
    path: Path, keys: Sequence[str], predict: Predict, written: list[WrittenLine]
) -> Iterator[Prediction]:
    """A prediction a key, in the order of `keys`: those on file first, then the others, each written before it is
    yielded, and noted in `written`.

    However often this is interrupted, the file ends with the same bytes, as long as `predict` is deterministic.

    Raises:
        BenchmarkError: the file holds predictions of other cases.
    """
    done = read_finished(path, keys)
    yield from done
    with path.open("ab") as lines:
        for prediction in predict(keys[len(done) :]):
            written.append(WrittenLine(time.time(), path, lines.tell()))
            lines.write(to_line(prediction))
            lines.flush()  # a complete line says that the case is done
            yield prediction


def withdraw_lines(written: Sequence[WrittenLine], since: float) -> int:
    """Remove the lines that were written since a time (seconds since 1970); how many."""
    late = [line for line in written if line.time >= since]
    for line in reversed(late):  # the last of every file first: each file ends with what is left of it
        os.truncate(line.path, line.start)
    return len(late)


def withdraw_failed(path: Path, keep: Callable[[Prediction], None]) -> None:
    """Remove the predictions from the first failed case on, so that they are made again; `keep` gets the others first.

    A file that is not there, or has no failed case, stays as it is.
    """
    finished = [_parsed(line) for line in path.read_bytes().splitlines(keepends=True)] if path.is_file() else []
    predictions = [one for one in finished if one is not None]
    first = next((number for number, one in enumerate(predictions) if one.text is None), None)
    if first is None:
        return
    for one in predictions[first:]:
        if one.text is not None:
            keep(one)
    write_predictions(path, predictions[:first])


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
