"""Predictions as they are stored: one a line, on disk at once, taken up again where a run stopped."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from pydantic import ValidationError

from amrg.core.files import atomic_write
from amrg.metrics.errors import BenchmarkError
from amrg.metrics.prediction import Prediction

Draft = Callable[[str], Prediction]
"""A case's key to what a system writes for it."""


def resume_predictions(path: Path, keys: Sequence[str], draft: Draft) -> Iterator[Prediction]:
    """A prediction a key, in the order of `keys`: those on file first, then the others, each on file before it comes.

    However often this is broken off, the file ends with the same bytes, as long as `draft` gives the same again.

    Raises:
        BenchmarkError: the file holds predictions of other cases.
    """
    done = read_finished(path, keys)
    yield from done
    with path.open("ab") as lines:
        for key in keys[len(done) :]:
            prediction = draft(key)
            lines.write(to_line(prediction))
            lines.flush()  # a whole line says that the case is done
            yield prediction


def read_finished(path: Path, keys: Sequence[str]) -> list[Prediction]:
    """The predictions on file; whatever follows the last whole line is cut off it.

    Raises:
        BenchmarkError: the file holds predictions of other cases.
    """
    done: list[Prediction] = []
    whole = 0
    for line in path.read_bytes().splitlines(keepends=True) if path.is_file() else []:
        prediction = _parsed(line)
        if prediction is None:
            break
        expected = f"case {keys[len(done)]}" if len(done) < len(keys) else "no further case"
        refuse_other_run(f"{path.name} line {len(done) + 1}", f"case {prediction.key}", expected)
        done.append(prediction)
        whole += len(line)
    if path.is_file() and path.stat().st_size > whole:
        os.truncate(path, whole)
    return done


def write_predictions(path: Path, predictions: Sequence[Prediction]) -> None:
    """Write a whole file of predictions at once, in place of what was there."""
    with atomic_write(path) as partial:
        partial.write_bytes(b"".join(to_line(p) for p in predictions))


def to_line(prediction: Prediction) -> bytes:
    """A prediction as its line: what is at its default is left out."""
    return prediction.model_dump_json(exclude_defaults=True).encode() + b"\n"


def _parsed(line: bytes) -> Prediction | None:
    """A whole line as a prediction, or None where the run stopped while it was written."""
    if not line.endswith(b"\n"):
        return None
    try:
        return Prediction.model_validate_json(line)
    except ValidationError:
        return None


def refuse_other_run(where: str, found: str, expected: str) -> None:
    """Refuse to go on with what another run left.

    Raises:
        BenchmarkError: found is not expected.
    """
    if found != expected:
        raise BenchmarkError(
            f"{where}: found {found}, expected {expected}: another run lies there; name an empty folder, or ask for "
            "the same run again"
        )
