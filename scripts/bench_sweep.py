"""A sweep measured whole: the notebook's trials as processes of their own, and amrg's sweep.

Run from the repository's root: `make bench-sweep`. The trials have one rank and differ in scaling, as the columns of
the published grid do. The model, the data and the notebook's recipe are those of `bench_training.py`; so few steps that
most of amrg's time is compiling and encoding, which a longer sweep does no more often: its ratio is the lowest that a
sweep has.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from bench_training import compiling, figure, open_bench, parse_options
from bench_training_model import STEP
from bench_training_runs import OurSweep, Peer


def main(arguments: Sequence[str] | None = None) -> None:
    """Print `ratio sweep-whole`, and what it comes from."""
    trials = (3, "trials of rank 16, at scalings of 16, 32, ...")
    given = parse_options(__doc__, arguments, trials=trials, steps=(3, f"steps of {STEP} exams a trial"))
    with open_bench(given) as (bench, *_):
        alphas = tuple(16 * (i + 1) for i in range(given.trials))
        swept = bench.run(OurSweep(given.steps, alphas))
        if swept.exams != given.trials:
            raise SystemExit(f"{swept.exams} of {given.trials} trials finished; expected all")
        peers = [bench.run(Peer(given.steps, alpha=alpha)) for alpha in alphas]
    theirs = sum(peer.wall for peer in peers)
    about = f"{given.trials} trials of {given.steps} steps of {STEP} exams"
    figure("sweep_whole_seconds", swept.wall, f"amrg, one process: {about}")
    figure("sweep_whole_peer_seconds", theirs, f"the notebook, a process a trial: {about}")
    figure("sweep_whole_steps_seconds", sum(swept.seconds), "amrg: of these, in steps")
    figure("sweep_whole_compiling_seconds", max(map(compiling, [swept])), "amrg: the first trial's, in its first step")
    alone = [s / (swept.wall / given.trials) for s in (peer.wall for peer in peers)]
    sys.stdout.write(
        f"ratio sweep-whole {theirs / swept.wall:.2f}  # {min(alone):.2f} to {max(alone):.2f} by trial, n = "
        f"{given.trials}\n"
    )


if __name__ == "__main__":
    main()
