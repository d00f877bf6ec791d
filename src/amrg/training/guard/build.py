"""`make guard`: make and measure pictures, and fit what tells mammograms from others, into the package.

Run as `python -m amrg.training.guard.build FILMS RUN_FOLDER`. Measuring takes ten minutes on two cores and is
saved in the run folder; fitting takes a minute.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from amrg.core.values import Value
from amrg.models.guard.likeness import FILE
from amrg.training.guard.likeness import fit_likeness, refused_by_kind
from amrg.training.guard.pictures import Measured, mammograms, measure_all, other_pictures

log = logging.getLogger("amrg.training")


class GuardRecipe(Value):
    """How many pictures: drawn exams of every population, other pictures of every kind."""

    exams: int = 25
    each: int = 150
    photographs: str = "skimage"


def measured_pictures(films: Path, folder: Path, recipe: GuardRecipe) -> Measured:
    """All pictures measured; read from the run folder where an earlier call left them."""
    cache = folder / "measures.npz"
    if not cache.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        pictures = [*mammograms(films, recipe.exams), *other_pictures(films, recipe.each, recipe.photographs)]
        made = measure_all(pictures)
        np.savez(cache, kinds=np.array(made.kinds), is_mammogram=made.is_mammogram, numbers=made.numbers)
    with np.load(cache) as stored:
        return Measured(tuple(map(str, stored["kinds"])), stored["is_mammogram"], stored["numbers"])


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line of `make guard`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("films", type=Path, help="folder with films.jsonl")
    parser.add_argument("folder", type=Path, help="folder for measures")
    parser.add_argument("--out", type=Path, default=FILE, help="file to write (the package's own)")
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    measured = measured_pictures(given.films, given.folder, GuardRecipe())
    check = fit_likeness(measured)
    check.save(given.out)
    for kind, (count, share) in refused_by_kind(check, measured).items():
        log.info("%-28s %5d refused %.3f (fitted on these)", kind, count, share)


if __name__ == "__main__":
    main()
