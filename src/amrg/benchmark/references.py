"""The references that a system is scored on: a part of a split of a data set, or anyone's own file."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from pydantic import ValidationError

from amrg.benchmark.layout import CASES, MANIFEST, SCORES
from amrg.benchmark.records import (
    Record,
    Side,
    first_error,
    list_some,
    read_object,
    read_records,
    record_report,
    records_of_texts,
    text_problem,
)
from amrg.benchmark.sampling import sample
from amrg.birads import Report
from amrg.core.files import write_text
from amrg.core.hashing import sha256_of_lines
from amrg.core.values import Value
from amrg.datasets.case import Case, ReferenceSource
from amrg.datasets.splits.groups import text_group
from amrg.datasets.splits.linked_cases import has_own_text
from amrg.datasets.store import INFO, PARTS, Dataset, Split, open_dataset
from amrg.datasets.tables.cells import stated
from amrg.metrics.bulk_parsing import MAX_CHARACTERS, read_reports
from amrg.metrics.errors import BenchmarkError
from amrg.metrics.scores import DataScored, TrainedOn

MAX_TRAINING_CASES = 2000
"""Maximum number of training cases, sampled by seed, that baselines are fitted on."""

_FIELDS = {"text", "report", "group", "source"}


@dataclass(frozen=True)
class References:
    """Cases in a fixed order, where they come from, and training cases for baselines.

    `training` are cases to fit baselines on, none of them scored; may be empty. `training_set` names their data set
    where it is another. `other_parts` has the part of each case of the split that is not scored. `hashes` are those of
    data set and split, `root` is the folder of the images. Of a scored run's cases, `run` is its folder, and
    `trained_on` what its scores say of its model. `leaks` says where patients or texts are on both sides of the split.
    """

    name: str
    cases: tuple[Case, ...]
    split: str | None = None
    part: str | None = None
    training: tuple[Case, ...] = ()
    training_set: str = ""
    other_parts: Mapping[str, str] = field(default_factory=dict)
    hashes: Mapping[str, str] = field(default_factory=dict)
    root: Path | None = None
    run: Path | None = None
    trained_on: TrainedOn | None = None
    leaks: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @cached_property
    def hash(self) -> str:
        """SHA-256 over keys, groups, sources, texts and facts: the same wherever the references were read from."""
        what = {"key", "group", "source", "text", "reference"}
        return sha256_of_lines(case.model_dump_json(include=what) for case in self.cases)

    @property
    def groups(self) -> list[str]:
        """The group of each case."""
        return [case.group for case in self.cases]


def read_references(
    path: str | os.PathLike[str], split: str | None = None, part: str = "test", seed: int = 0, limit: int | None = None
) -> References:
    """References from a data set folder (then `split` names one of its splits) or from a file or folder of texts.

    `limit`: only so many cases, from the beginning of the part.

    Raises:
        BenchmarkError: there is no such file, it is malformed, or a reference has no text.
        DatasetError: the data set cannot be read, or has no such split or part.
    """
    path = Path(path)
    if (path / INFO).is_file():
        dataset = open_dataset(path)
        if split is None:
            return _all_cases(dataset)
        return references_of_part(dataset, dataset.split(split), part, seed, limit)
    if split is not None:
        raise BenchmarkError(
            f"{path}: --split {split} was given, but there is no {INFO}: a split belongs to a data set"
        )
    if (path / CASES).is_file():
        return _of_run(path)
    return _of_records(path.stem, read_records(path, Side.REFERENCES))


def references_of_texts(texts: Mapping[str, str], name: str = "references") -> References:
    """References from texts in memory, a case a key.

    Raises:
        BenchmarkError: there is none, a key is empty, or a reference has no text.
    """
    return _of_records(name, records_of_texts(texts))


def load_references(folder: Path) -> tuple[Case, ...]:
    """The cases of a run folder.

    Raises:
        BenchmarkError: there are none, or they are malformed.
    """
    path = folder / CASES
    if not path.is_file():
        raise BenchmarkError(f"{folder}: no {CASES}; expected a run folder: score it with `amrg benchmark score`")
    try:
        return tuple(Case.model_validate_json(line) for line in path.read_bytes().splitlines() if line.strip())
    except ValidationError as invalid:
        raise BenchmarkError(f"{folder}/{CASES}: {first_error(invalid)}; score the run again") from invalid


def _of_run(folder: Path) -> References:
    """The cases of a scored run, named as its scores name them, also where those are of an earlier layout.

    Raises:
        BenchmarkError: a file of the run is damaged.
    """
    cases = load_references(folder)
    if not (folder / SCORES).is_file():
        return References(folder.name, cases, run=folder)
    data, training = _scored_before(folder / SCORES)
    manifest = read_object(folder / MANIFEST) if (folder / MANIFEST).is_file() else {}
    hashes = {
        name.removesuffix("_hash"): value
        for name, value in manifest.get("data", {}).items()
        if name in ("dataset_hash", "split_hash")
    }
    return References(
        data.name,
        cases,
        data.split,
        data.part,
        hashes=hashes,
        run=folder,
        trained_on=training,
        leaks=data.leaks,
    )


def _scored_before(path: Path) -> tuple[DataScored, TrainedOn | None]:
    """What scores of any layout state of their data, and of what the model was trained on."""
    try:
        stored = json.dumps({name: value for name, value in read_object(path).items() if name in _Before.model_fields})
        before = _Before.model_validate_json(stored)
    except (BenchmarkError, ValidationError) as error:
        found = str(error) if isinstance(error, BenchmarkError) else f"{path.name}: {first_error(error)}"
        raise BenchmarkError(
            f"{path.parent}: {found}; copy it again, or remove it to score without its split"
        ) from error
    return before.data, before.trained_on


class _Before(Value):
    """The part of `scores.json` that is read when a run is scored again."""

    data: DataScored
    trained_on: TrainedOn | None = None


def save_references(cases: Sequence[Case], folder: Path) -> None:
    """Write the cases of a run into its folder."""
    write_text(folder / CASES, (case.model_dump_json() for case in cases))


def _all_cases(dataset: Dataset) -> References:
    """All cases of a data set that has no split."""
    if dataset.splits():
        raise BenchmarkError(
            f"{dataset.folder}: a data set needs --split to say which cases; it has {', '.join(dataset.splits())}"
        )
    warning = f"{dataset.info.name} has no split: all its cases are scored, also those that a system was trained on"
    return References(
        dataset.info.name,
        tuple(dataset.cases()),
        hashes={"dataset": dataset.info.hash},
        root=dataset.root,
        warnings=(warning,),
    )


def references_of_part(dataset: Dataset, split: Split, part: str, seed: int, limit: int | None = None) -> References:
    """One part of a split, or its first cases, with cases of its train part to fit baselines on.

    Raises:
        BenchmarkError: the part is empty.
        DatasetError: the split has no such part.
    """
    keys = split.keys(part)[:limit]
    if not keys:
        sizes = ", ".join(f"{name} {len(split.keys(name))}" for name in PARTS)
        raise BenchmarkError(f"split {split.name}: part {part} is empty ({sizes}); name another part")
    train = split.train if part != "train" else ()
    training_keys = sample(train, MAX_TRAINING_CASES, f"training {seed}")
    wanted, in_train = {*keys, *training_keys}, set(train)
    found, known = dict[str, Case](), KnownContent()
    for case in dataset.cases():
        if case.key in in_train:
            known.add(case)
        if case.key in wanted:
            found[case.key] = case
    cases, training = tuple(found[key] for key in keys), tuple(found[key] for key in training_keys)
    return References(
        dataset.info.name,
        cases,
        split.name,
        part,
        training,
        other_parts={key: name for name in PARTS if name != part for key in split.keys(name)},
        hashes={"dataset": dataset.info.hash, "split": split.hash},
        root=dataset.root,
        leaks=_leaks(cases, known),
    )


@dataclass
class KnownContent:
    """The patients and texts of some cases."""

    groups: set[str] = field(default_factory=set)
    texts: set[str] = field(default_factory=set)

    def add(self, case: Case) -> None:
        """One more case."""
        self.groups.add(case.group)
        self.texts.add(text_group(case.text))

    def shared(self, cases: Sequence[Case]) -> list[str]:
        """The keys of cases that share a patient or a text with these."""
        return [
            case.key
            for case in cases
            if case.group in self.groups or (has_own_text(case) and text_group(case.text) in self.texts)
        ]


def fitted_on(references: References, name: str, training: tuple[Case, ...]) -> References:
    """The references with baselines fitted on cases of another data set."""
    return replace(references, training=training, training_set=name)


def known_texts(references: References) -> tuple[str, ...]:
    """A warning where baselines that are fitted on another data set know patients or texts of the references."""
    known = KnownContent()
    for case in references.training:
        known.add(case)
    shared = known.shared(references.cases) if references.training_set else []
    warning = (
        f"baselines know scored texts: {len(shared)} of {len(references.cases)} cases have their patient or their "
        f"reference's text among the cases of {references.training_set} that baselines are fitted on "
        f"({list_some(shared)})"
    )
    return (warning,) if shared else ()


def _leaks(cases: Sequence[Case], train: KnownContent) -> tuple[str, ...]:
    """A warning where scored cases share a patient or a text with the train part."""
    leaked = train.shared(cases)
    if not leaked:
        return ()
    return (
        f"the split leaks: {len(leaked)} of {len(cases)} cases have their patient or their reference's text in the "
        f"train part ({list_some(leaked)}); see `amrg data check`, and prefer the split `clean`",
    )


def _of_records(name: str, records: Sequence[Record]) -> References:
    """Anyone's references: texts are parsed where a record gives no facts of its own."""
    texts = [_reference_text(record) for record in records]
    given = [record_report(record) for record in records]
    parsed = read_reports([text if report is None else None for text, report in zip(texts, given, strict=True)])
    warnings = []
    ungrouped = sum(not _stated_group(record) for record in records)
    if ungrouped:
        warnings.append(
            f"{ungrouped} of {len(records)} references name no `group` (patient): those with the same text count as one"
        )
    unknown = {field for record in records for field in record.fields} - _FIELDS
    if unknown:
        warnings.append(f"unknown fields of the references, ignored: {list_some(unknown)}")
    cases = tuple(
        _case(name, record, text, mine or read or Report(narrative=text))
        for record, text, mine, read in zip(records, texts, given, parsed, strict=True)
    )
    return References(name, cases, warnings=tuple(warnings))


