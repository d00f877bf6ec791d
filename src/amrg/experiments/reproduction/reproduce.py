"""AMRG's complete experiment from a DMID folder: import, split, sweep three backbones, test the best of each once.

Every stage saves its files and is skipped where they all exist, so that the same call resumes an interrupted run.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from amrg.benchmark.layout import SCORES
from amrg.benchmark.pages.case_image import dataset_images
from amrg.benchmark.pages.run_page import write_run_page
from amrg.benchmark.run.run_config import RunConfig, ScoreText
from amrg.benchmark.run.running import run
from amrg.benchmark.scoring.read_run import read_scores
from amrg.benchmark.scoring.score_run import score_run
from amrg.benchmark.scoring.scoring import ScoringOptions
from amrg.core.progress import Progress
from amrg.datasets import Dataset, import_dataset, importer_of, make_split, open_dataset
from amrg.datasets.import_dataset import open_job
from amrg.experiments.reproduction.page import BackboneResult, Reproduction, write_reproduction
from amrg.experiments.sweep.config import SweepCallbacks, SweepConfig
from amrg.experiments.sweep.definition import Sweep, SweepBase, SweepError
from amrg.experiments.sweep.run import sweep_and_score
from amrg.experiments.sweep.scores import Configuration, SweepScores
from amrg.experiments.sweep.trials import Trial, TrialStatus
from amrg.generation.engines.local import load_engine
from amrg.metrics.errors import BenchmarkError
from amrg.metrics.scores import Scores
from amrg.models import ModelError
from amrg.models.availability import why_unavailable
from amrg.training.data.prepared import DataSource
from amrg.training.recipe import Precision, Recipe, Validation

RECIPE = Recipe(
    steps=250,  # ten times over the 407 training images
    micro_batch_size=4,
    precision=Precision.BFLOAT16,
    gradient_checkpointing=True,
    validation=Validation(every=25, cases=51, patience=4),
)
"""One recipe for every backbone; amrg's own, since none was published."""


@dataclass(frozen=True)
class Experiment:
    """DMID's folder as published, the output folder, what is swept, on which splits.

    `perturbed` cases of each test part are also drafted on perturbed images; `retry` runs failed trials again, once.
    """

    dmid: Path
    out: Path
    sweep: Sweep
    splits: tuple[str, ...]
    perturbed: int = 100
    retry: bool = False


def reproduce(experiment: Experiment, callbacks: SweepCallbacks) -> Reproduction:
    """Run the remaining stages of the experiment; writes `reproduced.json`, `.md` and `.html` into its folder.

    Raises:
        ModelError: backbones are missing; all are named before anything starts.
        DatasetError: the folder is not DMID, or has no such split.
        SweepError: the folder contains a different experiment, or trials are still running elsewhere.
        TuningError: training cannot continue; the same call resumes it.
        BenchmarkError: a run folder contains a different run.
        OSError: the folder cannot be written.
    """
    open_job(importer_of("dmid"), experiment.dmid, experiment.out / "data")  # what is cheap is looked at first
    refuse_missing_backbones(experiment.sweep.bases)
    dataset = import_dmid(experiment, callbacks.progress)
    for split in experiment.splits:
        dataset.write_split(make_split(dataset, split))
    results: list[BackboneResult] = []
    for split in experiment.splits:
        swept = _sweep(experiment, split, callbacks)
        results += [_test(experiment, split, swept, base, callbacks.progress) for base in swept.best_of]
    reproduction = Reproduction.of(dataset.info, experiment.sweep, experiment.splits, results)
    write_reproduction(experiment.out, reproduction)
    return reproduction


def refuse_missing_backbones(bases: tuple[SweepBase, ...]) -> None:
    """Check every backbone before anything starts: a folder's files, or the hub's answer.

    Raises:
        ModelError: some are missing; names all of them and why.
    """
    missing = [f"{base.name} ({why})" for base in bases if (why := why_unavailable(base.source)) is not None]
    if missing:
        raise ModelError(
            f"{len(missing)} of {len(bases)} backbones are not available: {'; '.join(missing)}; download them, or name "
            "local folders with --backbones NAME=FOLDER,..."
        )


def import_dmid(experiment: Experiment, progress: Progress) -> Dataset:
    """DMID as a data set folder, an interrupted import resumed."""
    folder = experiment.out / "data"
    for done in import_dataset(importer_of("dmid"), experiment.dmid, folder):
        progress("importing", done.cases, done.cases)
    return open_dataset(folder)


def _sweep(experiment: Experiment, split: str, callbacks: SweepCallbacks) -> SweepScores:
    """The sweep of one split, on its train and validation parts, to its end.

    Raises:
        SweepError: other processes still run its trials; a best of the finished ones might not be the final best, and
            the test part is used once.
    """
    source, folder = DataSource(experiment.out / "data", split), experiment.out / "sweeps" / split
    swept = sweep_and_score(SweepConfig(experiment.sweep, source, folder, retry=experiment.retry), callbacks)
    remaining = [
        t for of in swept.configurations for t in of.trials if t.status in (TrialStatus.WAITING, TrialStatus.RUNNING)
    ]
    if remaining:
        raise SweepError(
            f"{folder}: {len(remaining)} trials are still run by other processes; the test part is used once, when "
            "all are finished: run the same command again then"
        )
    return swept


def _test(experiment: Experiment, split: str, swept: SweepScores, base: str, progress: Progress) -> BackboneResult:
    """The best of one backbone scored on the test part: the only use of that part."""
    best = swept.configuration(swept.best_of[base])
    trial = best_trial(best)
    folder = experiment.out / "runs" / f"{split}-{base}"
    adapter = experiment.out / "sweeps" / split / (trial.folder or "")
    scores = _scores(experiment, split, adapter, folder, progress)
    return BackboneResult(
        split=split, base=base, configuration=best.label, seed=trial.point.seed if trial.point else 0, scores=scores
    )


def _scores(experiment: Experiment, split: str, adapter: Path, folder: Path, progress: Progress) -> Scores:
    """Scores of a run on the test part: those on file, else the run is drafted, scored and its page written."""
    system = f"{adapter.parent.name}-{adapter.name}"
    if (folder / SCORES).is_file():
        scores = read_scores(folder)
        if scores.system != system:
            raise BenchmarkError(
                f"{folder}: contains scores of {scores.system}, but the best by validation is {system}; remove the "
                "folder to test that"
            )
        return scores
    data = experiment.out / "data"
    config = RunConfig(
        data,
        split,
        folder,
        score_text=ScoreText.MODEL,
        perturbed=experiment.perturbed,
        command="amrg reproduce amrg",
    )
    references = run(config, load_engine(str(adapter)), progress)
    scores = score_run(folder, references, ScoringOptions(system))
    write_run_page(folder, dataset_images(data))
    return scores


def best_trial(best: Configuration) -> Trial:
    """The trial of a configuration that is best on the validation part; the first of equals."""
    return max((t for t in best.trials if t.status is TrialStatus.FINISHED), key=lambda t: t.best or 0.0)
