"""What to run, and its cases: a part of a split, training cases of the baselines, how studies are opened."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from amrg.benchmark.references import MAX_TRAINING_CASES, References, fitted_on, read_references
from amrg.benchmark.sampling import sample
from amrg.benchmark.studies import OpenStudy, StudyOpener
from amrg.datasets import Case, Dataset, open_dataset


class ScoreText(StrEnum):
    """Which text of a draft is scored: its facts rendered in a report style, or the model's own text."""

    CLINICAL = "clinical"
    DMID = "dmid"
    IMPRESSION_FIRST = "impression-first"
    CESM = "cesm"
    MODEL = "model"


@dataclass(frozen=True)
class RunConfig:
    """What to run: a part of a split of a data set, into a folder.

    `limit` cases from the part's beginning (None: all); `perturbed` of them, sampled by seed, are also drafted on
    perturbed images. Baselines are fitted on `training`, a data set's folder, where it is given; else on the split's
    own train part. `retry_failed`: cases that failed in an earlier run of the folder are tried again.
    """

    data: Path
    split: str
    out: Path
    part: str = "test"
    score_text: ScoreText = ScoreText.CLINICAL
    limit: int | None = None
    perturbed: int = 100
    training: Path | None = None
    seed: int = 0
    command: str = ""
    retry_failed: bool = False


@dataclass(frozen=True)
class RunCases:
    """The cases of a run with the training cases of its baselines, and how the studies of either are opened.

    `perturbed` are the cases that are also drafted on perturbed images.
    """

    references: References
    perturbed: tuple[Case, ...]
    open_case: OpenStudy
    open_training: OpenStudy
    seed: int


def load_cases(config: RunConfig) -> RunCases:
    """Read the cases of a run.

    Raises:
        BenchmarkError: the part is empty.
        DatasetError: no such data set, split or part.
    """
    dataset = open_dataset(config.data)
    references = read_references(config.data, config.split, config.part, config.seed, config.limit)
    train_set = dataset
    if config.training is not None:
        train_set = open_dataset(config.training)
        training = _training_cases(train_set, references, config.seed)
        references = fitted_on(references, train_set.info.name, training)
    return RunCases(
        references=references,
        # The seed text decides which cases are sampled: never change it.
        perturbed=tuple(sample(references.cases, config.perturbed, f"pictures {config.seed}")),
        open_case=StudyOpener(dataset),
        open_training=StudyOpener(train_set),
        seed=config.seed,
    )


def _training_cases(dataset: Dataset, references: References, seed: int) -> tuple[Case, ...]:
    """At most `MAX_TRAINING_CASES` cases of a data set, sampled by seed, none of a group of the references."""
    groups = set(references.groups)
    keys = [case.key for case in dataset.cases() if case.group not in groups]
    sampled = set(sample(keys, MAX_TRAINING_CASES, f"training {seed}"))
    return tuple(case for case in dataset.cases() if case.key in sampled)
