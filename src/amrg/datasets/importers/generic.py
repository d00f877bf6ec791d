"""A hospital's own set: `cases.csv`, `.tsv`, `.xlsx` or `.jsonl` in a folder, the files next to it (docs/datasets.md).

| column | meaning |
|---|---|
| `id` | the case; rows of one id are one case, and their files add up |
| `files` | images below the folder, separated by `;` |
| `text` or `text_file` | the radiologist's report, or a text file below the folder that has it |
| `patient` | whose examination it is; stored as a hash. Without it, cases of the same text are one group |
| `laterality`, `view` | one for all files of the row, or one a file separated by `;`; if empty, read from the files |
| `masks` | mask files of the row's first image, separated by `;` |
| `split` | train, validation or test, where the set has a split of its own |
| `birads`, `birads_right`, `birads_left`, `density` | the reference of a case without a report: 0 to 6, A to D |

All other columns are kept as labels. In JSONL the names are the same; `files` and `masks` may be lists, `labels` an
object of further columns.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from amrg.birads import Assessment, Laterality, Report
from amrg.datasets.case import NO_FINDINGS, Case, ImageRef, ReferenceSource
from amrg.datasets.importer import About, DatasetError, Item, Odd, Oddity
from amrg.datasets.splits.groups import case_group, patient_group, text_group
from amrg.datasets.splits.rules import published_part
from amrg.datasets.store import PARTS
from amrg.datasets.tables.cells import SIDES, VIEWS, plain_number, stated
from amrg.datasets.tables.columns import KnownColumns
from amrg.datasets.tables.grades import CATEGORIES_IN_WORDS, DENSITIES_IN_WORDS, read_category, read_density
from amrg.datasets.tables.grouping import WHERE, Row, group_rows, labels_of, with_line_numbers
from amrg.datasets.tables.image_owners import ImageOwners, Owner
from amrg.datasets.tables.labels import KnownLabels, case_from_labels, read_reference, report_of
from amrg.datasets.tables.readers import Numbered
from amrg.datasets.tables.spreadsheets import read_text, table_rows, text_lines

TABLES = ("cases.csv", "cases.tsv", "cases.xlsx", "cases.jsonl")
_TABLE_ENDINGS = (".csv", ".tsv", ".txt", ".xls", ".xlsx", ".ods", ".json", ".jsonl")
_GRADES = ("birads", "birads_right", "birads_left", "density")
_LISTS = ("files", "masks", "laterality", "view")
_FREE = ("id", "files", "masks", "text", "text_file")
COLUMNS = KnownColumns(
    required=("id", "files"),
    optional=("text", "text_file", "patient", "laterality", "view", "masks", "split", *_GRADES),
    synonyms={
        **dict.fromkeys(("patientid", "pid", "mrn", "subject", "subjectid"), "patient"),
        **dict.fromkeys(("image", "images", "filename", "filenames", "imagefile", "imagefiles", "path"), "files"),
        **dict.fromkeys(("side", "lateral"), "laterality"),
        **{"biradsr": "birads_right", "biradsl": "birads_left"},
    },
)
_OWN = {*COLUMNS.required, *COLUMNS.optional} - set(_GRADES)
_READERS: dict[str, Callable[[str], object]] = dict.fromkeys(_GRADES, read_category) | {"density": read_density}
_JUDGED: tuple[tuple[str, Laterality | None], ...] = (
    ("birads_right", Laterality.RIGHT),
    ("birads_left", Laterality.LEFT),
    ("birads", None),
)
_GROUP = f"{WHERE}group"  # no published column
_SURROGATE = re.compile("[\ud800-\udfff]")
T = TypeVar("T")


class Generic:
    """Imports the folder with one of `TABLES`. All rows are checked before the first case."""

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
            DatasetError: no table or two, a column missing or misspelled, or an invalid row, with its line.
        """
        owners = ImageOwners(root, odd)
        check = _RowChecks(root.resolve(), owners)
        items = group_rows((row["id"], row) for row in map(check.checked, _rows(root, odd)))
        return (_with_group(item, owners) for item in items)

    def case(self, root: Path, item: Item, odd: Odd) -> Case | None:
        """One case; without report and category there is nothing to compare a draft with, and it is skipped."""
        text = _text(root, item, odd)
        patient = _single_value(item, "patient")
        known = KnownLabels(
            key=item.key,
            group=item.rows[0].get(_GROUP) or _group(self.about.name, item.key, patient, text),
            images=tuple(image for row in item.rows for image in _images(root, row, odd)),
            labels={name: cell for name, cell in labels_of(item.rows).items() if name not in _OWN},
            published_split=_single_value(item, "split") or None,
        )
        if text is None:
            return self._from_labels(known, item, odd)
        reference, notes = read_reference(text, f"{item.rows[0][WHERE]}, text", odd)
        _compare_category(item, reference, odd)
        return Case(
            key=known.key,
            dataset=self.about.name,
            group=known.group,
            source=ReferenceSource.RADIOLOGIST,
            licence=self.about.licence,
            images=known.images,
            reference=reference,
            text=text,
            labels=known.labels,
            published_split=known.published_split,
            notes=notes,
        )

    def _from_labels(self, known: KnownLabels, item: Item, odd: Odd) -> Case | None:
        """A case without a report, its reference rendered from categories and density; None if one is not readable."""
        report = _report_from_labels(item, odd)
        if report is None:
            return None
        if not report.assessments and report.composition is None:
            where = item.rows[0][WHERE]
            odd(Oddity(where=where, found="no report and no category; skipped", expected="text, or birads"))
            return None
        return case_from_labels(self.about, KnownLabels(**{**vars(known), "notes": (NO_FINDINGS,)}), report)


