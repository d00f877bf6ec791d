"""Whose an exam is, which exam is its prior, and which evidence settles side and view."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image

from amrg.birads import Laterality, View
from amrg.imaging import Intake, Study, read_studies
from amrg.imaging.evidence.identity import EvidenceVerdict
from amrg.imaging.grouping import StudyKey
from tests.imaging.changed import Change, breast, change, change_all, put, put_raw, read_changed, write_exam

NAME, BIRTH = "DOE^JANE", "19600102"


def _two_exams(tmp_path: Path, first: dict[str, object], second: dict[str, object]) -> Study:
    """The later of two exams, of 2018 and 2020, each with the given patient."""
    common = {"PatientID": "1001", "PatientName": NAME, "PatientBirthDate": BIRTH}
    for key, year, who in (("old", "2018", first), ("new", "2020", second)):
        change_all(write_exam(tmp_path / "both" / key, key), put(StudyDate=f"{year}0305", **{**common, **who}))
    studies = sorted(read_studies(tmp_path / "both").studies, key=lambda s: str(s.date))
    assert len(studies) == 2
    assert studies[0].prior is None
    return studies[1]


def test_p1_the_same_woman_has_a_prior_without_a_note(tmp_path: Path) -> None:
    later = _two_exams(tmp_path, {}, {})
    assert later.prior is not None
    assert not later.notes


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"IssuerOfPatientID": "A"}, {"IssuerOfPatientID": "a "}),
        ({"IssuerOfPatientID": "A"}, {}),
        ({"PatientID": " 1001"}, {}),
        ({"PatientID": "1001^^^A"}, {"IssuerOfPatientID": "A"}),
        ({"PatientName": "DOE^JANE^M"}, {}),
        ({"PatientName": "Doe^Jane"}, {}),
        ({"PatientName": "Doe-Roe^Jane"}, {}),
        ({"PatientName": "Doe^Jane^M"}, {"PatientName": "DOE^JANE MARIA^^Dr."}),
        ({"PatientName": "Müller^Jørgine", "SpecificCharacterSet": "ISO_IR 100"}, {"PatientName": "Mueller^Jorgine"}),
        ({"PatientName": "Doe^Jane=山田^花子", "SpecificCharacterSet": "ISO_IR 192"}, {}),
        ({"PatientName": "", "PatientBirthDate": ""}, {}),
        ({"PatientSex": "O"}, {}),
    ],
)
def test_p1_what_does_not_contradict_is_the_same_woman(
    tmp_path: Path, first: dict[str, object], second: dict[str, object]
) -> None:
    assert _two_exams(tmp_path, first, second).prior is not None


@pytest.mark.parametrize(
    ("first", "second", "why"),
    [
        ({"PatientID": "", "PatientName": "ROE^MARY"}, {"PatientID": ""}, "is empty"),
        ({"PatientID": ""}, {"PatientID": ""}, "is empty"),
        ({"PatientID": "  "}, {"PatientID": ""}, "is empty"),
        ({"PatientID": "ANONYMOUS"}, {"PatientID": "ANONYMOUS"}, "is empty"),
        ({"PatientID": "000"}, {"PatientID": "0"}, "is empty"),
        ({"IssuerOfPatientID": "A"}, {"IssuerOfPatientID": "B"}, "another issuer"),
        ({"PatientID": "1001^^^A"}, {"PatientID": "1001^^^B"}, "another issuer"),
        ({"IssuerOfPatientID": "A", "PatientName": ""}, {}, "only one of them names its issuer"),
        ({"PatientName": "ROE^MARY"}, {}, "PatientName"),
        ({"PatientName": "DOE^MARY"}, {}, "PatientName"),
        (
            {"PatientName": "=山田^花子", "SpecificCharacterSet": "ISO_IR 192"},
            {"PatientName": "=鈴木^幸子", "SpecificCharacterSet": "ISO_IR 192"},
            "PatientName",
        ),
        ({"PatientBirthDate": "19700102"}, {}, "PatientBirthDate"),
        ({"PatientBirthDate": "", "PatientAge": "030Y"}, {"PatientAge": "060Y"}, "PatientAge"),
        ({"PatientSex": "M"}, {}, "PatientSex"),
    ],
)
def test_p1_no_prior_of_another_woman_and_a_line_why(
    tmp_path: Path, first: dict[str, object], second: dict[str, object], why: str
) -> None:
    later = _two_exams(tmp_path, first, second)
    assert later.prior is None
    assert why in " ".join(later.remarks())
    assert NAME not in " ".join(later.remarks())
    assert "1001" not in " ".join(later.remarks())


def test_p1_another_study_of_the_same_day_is_named(tmp_path: Path) -> None:
    for key in ("one", "two"):
        change_all(write_exam(tmp_path / "both" / key, key), put(PatientName=NAME, PatientBirthDate=BIRTH))
    for study in read_studies(tmp_path / "both").studies:
        assert study.prior is None
        assert len([note for note in study.notes if "has another study of" in note]) == 1


def test_one_sop_instance_uid_of_two_images_is_noted_and_a_copy_is_one(tmp_path: Path) -> None:
    folder = write_exam(tmp_path / "exam")
    shutil.copy(folder / "RCC.dcm", folder / "copy.dcm")
    (study,) = read_studies(folder).studies
    assert [note for note in study.notes if "copy" in note] == [
        "Set aside, a copy of the RCC, which is read once: copy.dcm"
    ]

    uid = pydicom.dcmread(folder / "RCC.dcm").SOPInstanceUID
    change(folder / "LCC.dcm", put(SOPInstanceUID=uid))
    (study,) = read_studies(folder).studies
    assert any("is the same in LCC.dcm, RCC.dcm, copy.dcm, whose images differ" in note for note in study.notes)


def test_of_two_images_the_one_without_words_of_its_own_is_read_or_else_the_later(tmp_path: Path) -> None:
    folder = write_exam(tmp_path / "exam")
    change(folder / "RCC.dcm", put(SeriesDescription="R CC Fremdwort", SOPInstanceUID="1.2.3"), folder / "A.dcm")
    change(folder / "LCC.dcm", put(AcquisitionTime="235900", SOPInstanceUID="1.2.4"), folder / "Z.dcm")
    change(folder / "RMLO.dcm", put(SeriesDescription="Schnittbild R MLO"))
    (study,) = read_studies(folder).studies
    assert [m.source.name for m in study.mammograms] == ["RCC.dcm", "Z.dcm", "RMLO.dcm", "LMLO.dcm"]
    assert [note for note in study.notes if "words that no other view has" in note] == [
        "RMLO: SeriesDescription (0008,103E) has words that no other view has (SCHNITTBILD): read as a standard view"
    ]


def _of_the_other_side(folder: Path, name: str, larger: int = 0) -> None:
    """The right CC view with a header of the left one, in a file of another name."""
    image = np.pad(breast("RCC"), ((larger, larger), (0, 0)))
    wrong = put(PixelData=image.astype("<u2").tobytes(), Rows=len(image), SOPInstanceUID="1.2.3")
    (folder / "RCC.dcm").unlink()
    change(folder / "LCC.dcm", wrong, folder / name)


@pytest.mark.parametrize("name", ["A.dcm", "Z.dcm", "RCC.dcm"])
def test_of_two_images_of_one_view_the_one_that_hangs_as_its_side_is_read(tmp_path: Path, name: str) -> None:
    folder = write_exam(tmp_path / "exam")
    _of_the_other_side(folder, name, larger=10)
    (study,) = read_studies(folder).studies
    assert [m.source.name for m in study.mammograms] == ["LCC.dcm", "RMLO.dcm", "LMLO.dcm"]
    (line,) = [line for line in study.notes if "a second LCC" in line]
    assert "the breast was at the wrong edge for side L" in line
    assert ("laterality is L by ImageLaterality (0020,0062)" in line) is (name == "RCC.dcm")
    assert line.endswith(name)


def test_of_two_images_of_one_view_the_one_whose_name_agrees_is_read(tmp_path: Path) -> None:
    folder = write_exam(tmp_path / "exam")
    change(folder / "LCC.dcm", put(SOPInstanceUID="1.2.3", AcquisitionTime="235900"), folder / "LMLO.dcm")
    (study,) = read_studies(folder).studies
    assert [m.source.name for m in study.mammograms] == ["RCC.dcm", "LCC.dcm", "RMLO.dcm"]
    (line,) = [line for line in study.notes if "a second LCC" in line]
    assert "but MLO by file name: the first is used" in line


def test_a_side_or_view_by_the_name_of_a_dicom_file_alone_is_stated(tmp_path: Path) -> None:
    def without(ds: pydicom.Dataset) -> None:
        for keyword in ("ImageLaterality", "Laterality", "PatientOrientation", "AnatomicRegionSequence"):
            if keyword in ds:
                delattr(ds, keyword)
        ds.SeriesDescription = ""

    folder = write_exam(tmp_path / "exam")
    change(folder / "LCC.dcm", without)
    change(folder / "RCC.dcm", put(ViewPosition="", ViewCodeSequence=[], PatientOrientation="", SeriesDescription=""))
    (study,) = read_studies(folder).studies
    assert [line for line in study.remarks() if "alone" in line] == [
        "RCC: view is CC by the file name alone: no attribute of the header states it.",
        "LCC: laterality is L by the file name alone: no attribute of the header states it.",
    ]


def test_p1_another_id_is_another_woman_without_a_word(tmp_path: Path) -> None:
    later = _two_exams(tmp_path, {"PatientID": "2002"}, {})
    assert later.prior is None
    assert not later.notes


def test_p1_exams_without_id_have_keys_of_their_own(tmp_path: Path) -> None:
    _two_exams(tmp_path, {"PatientID": ""}, {"PatientID": ""})
    assert len({study.patient_key for study in read_studies(tmp_path / "both").studies}) == 2


def _spelled(tmp_path: Path, left: dict[str, object], right: dict[str, object]) -> Intake:
    """One study whose left views name a patient, and whose right views do so otherwise."""
    folder = write_exam(tmp_path / "exam")
    for path in sorted(folder.glob("*.dcm")):
        who = left if path.name.startswith("L") else right
        change(path, put(**{"PatientID": "1001", "PatientName": NAME, "PatientBirthDate": BIRTH, **who}))
    return read_studies(folder)


@pytest.mark.parametrize(
    "left",
    [
        {"PatientID": "1001^^^OLD"},
        {"PatientID": " 1001"},
        {"PatientID": "01001"},
        {"PatientID": "OLD-77"},
        {"PatientID": "", "IssuerOfPatientID": "OLD"},
        {"IssuerOfPatientID": "OLD"},
    ],
)
def test_p2_two_spellings_are_one_study(tmp_path: Path, left: dict[str, object]) -> None:
    (study,) = _spelled(tmp_path, left, {}).studies
    assert len(study.mammograms) == 4
    if str(left.get("PatientID", "")).strip() not in ("1001", ""):
        assert "spelled" in study.notes[0]


@pytest.mark.parametrize(
    "left",
    [
        {"PatientID": "1001^^^OLD", "PatientName": "ROE^MARY"},
        {"PatientBirthDate": "19700101"},
        {"PatientID": " 1001", "PatientSex": "M"},
        {"PatientID": "2002", "PatientName": ""},
        {"PatientID": "2002", "PatientBirthDate": ""},
    ],
)
def test_p2_two_women_in_one_study_are_refused_and_both_are_named(tmp_path: Path, left: dict[str, object]) -> None:
    intake = _spelled(tmp_path, left, {"PatientSex": "F"})
    assert not intake.studies
    assert len(intake.problems) == 4
    for problem in intake.problems:
        assert "LCC.dcm, LMLO.dcm and RCC.dcm, RMLO.dcm" in problem.message
        assert "DOE" not in problem.message


def _contradiction(tmp_path: Path, how: Change, name: str = "LCC") -> str:
    """The line on a view that is not used; the others are."""
    intake = read_changed(tmp_path, how, name)
    assert [problem.file for problem in intake.problems] == [f"{name}.dcm"]
    (study,) = intake.studies
    assert len(study.mammograms) == 3
    assert study.problems == (intake.problems[0].message,)
    assert "contradictory" in study.remarks()[0]
    return study.problems[0]


@pytest.mark.parametrize(
    "how",
    [
        put(ImageLaterality="R"),
        put(ImageLaterality="R", SeriesDescription=""),
        put(Laterality="R", PatientOrientation=""),
        put(FrameLaterality="R"),
        put(SeriesDescription="R CC", PatientOrientation=""),
        put(ImageLaterality="", PatientOrientation="", SeriesDescription="R CC", ProtocolName="LEFT CC"),
    ],
)
def test_p3_sides_that_contradict_each_other(tmp_path: Path, how: Change) -> None:
    assert "side" in _contradiction(tmp_path, how)


@pytest.mark.parametrize(
    "how", [put(ViewPosition="MLO"), put(ViewPosition="", SeriesDescription="L MLO"), put(ViewPosition="ML")]
)
def test_p3_views_that_contradict_each_other(tmp_path: Path, how: Change) -> None:
    assert "view" in _contradiction(tmp_path, how)


def test_p3_a_text_against_two_attributes_is_noted(tmp_path: Path) -> None:
    intake = read_changed(tmp_path, put(SeriesDescription="R MLO"), "LCC")
    (study,) = intake.studies
    assert len(study.mammograms) == 4
    lcc = next(m for m in study.mammograms if (m.laterality, m.view) == ("L", "CC"))
    assert lcc.side_evidence is not None
    assert lcc.side_evidence.verdict is EvidenceVerdict.OVERRULED
    assert "laterality is L by ImageLaterality" in " ".join(study.notes)
    assert "view is CC by ViewCodeSequence" in " ".join(study.notes)


def test_p3_only_the_picture_lies_the_other_way(tmp_path: Path) -> None:
    mirrored = np.ascontiguousarray(breast("R")[:, ::-1]).tobytes()
    (study,) = read_changed(tmp_path, put(PixelData=mirrored)).studies
    rcc = study.mammograms[0]
    assert rcc.flipped
    assert any("RCC: mirrored" in note for note in study.notes)


@pytest.mark.parametrize("orientation", [["P", "R"], ["A", "L"], ["A", "F"], "CC", ["", ""], ["X", "Y"], ["A"]])
def test_p3_an_orientation_of_a_turned_image_says_nothing_of_the_side(tmp_path: Path, orientation: object) -> None:
    intake = read_changed(tmp_path, put(PatientOrientation=orientation))
    assert len(intake.studies[0].mammograms) == 4


def test_p3_the_judgement_and_its_sources_are_in_the_json(tmp_path: Path) -> None:
    (study,) = read_studies(write_exam(tmp_path)).studies
    document = json.loads(study.model_dump_json())
    evidence = document["mammograms"][0]["side_evidence"]
    assert (evidence["verdict"], evidence["value"]) == ("agreed", "R")
    assert "ImageLaterality (0020,0062)" in [source["name"] for source in evidence["sources"]]


def _image(path: Path, side: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray((breast(side) // 16).astype(np.uint8)).save(path)


def test_p4_the_part_before_side_and_view_is_the_patient(tmp_path: Path) -> None:
    for name in ("P0_LEFT_CC", "P1_LEFT_CC", "P2_RIGHT_CC", "P2_LEFT_CC", "P-3.RCC", "IMG 4 LMLO"):
        _image(tmp_path / f"{name}.png", "R" if "R" in name.replace("LEFT", "") else "L")
    studies = read_studies(tmp_path).studies
    assert sorted(len(study.mammograms) for study in studies) == [1, 1, 1, 1, 2]
    assert {study.grouped_by for study in studies} == {"file name"}
    assert len({study.patient_key for study in studies}) == 5


def test_p4_names_without_a_patient_go_by_their_folder(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        for name in ("RCC", "LCC", "RMLO", "LMLO"):
            _image(tmp_path / folder / f"{name}.png", name[0])
    studies = read_studies(tmp_path).studies
    assert [len(study.mammograms) for study in studies] == [4, 4]
    assert {study.grouped_by for study in studies} == {"folder"}


@pytest.mark.parametrize(
    ("names", "noted"),
    [
        (("LCC_P01", "LMLO_P02", "RCC_P03", "RMLO_P03"), "(P01, P02, P03)"),
        (("LCC", "LMLO_new"), "(nothing, NEW)"),
        (("LCC_1", "LMLO_2", "RCC (3)"), ""),
        (("LCC_P01", "LMLO_P01"), ""),
    ],
)
def test_p4_names_that_differ_after_side_and_view_are_noted(tmp_path: Path, names: tuple[str, ...], noted: str) -> None:
    for name in names:
        _image(tmp_path / f"{name}.png", name[0])
    (study,) = read_studies(tmp_path).studies
    notes = [note for note in study.notes if note.startswith("The file names differ after side and view")]
    assert len(notes) == bool(noted)
    assert noted in "".join(notes)


@pytest.mark.parametrize(
    ("how", "side", "view"),
    [
        (put(ViewPosition="RIGHT CC"), "R", "CC"),
        (put(ViewPosition="", SeriesDescription="RCC"), "R", "CC"),
        (put(ViewPosition="", ProtocolName="Mammo R-CC"), "R", "CC"),
        (put(ViewPosition="", BodyPartExamined="RBREAST", SeriesDescription="CC"), "R", "CC"),
        (put(ViewPosition="", ImageComments="Right Cranio-Caudal"), "R", "CC"),
        (put(ViewPosition="", SeriesDescription="Mammographie CC rechts"), "R", "CC"),
        (put(ViewPosition="MLO", Laterality="R"), "R", "MLO"),
        (put(ViewPosition="", SeriesDescription="RIGHT MEDIOLATERAL OBLIQUE"), "R", "MLO"),
        (put(ViewPosition="CC", FrameLaterality="R"), "R", "CC"),
        (put(ViewPosition="CC", ImageLaterality="RIGHT"), "R", "CC"),
        (put(ViewPosition="CC", PatientOrientation=["P", "L"]), "R", "CC"),
        (put(ViewPosition="MLO", PatientOrientation=["P", "FL"]), "R", "MLO"),
    ],
)
def test_k6_side_and_view_wherever_makers_put_them(tmp_path: Path, how: Change, side: str, view: str) -> None:
    def only(ds: pydicom.Dataset) -> None:
        ds.ImageLaterality, ds.PatientOrientation, ds.SeriesDescription = "", "", ""
        del ds.ViewCodeSequence
        how(ds)

    path = change(write_exam(tmp_path) / "RCC.dcm", only)
    renamed = tmp_path / "0001.dcm"
    shutil.move(path, renamed)
    (study,) = read_studies(renamed).studies
    (mammogram,) = study.mammograms
    assert (mammogram.laterality, mammogram.view) == (Laterality(side), View(view))
    assert mammogram.side_evidence is not None
    assert mammogram.view_evidence is not None
    assert mammogram.side_evidence.verdict in (EvidenceVerdict.ONE_SOURCE, EvidenceVerdict.AGREED)


def test_k6_a_side_by_its_anatomic_region(tmp_path: Path) -> None:
    def how(ds: pydicom.Dataset) -> None:
        ds.ImageLaterality, ds.PatientOrientation, ds.SeriesDescription = "", "", ""
        item = pydicom.Dataset()
        item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = "24028007", "SCT", "Right"
        ds.AnatomicRegionSequence[0].AnatomicRegionModifierSequence = pydicom.Sequence([item])

    path = change(write_exam(tmp_path) / "RCC.dcm", how, tmp_path / "1.dcm")
    assert read_studies(path).studies[0].mammograms[0].laterality is Laterality.RIGHT


def test_a_date_that_is_none_gives_no_prior(tmp_path: Path) -> None:
    assert read_changed(tmp_path, put_raw("StudyDate", "DA", b"2020.0.1")).studies[0].date is not None


@pytest.mark.parametrize("value", ["..", ".", "1..2", "1.2.", "../1.2", "1." + "2" * 70, "\u0661.2"])
def test_what_is_no_uid_never_names_a_study(value: str) -> None:
    assert StudyKey("1.2.840.1", "Study Instance UID").uid == "1.2.840.1"
    assert re.fullmatch(r"2\.25\.[0-9]+", StudyKey(value, "Study Instance UID").uid)


def test_study_dates_that_differ_are_noted(tmp_path: Path) -> None:
    folder = write_exam(tmp_path / "exam")
    change(folder / "LCC.dcm", put(StudyDate="20100101"))
    (study,) = read_studies(folder).studies
    assert any(
        note.startswith("StudyDate (0008,0020) differs") and "2010-01-01, 2020-01-01" in note for note in study.notes
    )
