"""What a model was trained on, kept with it: the data set by name and hash, its cases, patients, texts and images by
digest, so that a test set can be compared with it where the data set itself is not at hand."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

from amrg.core.hashing import sha256_of_file, sha256_of_text
from amrg.core.values import Value
from amrg.datasets.case import Case
from amrg.datasets.splits.groups import is_patient, text_group
from amrg.datasets.splits.linked_cases import has_own_text
from amrg.datasets.store import Dataset, Split

_DIGITS = 16  # of a digest: 64 bits


class CaseDigests(Value):
    """Cases by content, each digest once and sorted: of key, patient, own text, and the bytes of every image file."""

    cases: tuple[str, ...] = ()
    patients: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    images: tuple[str, ...] = ()


class TrainingSet(Value):
    """A data set and split that a model was trained on: the cases it learned from, and those it was selected on.

    `dataset_hash` stands for the version: it is over the content of all cases.
    """

    name: str
    split: str | None = None
    dataset_hash: str | None = None
    split_hash: str | None = None
    n: int = 0
    digests: CaseDigests = CaseDigests()


class TrainingProvenance(Value):
    """What a model was trained on: records with digests, names alone, and a line for what is not known."""

    sets: tuple[TrainingSet, ...] = ()
    unknown: tuple[str, ...] = ()


def training_set_of(dataset: Dataset, split: Split, keys: Collection[str]) -> TrainingSet:
    """The record of the cases of a split that a model was trained or selected on; reads every image file of theirs."""
    cases = [dataset.case(key) for key in keys]  # no other case is opened: never one of the test part
    return TrainingSet(
        name=dataset.info.name,
        split=split.name,
        dataset_hash=dataset.info.hash,
        split_hash=split.hash,
        n=len(cases),
        digests=digests_of(cases, dataset.root),
    )


def digests_of(cases: Iterable[Case], root: Path | None) -> CaseDigests:
    """Cases by content; without `root`, their images are not read."""
    listed = list(cases)
    images = {digest for case in listed for digest in image_digests(case, root)} if root is not None else set()
    return CaseDigests(
        cases=tuple(sorted(map(case_digest, listed))),
        patients=tuple(sorted({case.group for case in listed if is_patient(case.group)})),
        texts=tuple(sorted({text_group(case.text) for case in listed if has_own_text(case)})),
        images=tuple(sorted(images)),
    )


def case_digest(case: Case) -> str:
    """A case by data set and key."""
    return sha256_of_text(case.dataset, case.key)[:_DIGITS]


def image_digests(case: Case, root: Path) -> list[str]:
    """The images of a case by the bytes of their files; one that is not there has none."""
    files = [root / image.file for image in case.images]
    return [sha256_of_file(file)[:_DIGITS] for file in files if file.is_file()]
