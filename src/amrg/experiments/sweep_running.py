"""A sweep from its order to its page: run, scored on the validation part, shown."""

from __future__ import annotations

from amrg.experiments.locks import held
from amrg.experiments.sweep_page import write_sweep_page
from amrg.experiments.sweep_scores import SweepScores
from amrg.experiments.sweep_scoring import score_sweep
from amrg.experiments.sweep_worker import SweepCallbacks, SweepConfig, run_sweep, trials_of


def sweep_and_score(order: SweepConfig, listener: SweepCallbacks) -> SweepScores:
    """Run what is left of a sweep, score it, and write `sweep.json`, `table.md` and `sweep.html` into its folder.

    Raises:
        SweepError: another sweep lies there, or its storage cannot be opened.
        TuningError: nothing can be written any more; the same call goes on.
        ModelError: a backbone is missing.
        DatasetError: no such data set or split.
        BenchmarkError: drafts of a trial are malformed.
        OSError: the folder cannot be written.
    """
    run_sweep(order, listener)
    with held(order.folder, "page"):  # of several workers the last one to come writes what the others left too
        scores = score_sweep(order.folder, order.source.data, order.definition, trials_of(order))
        write_sweep_page(order.folder, scores)
    return scores