def _rows(root: Path, odd: Odd) -> Iterator[Row]:
    """The rows of the one table in the folder, each with its line."""
    files = sorted(path for path in root.iterdir() if path.is_file())
    there = [path for path in files if path.name.casefold() in TABLES]
    if len(there) != 1:
        found = " and ".join(path.name for path in there) or "neither"
        others = [path.name for path in files if path.suffix.lower() in _TABLE_ENDINGS and path not in there]
        hint = f"; there is {others[0]}: save it under one of these names" if others and not there else ""
        expected = "either cases.csv or cases.jsonl, cases.tsv or cases.xlsx"
        raise DatasetError(f"{root}: found {found}; expected {expected}{hint}")
    path = there[0]
    return with_line_numbers(
        path, _objects(path, odd) if path.suffix.lower() == ".jsonl" else table_rows(path, COLUMNS, odd)
    )


def _objects(path: Path, odd: Odd) -> Iterator[Numbered]:
    """The objects of a JSONL file as rows of text."""
    for number, line in enumerate(text_lines(path, odd), start=1):
        if not line.strip():
            continue
        where = f"{path.name} line {number}"
        try:
            found = json.loads(line, object_pairs_hook=list)
        except ValueError as error:
            raise DatasetError(f"{where}: not JSON ({error}); expected one object a line") from error
        if not _is_object(found):
            kind = type(json.loads(line)).__name__
            raise DatasetError(f"{where}: found {kind}, expected a JSON object")
        yield number, _as_row(where, found)


def _is_object(found: object) -> bool:
    """Whether it is an object, as a list of its pairs."""
    return isinstance(found, list) and all(isinstance(pair, tuple) for pair in found) and found != []


def _as_row(where: str, pairs: list[tuple[str, Any]]) -> Row:
    """Values as a table writes them; `labels` are columns of their own."""
    own = [(name, value) for name, value in pairs if name != "labels"]
    names = COLUMNS.resolve(where, [name for name, _ in own])
    row = {name: _cell(where, name, value) for name, (_, value) in zip(names, own, strict=True)}
    for name, value in pairs:
        if name == "labels":
            row |= _labels(where, value, row)
    if halved := [name for name, cell in row.items() if _SURROGATE.search(cell)]:
        raise DatasetError(f"{where}: {halved[0]} has an unpaired surrogate, half a character; correct the cell")
    return row


def _labels(where: str, found: object, row: Row) -> Row:
    """The columns below `labels`, none of them one of the row's own."""
    if found is not None and not _is_object(found) and found != []:
        raise DatasetError(f"{where}: labels is {found!r}; expected an object of names and values")
    pairs = found if isinstance(found, list) else []
    for name, _ in pairs:
        if name in row or COLUMNS.known(name) is not None:
            raise DatasetError(f"{where}: labels has {name!r}, a column of its own; give it once, outside of labels")
    return {name: value if isinstance(value, str) else json.dumps(_plain(value)) for name, value in pairs}


def _plain(value: object) -> object:
    """A JSON value whose objects are lists of pairs, with objects again."""
    if _is_object(value) and isinstance(value, list):
        return {name: _plain(inner) for name, inner in value}
    return value


def _cell(where: str, name: str, value: object) -> str:
    """One value of an object as a cell."""
    if isinstance(value, list):
        if name not in _LISTS or not all(isinstance(part, str) for part in value):
            raise DatasetError(f"{where}: {name} is a list or an object; expected a text or a number")
        return ";".join(value)
    return "" if value is None else value if isinstance(value, str) else json.dumps(value)


def _with_group(item: Item, owners: ImageOwners) -> Item:
    """An item that shares a picture with someone else, with the group of both."""
    linked = owners.linked_to(item.key, _single_value(item, "patient"))
    if linked is None:
        return item
    name, is_patient = linked
    group = patient_group(Generic.about.name, name) if is_patient else case_group(name)
    return Item(item.key, ({**item.rows[0], _GROUP: group}, *item.rows[1:]))


