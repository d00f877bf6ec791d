"""A sweep from its config to its page: run, scored on the validation part, written."""

from __future__ import annotations

from amrg.experiments.sweep.config import SweepCallbacks, SweepConfig
from amrg.experiments.sweep.locks import hold_lock
from amrg.experiments.sweep.page import write_sweep_page
from amrg.experiments.sweep.scores import SweepScores
from amrg.experiments.sweep.scoring import score_sweep
from amrg.experiments.sweep.worker import list_trials, run_trials


def sweep_and_score(config: SweepConfig, callbacks: SweepCallbacks) -> SweepScores:
    """Run the remaining trials of a sweep, score it, write `sweep.json`, `table.md` and `sweep.html` into its folder.

    Raises:
        SweepError: the folder contains a different sweep, or its storage cannot be opened.
        TuningError: nothing can be written any more; the same call resumes the sweep.
        ModelError: a backbone is missing.
        DatasetError: no such data set or split.
        BenchmarkError: drafts of a trial are malformed.
        OSError: the folder cannot be written.
    """
    run_trials(config, callbacks)
    with hold_lock(config.folder, "page"):  # of several workers the last to finish writes the trials of all
        scores = score_sweep(config.folder, config.source.data, config.definition, list_trials(config))
        write_sweep_page(config.folder, scores)
    return scores
