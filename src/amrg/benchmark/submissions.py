"""Predictions of any system: checked, matched to the references by case, with warnings of what is unusual."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from amrg.benchmark.layout import PREDICTIONS
from amrg.benchmark.records import Record, Side, first_error, list_some, read_records, records_of_texts, text_problem
from amrg.benchmark.references import References
from amrg.core.duplicates import duplicates
from amrg.core.hashing import sha256_of_lines
from amrg.core.plurals import counted
from amrg.metrics.errors import BenchmarkError
from amrg.metrics.prediction import Prediction

_MARKS = re.compile(
    r"</?think>|<\|?(?:im_(?:start|end)|end|eot_id|endoftext|assistant)\|?>|<(?:start|end)_of_turn>|</s>"
)
"""What a chat template or a model's reasoning leaves in a text that was not cut out of the model's output."""
_FIELDS = {"text", "report", "error", "refused", "seconds"}


@dataclass(frozen=True)
class Outputs:
    """A system's outputs as read, or as matched to cases; `warnings` says what is unusual about them, a line each."""

    predictions: tuple[Prediction, ...]
    warnings: tuple[str, ...] = ()

    @cached_property
    def hash(self) -> str:
        """SHA-256 over all that is scored of them: the same wherever they were read from."""
        scored = {"key", "text", "report", "refused"}
        return sha256_of_lines(
            p.model_dump_json(include={"key"} if p.text is None else scored) for p in self.predictions
        )


def read_predictions(path: Path) -> Outputs:
    """A system's outputs: JSON lines, CSV, a folder of text files, or a run folder's own.

    An empty text and one over `MAX_CHARACTERS` characters count as failed, and are warned of.

    Raises:
        BenchmarkError: a file or line is malformed (see `read_records`), a field is not of its type, or no record has
            any field that amrg knows.
    """
    in_run = path / PREDICTIONS
    return _outputs(path.name, read_records(in_run if in_run.is_file() else path, Side.PREDICTIONS))


def outputs_of_texts(texts: Mapping[str, str | None]) -> Outputs:
    """A system's texts in memory, by the key of their case; None where it failed.

    Raises:
        BenchmarkError: there is none, a key is empty, or a text is no string.
    """
    return _outputs("predictions", records_of_texts(texts))


def outputs_in_memory(predictions: Sequence[Prediction]) -> Outputs:
    """Predictions in memory, looked at as those of a file are; facts and boxes that they have stay.

    Raises:
        BenchmarkError: there is none, or two are of one case.
    """
    if not predictions:
        raise BenchmarkError("predictions: found none; expected at least one")
    if twice := duplicates(prediction.key for prediction in predictions):
        raise BenchmarkError(f"predictions: duplicate key {twice[0]!r}; remove one")
    return _noticed([_scorable(prediction) for prediction in predictions])


def _scorable(prediction: Prediction) -> Prediction:
    """A prediction, or one that failed where its text cannot be scored."""
    error = prediction.error or text_problem(prediction.text)
    return Prediction(key=prediction.key, text=None, error=error) if error else prediction


def _outputs(name: str, records: Sequence[Record]) -> Outputs:
    """Records as predictions, with a warning of all that is unusual about them."""
    predictions = tuple(_prediction(record) for record in records)
    unrecognised = sorted({field for record in records for field in record.fields if field and field not in _FIELDS})
    if unrecognised and not any(_FIELDS & record.fields.keys() for record in records):
        raise BenchmarkError(
            f"{name}: no `text` in any of {counted(len(records), 'prediction')}; found the fields "
            f"{list_some(unrecognised)}; rename the one with the report to text"
        )
    warnings = [f"unknown fields of the predictions, ignored: {list_some(unrecognised)}"] if unrecognised else []
    return _noticed(predictions, warnings)


def _noticed(predictions: Sequence[Prediction], warnings: Sequence[str] = ()) -> Outputs:
    """Predictions with a warning, after those given, of all that is unusual about their texts."""
    found = list(warnings)
    marked = [p.key for p in predictions if p.text is not None and _MARKS.search(p.text)]
    if marked:
        found.append(
            f"{counted(len(marked), 'text')} of {len(predictions)} with marks of a chat or of reasoning, such as "
            f"<think>, which are scored as written: {list_some(marked)}; remove all but the report"
        )
    failed = [p for p in predictions if p.text is None]
    for error, count in sorted(Counter(p.error or "" for p in failed).items()):
        keys = list_some([p.key for p in failed if p.error == error])
        found.append(f"{count} of {len(predictions)} predictions count as failed ({error}): {keys}")
    return Outputs(tuple(predictions), tuple(found))


def _prediction(record: Record) -> Prediction:
    """A record as a prediction; one that failed has no text and says why."""
    fields = {k: v for k, v in record.fields.items() if k in _FIELDS and v not in (None, "")}
    text = fields.pop("text", None)
    if text is not None and not isinstance(text, str):
        raise BenchmarkError(f"{record.where}: `text` is {type(text).__name__}, expected a string")
    error = fields.pop("error", None) or text_problem(text)
    try:
        stored: dict[str, Any] = {"text": None, "error": error} if error else {**fields, "text": text}
        return Prediction.model_validate_json(json.dumps({"key": record.key, **stored}))
    except ValidationError as invalid:
        raise BenchmarkError(f"{record.where}: {first_error(invalid)}") from invalid


def match_to_references(references: References, outputs: Outputs) -> Outputs:
    """One prediction a case, in the order of the references: a case without one counts as failed.

    Raises:
        BenchmarkError: the predictions are of other cases, or mostly so.
    """
    given = {p.key: p for p in outputs.predictions}
    known = {case.key for case in references.cases}
    unknown, missing = [k for k in given if k not in known], [k for k in known if k not in given]
    if unknown and missing and len(unknown) >= len(given) - len(unknown):
        raise BenchmarkError(_other_cases(references, unknown, missing))
    warnings = list(outputs.warnings)
    if unknown:
        warnings.append(
            f"{counted(len(unknown), 'prediction is', 'predictions are')} of cases that are not among the "
            f"{len(known)} references, and skipped{_parts(references, unknown)}: {list_some(unknown)}"
        )
    if missing:
        warnings.append(
            f"{len(missing)} of {len(known)} cases have no prediction and count as failed: {list_some(missing)}"
        )
    absent = {key: Prediction(key=key, text=None, error="no prediction") for key in missing}
    return Outputs(tuple(given.get(c.key) or absent[c.key] for c in references.cases), tuple(warnings))


def _other_cases(references: References, unknown: Sequence[str], missing: Sequence[str]) -> str:
    part = f" (split {references.split}, part {references.part})" if references.part else ""
    return (
        f"{counted(len(unknown), 'prediction is', 'predictions are')} of cases that are not among the "
        f"{counted(len(references.cases), 'reference')} of {references.name}{part}{_parts(references, unknown)}, and "
        f"{counted(len(missing), 'reference has', 'references have')} none; found for "
        f"example {sorted(unknown)[0]!r}, expected for example {sorted(missing)[0]!r}; name the references of these "
        "predictions"
    )


def _parts(references: References, keys: Iterable[str]) -> str:
    """Which other parts of the split the cases belong to, as text."""
    counted = Counter(references.other_parts[k] for k in keys if k in references.other_parts)
    found = ", ".join(f"{count} to part {part}" for part, count in counted.most_common())
    return f" (of them belong {found} of split {references.split})" if found else ""
