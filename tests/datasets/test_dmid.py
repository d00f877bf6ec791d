"""DMID in its published layout: real texts and labels, drawn images, everything missing or odd reported."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import pytest
from openpyxl import load_workbook

from amrg.birads import Kind, Laterality, View, ViewBox, parse
from amrg.datasets import (
    Dataset,
    DatasetError,
    ImageRef,
    ReferenceSource,
    import_dataset,
    importer_of,
    is_patient,
    open_dataset,
    patient_group,
    study_of,
    text_group,
)
from amrg.imaging import ImagingError
from tests.datasets.replicas import dmid_replica, dmid_texts


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return dmid_replica(tmp_path_factory.mktemp("dmid"), 4)


def imported(root: Path, out: Path) -> Dataset:
    list(import_dataset(importer_of("dmid"), root, out))
    return open_dataset(out)


@pytest.fixture(scope="module")
def whole(published: Path, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return imported(published, tmp_path_factory.mktemp("out") / "dmid")


def test_every_image_is_a_case_with_its_report_byte_for_byte(whole: Dataset, published: Path) -> None:
    texts = dmid_texts()
    cases = list(whole.cases())
    assert [case.key for case in cases] == list(texts)
    for case in cases:
        assert case.text.encode() == (published / "Reports" / f"{case.key}.txt").read_bytes()
        assert case.text == texts[case.key]
        assert case.reference.stated() == parse(case.text).report.stated()
        assert case.source is ReferenceSource.RADIOLOGIST
        assert case.licence == "CC BY 4.0"
        assert case.group == text_group(case.text)
    assert cases[0].labels["view"] == "MLOLT"
    assert Counter(image.view for case in cases for image in case.images) == {View.MLO: 201, View.CC: 199}
    assert Counter(image.laterality for case in cases for image in case.images) == {"L": 302, "R": 98}


def test_missing_images_are_reported_and_their_cases_imported(whole: Dataset) -> None:
    missing = [oddity.where for oddity in whole.oddities() if oddity.expected == "the file of the image"]
    assert missing == [f"DICOM_Images/IMG{n:03d}.dcm" for n in range(5, 401)]
    assert whole.info.counts["images"] == 4
    assert whole.case("Img200").notes[0] == "its picture is missing"
    with pytest.raises(ImagingError, match=r"IMG200.dcm: no such file in DICOM_Images"):
        study_of(whole.case("Img200"), whole.root)


def test_a_circle_becomes_the_box_of_the_only_such_finding(whole: Dataset) -> None:
    case = whole.case("Img001")
    assert case.labels["class"] == "CIRC | CALC"
    x, y, r = 157, 364, 30
    box = ViewBox(laterality=Laterality.LEFT, view=View.MLO, left=x - r, top=y - r, right=x + r, bottom=y + r)
    assert {f.kind: f.boxes for f in case.reference.findings if f.boxes} == {Kind.CALCIFICATIONS: (box,)}
    assert case.notes == ("a box of mass is tied to none of 2 such findings of the report",)
    boxes = sum(len(f.boxes) for c in whole.cases() for f in c.reference.findings)
    assert boxes == 179
    for one in whole.cases():
        for finding in one.reference.findings:
            assert len(finding.boxes) <= 1


def test_a_case_is_read_as_a_study_by_side_and_view_of_the_table(whole: Dataset) -> None:
    case = whole.case("Img004")
    (mammogram,) = study_of(case, whole.root).mammograms
    assert (mammogram.laterality, mammogram.view) == (Laterality.RIGHT, View.CC)
    assert mammogram.notes == ()
    turned = case.model_copy(update={"images": (ImageRef(file=case.images[0].file, laterality=Laterality.LEFT),)})
    (mammogram,) = study_of(turned, whole.root).mammograms
    assert (mammogram.laterality, mammogram.view, mammogram.flipped) == (Laterality.LEFT, View.CC, True)
    assert mammogram.notes[0] == "laterality is L by the table, but R by the file: the first is used"


def test_patients_of_the_dicom_files_are_the_groups(tmp_path: Path) -> None:
    root = dmid_replica(tmp_path / "a", 6, 8, lambda number: f"P{number // 2}")
    cases = list(imported(root, tmp_path / "out").cases())
    assert [case.group for case in cases[:6]] == [patient_group("dmid", f"P{n // 2}") for n in range(1, 7)]
    assert not any("P1" in case.model_dump_json() for case in cases)
    assert not is_patient(cases[7].group)


def test_an_image_with_neither_patient_nor_report_is_of_no_known_patient(tmp_path: Path) -> None:
    root = dmid_replica(tmp_path / "a", 0, 3)
    (root / "Reports" / "Img002.txt").unlink()
    cases = list(imported(root, tmp_path / "out").cases())
    assert [is_patient(case.group) for case in cases[:3]] == [False] * 3


def test_a_patient_id_that_too_many_share_is_nobody(tmp_path: Path) -> None:
    root = dmid_replica(tmp_path / "a", 9, 9, lambda _: "ANON")
    assert not any(is_patient(case.group) for case in imported(root, tmp_path / "out").cases())


@pytest.fixture
def odd(published: Path, tmp_path: Path) -> Path:
    """A replica of ten images in which much is wrong."""
    root = dmid_replica(tmp_path / "odd", 4, 10)
    book = load_workbook(root / "Metadata.xlsx")
    sheet = book.active
    rows = {str(row[0].value): row for row in sheet.iter_rows(min_row=31)}
    rows["IMG002"][3].value = "BLOB"
    rows["IMG003"][1].value = "AXIAL"
    rows["IMG004"][2].value, rows["IMG004"][4].value = "F", "Q"
    rows["IMG001"][5].value = "12,5"
    sheet.delete_rows(rows["IMG005"][0].row)
    sheet.append(["see above"])
    sheet.append(["IMG077", "CCRT", "C", "SPIC", "M", 100, 100, 20])
    book.save(root / "Metadata.xlsx")
    (root / "Reports" / "Img006.txt").unlink()
    (root / "Reports" / "Img007.txt").write_bytes(b"BIRADS 1 \xe9")
    (root / "Reports" / "Img008.txt").write_bytes(b" \r\n")
    (root / "DICOM_Images" / "IMG002.dcm").write_bytes(b"junk" * 100)
    (root / "DICOM_Images" / "IMG003.dcm").unlink()
    shutil.copy(root / "TIFF Images" / "IMG004.tif", root / "TIFF Images" / "IMG099.tif")
    return root


def test_oddities_are_reported_and_the_rest_imported(odd: Path, tmp_path: Path) -> None:
    dataset = imported(odd, tmp_path / "out")
    reported = {(oddity.where, oddity.found) for oddity in dataset.oddities()}
    for where, found in (
        ("Metadata.xlsx row 33, class", "BLOB"),
        ("Metadata.xlsx, Img003, view", "AXIAL"),
        ("Metadata.xlsx row 35, density", "F"),
        ("Metadata.xlsx row 35, severity", "Q"),
        ("Metadata.xlsx row 32, x", "12,5"),
        ("Metadata.xlsx row 41", "see above"),
        ("Metadata.xlsx, Img005", "no row"),
        ("Reports/Img006.txt", "no such file"),
        ("Reports/Img007.txt", "bytes that are not UTF-8"),
        ("Reports/Img008.txt", "an empty report"),
        ("TIFF Images/IMG003.tif", "only a TIFF of the image"),
        ("Img099", "an image without row and report; skipped"),
    ):
        assert (where, found) in reported, sorted(reported)
    assert any(where == "DICOM_Images/IMG002.dcm" and "not DICOM" in found for where, found in reported)
    assert set(dataset.keys()) == {f"Img{n:03d}" for n in (*range(1, 11), 77)}
    assert dataset.case("Img003").images[0] == ImageRef(file="TIFF Images/IMG003.tif")
    assert dataset.case("Img005").labels == {}
    assert dataset.case("Img007").text == "BIRADS 1 é"


def test_a_case_without_a_report_is_rendered_and_says_so(odd: Path, tmp_path: Path) -> None:
    case = imported(odd, tmp_path / "out").case("Img077")
    assert case.source is ReferenceSource.LABELS
    (finding,) = case.reference.findings
    assert (finding.kind, finding.margin, finding.laterality) == ("mass", "spiculated", "R")
    assert finding.boxes[0].left == 80
    assert "spiculated" in case.text
    assert case.reference.composition == "c"


def test_another_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"Metadata.xlsx: no such file"):
        imported(tmp_path, tmp_path / "out")
    (tmp_path / "Metadata.xlsx").write_bytes(b"junk")
    with pytest.raises(DatasetError, match=r"Metadata.xlsx: not a readable XLSX workbook"):
        imported(tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()
