"""Figures by the least probability of a drafted finding: the table of docs/decisions/0008-shown-or-left-out.md.

Run as `.venv/bin/python scripts/evidence_figures.py [COUNT]`. Exams are held-out phantoms from seed 900,000: the
embedded model was never taught on them, and its card is measured on others.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from amrg.benchmark.model_card import Pair, figures
from amrg.birads import Report, parse
from amrg.generation import Engine, load_engine
from amrg.generation.drafting import seen_views
from amrg.generation.evidence import without_repeats, without_unshown
from amrg.generation.places import with_places
from amrg.imaging import hanging_order, read_studies
from amrg.models import frame_for, model_image
from amrg.phantom import SCREENING, Size, draw_exam, write_exam

FIRST_SEED = 900_000
LEAST = (0.0, 0.5, 0.6, 0.7, 0.8)


def drafted(engine: Engine, seed: int) -> tuple[Report, Report]:
    """The truth of an exam, and its draft with places before anything is left out for want of evidence."""
    exam = draw_exam(seed, Size.SMALL, SCREENING)
    with tempfile.TemporaryDirectory() as folder:
        write_exam(exam, Path(folder))
        (study,) = read_studies(Path(folder)).studies
        mammograms, encoding = hanging_order(study), engine.loaded.settings.encoding
        framed = [frame_for(m, encoding) for m in mammograms]
    pictures = [model_image(f, m.laterality, encoding) for f, m in zip(framed, mammograms, strict=True)]
    seen = engine.see(pictures)
    assert seen is not None  # the embedded model has heads
    report = parse(engine.write([(m.laterality, m.view) for m in mammograms], pictures)).report
    return exam.truth, without_repeats(with_places(report, seen_views(mammograms, framed, seen), encoding))[0]


def shown(name: str, drafts: Sequence[tuple[Report, Report]], least: float | None) -> str:
    """One row of the table; nothing is left out where `least` is None."""
    reports = [(truth, report if least is None else without_unshown(report, least)[0]) for truth, report in drafts]
    pairs = [Pair(seed, truth, report, False) for seed, (truth, report) in enumerate(reports)]
    value = {f.name: f.value for f in figures(pairs, on="")}
    invented = value["invented_findings_an_exam"]
    either = invented + value["misplaced_findings_an_exam"]
    rates = [value[n] for n in ("birads_accuracy", "abnormal_sensitivity", "normal_specificity")]
    return " | ".join([f"| {name}", *(f"{v:.3f}" for v in (value["finding_f1"], either, invented, *rates))]) + " |"


def main() -> None:
    """Draft the exams once, and print a row a threshold."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    engine = load_engine()
    drafts = [drafted(engine, seed) for seed in range(FIRST_SEED, FIRST_SEED + count)]
    print(f"{count} exams from seed {FIRST_SEED}, {sum(len(truth.findings) for truth, _ in drafts)} true findings")
    print("| least | finding F1 | not in the truth | of a kind not there | BI-RADS | sensitivity | specificity |")
    print("|" + "---|" * 7)
    print(shown("none", drafts, None))
    for least in LEAST:
        print(shown(str(least), drafts, least))


if __name__ == "__main__":
    main()
