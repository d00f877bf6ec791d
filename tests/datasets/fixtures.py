"""Cases made by hand, and data set folders of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from amrg.birads import Report
from amrg.datasets import About, Case, Dataset, ImageRef, Item, ReferenceSource, import_dataset, open_dataset
from amrg.datasets.importer import Odd


def plain_case(key: str, text: str = "one report", group: str | None = None) -> Case:
    return Case(
        key=key,
        dataset="made",
        group=group or f"case-{key}",
        source=ReferenceSource.RADIOLOGIST,
        licence="none",
        images=(ImageRef(file=f"{key}.dcm"),),
        reference=Report(),
        text=text,
    )


class Given:
    """An importer of given cases."""

    def __init__(self, cases: Iterable[Case], name: str = "made") -> None:
        self.about = About(name=name, title=name, licence="none", citation="", url="")
        self.cases = {case.key: case for case in cases}

    def items(self, root: Path, odd: Odd) -> Iterator[Item]:
        return (Item(key, ()) for key in self.cases)

    def case(self, root: Path, item: Item, odd: Odd) -> Case | None:
        return self.cases[item.key]


def dataset_of(folder: Path, cases: Iterable[Case], name: str = "made") -> Dataset:
    list(import_dataset(Given(cases, name), folder, folder / name))
    return open_dataset(folder / name)