@dataclass
class _RowChecks:
    """Checks of rows, alone and against each other."""

    root: Path
    owners: ImageOwners

    def checked(self, row: Row) -> Row:
        """The row with its cells as they are meant.

        Raises:
            DatasetError: no id, a path outside the folder, an unknown split, side or view, a number of them other than
                one or one a file, or an image that an earlier row gives to someone else.
        """
        where = row[WHERE]
        if not row["id"].strip():
            raise DatasetError(f"{where}: id is empty; expected the name of the case")
        files = self._paths(row, "files")
        row = row | {name: stated(row[name]) for name in COLUMNS.optional if name in row and name not in _FREE}
        row |= {
            "id": row["id"].strip(),
            "files": ";".join(files),
            "masks": ";".join(self._paths(row, "masks")),
            "text": row.get("text", "") if stated(row.get("text", "")) else "",
            "text_file": ";".join(self._paths(row, "text_file")),
            "patient": plain_number(row.get("patient", "")),
            "split": _published_split(row),
        }
        _one_a_file(row, "laterality", SIDES, len(files))
        _one_a_file(row, "view", VIEWS, len(files))
        for file in files:
            self.owners.add(file, Owner(row["id"], row["patient"], where))
        return row

    def _paths(self, row: Row, column: str) -> list[str]:
        """The paths of a cell, below the folder."""
        paths = []
        for name in _split_cell(row, column):
            path = PurePosixPath(name.replace("\\", "/"))
            if path.is_absolute() and path.is_relative_to(self.root):
                path = path.relative_to(self.root)
            if path.is_absolute() or ".." in path.parts or ":" in name:
                raise DatasetError(f"{row[WHERE]}: {name!r} is outside the folder; expected a path below it")
            paths.append(path.as_posix())
        return paths


def _published_split(row: Row) -> str:
    """The part of a row in train, validation or test; empty where it names none."""
    cell = row.get("split", "")
    part = published_part(cell)
    if cell and part is None:
        near = difflib.get_close_matches(cell.casefold(), PARTS, 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise DatasetError(f"{row[WHERE]}: split is {cell!r}; expected {', '.join(PARTS[:-1])} or {PARTS[-1]}{hint}")
    return part or ""


def _split_cell(row: Row, column: str) -> list[str]:
    """The parts of a cell."""
    return [part.strip() for part in stated(row.get(column, "")).split(";") if part.strip()]


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
        if file in files[:number]:
            odd(Oddity(where=f"{row[WHERE]}, files", found=f"{file}: named twice", expected="each image once"))
        elif not (root / file).is_file():
            found = f"{file}: {_absence(root, file)}"
            odd(Oddity(where=f"{row[WHERE]}, files", found=found, expected="an image", missing_image=True))
        else:
            yield ImageRef(file=file, laterality=side, view=view, masks=masks if number == 0 else ())


def _absence(root: Path, file: str) -> str:
    """Why a path is no image file, with the likely cause."""
    path = root / file
    if path.is_dir():
        return "a folder; name its files, separated by ;"
    if any((root / part.strip()).is_file() for delimiter in ",| " for part in file.split(delimiter)):
        return "no such file; several files are separated by ;"
    others = path.parent.iterdir() if path.parent.is_dir() else ()
    near = [other.name for other in others if other.name.casefold() == path.name.casefold()]
    return f"no such file; there is {near[0]}" if near else "no such file"


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
    where = f"{item.rows[0][WHERE]}, text_file"
    try:
        read = read_text(root / file, odd)
    except (OSError, DatasetError) as error:
        found = str(error.strerror) if isinstance(error, OSError) else "not text"
        odd(Oddity(where=where, found=f"{file}: {found}", expected="a report in UTF-8"))
        return None
    if not read.strip():
        odd(Oddity(where=where, found=f"{file}: empty", expected="a report in UTF-8"))
        return None
    return read


def _group(dataset: str, key: str, patient: str, text: str | None) -> str:
    """A patient, else those of one text, else the case alone."""
    if patient:
        return patient_group(dataset, patient)
    return text_group(text) if text else case_group(key)


def _compare_category(item: Item, reference: Report, odd: Odd) -> None:
    """A category of the table that is not the report's is odd: the report is the reference."""
    stated_one, read = read_category(_single_value(item, "birads")), reference.worst
    if stated_one is not None and read is not None and stated_one.value[0] != read.value[0]:
        found = f"{stated_one}, where the report has {read}; the report is used"
        odd(Oddity(where=f"{item.rows[0][WHERE]}, birads", found=found, expected="the category of the report"))


def _report_from_labels(item: Item, odd: Odd) -> Report | None:
    """Categories and density of a case as a report; None, and odd, where one of them cannot be read."""
    cells = {name: cell for name in _GRADES if (cell := _single_value(item, name))}
    unread = [name for name, cell in cells.items() if _READERS[name](cell) is None]
    for name in unread:
        where = next(row[WHERE] for row in item.rows if row.get(name))
        expected = DENSITIES_IN_WORDS if name == "density" else CATEGORIES_IN_WORDS
        odd(Oddity(where=f"{where}, {name}", found=f"{cells[name]}; the case is set aside", expected=expected))
    if unread:
        return None
    grades = [(side, read_category(cells.get(name, ""))) for name, side in _JUDGED]
    assessments = [Assessment(category=category, laterality=side) for side, category in grades if category is not None]
    return report_of((), assessments, read_density(cells.get("density", "")))
