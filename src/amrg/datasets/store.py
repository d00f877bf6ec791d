"""A data set folder: `dataset.json`, `cases/part-NNNNN.parquet`, `oddities.jsonl`, `splits/NAME.json`."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from amrg import __version__
from amrg.core.duplicates import duplicates
from amrg.core.files import write_text
from amrg.core.hashing import sha256_of_text
from amrg.core.values import Value, first_complaint
from amrg.datasets.case import Case
from amrg.datasets.importer import About, DatasetError, Oddity
from amrg.datasets.parquet import from_table, read_part, stream_part

LAYOUT = 1
INFO, CASES, ODDITIES, SPLITS = "dataset.json", "cases", "oddities.jsonl", "splits"
PARTS = ("train", "validation", "test")


class Info(Value):
    """`dataset.json`: name, licence, folder of the images, counts. It exists only for a complete import.

    `hash` covers the content of the cases in order, not the folder they came from.
    """

    layout: int = Field(alias="schema")
    name: str
    title: str
    licence: str
    citation: str
    url: str
    root: str
    software: str
    counts: dict[str, int]
    hash: str

    @classmethod
    def of(cls, about: About, root: str, counts: dict[str, int], parts: Sequence[str]) -> Info:
        """The info of a finished import; `parts` are the hashes of its parts in order."""
        return cls(
            schema=LAYOUT,
            name=about.name,
            title=about.title,
            licence=about.licence,
            citation=about.citation,
            url=about.url,
            root=root,
            software=f"amrg {__version__}",
            counts=counts,
            hash=sha256_of_text(*parts),
        )

    def as_json(self) -> str:
        """As stored."""
        return self.model_dump_json(indent=2, by_alias=True)


class Split(Value):
    """`splits/NAME.json`: keys of a data set in three lists, how they were drawn, and a hash over all of it.

    `seed` is None where the rule is not random; `dataset_hash` is the `hash` of the data set it was made for.
    """

    layout: int = Field(alias="schema")
    name: str
    version: int
    seed: int | None
    rule: str
    dataset: str
    dataset_hash: str
    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]
    hash: str = ""

    def keys(self, part: str) -> tuple[str, ...]:
        """The keys of `train`, `validation` or `test`.

        Raises:
            DatasetError: no such part.
        """
        if part not in PARTS:
            raise DatasetError(f"split {self.name}: no part {part!r}; expected one of {', '.join(PARTS)}")
        keys: tuple[str, ...] = getattr(self, part)
        return keys

    def with_hash(self) -> Split:
        """The split with its hash."""
        bare = self.model_copy(update={"hash": ""})
        digest = sha256_of_text(bare.model_dump_json(by_alias=True))
        return self.model_copy(update={"hash": digest})


@dataclass(frozen=True)
class Dataset:
    """An imported data set. Cases are streamed; only keys are held in memory."""

    folder: Path
    info: Info

    @property
    def root(self) -> Path:
        """The folder of the images: the `root` of `study_of`."""
        return Path(self.info.root)

    def cases(self) -> Iterator[Case]:
        """Every case, in the order of the data set's tables."""
        for path in parts_of(self.folder):
            yield from stream_part(path)

    def case(self, key: str) -> Case:
        """One case.

        Raises:
            DatasetError: no such key.
        """
        if key not in self._places:
            raise DatasetError(f"{self.folder}: no case {key!r} in {self.info.name}")
        path, row = self._places[key]
        return from_table(_part(path).slice(row, 1))[0]

    def keys(self) -> tuple[str, ...]:
        """Every key, in order."""
        return tuple(self._places)

    def oddities(self) -> Iterator[Oddity]:
        """What was missing or odd."""
        with (self.folder / ODDITIES).open(encoding="utf-8") as lines:
            yield from map(Oddity.model_validate_json, lines)

    def splits(self) -> tuple[str, ...]:
        """Names of the splits that are stored."""
        return tuple(sorted(path.stem for path in (self.folder / SPLITS).glob("*.json")))

    def split(self, name: str) -> Split:
        """A stored split.

        Raises:
            DatasetError: no such split, or one that was changed by hand, names unknown keys, or belongs to another
                data set.
        """
        path = self.folder / SPLITS / f"{name}.json"
        if name not in self.splits():
            known = ", ".join(self.splits()) or "none"
            raise DatasetError(f"{self.folder}: no split {name!r}; found {known}; make it with amrg data split")
        try:
            split = Split.model_validate_json(path.read_bytes())
        except ValidationError as error:
            raise DatasetError(
                f"{path}: not a valid split ({first_complaint(error)}); remove it and make it again"
            ) from error
        if split.hash != split.with_hash().hash:
            raise DatasetError(f"{path}: was changed after it was made; remove it and make it again")
        self.check_split(split)
        return split

    def write_split(self, split: Split) -> Split:
        """Store a split under its name, and return it with its hash. The same split again changes nothing.

        Raises:
            DatasetError: see `check_split`; or the folder has a different split of this name.
        """
        self.check_split(split)
        path, made = self.folder / SPLITS / f"{split.name}.json", split.with_hash()
        if path.is_file():
            if (there := self.split(split.name)) != made:
                raise DatasetError(
                    f"{path}: contains a different split (seed {there.seed}, version {there.version}); requested "
                    f"seed {made.seed}, version {made.version}; remove the file to make it again"
                )
            return made
        path.parent.mkdir(exist_ok=True)
        write_text(path, [made.model_dump_json(indent=1, by_alias=True)])
        return made

    def check_split(self, split: Split) -> None:
        """Check that a split belongs to this data set.

        Raises:
            DatasetError: it was made for other cases, a key is unknown, or a key occurs twice.
        """
        if split.dataset_hash != self.info.hash:
            raise DatasetError(
                f"split {split.name}: made for {split.dataset} with hash {split.dataset_hash[:12]}, but "
                f"{self.folder} contains {self.info.name} with hash {self.info.hash[:12]}; make the split again"
            )
        keys = [key for part in PARTS for key in split.keys(part)]
        if unknown := [key for key in dict.fromkeys(keys) if key not in self._places]:
            raise DatasetError(
                f"split {split.name}: keys without a case in {self.folder}: {len(unknown)}, such as {unknown[0]!r}"
            )
        if doubled := duplicates(keys):
            raise DatasetError(f"split {split.name}: keys that occur twice: {len(doubled)}, such as {doubled[0]!r}")

    def ready_split(self, name: str, parts: Sequence[str]) -> Split:
        """A stored split whose parts have cases, in a data set whose images are where they were.

        Raises:
            DatasetError: see `split`; or a part is empty, or the folder of the images is not there.
        """
        split = self.split(name)
        if empty := [part for part in parts if not split.keys(part)]:
            raise DatasetError(
                f"{self.folder}: split {name} has no case in its part {empty[0]}; use another split, such as clean"
            )
        if not self.root.is_dir():
            raise DatasetError(
                f"{self.root}: no such folder, where {self.folder} has its images; "
                "mount or move it there, or import the data set again"
            )
        return split

    @cached_property
    def _places(self) -> dict[str, tuple[Path, int]]:
        """Key to part and row."""
        return {
            key: (path, row)
            for path in parts_of(self.folder)
            for row, key in enumerate(read_part(path, ["key"]).column("key").to_pylist())
        }


