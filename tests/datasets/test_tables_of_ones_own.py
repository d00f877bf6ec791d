"""Tables as hospitals export them: read where the meaning is plain, else refused with line, value and what to do."""

from __future__ import annotations

import codecs
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from openpyxl import Workbook

from amrg.birads import Category, Composition, Report
from amrg.datasets import Dataset, DatasetError, ReferenceSource, import_dataset, importer_of, is_patient, open_dataset
from amrg.datasets.case import NO_FINDINGS
from amrg.datasets.tables.grades import read_category, read_density

PLAIN = "id,files,text,patient,split\na,x.png,Läsion links.,7,train\nb,,Mass. BI-RADS 4.,8,test\n"


def imported(folder: Path, raw: bytes | str, name: str = "cases.csv") -> Dataset:
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(raw if isinstance(raw, bytes) else raw.encode())
    (folder / "x.png").write_bytes(b"picture")
    list(import_dataset(importer_of("generic"), folder, folder / "out"))
    return open_dataset(folder / "out")


def excel(text: str) -> bytes:
    """As Excel saves it where the decimal sign is a comma."""
    return b"sep=;\r\n" + text.replace(",", ";").replace("\n", "\r\n").encode("cp1252")


ENCODINGS: dict[str, Callable[[str], bytes]] = {
    "UTF-8 with mark": lambda text: codecs.BOM_UTF8 + text.encode(),
    "UTF-16 with mark": lambda text: text.encode("utf-16"),
    "UTF-16 without": lambda text: text.encode("utf-16-le"),
    "big-endian": lambda text: codecs.BOM_UTF16_BE + text.encode("utf-16-be"),
    "Windows-1252": lambda text: text.encode("cp1252"),
    "old Mac line ends": lambda text: text.replace("\n", "\r").encode(),
    "semicolons": lambda text: text.replace(",", ";").encode(),
    "tabs": lambda text: text.replace(",", "\t").encode(),
    "bars": lambda text: text.replace(",", "|").encode(),
    "sep= line": excel,
    "sep= line after a mark": lambda text: codecs.BOM_UTF8 + b"sep=,\r\n" + text.encode(),
    "blank lines and spaces": lambda text: b"\n\n" + text.replace(",", ", ").encode(),
    "other case of names": lambda text: text.replace("id,files,text,patient", "ID,Files,TEXT,Patient").encode(),
}


@pytest.mark.parametrize("form", ENCODINGS)
def test_one_table_in_any_form_gives_the_same_cases(form: str, tmp_path: Path) -> None:
    plain, other = imported(tmp_path / "plain", PLAIN), imported(tmp_path / "other", ENCODINGS[form](PLAIN))
    assert list(other.cases()) == list(plain.cases())


def test_a_workbook_is_read_and_another_sheet_is_named(tmp_path: Path) -> None:
    book = Workbook()
    for row in csv_rows(PLAIN):
        book.active.append(row)
    book.create_sheet("second").append(["id"])
    book.create_sheet("empty")
    (tmp_path / "book").mkdir()
    book.save(tmp_path / "book" / "saved.xlsx")
    raw = (tmp_path / "book" / "saved.xlsx").read_bytes()
    dataset = imported(tmp_path / "book", raw, "cases.xlsx")
    assert list(dataset.cases()) == list(imported(tmp_path / "plain", PLAIN).cases())
    assert "cases.xlsx, sheet second" in [oddity.where for oddity in dataset.oddities()]


def csv_rows(text: str) -> list[list[object]]:
    return [[int(cell) if cell.isdigit() else cell or None for cell in line.split(",")] for line in text.splitlines()]


@pytest.mark.parametrize(
    ("cell", "category"),
    [
        *((str(c), c) for c in Category),
        ("4.0", Category.SUSPICIOUS),
        ("2,0", Category.BENIGN),
        ("BI-RADS 4a", Category.LOW_SUSPICION),
        ("BIRADS-5", Category.HIGHLY_SUGGESTIVE),
        ("bi-rads category 3", Category.PROBABLY_BENIGN),
        ("IVa", Category.LOW_SUSPICION),
        ("III", Category.PROBABLY_BENIGN),
        ("4 C", Category.HIGH_SUSPICION),
        ("cat. 0", Category.INCOMPLETE),
        *((bad, None) for bad in ("seven", "7", "4D", "3a", "4/5", "3-4", "4.5", "10", "2 right", "normal", "R2", "?")),
    ],
)
def test_a_category_is_read_as_people_write_it_or_not_at_all(cell: str, category: Category | None) -> None:
    assert read_category(cell) == category


@pytest.mark.parametrize(
    ("cell", "density"),
    [
        ("c", Composition.C),
        ("ACR B", Composition.B),
        ("Type d", Composition.D),
        ("3", None),
        ("b-c", None),
        ("55", None),
    ],
)
def test_a_density_is_read_by_its_letter_or_not_at_all(cell: str, density: Composition | None) -> None:
    assert read_density(cell) == density


