"""A hospital's own set: `cases.csv` or `cases.jsonl` in a folder, with the files next to it (docs/datasets.md).

| column | meaning |
|---|---|
| `id` | the case; rows of one id are one case, and their files add up |
| `files` | images below the folder, separated by `;` |
| `text` or `text_file` | the radiologist's report, or a UTF-8 file below the folder that has it |
| `patient` | whose examination it is; stored as a hash. Without it, cases of the same text are one group |
| `laterality`, `view` | one for all files of the row, or one a file separated by `;`; if empty, read from the files |
| `masks` | mask files of the row's first image, separated by `;` |
| `split` | train, validation or test, where the set has a split of its own |
| `birads`, `birads_right`, `birads_left`, `density` | the reference of a case without a report: 0 to 6, A to D |

All other columns are kept as labels. In JSONL the names are the same; `files` and `masks` may be lists, `labels` an
object of further columns.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from amrg.birads import Assessment, Laterality, Report, parse
from amrg.datasets.case import Case, ImageRef, ReferenceSource
from amrg.datasets.importer import About, DatasetError, Item, Odd, Oddity
from amrg.datasets.splits.groups import patient_group, text_group
from amrg.datasets.tables.cells import CATEGORIES, LETTERS, SIDES, VIEWS, Cells
from amrg.datasets.tables.grouping import WHERE, Row, group_rows, labels_of, with_line_numbers
from amrg.datasets.tables.labels import KnownLabels, case_from_labels, report_of
from amrg.datasets.tables.readers import Numbered, numbered_csv_rows

CSV, JSONL = "cases.csv", "cases.jsonl"
REQUIRED = ("id", "files")
_SINGLE = ("text", "text_file", "patient", "split", "birads", "birads_right", "birads_left", "density")
_OWN = {*REQUIRED, *_SINGLE, "laterality", "view", "masks"} - {"birads", "birads_right", "birads_left", "density"}
_JUDGED: tuple[tuple[str, Laterality | None], ...] = (
    ("birads_right", Laterality.RIGHT),
    ("birads_left", Laterality.LEFT),
    ("birads", None),
)
T = TypeVar("T")


class Generic:
    """Imports the folder with `cases.csv` or `cases.jsonl`. All rows are checked before the first case."""

    about = About(
        name="generic",
        title="A set of one's own",
        licence="as its owner says",
        citation="",
        url="",
    )

    def items(self, root: Path, odd: Odd) -> Iterator[Item]:
        """Cases in the order in which their ids first occur.

        Raises:
            DatasetError: no table or two, a column missing, or an invalid row, with its line.
        """
        return group_rows((row["id"].strip(), row) for row in map(_checked_row, _rows(root)))

    def case(self, root: Path, item: Item, odd: Odd) -> Case | None:
        """One case; without report and category there is nothing to compare a draft with, and it is skipped."""
        text = _text(root, item, odd)
        patient = _single_value(item, "patient")
        known = KnownLabels(
            key=item.key,
            group=_group(self.about.name, item.key, patient, text),
            images=tuple(image for row in item.rows for image in _images(root, row, odd)),
            labels={name: cell for name, cell in labels_of(item.rows).items() if name not in _OWN},
            published_split=_single_value(item, "split") or None,
        )
        if text is None:
            return self._from_labels(known, item, odd)
        return Case(
            key=known.key,
            dataset=self.about.name,
            group=known.group,
            source=ReferenceSource.RADIOLOGIST,
            licence=self.about.licence,
            images=known.images,
            reference=parse(text).report,
            text=text,
            labels=known.labels,
            published_split=known.published_split,
        )

    def _from_labels(self, known: KnownLabels, item: Item, odd: Odd) -> Case | None:
        """A case without a report, its reference rendered from categories and density."""
        report = _report_from_labels(item, odd)
        if not report.assessments and report.composition is None:
            where = str(item.rows[0][WHERE])
            odd(Oddity(where=where, found="no report and no category; skipped", expected="text, or birads"))
            return None
        return case_from_labels(self.about, known, report)


def _rows(root: Path) -> Iterator[Row]:
    """The rows of the one table in the folder, each with its line."""
    there = [root / name for name in (CSV, JSONL) if (root / name).is_file()]
    if len(there) != 1:
        found = " and ".join(path.name for path in there) or "neither"
        raise DatasetError(f"{root}: found {found}; expected either {CSV} or {JSONL}")
    numbered = numbered_csv_rows(there[0], REQUIRED) if there[0].name == CSV else _objects(there[0])
    return with_line_numbers(there[0], numbered)


def _objects(path: Path) -> Iterator[Numbered]:
    """The objects of a JSONL file as rows of text."""
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                found = json.loads(line)
            except ValueError as error:
                raise DatasetError(f"{path.name} line {number}: not JSON in UTF-8 ({error})") from error
            if not isinstance(found, dict):
                raise DatasetError(f"{path.name} line {number}: found {type(found).__name__}, expected a JSON object")
            if missing := [name for name in REQUIRED if name not in found]:
                raise DatasetError(f"{path.name} line {number}: missing {', '.join(missing)}; found {', '.join(found)}")
            labels = found.pop("labels", None)
            yield number, _as_row(found | (labels if isinstance(labels, dict) else {}))


def _as_row(found: dict[str, Any]) -> Row:
    """Values as a table writes them."""
    return {name: ";".join(map(str, v)) if isinstance(v, list) else _cell(v) for name, v in found.items()}


def _cell(value: object) -> str:
    return "" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _checked_row(row: Row) -> Row:
    """The row itself, if it is valid.

    Raises:
        DatasetError: no id, a path outside the folder, an unknown side or view, or a number of them other than one or
            one a file.
    """
    where = row[WHERE]
    if not row["id"].strip():
        raise DatasetError(f"{where}: id is empty; expected the name of the case")
    files = _split_cell(row, "files")
    for name in (*files, *_split_cell(row, "masks"), *_split_cell(row, "text_file")):
        path = PurePosixPath(name.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts or ":" in name:
            raise DatasetError(f"{where}: {name!r} is outside the folder; expected a path below it")
    _one_a_file(row, "laterality", SIDES, len(files))
    _one_a_file(row, "view", VIEWS, len(files))
    return row


def _split_cell(row: Row, column: str) -> list[str]:
    """The parts of a cell."""
    return [part.strip() for part in row.get(column, "").split(";") if part.strip()]


def _one_a_file(row: Row, column: str, terms: dict[str, T] | Any, files: int) -> list[T | None]:
    """The terms of a column, one for every file of the row; None for each where the cell is empty.

    Raises:
        DatasetError: an unknown term, or another number of them.
    """
    values = _split_cell(row, column)
    for word in values:
        if word.upper() not in terms:
            raise DatasetError(f"{row[WHERE]}: {column} is {word!r}; expected one of {', '.join(terms)}")
    if len(values) not in (0, 1, files):
        raise DatasetError(
            f"{row[WHERE]}: {len(values)} values of {column} for {files} files; expected one, or one a file"
        )
    if not values:
        return [None] * files
    return [terms[word.upper()] for word in (values * files if len(values) == 1 else values)]


def _images(root: Path, row: Row, odd: Odd) -> Iterator[ImageRef]:
    """The images of a row; missing ones are odd and skipped, so that the others can be read."""
    files = _split_cell(row, "files")
    sides, views = (
        _one_a_file(row, name, terms, len(files)) for name, terms in (("laterality", SIDES), ("view", VIEWS))
    )
    masks = tuple(_split_cell(row, "masks"))
    for number, (file, side, view) in enumerate(zip(files, sides, views, strict=True)):
        if not (root / file).is_file():
            odd(Oddity(where=f"{row[WHERE]}, files", found=f"{file}: no such file", expected="an image"))
            continue
        yield ImageRef(file=file.replace("\\", "/"), laterality=side, view=view, masks=masks if number == 0 else ())


def _single_value(item: Item, column: str) -> str:
    """The one value that the rows of a case give for a column, empty where they give none.

    Raises:
        DatasetError: they give several.
    """
    values = {row[column] for row in item.rows if row.get(column, "").strip()}
    if len(values) > 1:
        places = ", ".join(row[WHERE] for row in item.rows)
        raise DatasetError(f"{item.key}: {len(values)} different values of {column} ({places}); expected one a case")
    value = values.pop() if values else ""
    return value if column == "text" else value.strip()


def _text(root: Path, item: Item, odd: Odd) -> str | None:
    """The report as written, None where there is none."""
    text, file = _single_value(item, "text"), _single_value(item, "text_file")
    if text and file:
        raise DatasetError(f"{item.rows[0][WHERE]}: both text and text_file are given; expected one of them")
    if not file:
        return text or None
    try:
        read = (root / file).read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        found = "not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error.strerror)
        odd(Oddity(where=f"{item.rows[0][WHERE]}, text_file", found=f"{file}: {found}", expected="a report in UTF-8"))
        return None
    if not read.strip():
        odd(Oddity(where=f"{item.rows[0][WHERE]}, text_file", found=f"{file}: empty", expected="a report in UTF-8"))
        return None
    return read


def _group(dataset: str, key: str, patient: str, text: str | None) -> str:
    """A patient, else those of one text, else the case alone."""
    if patient:
        return patient_group(dataset, patient)
    return text_group(text) if text and text.strip() else f"case-{key}"


def _report_from_labels(item: Item, odd: Odd) -> Report:
    """Categories and density of a case as a report."""
    cells = Cells({WHERE: item.rows[0][WHERE], **{name: _single_value(item, name) for name in _SINGLE}}, odd)
    found: Iterable[tuple[Laterality | None, Any]] = ((side, cells.term(name, CATEGORIES)) for name, side in _JUDGED)
    assessments = [Assessment(category=category, laterality=side) for side, category in found if category]
    return report_of((), assessments, cells.term("density", LETTERS))