def open_dataset(folder: str | os.PathLike[str]) -> Dataset:
    """The data set that `amrg data import` wrote to a folder.

    Raises:
        DatasetError: no data set there, an unfinished import, or one of another layout.
    """
    folder = Path(folder)
    if not (folder / INFO).is_file():
        if parts_of(folder):
            raise DatasetError(f"{folder}: an interrupted import; run the same amrg data import again to resume it")
        if table := next(folder.glob("cases.*"), None):
            drawn = table.suffix == ".jsonl" and any(folder.glob("study-*"))
            raise DatasetError(
                f"{folder}: not imported yet (found {table.name}, but no {INFO}); import it into another folder with "
                f"amrg data import {'phantom' if drawn else 'generic'} {folder}"
            )
        raise DatasetError(f"{folder}: no data set ({INFO} is missing); make one with amrg data import")
    return Dataset(folder, read_info(folder))


def read_info(folder: Path) -> Info:
    """The `dataset.json` of a folder.

    Raises:
        DatasetError: it is not one, or of another layout.
    """
    path = folder / INFO
    try:
        info = Info.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise DatasetError(f"{path}: not a data set of amrg ({first_complaint(error)}); name another folder") from error
    if info.layout != LAYOUT:
        raise DatasetError(f"{path}: layout {info.layout}, this version reads {LAYOUT}; import again into a new folder")
    return info


def part_path(folder: Path, number: int) -> Path:
    """The path of a part."""
    return folder / CASES / f"part-{number:05d}.parquet"


def parts_of(folder: Path) -> list[Path]:
    """The parts of a folder in order."""
    return sorted((folder / CASES).glob("part-*.parquet"))


def _part(path: Path) -> Any:
    """A part's table; the last two are cached."""
    return _cached_part(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=2)
def _cached_part(path: Path, _: int) -> Any:
    return read_part(path)
