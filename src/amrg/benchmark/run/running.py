"""Run a model over a part of a split: its drafts, its drafts on perturbed images, and all baselines.

Every file is written case by case and resumed where a run was interrupted. The folder ends with the same bytes however
often that was; only `timings.jsonl` differs, since no two runs take the same time.
"""

from __future__ import annotations

from collections.abc import Callable

from amrg.benchmark.baselines.suite import save_baselines
from amrg.benchmark.prediction_log import withdraw_lines
from amrg.benchmark.references import References
from amrg.benchmark.run.baseline_predictions import predict_baselines
from amrg.benchmark.run.manifest import manifest_of, open_run_folder
from amrg.benchmark.run.perturbed_predictions import predict_perturbed
from amrg.benchmark.run.predict import Drafter, predict_cases, retry_failed
from amrg.benchmark.run.run_config import RunConfig, load_cases
from amrg.core.plurals import counted
from amrg.core.progress import Progress
from amrg.generation import Engine
from amrg.generation.engines.base import EngineDrifted


def run(
    config: RunConfig, engine: Engine, progress: Progress, elsewhere: Callable[[], None] | None = None
) -> References:
    """Write all predictions of a run folder: the model's, those on perturbed images, the baselines'.

    `elsewhere` makes predictions beforehand that this process then finds, as on a cluster.

    Returns the references to score them against.

    Raises:
        BenchmarkError: the part is empty, or the folder contains a different run.
        EngineDrifted: the engine answers otherwise than at the start; what was drafted after that is withdrawn.
        DatasetError: no such data set, split or part.
        ModelError: the engine is lost.
        OSError: the folder cannot be written.
    """
    folder, cases, drafter = config.out, load_cases(config), Drafter(engine, config.score_text)
    open_run_folder(folder, manifest_of(config, engine, cases.references))
    if config.retry_failed:
        retry_failed(folder)
    if elsewhere is not None:
        elsewhere()
    try:
        predictions = predict_cases(folder, cases, drafter, progress)
        predict_perturbed(folder, cases, drafter, predictions, progress)
        engine.confirm()
    except EngineDrifted as error:
        count = withdraw_lines(drafter.written, error.since)
        raise error.withdrawing(counted(count, "prediction")) from error
    save_baselines(folder, predict_baselines(folder, cases, progress))
    return cases.references
