"""Run a model over a part of a split: its drafts, on changed pictures too, and all baselines beside.

Every file is written case by case and taken up again where a run stopped. What lies in the folder in the end is the
same however often it was broken off; `timings.jsonl` alone is not, for no two runs take the same time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from amrg.benchmark.baselines.retrieval import embed_images, load_embeddings, retrieval_baseline
from amrg.benchmark.baselines.suite import BASELINES, Baselines, fit_baselines, save_baselines
from amrg.benchmark.baselines.text_baselines import oracle_rules
from amrg.benchmark.layout import STORED
from amrg.benchmark.prediction_log import read_finished, resume_predictions, write_predictions
from amrg.benchmark.references import References
from amrg.benchmark.run.manifest import (
    DataUsed,
    Manifest,
    TrainingUsed,
    describe_model,
    describe_prompt,
    open_run_folder,
)
from amrg.benchmark.run.perturbed_predictions import PerturbedDrafter, derangement, predict_perturbed, predict_shuffled
from amrg.benchmark.run.predict import Drafter, predict_case
from amrg.benchmark.run.run_config import RunCases, RunConfig, load_cases
from amrg.benchmark.sampling import sample
from amrg.benchmark.scoring.image_dependence import Perturbation, predictions_path
from amrg.core.progress import Progress
from amrg.generation import Engine
from amrg.metrics.prediction import Prediction

TIMINGS, EMBEDDINGS = "timings.jsonl", "embeddings"

T = TypeVar("T")


def run(order: RunConfig, engine: Engine, progress: Progress) -> References:
    """Write all predictions of a run folder: the model's, those on changed pictures, the baselines'.

    Returns what they are to be scored against.

    Raises:
        BenchmarkError: a wrong order, or a folder in which another run lies.
        DatasetError: no such data set, split or part.
        OSError: the folder cannot be written.
    """
    cases = load_cases(order)
    open_run_folder(order.out, manifest_of(order, engine, cases.references))
    drafter = Drafter(engine, order.words)
    predictions = _drafted(order.out, cases, drafter, progress)
    _on_changed_pictures(order, cases, drafter, predictions, progress)
    save_baselines(order.out, _beside(order, cases, progress))
    return cases.references


def manifest_of(order: RunConfig, engine: Engine, references: References) -> Manifest:
    """All that decides what a run writes."""
    learned = replace(references, cases=references.training)
    return Manifest(
        command=order.command,
        system=engine.loaded.name,
        model=describe_model(engine),
        data=DataUsed(
            name=references.name,
            split=references.split,
            part=references.part,
            n=len(references.cases),
            hash=references.hash,
            dataset_hash=references.pins["dataset"],
            split_hash=references.pins["split"],
        ),
        training=TrainingUsed(n=len(learned.cases), hash=learned.hash),
        prompt=describe_prompt(engine, order.words),
        pictures=min(order.pictures, len(references.cases)),
        seed=order.seed,
    )


def _drafted(folder: Path, cases: RunCases, drafter: Drafter, progress: Progress) -> list[Prediction]:
    """The model's predictions of all cases, in their order."""
    by_key = {case.key: case for case in cases.references.cases}
    predictions = resume_predictions(
        folder / STORED,
        list(by_key),
        lambda key: predict_case(by_key[key], cases.opened, drafter, folder / TIMINGS),
    )
    return list(_told("drafting", predictions, len(by_key), progress))


def _on_changed_pictures(
    order: RunConfig, cases: RunCases, drafter: Drafter, predictions: Sequence[Prediction], progress: Progress
) -> None:
    """Predictions on blanked, mirrored and shuffled pictures of some of the cases."""
    chosen = sample(cases.references.cases, order.pictures, f"pictures {order.seed}")
    if not chosen:
        return
    changer = PerturbedDrafter(drafter, cases.opened, {})
    for _ in _told(
        "drafting on changed pictures", predict_perturbed(chosen, changer, order.out), len(chosen), progress
    ):
        pass
    partner = derangement(cases.references.cases, order.seed)
    write_predictions(
        predictions_path(order.out, Perturbation.SHUFFLED), predict_shuffled(chosen, partner, predictions)
    )


def _beside(order: RunConfig, cases: RunCases, progress: Progress) -> Baselines:
    """All baselines, that of the nearest pictures among them where there are training cases."""
    references = cases.references
    made = fit_baselines(references, order.seed)
    if not references.training:
        left_out = (
            "retrieval is left out: no training case whose pictures could be nearest; name a set with --train-data"
        )
        return replace(made, warnings=(*made.warnings, left_out))
    rules = ", ".join(f"{n} by {rule}" for rule, n in oracle_rules(references.training, references.cases).items())
    about = {
        **made.about,
        "retrieval": f"the report of the nearest pictures, framed, shrunk and compared without a model; of "
        f"{len(references.training)} training cases",
        "oracle": f"{made.about['oracle']}; drawn {rules}",
    }
    retrieved = _retrieved(order.out, cases, progress)
    return replace(made, predictions={**made.predictions, "retrieval": retrieved}, about=about)


def _retrieved(folder: Path, cases: RunCases, progress: Progress) -> list[Prediction]:
    """The nearest training pictures' reports; those on file where an earlier run found them all."""
    references = cases.references
    there = read_finished(folder / BASELINES / "retrieval.jsonl", [case.key for case in references.cases])
    if len(there) == len(references.cases):
        return there
    places = {"training": (references.training, cases.learned), "cases": (references.cases, cases.opened)}
    for name, (these, opened) in places.items():
        done = embed_images(these, opened, folder / EMBEDDINGS / name)
        for _ in _told(f"embedding pictures ({name})", done, len(these), progress):
            pass
    known, mine = (load_embeddings(folder / EMBEDDINGS / name) for name in places)
    return retrieval_baseline(references.training, known, mine)


def _told(what: str, steps: Iterable[T], count: int, progress: Progress) -> Iterable[T]:
    """The steps, each told of as it is done."""
    for number, step in enumerate(steps, 1):
        progress(what, number, count)
        yield step