@pytest.mark.parametrize("bad", ["birads", "birads_right", "density"])
def test_a_label_that_cannot_be_read_sets_its_case_aside_with_its_line(bad: str, tmp_path: Path) -> None:
    row = {"id": "odd", "files": "", "birads": "2", "birads_right": "1", "density": "b"}
    table = f"{','.join(row)}\n{','.join((row | {bad: 'x9'}).values())}\nfine,,2,,N/A\n"
    dataset = imported(tmp_path, table)
    assert dataset.keys() == ("fine",)
    [oddity] = dataset.oddities()
    assert (oddity.where, oddity.found) == (f"cases.csv line 2, {bad}", "x9; the case is set aside")
    assert "one of" in oddity.expected


def test_a_reference_from_labels_never_says_that_there_is_nothing(tmp_path: Path) -> None:
    [case] = imported(tmp_path, "id,files,birads,density\na,,5,\n").cases()
    assert case.source is ReferenceSource.LABELS
    assert "finding" not in case.text.lower()
    assert case.text.endswith("IMPRESSION:\nOverall: BI-RADS 5.\n")
    assert case.notes[0] == NO_FINDINGS
    assert not case.findings_known


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Kein Herdbefund beidseits. Keine Verkalkungen. BI-RADS 2.", "not English (German): not read"),
        ("see above", "nothing in it was understood"),
    ],
)
def test_a_text_that_is_not_read_is_no_normal_exam(text: str, reason: str, tmp_path: Path) -> None:
    dataset = imported(tmp_path, f"id,files,text\na,,{text}\n")
    [case], [oddity] = dataset.cases(), dataset.oddities()
    assert (case.text, case.unread, case.findings_known) == (text, reason, False)
    assert case.reference == Report(narrative=text)
    assert (oddity.where, oddity.found) == ("cases.csv line 2, text", f"{reason}; its reference is unread")


def test_no_text_is_no_text_whatever_is_written_for_it(tmp_path: Path) -> None:
    dataset = imported(tmp_path, "id,files,text,birads\na,,nan,2\nb,,N/A,\n")
    assert [(c.key, c.source) for c in dataset.cases()] == [("a", ReferenceSource.LABELS)]
    assert [o.found for o in dataset.oddities()] == ["no report and no category; skipped"]


def test_a_category_that_is_not_the_reports_is_named(tmp_path: Path) -> None:
    table = "id,files,text,birads\na,,Mass. BI-RADS 4A.,4\nb,,Mass. BI-RADS 4A.,2\n"
    dataset = imported(tmp_path, table)
    assert [case.reference.worst for case in dataset.cases()] == [Category.LOW_SUSPICION] * 2
    assert [(o.where, o.found) for o in dataset.oddities()] == [
        ("cases.csv line 3, birads", "2, where the report has 4A; the report is used")
    ]


def test_a_table_under_another_name_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"there is ours\.csv: save it under one of these names"):
        imported(tmp_path, PLAIN, "ours.csv")
    (tmp_path / "ours.csv").unlink()
    assert len(imported(tmp_path, PLAIN, "Cases.CSV").keys()) == 2
    with pytest.raises(DatasetError, match="a file; expected its folder"):
        list(import_dataset(importer_of("generic"), tmp_path / "Cases.CSV", tmp_path / "other"))


def test_only_a_named_patient_is_a_patient(tmp_path: Path) -> None:
    cases = imported(tmp_path, "id,files,birads,patient\na,,1,A1\nb,,1,\nc,,1,N/A\nd,,1,7.0\ne,,1, 7 \n").cases()
    groups = [case.group for case in cases]
    assert [is_patient(group) for group in groups] == [True, False, False, True, True]
    assert groups[3] == groups[4]
    assert len(set(groups)) == 4


@pytest.mark.parametrize("split", ["train", "Train", " TRAIN ", "training"])
def test_a_split_is_read_in_any_case(split: str, tmp_path: Path) -> None:
    [case] = imported(tmp_path, f"id,files,birads,split\na,,1,{split}\n").cases()
    assert case.published_split == "train"


