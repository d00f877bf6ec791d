"""Tables as published: required columns held to, odd encodings read, mistakes named by file and line."""

from __future__ import annotations

from pathlib import Path

import pytest
from openpyxl import Workbook

from amrg.datasets import DatasetError
from amrg.datasets.tables.readers import numbered_csv_rows, xlsx_rows


def written(folder: Path, raw: bytes) -> Path:
    (folder / "t.csv").write_bytes(raw)
    return folder / "t.csv"


def test_csv_cells_come_as_written_under_stripped_names(tmp_path: Path) -> None:
    path = written(tmp_path, b'\xef\xbb\xbf id , text,\r\n 1 ,"a,\r\nb",7\r\n\r\n2\r\n')
    assert list(numbered_csv_rows(path, ("id", "text"))) == [
        (3, {"id": " 1 ", "text": "a,\r\nb"}),
        (5, {"id": "2", "text": ""}),
    ]


def test_csv_reads_old_encodings_and_other_delimiters(tmp_path: Path) -> None:
    path = written(tmp_path, "id;text\n1;Läsion\n".encode("cp1252") + "2;Läsion\n".encode())
    assert [row["text"] for _, row in numbered_csv_rows(path, ("id",), ";")] == ["Läsion", "Läsion"]


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"id,name\n1,2\n", "t.csv: lacks the columns text, side; found id, name"),
        (b"", "t.csv: lacks the columns id, text, side; found none"),
        (b"id,text,side,id\n", "t.csv: the column id stands twice"),
        (b"id,text,side\n1,a,b,c\n", "t.csv, line 2: 4 cells for 3 columns"),
        (b"id,text,side\n1,\x00,b\n", "t.csv, line 2: holds NUL bytes"),
        (b"id,text,side\n1," + b"x" * 200_000 + b",b\n", "t.csv, line 2: no valid CSV"),
    ],
)
def test_a_csv_that_cannot_be_right_is_named(tmp_path: Path, raw: bytes, said: str) -> None:
    with pytest.raises(DatasetError) as caught:
        list(numbered_csv_rows(written(tmp_path, raw), ("id", "text", "side")))
    assert str(caught.value).startswith(said)


def test_xlsx_finds_its_header_below_a_legend(tmp_path: Path) -> None:
    book = Workbook()
    book.active.append(["what it is"])
    book.active.append([None])
    book.active.append(["id ", "size", None])
    book.active.append([1, 2.5, None])
    book.active.append(["b", None])
    book.create_sheet("other").append(["id"])
    book.save(tmp_path / "t.xlsx")
    assert list(xlsx_rows(tmp_path / "t.xlsx", ("id", "size"))) == [{"id": "1", "size": "2.5"}, {"id": "b", "size": ""}]
    assert list(xlsx_rows(tmp_path / "t.xlsx", ("id",), "other")) == []
    with pytest.raises(DatasetError, match=r"t.xlsx: lacks the column side; found id, size"):
        list(xlsx_rows(tmp_path / "t.xlsx", ("id", "side")))
    with pytest.raises(DatasetError, match="no sheet 'none'; found Sheet, other"):
        list(xlsx_rows(tmp_path / "t.xlsx", ("id",), "none"))
