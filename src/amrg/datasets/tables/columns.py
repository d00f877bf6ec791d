"""Column names as people write them: case, spaces and dashes do not matter, and a misspelling is never a label."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from amrg.core.duplicates import duplicates
from amrg.datasets.importer import DatasetError

_LIKENESS = 0.83
"""Of two names, by difflib: `patinet` and `patient` have 0.86, `patient_age` and `patient` 0.82."""


@dataclass(frozen=True)
class KnownColumns:
    """The columns of a table that have a meaning; all others are labels.

    `synonyms` are names that are often used for one: they are not taken for it, but where it is absent the table is
    refused and the known name suggested.
    """

    required: tuple[str, ...]
    optional: tuple[str, ...]
    synonyms: Mapping[str, str]

    def known(self, name: str) -> str | None:
        """The known column that a name spells, None for a label."""
        return {_fold(column): column for column in (*self.required, *self.optional)}.get(_fold(name))

    def resolve(self, where: str, header: Sequence[str]) -> list[str]:
        """The names of a header, known columns as they are known, labels stripped.

        Raises:
            DatasetError: a column occurs twice, a required one is missing, or a name is close to a known column that
                the table lacks: as a label it would be ignored.
        """
        names = [self.known(name) or name.strip() for name in header]
        if doubled := duplicates(filter(None, names)):
            written = ", ".join(repr(h.strip()) for h, name in zip(header, names, strict=True) if name == doubled[0])
            raise DatasetError(f"{where}: the column {doubled[0]} occurs twice ({written}); expected once")
        hints = {name: meant for name in names if name and (meant := self._meant(name, names)) is not None}
        missing = [column for column in self.required if column not in names]
        if missing:
            suggested = [f"{missed}: did you mean {name!r}?" for name, missed in hints.items() if missed in missing]
            raise DatasetError(
                f"{where}: missing column{'s' if len(missing) > 1 else ''} {', '.join(missing)}; "
                f"found {', '.join(filter(None, names)) or 'none'}" + "".join(f"; {hint}" for hint in suggested)
            )
        if hints:
            name, column = next(iter(hints.items()))
            raise DatasetError(
                f"{where}: the column {name!r} is not known; did you mean {column}? Rename it to {column}, or, to keep "
                "it as a label, to another name"
            )
        return names

    def _meant(self, name: str, present: Sequence[str]) -> str | None:
        """The known column, absent from the table, that a label's name probably means."""
        absent = {_fold(c): c for c in (*self.required, *self.optional) if c not in present}
        folded = _fold(name)
        if self.known(name) is not None:
            return None
        if (column := self.synonyms.get(folded)) is not None:
            return column if column in absent.values() else None
        swapped = [column for known, column in absent.items() if sorted(known) == sorted(folded)]
        near = difflib.get_close_matches(folded, absent, 1, _LIKENESS)
        return next(iter([*swapped, *(absent[match] for match in near)]), None)


def _fold(name: str) -> str:
    return re.sub(r"[\W_]+", "", name.casefold())
