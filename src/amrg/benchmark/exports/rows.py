"""One row a case of a scored run: reference, prediction and the case's own scores (docs/scores.md)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from amrg import __version__
from amrg.benchmark.references import References, load_references
from amrg.benchmark.scoring.read_run import read_scores, refuse_changed
from amrg.benchmark.submissions import match_to_references, read_predictions
from amrg.birads import Finding, Report
from amrg.datasets.case import Case
from amrg.metrics.pairs import Pair
from amrg.metrics.scores import Scores

SCHEMA_VERSION = 1

_TEXT = pa.string()
_FINDING = pa.struct(
    [
        *((name, _TEXT) for name in ("kind", "laterality", "quadrant", "category")),
        *((name, pa.int32()) for name in ("clock", "size_mm")),
        ("probability", pa.float64()),
    ]
)
_REPORT = [
    *((name, _TEXT) for name in ("text", "category", "density", "report_json")),
    ("findings", pa.list_(_FINDING)),
]
FIELDS = [
    *((name, _TEXT) for name in ("key", "group", "data_set", "split", "part", "source", "system")),
    ("views", pa.list_(_TEXT)),
    *((f"reference_{name}", kind) for name, kind in _REPORT),
    *_REPORT,
    ("error", _TEXT),
    ("refused", pa.bool_()),
]
"""The fields of every row but `scores`, which has a field a metric."""


class ExportedRun:
    """A run folder's cases, each with its prediction and scores."""

    def __init__(self, folder: Path) -> None:
        """Read the folder.

        Raises:
            BenchmarkError: it is no scored run, or its files are of different cases.
        """
        self.scores: Scores = read_scores(folder)
        references = References(self.scores.data.name, load_references(folder))
        outputs = match_to_references(references, read_predictions(folder))
        refuse_changed(folder, self.scores, references, outputs)
        self.cases, self.predictions = references.cases, outputs.predictions

    @property
    def metrics(self) -> list[str]:
        """The metrics that have a value a case."""
        return list(self.scores.cases[0].values) if self.scores.cases else []

    def schema(self) -> pa.Schema:
        """Names and types of the columns."""
        scores = pa.struct([(name, pa.float64()) for name in self.metrics])
        return pa.schema([*FIELDS, *([("scores", scores)] if self.metrics else [])])

    def rows(self, pairs: list[Pair]) -> Iterator[dict[str, Any]]:
        """The rows in the order of the cases; `pairs` as they were scored, in the same order."""
        values = {case.key: case.values for case in self.scores.cases}
        for case, prediction, pair in zip(self.cases, self.predictions, pairs, strict=True):
            yield {
                **self._identity(case),
                "views": [f"{i.laterality}{i.view}" for i in case.images if i.laterality and i.view],
                **_stated("reference_", case.text, case.reference),
                **_stated("", prediction.text, pair.report),
                "error": prediction.error,
                "refused": prediction.refused,
                **({"scores": dict(values[case.key])} if self.metrics else {}),
            }

    def _identity(self, case: Case) -> dict[str, str | None]:
        data = self.scores.data
        return {
            "key": case.key,
            "group": case.group,
            "data_set": data.name,
            "split": data.split,
            "part": data.part,
            "source": case.source.value,
            "system": self.scores.system,
        }

    def about(self) -> dict[str, Any]:
        """What the rows are of, as it is stored with them."""
        return {
            "schema_version": SCHEMA_VERSION,
            "software": f"amrg {__version__}",
            "scored_by": self.scores.software,
            "system": self.scores.system,
            "data": self.scores.data.model_dump(mode="json"),
        }


def _stated(prefix: str, text: str | None, report: Report | None) -> Mapping[str, Any]:
    """A text and its facts as columns; all None where the system failed, facts None where the text was not read."""
    if text is None or report is None:
        return {f"{prefix}{name}": text if name == "text" else None for name, _ in _REPORT}
    return {
        f"{prefix}text": text,
        f"{prefix}category": None if report.worst is None else report.worst.value,
        f"{prefix}density": None if report.composition is None else report.composition.value.upper(),
        f"{prefix}findings": [_finding(finding) for finding in report.findings],
        f"{prefix}report_json": json.dumps(report.model_dump(mode="json", exclude_defaults=True), ensure_ascii=False),
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "kind": finding.kind.value,
        "laterality": finding.laterality and finding.laterality.value,
        "quadrant": finding.location.quadrant and finding.location.quadrant.value,
        "category": finding.category and finding.category.value,
        "clock": finding.location.clock,
        "size_mm": finding.size_mm,
        "probability": finding.probability,
    }
