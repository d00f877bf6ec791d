"""What the model card says: drafts of held-out phantom exams against their truth, with n and intervals.

Run as `python -m amrg.benchmark.model_card` (`make model-card`). Exams are drawn from seeds above 1,000,000,
written as DICOM and read back: the whole path a user takes. The full benchmark lives elsewhere.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from amrg.birads import Composition, Laterality, Report, View, parse
from amrg.generation.drafting import draft_report
from amrg.generation.engines.base import Engine, Request
from amrg.generation.engines.local import local_engine
from amrg.imaging import frame_breast, read_studies
from amrg.metrics.agreement import placed
from amrg.models import Figure, ModelCard, model_image
from amrg.models.card import FILE_NAME as CARD
from amrg.models.load import LoadedModel, load_model
from amrg.phantom import SCREENING, Population, Size, draw_exam, write_exam

log = logging.getLogger("amrg.generation")
Counts = npt.NDArray[np.int64]  # [exams, 4]: findings that agree, are true, were drafted, agree but for their quadrant

FIRST_SEED = 1_010_001  # training never goes above a million, and no draft of these was read while the code was written


@dataclass(frozen=True)
class Pair:
    """One exam: its truth, what was drafted, and whether the guard would have refused it."""

    seed: int
    truth: Report
    drafted: Report
    refused: bool


def draft_phantoms(engine: Engine, seeds: Sequence[int], size: Size, population: Population) -> Iterator[Pair]:
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
    encoding = engine.settings.encoding
    views = [(side, view) for view in (View.CC, View.MLO) for side in Laterality]
    black = np.zeros((600, 480), np.float32)
    blank = [model_image(frame_breast(black, side, encoding.size), side, encoding) for side, _ in views]
    (generation,) = engine.generate([Request(tuple(views), tuple(blank))])
    return parse(generation.text or "").report


def figures(pairs: Sequence[Pair], on: str) -> list[Figure]:
    """The card's figures over drafted exams."""
    majors = [(p.truth.worst, p.drafted.worst) for p in pairs]
    scored = [(t.major, d.major) for t, d in majors if t is not None and d is not None]
    density = [(p.truth.composition, p.drafted.composition) for p in pairs if p.drafted.composition is not None]
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
        _resampled("invented_findings_an_exam", counts, lambda c: float((c[:, 2] - c[:, 3]).mean()), on),
        _resampled("misplaced_findings_an_exam", counts, lambda c: float((c[:, 3] - c[:, 0]).mean()), on),
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


def _matches(truth: Report, drafted: Report) -> tuple[int, int, int, int]:
    """How many findings agree, are true, are drafted, and agree but for the quadrant.

    A false finding is one of a kind that the breast does not have, apart from one in the wrong place (MammoGREEN's
    error kinds); for F1 both are wrong.
    """
    true, written = (Counter(map(placed, r.findings)) for r in (truth, drafted))
    there, said = (Counter((f.kind, f.laterality) for f in r.findings) for r in (truth, drafted))
    return (true & written).total(), true.total(), written.total(), (there & said).total()


def _f1(counts: Counts) -> float:
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


def _resampled(name: str, counts: Counts, statistic: Callable[[Counts], float], on: str) -> Figure:
    """A statistic over exams with a bootstrap 95 % interval (1,000 resamples of exams)."""
    rng = np.random.default_rng(0)
    n = len(counts)
    drawn = [statistic(counts[rng.integers(0, n, n)]) for _ in range(1000)]
    low, high = np.nanquantile(drawn, [0.025, 0.975])
    return Figure(name=name, value=statistic(counts), n=n, low=float(low), high=float(high), on=on)


def card_of(loaded: LoadedModel, measured: Sequence[Figure]) -> ModelCard:
    """The card of the embedded model, with figures as measured."""
    recipe = json.loads((loaded.folder / "recipe.json").read_text(encoding="utf-8")) if loaded.folder else {}
    return ModelCard(
        name=loaded.name,
        summary="Gemma3ForConditionalGeneration with a convolutional tower, trained from scratch on drawn phantoms.",
        intended_use="Trying amrg offline, testing pipelines, research on report generation. Not for clinical use.",
        limits=(
            "Has never seen a mammogram of a person; refuses real films as outside its domain unless forced.",
            "Knows the phantom's rule from descriptors to category, not a radiologist's judgement.",
            "Does not write sizes or comparisons; places on the picture come from a coarse grid of 16-pixel cells.",
        ),
        parameters=sum(p.numel() for p in loaded.model.parameters()),
        weights_sha256=loaded.weights_hash or "",
        licence="Apache-2.0",
        training={
            "exams to see": sum(
                recipe[f"{part}_exams"] for part in ("rich", "screening", "fresh_rich", "fresh_screening")
            ),
            "tower steps": recipe["tower_ends"] + recipe["tower_again"]["steps"] + recipe["tower_whole"]["steps"],
            "exams to write": recipe["language_rich_exams"] + recipe["language_screening_exams"],
            "language steps": recipe["language"]["steps"],
            "software": recipe["software"],
        },
        figures=tuple(measured),
    )


def measure(engine: Engine, count: int, size: Size) -> list[Figure]:
    """All figures on `count` screening exams of one size, blanked pictures included."""
    on = f"{count} {size} phantom exams from seed {FIRST_SEED}, screening population"
    seeds = range(FIRST_SEED, FIRST_SEED + count)
    pairs = []
    for pair in draft_phantoms(engine, seeds, size, SCREENING):
        pairs.append(pair)
        if len(pairs) % 50 == 0:
            log.info("drafted %d of %d", len(pairs), count)
    return [*figures(pairs, on), *blank_figures(blank_report(engine), pairs, on)]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure a model on held-out phantoms, print `figure` lines, and write the card beside the weights."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="folder of a checkpoint; the embedded one where not given")
    parser.add_argument("--count", type=int, default=400, help="exams of the small size (0.4 mm pixels)")
    parser.add_argument("--full", type=int, default=40, help="exams of the full size (0.1 mm pixels)")
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    loaded = load_model(given.model)
    engine = local_engine(loaded)
    measured = measure(engine, given.count, Size.SMALL)
    if given.full:
        measured += measure(engine, given.full, Size.FULL)
    for f in measured:
        sys.stdout.write(f"figure {f.name} {f.value:.4f} {f.n} {f.low:.4f} {f.high:.4f}  # {f.on}\n")
    if loaded.folder is not None:
        card = card_of(loaded, measured)
        (loaded.folder / CARD).write_text(card.model_dump_json(indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
