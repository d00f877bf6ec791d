"""A small data set with a split, and a tiny base to learn it: what the tests of training share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from amrg.birads import Laterality
from amrg.datasets import Dataset, Split, import_dataset, importer_of, open_dataset
from amrg.training.data.prepared import DataSource, PreparedData, prepare
from amrg.training.recipe import Recipe
from tests.benchmark.reader import draw
from tests.models.tiny import TINY

R, L = Laterality.RIGHT, Laterality.LEFT
SIDES = (R, L, None, R, L, None, R, L)
TRAIN, VALIDATION = 4, 6  # where each part ends; what follows is the test part


def drawn(folder: Path, sides: Sequence[Laterality | None] = SIDES) -> DataSource:
    """Exams of four views, drawn in no time, with a split `some`: four to learn, two to watch, the rest to test."""
    list(import_dataset(importer_of("phantom"), draw(folder / "drawn", sides), folder / "data"))
    dataset = open_dataset(folder / "data")
    keys = dataset.keys()
    split_as(dataset, "some", (keys[:TRAIN], keys[TRAIN:VALIDATION], keys[VALIDATION:]))
    return DataSource(folder / "data", "some")


def split_as(dataset: Dataset, name: str, parts: tuple[Sequence[str], ...]) -> None:
    """Store a split made by hand."""
    train, validation, test = map(tuple, parts)
    dataset.write_split(
        Split(
            schema=1,
            name=name,
            version=1,
            seed=None,
            rule="made by hand",
            dataset=dataset.info.name,
            dataset_hash=dataset.info.hash,
            train=train,
            validation=validation,
            test=test,
        )
    )


def tiny_recipe(folder: Path, family: str = "gemma3") -> Recipe:
    """A recipe of a tiny base, which is written to a folder."""
    return Recipe(base=str(TINY[family](folder / family)))


def prepared(recipe: Recipe, source: DataSource, cache: Path) -> PreparedData:
    """Prepared without a word."""
    return prepare(recipe, source, cache, lambda what, done, of: None)
