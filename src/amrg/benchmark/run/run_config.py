"""What is to be run: a part of a split, from which cases baselines learn, and how pictures are opened."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from amrg.benchmark.baselines.retrieval import OpenStudy
from amrg.benchmark.references import LEARNED_FROM, References, read_references
from amrg.benchmark.run.predict import ScoredText
from amrg.benchmark.sampling import sample
from amrg.datasets import Case, Dataset, open_dataset, study_of
from amrg.imaging import Study


@dataclass(frozen=True)
class RunConfig:
    """What to run: a part of a split of a data set, into a folder.

    `limit` cases from the part's beginning (None: all); `pictures` of them, drawn by seed, on changed pictures too.
    Baselines learn from `training`, a data set's folder, where it is given; else from the split's own train part.
    """

    data: Path
    split: str
    out: Path
    part: str = "test"
    words: ScoredText = ScoredText.CLINICAL
    limit: int | None = None
    pictures: int = 100
    training: Path | None = None
    seed: int = 0
    command: str = ""


@dataclass(frozen=True)
class RunCases:
    """The cases of an order with those that baselines learn from, and how the pictures of either are opened."""

    references: References
    opened: OpenStudy
    learned: OpenStudy


class LastStudy:
    """Opens cases of a data set and keeps the last study, which is often asked for again at once."""

    def __init__(self, dataset: Dataset) -> None:
        self._root = dataset.root
        self._last: tuple[str, Study] | None = None

    def __call__(self, case: Case) -> Study:
        """The study of a case.

        Raises:
            ImagingError: a picture is missing or cannot be read.
        """
        if self._last is None or self._last[0] != case.key:
            self._last = (case.key, study_of(case, self._root))
        return self._last[1]


def load_cases(order: RunConfig) -> RunCases:
    """The cases of an order, read.

    Raises:
        BenchmarkError: nothing in the part.
        DatasetError: no such data set, split or part.
    """
    dataset = open_dataset(order.data)
    whole = read_references(order.data, order.split, order.part, order.seed)
    references = replace(whole, cases=whole.cases[: order.limit])
    if order.training is None:
        return RunCases(references, LastStudy(dataset), LastStudy(dataset))
    other = open_dataset(order.training)
    training = _all_but(other, references, order.seed)
    return RunCases(replace(references, training=training), LastStudy(dataset), LastStudy(other))


def _all_but(dataset: Dataset, references: References, seed: int) -> tuple[Case, ...]:
    """Cases of a data set that are none of the references nor of their patients: some, drawn by seed, if many."""
    groups = set(references.groups)
    keys = [case.key for case in dataset.cases() if case.group not in groups]
    wanted = set(sample(keys, LEARNED_FROM, f"training {seed}"))
    return tuple(case for case in dataset.cases() if case.key in wanted)
