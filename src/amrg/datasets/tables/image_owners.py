"""Whose the images of a table are: one image belongs to one case, or to cases that are kept together."""

from __future__ import annotations

import filecmp
from dataclasses import dataclass, field
from pathlib import Path

from amrg.core.hashing import sha256_of_chunks
from amrg.datasets.importer import DatasetError, Odd, Oddity

_PIECE = 16 * 2**10  # bytes read at the start, in the middle and at the end of a file
_PATIENT, _CASE = "patient ", "case "


@dataclass(frozen=True)
class Owner:
    """A row that names an image: its case, its patient (empty where none is named), its place in the table."""

    case: str
    patient: str
    where: str


@dataclass
class ImageOwners:
    """The images of all rows so far, by path and by content."""

    root: Path
    odd: Odd
    _by_path: dict[str, Owner] = field(default_factory=dict)
    _by_content: dict[str, tuple[str, Owner]] = field(default_factory=dict)
    _parents: dict[str, str] = field(default_factory=dict)

    def add(self, file: str, owner: Owner) -> None:
        """One more image of a row.

        Raises:
            DatasetError: an earlier row of another case has the same path, and not both name the same patient.
        """
        if owner.patient:
            self._join(_CASE + owner.case, _PATIENT + owner.patient)
        first = self._by_path.setdefault(file, owner)
        if first is owner:
            self._compare(file, owner)
        elif first.where != owner.where:
            if not _is_same(first, owner):
                whose = "of two patients" if first.patient and owner.patient else "of two cases without one patient"
                raise DatasetError(
                    f"{owner.where}: {file} is also the image of {first.where}, {whose}; "
                    "expected one id, or one patient for both rows"
                )
            found = f"{file}: also in {first.where}"
            self.odd(Oddity(where=f"{owner.where}, files", found=found, expected="each image once"))

    def linked_to(self, case: str, patient: str) -> tuple[str, bool] | None:
        """The patient or case that a case is kept together with beyond its own, and whether it is a patient.

        None where that is its own patient, or itself. To be asked after the last `add`.
        """
        own = _PATIENT + patient if patient else _CASE + case
        found = self._find(own)
        if found == own:
            return None
        return found.removeprefix(_PATIENT).removeprefix(_CASE), found.startswith(_PATIENT)

    def _compare(self, file: str, owner: Owner) -> None:
        """Link cases that have the same image under two names."""
        path = self.root / file
        if not path.is_file() or not path.stat().st_size:
            return
        other, first = self._by_content.setdefault(_sample(path), (file, owner))
        if other == file or not filecmp.cmp(path, self.root / other, shallow=False):
            return
        found = f"{file}: the same picture as {other} of {first.where}"
        if not _is_same(first, owner):
            found += ", another case; both are kept together in a split"
            self._join(_node(first), _node(owner))
        self.odd(Oddity(where=f"{owner.where}, files", found=found, expected="each image once"))

    def _join(self, one: str, other: str) -> None:
        """Patients stand for cases, and the first for the later."""
        roots = [self._find(one), self._find(other)]
        first, second = sorted(roots, key=lambda node: not node.startswith(_PATIENT))
        if first != second:
            self._parents[second] = first

    def _find(self, node: str) -> str:
        while (parent := self._parents.get(node)) is not None:
            node = parent
        return node


def _is_same(one: Owner, other: Owner) -> bool:
    """Whether two rows are of one case or one patient."""
    return one.case == other.case or bool(one.patient and one.patient == other.patient)


def _node(owner: Owner) -> str:
    return _PATIENT + owner.patient if owner.patient else _CASE + owner.case


def _sample(path: Path) -> str:
    """A hash of a file's size and of parts of it: equal for equal files, almost never for others."""
    size = path.stat().st_size
    with path.open("rb") as file:
        pieces = [str(size).encode()]
        for start in (0, max(0, size // 2), max(0, size - _PIECE)):
            file.seek(start)
            pieces.append(file.read(_PIECE))
    return sha256_of_chunks(pieces)
