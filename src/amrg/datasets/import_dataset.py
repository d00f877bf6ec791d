"""From an importer to a data set folder: part by part, resumable, the same bytes however often it was interrupted."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

from amrg import __version__
from amrg.core.files import write_text
from amrg.core.hashing import sha256_of_lines
from amrg.datasets.case import Case
from amrg.datasets.importer import DatasetError, Importer, Item, Odd, Oddity
from amrg.datasets.parquet import PartFacts, hash_of, read_facts, write_part
from amrg.datasets.store import INFO, LAYOUT, ODDITIES, Info, part_path, parts_of, read_info

PART = 1000
"""Cases a part: the number held in memory, and the most that an interrupted import loses."""


@dataclass(frozen=True)
class PartDone:
    """One part that is on disk; `cases` counts up to and with it. `again`: an earlier run had written it."""

    number: int
    cases: int
    again: bool


@dataclass(frozen=True)
class ImportJob:
    """One import: importer, source folder, target folder, part size."""

    importer: Importer
    root: Path
    out: Path
    size: int

    def facts(self, items: str, counted: tuple[str, int, int], oddities: Sequence[Oddity]) -> PartFacts:
        """The facts stored in a part; `counted` is the hash and number of its cases, and the number of image files."""
        return PartFacts(
            layout=LAYOUT,
            dataset=self.importer.about.name,
            root=str(self.root),
            software=f"amrg {__version__}",
            items=items,
            hash=counted[0],
            cases=counted[1],
            images=counted[2],
            oddities=tuple(oddities),
        )


def import_dataset(importer: Importer, root: Path, out: Path, size: int = PART) -> Iterator[PartDone]:
    """Write the data set at `root` as a data set folder `out`, a part of `size` cases at a time.

    Yields each part once it is on disk. An interrupted import resumes with the first missing part and ends with the
    same bytes; a finished one is left unchanged.

    Raises:
        DatasetError: `root` is not this data set or has no case, or `out` contains another data set, another root, or
            an import of tables that have changed since.
    """
    job = open_job(importer, root, out, size)
    oddities: list[Oddity] = []
    parts: list[Path] = []
    cases = 0
    for batch in batches(job, oddities.append):
        path = part_path(out, len(parts))
        again = path.is_file()
        facts = _same_items(path, batch) if again else new_part(job, path, batch, oddities)
        oddities.clear()
        cases += facts.cases
        parts.append(path)
        yield PartDone(len(parts) - 1, cases, again)
    _finish(job, parts, oddities)


def open_job(importer: Importer, root: Path, out: Path, size: int = PART) -> ImportJob:
    """An import that may begin or resume; `DatasetError` as `import_dataset` raises it before its first part."""
    if root.is_file():
        raise DatasetError(f"{root}: a file; expected its folder, {root.parent}")
    if not root.is_dir():
        raise DatasetError(f"{root}: no such folder; expected the {importer.about.name} data set as published")
    job = ImportJob(importer, root.resolve(), out, size)
    _refuse_other(job)
    return job


def batches(job: ImportJob, odd: Odd) -> Iterator[list[Item]]:
    """The items of each part, in order, each key once."""
    unique = _unique(job.importer.items(job.root, odd), odd)
    while batch := list(islice(unique, job.size)):
        yield batch


def _unique(items: Iterator[Item], odd: Odd) -> Iterator[Item]:
    """Items in order; of those that share a key the first. Only keys are held in memory."""
    keys: set[str] = set()
    for item in items:
        if item.key in keys:
            odd(Oddity(where=item.key, found="a second case of this key", expected="each key once; the first is kept"))
            continue
        keys.add(item.key)
        yield item


MakeCase = Callable[[ImportJob, Item, Odd], Case | None]


def case_of(job: ImportJob, item: Item, odd: Odd) -> Case | None:
    """The case of an item, under the item's own key."""
    case = job.importer.case(job.root, item, odd)
    if case is not None and case.key != item.key:
        raise DatasetError(
            f"{item.key}: the importer returned a case with key {case.key}; expected the key of its item"
        )
    return case


