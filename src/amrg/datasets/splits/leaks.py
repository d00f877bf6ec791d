"""Leaks of a split: test cases whose report, or patient, is in the training part too."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from amrg.core.values import Value
from amrg.datasets.case import Case
from amrg.datasets.splits.groups import is_patient, text_group
from amrg.datasets.splits.linked_cases import has_own_text
from amrg.datasets.splits.near_duplicates import NearIndex, Pairs, word_pairs
from amrg.datasets.store import Dataset, Split

ACROSS = (("validation", "train"), ("test", "train"), ("test", "validation"))
"""Pairs of parts that must not share anything."""


class LeakKind(StrEnum):
    """What two parts share. A text is counted as near only where none is exact."""

    EXACT = "same report text"
    NEAR = "near-duplicate report text"
    PATIENT = "same patient"


class SharedCase(Value):
    """A held-out case and a case of the other part with the same text or patient."""

    key: str
    other: str


class Leak(Value):
    """The held-out cases (of `of` in all) that share a text or a patient with another part."""

    held_out: str
    against: str
    kind: LeakKind
    of: int
    cases: tuple[SharedCase, ...]

    @property
    def share(self) -> float:
        """The share of held-out cases, 0 where there are none."""
        return len(self.cases) / self.of if self.of else 0.0


class LeakCheck(Value):
    """All leaks of a split.

    `texts` counts its cases with a text of their own: rendered ones are not compared. `patients` counts those whose
    patient is known: the others cannot be compared by patient.
    """

    split: str
    hash: str
    texts: int
    patients: int
    leaks: tuple[Leak, ...]

    @property
    def is_clean(self) -> bool:
        """Whether nothing is shared."""
        return not any(leak.cases for leak in self.leaks)


@dataclass
class _Part:
    """One part: its size, and the first case of every text and every patient."""

    size: int = 0
    texts: dict[str, str] = field(default_factory=dict)
    near: dict[str, Pairs] = field(default_factory=dict)
    patients: dict[str, str] = field(default_factory=dict)
    cases: list[tuple[str, str | None, str]] = field(default_factory=list)

    def add(self, case: Case) -> None:
        """One more case."""
        text = text_group(case.text) if has_own_text(case) else None
        self.size += 1
        self.cases.append((case.key, text, case.group))
        if is_patient(case.group):
            self.patients.setdefault(case.group, case.key)
        if text is not None and text not in self.texts:
            self.texts[text] = case.key
            self.near[text] = word_pairs(case.text)


def check_split(dataset: Dataset, split: Split) -> LeakCheck:
    """Find reports and patients that are on both sides of a split.

    Raises:
        DatasetError: the split is not of this data set.
    """
    dataset.check_split(split)
    parts = {"train": _Part(), "validation": _Part(), "test": _Part()}
    part_of = {key: name for name in parts for key in split.keys(name)}
    for case in dataset.cases():
        if case.key in part_of:
            parts[part_of[case.key]].add(case)
    leaks = [leak for held, other in ACROSS for leak in _leaks((held, parts[held]), (other, parts[other]))]
    texts = sum(text is not None for part in parts.values() for _, text, _ in part.cases)
    patients = sum(is_patient(group) for part in parts.values() for _, _, group in part.cases)
    return LeakCheck(split=split.name, hash=split.hash, texts=texts, patients=patients, leaks=tuple(leaks))


def _leaks(held: tuple[str, _Part], other: tuple[str, _Part]) -> Iterator[Leak]:
    """What one part shares with another, kind by kind."""
    found = {
        LeakKind.EXACT: _shared_cases(held[1], other[1].texts, 1),
        LeakKind.NEAR: _shared_cases(held[1], _near_texts(held[1], other[1]), 1),
        LeakKind.PATIENT: _shared_cases(held[1], other[1].patients, 2),
    }
    for kind, cases in found.items():
        yield Leak(held_out=held[0], against=other[0], kind=kind, of=held[1].size, cases=cases)


def _shared_cases(part: _Part, others: dict[str, str], column: int) -> tuple[SharedCase, ...]:
    """The cases whose text (column 1) or group (column 2) is one of the others'."""
    there = ((case[0], others.get(str(case[column]))) for case in part.cases)
    return tuple(SharedCase(key=key, other=other) for key, other in there if other is not None)


def _near_texts(held: _Part, other: _Part) -> dict[str, str]:
    """Texts of the held-out part that are near, but not equal to, one of the other part, and whose that is."""
    texts = list(other.near)
    nearness = NearIndex(other.near.values())
    found = {}
    for text, pairs in held.near.items():
        if text not in other.texts and (number := nearness.near(pairs)) is not None:
            found[text] = other.texts[texts[number]]
    return found
