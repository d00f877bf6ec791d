"""`amrg.score`: any system's predictions next to blind baselines, in memory."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from amrg.benchmark.baselines.suite import fit_baselines
from amrg.benchmark.references import References, read_references, references_of_texts
from amrg.benchmark.scoring.scoring import ScoringOptions
from amrg.benchmark.scoring.scoring import score as score_outputs
from amrg.benchmark.submissions import (
    Outputs,
    match_to_references,
    outputs_in_memory,
    outputs_of_texts,
    read_predictions,
)
from amrg.core.duplicates import duplicates
from amrg.metrics.errors import BenchmarkError
from amrg.metrics.prediction import Prediction
from amrg.metrics.scores import Scores

StrPath = str | os.PathLike[str]


def score(
    predictions: StrPath | Mapping[str, str | None] | Sequence[Prediction],
    references: StrPath | Mapping[str, str] | References,
    *,
    system: str = "system",
    seed: int = 0,
) -> Scores:
    """Score a system's predictions against references, next to blind baselines; nothing is written.

    Both are a file or folder as `amrg benchmark score` takes it, or texts in memory by the key of their case: a dict,
    or a pandas Series with the keys as its index. None is a case where the system failed. A part of a data set is
    `amrg.read_references(folder, split)`.

    Raises:
        BenchmarkError: a file is malformed, the predictions are of other cases, or `system` is a baseline's name.
        DatasetError: a data set folder cannot be read.
    """
    if isinstance(references, str | os.PathLike):
        references = read_references(references, seed=seed)
    elif not isinstance(references, References):
        references = references_of_texts(_texts("references", references))
    outputs = match_to_references(references, _outputs(predictions))
    return score_outputs(references, outputs, fit_baselines(references, seed), ScoringOptions(system, seed))


def _outputs(predictions: StrPath | Mapping[str, str | None] | Sequence[Prediction]) -> Outputs:
    """Predictions in any of the forms of `score`."""
    if isinstance(predictions, str | os.PathLike):
        return read_predictions(Path(predictions))
    if isinstance(predictions, Sequence):
        listed = [one for one in predictions if isinstance(one, Prediction)]
        if len(listed) == len(predictions):
            return outputs_in_memory(listed)
    return outputs_of_texts(_texts("predictions", predictions))


def _is_missing(value: object) -> bool:
    """Whether a value of a Series stands for none: None, NaN, or pandas' NA, which is not equal to itself either."""
    return value is None or type(value).__name__ == "NAType" or value != value  # noqa: PLR0124


def _texts(name: str, given: Any) -> Mapping[str, Any]:
    """Texts by key: a mapping, or a pandas Series with the keys as its index.

    Raises:
        BenchmarkError: it is neither, such as a table or a list of texts.
    """
    if isinstance(given, Mapping):
        return given
    if hasattr(given, "items") and not hasattr(given, "columns"):
        items = list(given.items())
        if twice := duplicates(key for key, _ in items):
            raise BenchmarkError(f"{name}: the key {twice[0]!r} is there more than once; expected one text a case")
        return {key: None if _is_missing(text) else text for key, text in items}
    raise BenchmarkError(
        f"{name}: found {type(given).__name__}; expected a file or folder, or texts by the key of their case, such as "
        'dict(zip(table["id"], table["text"]))'
    )