def _reference_text(record: Record) -> str:
    """A reference's text; one without cannot be scored against."""
    text = record.fields.get("text")
    if not isinstance(text, str) or not stated(text):
        raise BenchmarkError(f"{record.where}: no reference text for {record.key!r}; add it, or remove its line")
    if len(text) > MAX_CHARACTERS:
        raise BenchmarkError(
            f"{record.where}: a reference of {len(text):,} characters; expected at most {MAX_CHARACTERS:,}: "
            "is it one report?"
        )
    if (why := text_problem(text)) is not None:
        raise BenchmarkError(
            f"{record.where}: {why} as the reference of {record.key!r}; correct it, or remove its line"
        )
    return text


def _stated_group(record: Record) -> str:
    """The group that a record names, as text: numbers are names too; empty where it names none."""
    group = record.fields.get("group")
    return "" if group is None else str(group).strip()


def _case(name: str, record: Record, text: str, reference: Report) -> Case:
    """A record as a case without images."""
    source = record.fields.get("source") or ReferenceSource.RADIOLOGIST.value
    if source not in tuple(ReferenceSource):
        raise BenchmarkError(f"{record.where}: source is {source!r}; expected {', '.join(ReferenceSource)}")
    return Case(
        key=record.key,
        dataset=name,
        group=_stated_group(record) or text_group(text),
        source=ReferenceSource(source),
        licence="not stated",
        images=(),
        reference=reference,
        text=text,
    )