def test_a_file_is_found_however_its_path_is_written(tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    for name in ("a.png", "b.png"):
        (tmp_path / "s" / name).write_bytes(name.encode())
    dataset = imported(
        tmp_path, f'id,files,birads\na,s\\a.png;{tmp_path}/s/b.png;./s/a.png,1\nb,"s/a.png, s/b.png",1\n'
    )
    a, b = dataset.cases()
    assert [image.file for image in a.images] == ["s/a.png", "s/b.png"]
    assert b.images == ()
    assert [o.found for o in dataset.oddities()] == [
        "s/a.png: named twice",
        "s/a.png, s/b.png: no such file; several files are separated by ;",
    ]


REFUSED = {
    "a misspelled column": (
        "id,files,birads,patinet\na,,1,7\n",
        "cases.csv: the column 'patinet' is not known; did you mean patient? Rename it to patient, or",
    ),
    "a synonym of an absent column": (
        "id,files,birads,MRN\na,,1,7\n",
        "the column 'MRN' is not known; did you mean patient?",
    ),
    "swapped letters": ("id,files,birads,spilt\na,,1,test\n", "did you mean split?"),
    "a required column under another name": (
        "id,images,birads\na,,1\n",
        "missing column files; found id, images, birads; files: did you mean 'images'?",
    ),
    "a column twice": ("id,files,birads,Birads\na,,1,2\n", "the column birads occurs twice ('birads', 'Birads')"),
    "a label twice": ("id,files,birads,site,site\na,,1,n,s\n", "the column site occurs twice"),
    "a split": (
        "id,files,birads,split\na,,1,train\nb,,1,trian\n",
        "cases.csv line 3: split is 'trian'; expected train, validation or test; did you mean train?",
    ),
    "more cells": ("id,files,text\na,,b\nb,,one, two\n", "cases.csv line 3: 4 cells for 3 columns"),
    "fewer cells": ("id,files,text,site\na,,first\nsecond,,x\n", "cases.csv line 2: 3 cells for 4 columns"),
    "an open quote": ('id,files,text\na,,"one\nb,,two\n', "cases.csv line 2: not valid CSV"),
    "files with the delimiter": ("id;files;birads\na;x.png;y.png;1\n", "cases.csv line 2: 4 cells for 3 columns"),
    "a line after a break in quotes": (
        'id,files,text,split\na,,"one\ntwo",test\nb,,x,none such\n',
        "cases.csv line 4: split is",
    ),
    "one image under two patients": (
        "id,files,birads,patient\na,x.png,1,7\nb,x.png,1,8\n",
        "cases.csv line 3: x.png is also the image of cases.csv line 2, of two patients",
    ),
    "one image in two cases": ("id,files,birads\na,x.png,1\nb,./x.png,1\n", "of two cases without one patient"),
}


@pytest.mark.parametrize("mistake", REFUSED)
def test_a_mistake_is_refused_with_what_to_do(mistake: str, tmp_path: Path) -> None:
    table, message = REFUSED[mistake]
    with pytest.raises(DatasetError) as caught:
        imported(tmp_path, table)
    assert message in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_one_picture_under_two_names_keeps_its_cases_together(tmp_path: Path) -> None:
    for name, content in (("one", b"x" * 70_000), ("same", b"x" * 70_000), ("other", b"x" * 40_000 + b"y" * 30_000)):
        (tmp_path / f"{name}.png").write_bytes(content)
    rows = ["a,one.png,1,7", "b,same.png,1,8", "c,other.png,1,9", "d,,1,8", "e,same.png,1,8", "f,,1,7"]
    dataset = imported(tmp_path, "\n".join(["id,files,birads,patient", *rows]))
    groups = {case.key: case.group for case in dataset.cases()}
    assert len({groups[key] for key in "abdef"}) == 1
    assert groups["c"] != groups["a"]
    assert [(oddity.where, oddity.found) for oddity in dataset.oddities()] == [
        (
            "cases.csv line 3, files",
            "same.png: the same picture as one.png of cases.csv line 2, another case; "
            "both are kept together in a split",
        ),
        ("cases.csv line 6, files", "same.png: also in cases.csv line 3"),
    ]


def test_a_label_that_only_resembles_a_column_is_a_label(tmp_path: Path) -> None:
    table = "id,files,birads,patient,patient_age,review,patients\na,,1,7,61,yes,many\n"
    [case] = imported(tmp_path, table).cases()
    assert case.labels == {"birads": "1", "patient_age": "61", "review": "yes", "patients": "many"}


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"id": "a", "files": "", "patinet": 7}, "cases.jsonl line 1: the column 'patinet' is not known"),
        ({"id": "a", "files": "", "labels": {"patient": 7}}, "labels has 'patient', a column of its own"),
        ({"id": "a", "files": "", "labels": "north"}, "labels is 'north'; expected an object"),
        ({"id": "a", "files": "", "text": ["one", "two"]}, "text is a list or an object"),
        ({"id": "a", "files": [["x"]]}, "files is a list or an object"),
    ],
)
def test_an_object_that_cannot_be_meant_is_refused(row: dict[str, object], message: str, tmp_path: Path) -> None:
    with pytest.raises(DatasetError) as caught:
        imported(tmp_path, json.dumps(row), "cases.jsonl")
    assert message in str(caught.value)


def test_an_object_with_a_key_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="the column birads occurs twice"):
        imported(tmp_path, '{"id": "a", "files": "", "birads": 1, "birads": 5}', "cases.jsonl")
