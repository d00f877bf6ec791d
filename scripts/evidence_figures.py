"""Metrics by the confidence threshold of findings: the table of docs/decisions/0008-low-confidence-findings.md.

Run as `.venv/bin/python scripts/evidence_figures.py [COUNT] [POPULATION] [FIRST_SEED]`. Exams are held-out phantoms:
the embedded model was not trained on them, and its card is measured on others.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from dataclasses import astuple, replace
from pathlib import Path

from markdown_page import table

from amrg.birads import Report, read_answer
from amrg.generation.drafting import prepare, view_candidates
from amrg.generation.engines.base import Engine, Unanswered
from amrg.generation.engines.loading import load_engine
from amrg.generation.evidence import THRESHOLDS, Thresholds, remove_duplicates, remove_low_confidence
from amrg.generation.places import follow_boxes, locate_findings
from amrg.imaging import read_studies
from amrg.metrics.clinical.suite import clinical_metrics
from amrg.metrics.metric import by_name
from amrg.metrics.validation import draft_pair
from amrg.phantom import POPULATIONS, Population, Size, draw_exam, write_exam

FIRST_SEED = 900_000
TRIED = (
    *(Thresholds(least, least, least) for least in (0.4, 0.5, 0.6, 0.7)),
    Thresholds(0.5, 0.5, 0.7),
    THRESHOLDS,
    Thresholds(0.5, 0.25, 0.7),
    Thresholds(0.5, 0.4, 0.6),
    Thresholds(0.5, 0.4, 0.8),
)
COLUMNS = (
    "one view, every view, some view",
    "F1 by place",
    "not in the truth",
    "of a kind not there",
    "BI-RADS",
    "sensitivity",
    "specificity",
)
RATES = ("birads_accuracy_7_worst", "abnormal_sensitivity_0_3_4_5_6", "abnormal_specificity_0_3_4_5_6")


def drafted(engine: Engine, seed: int, population: Population) -> tuple[Report, Report]:
    """The truth of an exam, and its draft with places before any finding is removed for low confidence."""
    exam = draw_exam(seed, Size.SMALL, population)
    with tempfile.TemporaryDirectory() as folder:
        write_exam(exam, Path(folder))
        (study,) = read_studies(Path(folder)).studies
        prepared = prepare(study, engine.settings)
    (generation,) = engine.generate([prepared.request])
    assert not isinstance(generation, Unanswered)
    assert generation.features is not None  # the embedded model's tower locates findings
    views = view_candidates(prepared, generation.features)
    located = locate_findings(read_answer(generation.text).report, views, prepared.encoding)
    return exam.truth, remove_duplicates(located).report


def row(drafts: Sequence[tuple[Report, Report]], thresholds: Thresholds | None) -> list[str]:
    """One row of the table; nothing is removed where `thresholds` is None."""
    name = "none" if thresholds is None else ", ".join(map(str, astuple(thresholds)))
    reports = [
        (truth, follow_boxes(report if thresholds is None else remove_low_confidence(report, thresholds).report)[0])
        for truth, report in drafts
    ]
    pairs = [replace(draft_pair(str(i), truth, ""), report=report) for i, (truth, report) in enumerate(reports)]
    value = {name: metric.value for name, metric in by_name(clinical_metrics(pairs)).items()}
    invented = value["invented_findings_a_report_by_kind"]
    either = invented + value["misplaced_findings_a_report_by_place"]
    numbers = (value["finding_f1_by_place"], either, invented, *(value[rate] for rate in RATES))
    return [name, *(f"{v:.3f}" for v in numbers)]


def main() -> None:
    """Draft the exams once, and print a row a threshold."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    name = sys.argv[2] if len(sys.argv) > 2 else "screening"
    first = int(sys.argv[3]) if len(sys.argv) > 3 else FIRST_SEED
    engine = load_engine()
    drafts = [drafted(engine, seed, POPULATIONS[name]) for seed in range(first, first + count)]
    found = sum(len(truth.findings) for truth, _ in drafts)
    print(f"{count} {name} exams from seed {first}, {found} true findings")
    for line in table(COLUMNS, (row(drafts, thresholds) for thresholds in (None, *TRIED))):
        print(line)


if __name__ == "__main__":
    main()
