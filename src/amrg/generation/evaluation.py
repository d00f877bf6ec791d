"""What the model card says: drafts of held-out phantom exams against their truth, with n and intervals.

Run as `python -m amrg.generation.evaluation` (`make model-card`). Exams are drawn from seeds above 1,000,000,
written as DICOM and read back: the whole path a user takes. The full benchmark lives elsewhere.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from amrg.birads import Composition, Finding, Kind, Laterality, Quadrant, Report, View, parse
from amrg.generation.drafting import draft_report
from amrg.generation.engine import Engine
from amrg.imaging import read_studies
from amrg.models import Figure
from amrg.phantom import Population, Size, draw_exam, write_exam

FIRST_SEED = 1_000_001  # training never goes above a million
Key = tuple[Kind, Laterality | None, Quadrant | None]


@dataclass(frozen=True)
class Pair:
    """One exam: its truth, what was drafted, and whether the guard would have refused it."""

    seed: int
    truth: Report
    drafted: Report
    refused: bool


def draft_phantoms(
    engine: Engine, seeds: Sequence[int], size: Size, population: Population
) -> Iterator[Pair]:
    """Draw, write, read and draft every seed; refused ones are drafted by force so that no case is lost."""
    for seed in seeds:
        exam = draw_exam(seed, size, population)
        with tempfile.TemporaryDirectory() as folder:
            write_exam(exam, Path(folder))
            (study,) = read_studies(Path(folder)).studies
            draft = draft_report(study, engine, force=True)
        yield Pair(seed, exam.truth, draft.report, draft.in_domain is False)


def blank_report(engine: Engine) -> Report:
    """What the model writes when all four pictures are black: the same for every exam."""
    encoding = engine.loaded.settings.encoding
    views = [(side, view) for view in (View.CC, View.MLO) for side in Laterality]
    blank = np.zeros((encoding.size, encoding.size, 3), np.uint8)
    return parse(engine.write(views, [blank] * 4)).report


def figures(pairs: Sequence[Pair], on: str) -> list[Figure]:
    """The card's figures over drafted exams."""
    majors = [(p.truth.worst, p.drafted.worst) for p in pairs]
    scored = [(t.major, d.major) for t, d in majors if t is not None and d is not None]
    density = [
        (p.truth.composition, p.drafted.composition) for p in pairs if p.drafted.composition is not None
    ]
    unscored = len(pairs) - min(len(scored), len(density))
    counts = np.array([_matches(p.truth, p.drafted) for p in pairs])
    return [
        _share("density_accuracy", [t == d for t, d in density], on),
        _share("birads_accuracy", [t == d for t, d in scored], on),
        _share("abnormal_sensitivity", [d >= 3 for t, d in scored if t >= 3], on),
        _share("normal_specificity", [d < 3 for t, d in scored if t < 3], on),
        _resampled("finding_f1", counts, _f1, on),
        _resampled("finding_recall", counts, lambda c: _ratio(c[:, 0].sum(), c[:, 1].sum()), on),
        _resampled("finding_precision", counts, lambda c: _ratio(c[:, 0].sum(), c[:, 2].sum()), on),
        _resampled("invented_findings_an_exam", counts, lambda c: float((c[:, 2] - c[:, 0]).mean()), on),
        _share("refused_by_guard", [p.refused for p in pairs], on),
        Figure(name="unscored", value=unscored, n=len(pairs), low=unscored, high=unscored, on=on),
    ]


def blank_figures(blank: Report, pairs: Sequence[Pair], on: str) -> list[Figure]:
    """The same accuracies with blanked pictures, beside the share of the most frequent class."""
    majors = [p.truth.worst.major for p in pairs if p.truth.worst is not None]
    said = blank.worst.major if blank.worst is not None else None
    compositions: list[Composition | None] = [p.truth.composition for p in pairs]
    return [
        _share("blank_birads_accuracy", [m == said for m in majors], on),
        _share("majority_birads_share", [m == Counter(majors).most_common(1)[0][0] for m in majors], on),
        _share("blank_density_accuracy", [c == blank.composition for c in compositions], on),
        _share(
            "majority_density_share",
            [c == Counter(compositions).most_common(1)[0][0] for c in compositions],
            on,
        ),
    ]


def finding_keys(findings: Sequence[Finding]) -> Counter[Key]:
    """Findings by what must be right: kind, laterality, quadrant."""
    return Counter((f.kind, f.laterality, f.location.quadrant) for f in findings)


def _matches(truth: Report, drafted: Report) -> tuple[int, int, int]:
    """How many findings agree, are true, are drafted. A finding in the wrong quadrant counts as invented."""
    true, written = finding_keys(truth.findings), finding_keys(drafted.findings)
    return (true & written).total(), true.total(), written.total()


def _f1(counts: np.ndarray) -> float:
    return _ratio(2 * counts[:, 0].sum(), counts[:, 1].sum() + counts[:, 2].sum())


def _ratio(part: float, whole: float) -> float:
    return float(part) / float(whole) if whole else float("nan")


def _share(name: str, hits: Sequence[bool], on: str) -> Figure:
    """A share with Wilson's 95 % interval."""
    n = len(hits)
    if n == 0:
        raise ValueError(f"figure {name}: no case to measure it on; draw more exams")
    p, z = sum(hits) / n, 1.96
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    low, high = max(0.0, middle - half), min(1.0, middle + half)
    return Figure(name=name, value=p, n=n, low=float(low), high=float(high), on=on)


def _resampled(name: str, counts: np.ndarray, statistic: Callable[[np.ndarray], float], on: str) -> Figure:
    """A statistic over exams with a bootstrap 95 % interval (1,000 resamples of exams)."""
    rng = np.random.default_rng(0)
    n = len(counts)
    drawn = [statistic(counts[rng.integers(0, n, n)]) for _ in range(1000)]
    low, high = np.nanquantile(drawn, [0.025, 0.975])
    return Figure(name=name, value=statistic(counts), n=n, low=float(low), high=float(high), on=on)
