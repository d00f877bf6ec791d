"""Sets on disk: resumable to the same bytes, refused when they would mix."""

from __future__ import annotations

import json
from pathlib import Path

import pydicom
import pytest

from amrg.birads import Report
from amrg.imaging.writing import study_uid
from amrg.phantom import POPULATIONS, RICH, SCREENING, PhantomError, Size, draw_exam, draw_set


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_an_interrupted_set_resumes_to_the_same_bytes(tmp_path: Path) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert [p.index for p in draw_set(3, 5, whole, Size.SMALL)] == [0, 1, 2]
    runs = draw_set(3, 5, broken, Size.SMALL)
    next(runs)
    next(runs)
    runs.close()
    cases = broken / "cases.jsonl"
    text = cases.read_text(encoding="utf-8")
    cases.write_text(text[:-40], encoding="utf-8")  # as if the run had died while writing a line
    (broken / "study-00000006" / "LCC.dcm").unlink()
    assert [p.count for p in draw_set(3, 5, broken, Size.SMALL)] == [3, 3, 3]
    assert contents(broken) == contents(whole)


def test_more_processes_draw_the_same_set(tmp_path: Path) -> None:
    list(draw_set(3, 5, tmp_path / "one", Size.SMALL))
    assert [p.index for p in draw_set(3, 5, tmp_path / "two", Size.SMALL, workers=2)] == [0, 1, 2]
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_a_whole_set_is_left_as_it_is(tmp_path: Path) -> None:
    list(draw_set(2, 1, tmp_path, Size.SMALL))
    before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*.dcm")}
    assert len(list(draw_set(1, 1, tmp_path, Size.SMALL))) == 1
    assert {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*.dcm")} == before
    assert len((tmp_path / "cases.jsonl").read_text(encoding="utf-8").splitlines()) == 2


def test_a_case_holds_the_truth_of_its_files(tmp_path: Path) -> None:
    (progress,) = draw_set(1, 3, tmp_path, Size.SMALL, RICH)
    case = json.loads((tmp_path / "cases.jsonl").read_text(encoding="utf-8"))
    assert case == progress.case
    exam = draw_exam(3, Size.SMALL, RICH)
    assert Report.model_validate(case["truth"]) == exam.truth
    for entry, view in zip(case["views"], exam.views, strict=True):
        ds = pydicom.dcmread(tmp_path / entry["file"])
        assert (ds.ImageLaterality, ds.ViewPosition) == (entry["laterality"], entry["view"])
        assert (ds.Rows, ds.Columns) == (entry["rows"], entry["columns"])
        assert (ds.pixel_array == view.pixels).all()
        boxes = [[x.box.left, x.box.top, x.box.right, x.box.bottom] for x in view.lesions]
        assert [x["box"] for x in entry["lesions"]] == boxes


def test_a_seed_of_another_population_is_another_patient_and_study(tmp_path: Path) -> None:
    populations = {"screening": SCREENING, "shifted": POPULATIONS["shifted"], "rich": RICH}
    for name, population in populations.items():
        list(draw_set(1, 3, tmp_path / name, Size.SMALL, population))
    headers = {name: pydicom.dcmread(next((tmp_path / name).rglob("RCC.dcm"))) for name in populations}
    for keyword in ("PatientID", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
        assert len({str(header[keyword].value) for header in headers.values()}) == len(populations)
    for name in populations:
        case = json.loads((tmp_path / name / "cases.jsonl").read_text(encoding="utf-8"))
        assert case["study_instance_uid"] == headers[name].StudyInstanceUID
    assert headers["screening"].PatientID == "PHANTOM-3"
    assert headers["screening"].StudyInstanceUID == study_uid("amrg-phantom-3-0.4")


def test_another_set_in_the_folder_is_refused(tmp_path: Path) -> None:
    list(draw_set(1, 1, tmp_path, Size.SMALL))
    with pytest.raises(PhantomError, match="contains a different set"):
        next(draw_set(1, 2, tmp_path, Size.SMALL))
    with pytest.raises(PhantomError, match="contains a different set"):
        next(draw_set(1, 1, tmp_path, Size.SMALL, RICH))


@pytest.mark.parametrize(("count", "seed"), [(0, 1), (-3, 1), (1, -1)])
def test_impossible_orders_are_refused(tmp_path: Path, count: int, seed: int) -> None:
    with pytest.raises(PhantomError, match="expected"):
        next(draw_set(count, seed, tmp_path, Size.SMALL, SCREENING))
