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
    ("raw", "message"),
    [
        (b"id,name\n1,2\n", "t.csv: missing columns text, side; found id, name"),
        (b"", "t.csv: missing columns id, text, side; found none"),
        (b"id,text,side,id\n", "t.csv: the column id occurs twice"),
        (b"id,text,side\n1,a,b,c\n", "t.csv, line 2: 4 cells for 3 columns"),
        (b"id,text,side\n1,\x00,b\n", "t.csv, line 2: contains NUL bytes"),
        (b"id,text,side\n1," + b"x" * 200_000 + b",b\n", "t.csv, line 2: not valid CSV"),
    ],
)
def test_an_invalid_csv_is_named(tmp_path: Path, raw: bytes, message: str) -> None:
    with pytest.raises(DatasetError) as caught:
        list(numbered_csv_rows(written(tmp_path, raw), ("id", "text", "side")))
    assert str(caught.value).startswith(message)


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
    with pytest.raises(DatasetError, match=r"t.xlsx: missing column side; found id, size"):
        list(xlsx_rows(tmp_path / "t.xlsx", ("id", "side")))
    with pytest.raises(DatasetError, match="no sheet 'none'; found the sheets Sheet, other"):
        list(xlsx_rows(tmp_path / "t.xlsx", ("id",), "none"))
