"""The baselines of a run, the retrieval baseline among them where there are training cases."""

from __future__ import annotations

from pathlib import Path

from amrg.benchmark.baselines.retrieval import embed_images, load_embeddings, retrieval_baseline
from amrg.benchmark.baselines.suite import Baselines, fit_baselines, with_retrieval
from amrg.benchmark.layout import BASELINES, EMBEDDINGS
from amrg.benchmark.prediction_log import read_finished
from amrg.benchmark.run.run_config import RunCases
from amrg.core.progress import Progress
from amrg.metrics.prediction import Prediction


def predict_baselines(folder: Path, cases: RunCases, progress: Progress) -> Baselines:
    """All baselines of a run.

    Raises:
        BenchmarkError: the folder holds embeddings of other cases.
    """
    baselines = fit_baselines(cases.references, cases.seed)
    retrieved = _retrieve(folder, cases, progress) if cases.references.training else None
    return with_retrieval(baselines, cases.references, retrieved)


def _retrieve(folder: Path, cases: RunCases, progress: Progress) -> list[Prediction]:
    """The reports of the nearest training images; those on file where an earlier run finished them all."""
    references = cases.references
    finished = read_finished(folder / BASELINES / "retrieval.jsonl", [case.key for case in references.cases])
    if len(finished) == len(references.cases):
        return finished
    sets = {"training": (references.training, cases.open_training), "cases": (references.cases, cases.open_case)}
    for name, (members, open_study) in sets.items():
        embedded = embed_images(members, open_study, folder / EMBEDDINGS / name)
        for done in embedded:
            if done:
                progress(f"embedding images ({name})", done, len(members))
    training, scored = (load_embeddings(folder / EMBEDDINGS / name) for name in sets)
    return retrieval_baseline(references.training, training, scored)
