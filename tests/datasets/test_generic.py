"""A hospital's own set and phantom sets: documented columns, mistakes by line, nothing dropped silently."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from amrg.birads import Category, Laterality, Report, Style, View, render
from amrg.datasets import (
    Dataset,
    DatasetError,
    ImageRef,
    ReferenceSource,
    import_dataset,
    importer_of,
    open_dataset,
    patient_group,
    study_of,
    text_group,
)
from amrg.imaging import ImagingError, missing_views
from amrg.phantom import Size, draw_set

TEXT = "ACR B.\r\nBIRADS: 4a\r\nWell defined soft opacity in the left breast."


@pytest.fixture(scope="module")
def phantoms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("phantoms")
    list(draw_set(2, 1_000_001, folder, Size.SMALL))
    return folder


def imported(name: str, root: Path, out: Path) -> Dataset:
    list(import_dataset(importer_of(name), root, out))
    return open_dataset(out)


def own(folder: Path, table: str, text: str) -> Path:
    (folder / table).write_bytes(text.encode())
    return folder


def test_csv_rows_of_one_id_are_one_case(tmp_path: Path, phantoms: Path) -> None:
    shutil.copytree(phantoms / "study-01000001", tmp_path / "one")
    table = (
        "id,files,text,patient,laterality,view,split,scanner\r\n"
        f'a,one/RCC.dcm;one/LCC.dcm,"{TEXT}",P9,R;L,CC,train,X\r\n'
        f'b,one/none.dcm,"{TEXT}",,,,test,Y\r\n'
        "a,one/RMLO.dcm;one/LMLO.gone,,P9,R;L,MLO,,X\r\n"
    )
    dataset = imported("generic", own(tmp_path, "cases.csv", table), tmp_path / "out")
    a, b = dataset.cases()
    assert (a.text, a.source, a.published_split) == (TEXT, ReferenceSource.RADIOLOGIST, "train")
    assert a.reference.worst is Category.LOW_SUSPICION
    assert (a.group, b.group) == (patient_group("generic", "P9"), text_group(TEXT))
    assert a.labels == {"scanner": "X"}
    assert a.images[1] == ImageRef(file="one/LCC.dcm", laterality=Laterality.LEFT, view=View.CC)
    assert missing_views(study_of(a, dataset.root)) == ((Laterality.LEFT, View.MLO),)
    assert b.images == ()
    reported = [oddity.found for oddity in dataset.oddities()]
    assert reported == ["one/LMLO.gone: no such file", "one/none.dcm: no such file"]


def test_jsonl_and_references_from_categories(tmp_path: Path) -> None:
    (tmp_path / "r.txt").write_bytes(TEXT.encode())
    rows = [
        {"id": 1, "files": [], "text_file": "r.txt", "labels": {"age": 61}},
        {"id": "2", "files": "", "birads_right": "2", "birads_left": "4b", "density": "C"},
        {"id": "3", "files": "", "text": None, "birads": "seven"},
        {"id": "4", "files": "", "text_file": "gone.txt"},
    ]
    dataset = imported("generic", own(tmp_path, "cases.jsonl", "\n".join(map(json.dumps, rows))), tmp_path / "out")
    one, two = dataset.cases()
    assert (one.key, one.text, one.labels) == ("1", TEXT, {"age": "61"})
    assert two.source is ReferenceSource.LABELS
    assert [(a.laterality, a.category) for a in two.reference.assessments] == [("R", "2"), ("L", "4B")]
    assert two.group == "case-2"
    reported = [(oddity.where, oddity.found) for oddity in dataset.oddities()]
    assert reported == [
        ("cases.jsonl line 3, birads", "seven; the case is set aside"),
        ("cases.jsonl line 4, text_file", "gone.txt: No such file or directory"),
        ("cases.jsonl line 4", "no report and no category; skipped"),
    ]
    with pytest.raises(ImagingError, match="1: the case has no image"):
        study_of(one, dataset.root)


@pytest.mark.parametrize(
    ("table", "text", "message"),
    [
        ("cases.csv", "id,text\na,b\n", "cases.csv: missing column files; found id, text"),
        ("cases.csv", "id,files\n,x.dcm\n", "cases.csv line 2: id is empty"),
        ("cases.csv", "id,files\na,../x.dcm\n", "cases.csv line 2: '../x.dcm' is outside the folder"),
        ("cases.csv", "id,files\na,C:\\x.dcm\n", "is outside the folder"),
        ("cases.csv", "id,files,text_file\na,,/r.txt\n", "cases.csv line 2: '/r.txt' is outside the folder"),
        (
            "cases.csv",
            "id,files,laterality\na,x,Q\n",
            "cases.csv line 2: laterality is 'Q'; expected one of L, LEFT, R, RIGHT",
        ),
        ("cases.csv", "id,files,view\na,x;y;z,CC;MLO\n", "cases.csv line 2: 2 values of view for 3 files"),
        (
            "cases.csv",
            "id,files,text\na,x,b\na,y,c\n",
            "a: 2 different values of text (cases.csv line 2, cases.csv line 3)",
        ),
        ("cases.csv", "id,files,text,text_file\na,x,b,c\n", "cases.csv line 2: both text and text_file"),
        ("cases.jsonl", '{"id": 1, "files": []}\n{"id"', "cases.jsonl line 2: not JSON"),
        ("cases.jsonl", "[1]\n", "cases.jsonl line 1: found list, expected a JSON object"),
        ("cases.jsonl", '{"id": 1}\n', "cases.jsonl line 1: missing column files; found id"),
        ("cases.txt", "", "found neither; expected either cases.csv or cases.jsonl"),
    ],
)
def test_a_table_that_cannot_be_right_is_refused_with_its_line(
    tmp_path: Path, table: str, text: str, message: str
) -> None:
    with pytest.raises(DatasetError) as caught:
        imported("generic", own(tmp_path, table, text), tmp_path / "out")
    assert message in str(caught.value)


def test_a_phantom_set_keeps_its_truth(phantoms: Path, tmp_path: Path) -> None:
    root = shutil.copytree(phantoms, tmp_path / "set")
    (root / "study-01000002" / "LCC.dcm").unlink()
    with (root / "cases.jsonl").open("a", encoding="utf-8") as lines:
        lines.write('{"schema": 1, "see')
    dataset = imported("phantom", root, tmp_path / "out")
    drawn = [json.loads(line) for line in (phantoms / "cases.jsonl").read_text(encoding="utf-8").splitlines()]
    cases = list(dataset.cases())
    for case, line in zip(cases, drawn, strict=True):
        truth = Report.model_validate(line["truth"])
        assert case.reference == truth
        assert case.text == render(truth, Style.CLINICAL, 0)
        assert case.source is ReferenceSource.PHANTOM
        assert case.group == patient_group("phantom", str(line["seed"]))
        assert case.labels["size"] == "small"
    assert [len(case.images) for case in cases] == [4, 3]
    assert missing_views(study_of(cases[0], dataset.root)) == ()
    assert [oddity.where for oddity in dataset.oddities()] == ["cases.jsonl line 3", "study-01000002/LCC.dcm"]
    with pytest.raises(DatasetError, match=r"no cases.jsonl; expected a folder written by amrg phantom"):
        imported("phantom", tmp_path, tmp_path / "none")