def new_part(
    job: ImportJob, path: Path, batch: list[Item], oddities: list[Oddity], make: MakeCase = case_of
) -> PartFacts:
    """Make the cases of a batch and write them, with the oddities so far and those of the cases."""
    found = (make(job, item, oddities.append) for item in batch)
    cases = [case for case in found if case is not None]
    there = sum((job.root / image.file).is_file() for case in cases for image in case.images)
    counted = (hash_of(cases), len(cases), there)
    facts = job.facts(_hash_of_items(batch), counted, oddities)
    write_part(path, cases, facts)
    return facts


def _hash_of_items(batch: Sequence[Item]) -> str:
    return sha256_of_lines(json.dumps([item.key, item.rows]) for item in batch)


def _same_items(path: Path, batch: Sequence[Item]) -> PartFacts:
    """The facts of a part that an earlier run wrote, checked against the rows it would be made from now."""
    facts = read_facts(path)
    if facts.items != _hash_of_items(batch):
        raise DatasetError(
            f"{path}: the tables at {facts.root} have changed since this part was imported; "
            f"use an empty folder, or remove {path.parent.parent} and import again"
        )
    return facts


def _refuse_other(job: ImportJob) -> None:
    """Refuse a folder that contains another data set, finished or not."""
    there = parts_of(job.out)
    if (job.out / INFO).is_file():
        info = read_info(job.out)
        found = (info.name, info.root, info.layout)
    elif there:
        facts = read_facts(there[0])
        found = (facts.dataset, facts.root, facts.layout)
        if facts.software != f"amrg {__version__}":
            raise DatasetError(
                f"{job.out}: unfinished import by {facts.software}, this is amrg {__version__}; remove it first"
            )
    else:
        return
    if found != (job.importer.about.name, str(job.root), LAYOUT):
        raise DatasetError(
            f"{job.out}: contains {found[0]} from {found[1]} (layout {found[2]}); expected "
            f"{job.importer.about.name} from {job.root} (layout {LAYOUT}); use an empty folder"
        )


def _finish(job: ImportJob, parts: Sequence[Path], tail: Sequence[Oddity]) -> None:
    """Write the oddities and then `dataset.json`, which exists only for a complete import."""
    if spare := [path.name for path in parts_of(job.out) if path not in parts]:
        raise DatasetError(
            f"{job.out}: contains {spare[0]}, for which the tables have no cases any more; remove the folder first"
        )
    facts = [read_facts(path).model_copy(update={"oddities": ()}) for path in parts]
    if not sum(f.cases for f in facts):
        first = next(_oddities(parts, tail), None)
        for path in parts:  # nothing worth resuming: the table will change
            path.unlink()
        raise DatasetError(_no_case(job, first))
    if (job.out / INFO).is_file():
        return
    lines = (oddity.model_dump_json(exclude_defaults=True) for oddity in _oddities(parts, tail))
    count = write_text(job.out / ODDITIES, lines)
    counts = {
        "cases": sum(f.cases for f in facts),
        "images": sum(f.images for f in facts),
        "parts": len(facts),
        "oddities": count,
    }
    info = Info.of(job.importer.about, str(job.root), counts, [f.hash for f in facts])
    write_text(job.out / INFO, [info.as_json()])


def _no_case(job: ImportJob, first: Oddity | None) -> str:
    """The message for a folder without a case, with the first reason."""
    name = job.importer.about.name
    if first is None:
        return f"{job.root}: no case of {name} found; check that this is its folder"
    return f"{job.root}: no case of {name} found; {first.where}: {first.found}; expected {first.expected}"


def _oddities(parts: Sequence[Path], tail: Sequence[Oddity]) -> Iterator[Oddity]:
    """Every oddity, part by part, then those found after the last case."""
    of_parts = (oddity for path in parts for oddity in read_facts(path).oddities)
    return chain(of_parts, tail)
