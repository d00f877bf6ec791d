"""The interface of an importer: items from a data set's tables, and a case from an item."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from amrg.core.errors import AmrgError
from amrg.core.values import Value
from amrg.datasets.case import Case


class DatasetError(AmrgError):
    """A data set that cannot be read: the message names the file or field, found, expected, what to do."""


class Oddity(Value):
    """Something missing or odd in a data set as published; the import records it and continues.

    `missing_image`: it is an image that the data set names and that is not there: a case without it, if any is left.
    """

    where: str
    found: str
    expected: str
    missing_image: bool = False


Odd = Callable[[Oddity], None]
"""Records an oddity."""


@dataclass(frozen=True)
class Item:
    """The table rows of one case, columns as published, and its key."""

    key: str
    rows: tuple[dict[str, str], ...]


@dataclass(frozen=True)
class About:
    """A data set's name, licence and citation as its makers give them."""

    name: str
    title: str
    licence: str
    citation: str
    url: str


class Importer(Protocol):
    """Reads one data set's folder as published. Both methods see only the folder: same folder, same cases.

    `items` streams in a stable order and opens tables only, never images; `case` may look at the files of its own
    item. What is missing or odd is passed to `odd`; a case is skipped (None) only where there is nothing to report on,
    and then that is passed to `odd`.
    """

    about: About

    def items(self, root: Path, odd: Odd) -> Iterator[Item]:
        """The cases of the folder, in the order of its tables.

        Raises:
            DatasetError: the folder is not this data set (the table is missing or lacks a column).
        """
        ...

    def case(self, root: Path, item: Item, odd: Odd) -> Case | None:
        """One case."""
        ...
