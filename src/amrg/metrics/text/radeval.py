"""BERTScore, RadGraph, GREEN and the like through the optional package RadEval (2.2): not rewritten here.

RadEval loads its models on first use, from the hub where they are not there yet; whoever asks for its metrics asks for
that. Metrics that send reports to a model in the cloud are not run from here.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any

import numpy as np

from amrg.core.duplicates import duplicates
from amrg.metrics.errors import BenchmarkError
from amrg.metrics.families import Family
from amrg.metrics.metric import Array, Metric, mean_of, ratio
from amrg.metrics.pairs import Pair
from amrg.metrics.text.suite import DistinctTexts

LOCAL = (
    "bertscore", "bleu", "f1chexbert", "f1radbert_ct", "green", "radeval_bertscore", "radgraph", "radgraph_radcliq",
    "ratescore", "radcliq", "rouge", "srrbert", "temporal",
)  # fmt: skip
CLOUD = ("crimson", "mammo_green", "radfact_ct")
INPUT = ("keys", "refs", "hyps")
"""The fields of RadEval's input, as `amrg benchmark export --to radeval` writes it."""
LOWER_IS_BETTER = ("radcliq",)
"""RadCliQ predicts the number of errors. Every other one is better the higher it is."""


def missing_radeval() -> str | None:
    """Why RadEval's metrics are not available and what to install, or None."""
    if find_spec("radeval") is None:
        return "RadEval's metrics are not available: the package is not installed; pip install radeval"
    return None


def radeval_metrics(pairs: Sequence[Pair], names: Sequence[str]) -> list[Metric]:
    """The metrics RadEval has under these names (`LOCAL`), its per-report values a row each; mean over cases.

    Raises:
        BenchmarkError: RadEval is not installed, a name is not one of its local metrics, or it answers in another form.
    """
    _check(names)
    texts = DistinctTexts.of(pairs)
    if not texts.drafts:
        return []
    return [texts.spread(metric) for name in dict.fromkeys(names) for metric in _metrics_of(name, texts)]


def read_values(found: Mapping[str, Any], pairs: Sequence[Pair], where: str) -> list[Metric]:
    """The values of `RadEval(..., per_sample=True)`, as metrics of the cases that were exported for it.

    `found` is its result, in the order of `keys` where it has them, else of the pairs that have a text. It may have the
    lists `refs` and `hyps` of its input too.

    Raises:
        BenchmarkError: a value is no list of numbers, one a report, or a key is of no case.
    """
    named = {name: values for name, values in found.items() if name not in INPUT}
    if not named:
        raise BenchmarkError(f"{where}: no values; expected what RadEval(..., per_sample=True) returns, as JSON")
    at = _positions(found.get("keys"), pairs, where)
    about = "by RadEval, its value a report as it was given; mean over cases"
    made = []
    for name, values in named.items():
        if not isinstance(values, list) or not all(map(_is_value, values)):
            raise BenchmarkError(
                f"{where}: {name} is {str(values)[:40]!r}; expected a list with a number a report: RadEval(..., "
                "per_sample=True)"
            )
        terms = mean_of(np.full(len(pairs), np.nan))
        terms[at] = mean_of(_values(name, values, len(at)))
        higher = not name.lower().startswith(LOWER_IS_BETTER)
        made.append(Metric(_metric_name(name), Family.TEXT, f"{name} {about}", terms, ratio, higher))
    return made


def _positions(keys: Any, pairs: Sequence[Pair], where: str) -> list[int]:
    """Where the reports that RadEval scored are among the cases."""
    if keys is None:
        return [row for row, pair in enumerate(pairs) if pair.text is not None]
    rows = {pair.key: row for row, pair in enumerate(pairs)}
    unknown = [key for key in keys if key not in rows]
    if unknown:
        raise BenchmarkError(f"{where}: {unknown[0]!r} is the key of no case; expected those of the exported texts")
    if twice := duplicates(keys):
        raise BenchmarkError(
            f"{where}: {twice[0]!r} is in `keys` {keys.count(twice[0])} times; expected a value a case"
        )
    return [rows[key] for key in keys]


def _is_value(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def _check(names: Sequence[str]) -> None:
    for name in names:
        if name in CLOUD:
            raise BenchmarkError(f"RadEval's {name} sends reports to a model in the cloud: it is not run from here")
        if name not in LOCAL:
            raise BenchmarkError(f"RadEval has no metric {name!r} that amrg knows; expected one of {', '.join(LOCAL)}")
    if (missing := missing_radeval()) is not None:
        raise BenchmarkError(missing)


def _metrics_of(name: str, texts: DistinctTexts) -> list[Metric]:
    """All values RadEval gives under one name: some have several, such as RadGraph's three."""
    radeval: Any = import_module("radeval")
    with warnings.catch_warnings():  # it turns all warnings off for good
        evaluator = radeval.RadEval(metrics=[name], per_sample=True, show_progress=False)
        found: dict[str, Any] = evaluator(refs=list(texts.references), hyps=list(texts.drafts))
    about = f"{name} by RadEval {_version()}, its value a report; mean over cases"
    return [
        Metric(
            _metric_name(key),
            Family.TEXT,
            about,
            mean_of(_values(key, values, len(texts.drafts))),
            ratio,
            _higher(name),
        )
        for key, values in found.items()
    ]


def _values(key: str, values: Any, expected: int) -> Array:
    """RadEval's list as numbers; what is None there is unscored."""
    made = np.array([np.nan if v is None else float(v) for v in values], dtype=np.float64)
    if len(made) != expected:
        raise BenchmarkError(f"RadEval gave {len(made)} values of {key} for {expected} reports; expected one a report")
    return made


def _higher(name: str) -> bool:
    return name not in LOWER_IS_BETTER


def _metric_name(key: str) -> str:
    """RadEval's key as a metric's name: `rougeL` to `radeval_rouge_l`, `samples_avg_f1-score` to
    `radeval_samples_avg_f1_score`; RadEval has both a `bertscore` and a `radeval_bertscore`."""
    return "radeval_" + "".join(f"_{c.lower()}" if c.isupper() else c for c in key.replace("-", "_"))


def _version() -> str:
    try:
        return version("radeval")
    except PackageNotFoundError:
        return "of unknown version"
