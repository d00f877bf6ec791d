from __future__ import annotations

from pathlib import Path

import pytest
from pydicom import config
from pydicom.dataset import Dataset

from amrg.birads import Decision, Draft, FindingDecision, Kind, Laterality, Status, View
from amrg.delivery.dicom.cad import cad_sr, detection
from amrg.delivery.source import SourceStudy
from tests.delivery.dicom.partners import dciodvfy_errors, dsrdump, read_back, values, walk
from tests.delivery.exams import EXAMS, STATUSES, decided, drafted, finding, headers, image_header, version_of

REQUIRED = "Presentation Required: Rendering device is expected to present"


def item_at(root: Dataset, place: list[int]) -> Dataset:
    """The content item of an identifier."""
    item = root
    for number in place[1:]:
        item = item.ContentSequence[number - 1]
    return item


def summary(draft: Draft, images: tuple[Dataset, ...], status: Status = Status.DRAFT) -> tuple[str, str]:
    """Summary of Detections, and CAD Processing and Findings Summary."""
    ds = read_back(cad_sr(version_of(draft, status), SourceStudy(images)))
    return values(ds, "Summary of Detections")[0], values(ds, "CAD Processing and Findings Summary")[0]


@pytest.mark.parametrize("exam", EXAMS)
@pytest.mark.parametrize("status", STATUSES)
def test_every_exam_and_status_is_valid_and_read_by_dcmtk(exam: str, status: Status, tmp_path: Path) -> None:
    draft, images = EXAMS[exam]()
    content = cad_sr(version_of(draft, status), SourceStudy(images))
    assert dciodvfy_errors(content, tmp_path) == []
    assert "Mammography CAD Report" in dsrdump(content, tmp_path)
    assert content == cad_sr(version_of(draft, status), SourceStudy(images))


def test_the_summaries_tell_success_partial_failed_not_attempted_and_no_findings_apart() -> None:
    four, one = headers(), image_header(Laterality.LEFT, View.MLO, 9)
    found, nothing = drafted([finding(View.CC, View.MLO)]), drafted()
    assert summary(found, four) == ("Succeeded", "All algorithms succeeded; with findings")
    assert summary(nothing, four) == ("Succeeded", "All algorithms succeeded; without findings")
    assert summary(found, (*four, one)) == ("Partially Succeeded", "Not all algorithms succeeded; with findings")
    assert summary(nothing, (*four, one)) == ("Partially Succeeded", "Not all algorithms succeeded; without findings")
    all_other = tuple((i.laterality, i.view) for i in nothing.study.images) if nothing.study is not None else ()
    failed = nothing.model_copy(update={"other_pictures": all_other})
    assert summary(failed, four) == ("Failed", "No algorithms succeeded; without findings")
    blind = nothing.model_copy(update={"suspicion": None})
    assert summary(blind, four) == ("Not Attempted", "No algorithms succeeded; without findings")
    assert summary(found, four, Status.WITHDRAWN) == ("Not Attempted", "No algorithms succeeded; without findings")


def test_a_finding_without_a_mark_does_not_look_like_no_finding(tmp_path: Path) -> None:
    unmarked = drafted([finding()])
    partial = ("Partially Succeeded", "Not all algorithms succeeded; without findings")
    assert summary(unmarked, headers()) == partial
    both = drafted([finding(View.CC), finding()])
    assert summary(both, headers()) == ("Partially Succeeded", "Not all algorithms succeeded; with findings")
    content = cad_sr(version_of(unmarked), SourceStudy(headers()))
    assert dciodvfy_errors(content, tmp_path) == []
    root = read_back(content)
    (failed,) = [i for i in walk(root) if "ConceptNameCodeSequence" in i and _name(i) == "Failed Detections"]
    (performed,) = failed.ContentSequence
    assert performed.ConceptCodeSequence[0].CodeMeaning == "Mammography breast density"
    places = [i.ReferencedContentItemIdentifier for i in performed.ContentSequence if "ValueType" not in i]
    referred = [item_at(root, place).ReferencedSOPSequence[0].ReferencedSOPInstanceUID for place in places]
    assert referred == ["1.2.3.4.2", "1.2.3.4.4"]  # the left breast


def _name(item: Dataset) -> str:
    return str(item.ConceptNameCodeSequence[0].CodeMeaning)


def test_an_image_for_processing_is_no_failure() -> None:
    raw = image_header(Laterality.LEFT, View.MLO, 9, PresentationIntentType="FOR PROCESSING")
    done = detection(version_of(drafted()), SourceStudy((*headers(), raw)))
    assert (len(done.succeeded), done.failed) == (4, ())


def test_marks_are_rendered_on_their_images() -> None:
    ds = read_back(cad_sr(version_of(drafted([finding(View.CC, View.MLO)])), SourceStudy(headers())))
    marks = [i for i in walk(ds) if i.get("ValueType") == "SCOORD"]
    assert [m.GraphicType for m in marks] == ["POINT", "POLYLINE"] * 2
    assert list(marks[0].GraphicData) == [200.5, 310.5]
    referred = [item_at(ds, m.ContentSequence[0].ReferencedContentItemIdentifier) for m in marks]
    uids = [image.ReferencedSOPSequence[0].ReferencedSOPInstanceUID for image in referred]
    assert uids == ["1.2.3.4.2"] * 2 + ["1.2.3.4.4"] * 2
    assert [values(image, "Image View")[0] for image in referred[::2]] == ["cranio-caudal", "medio-lateral oblique"]
    assert values(ds, "Rendering Intent") == [REQUIRED] * 3
    assert values(ds, "Single Image Finding") == ["Mammography breast density"] * 2
    assert set(values(ds, "Algorithm Name")) == {"amrg-embedded"}


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_of_finding_has_a_code_and_was_looked_for(kind: Kind) -> None:
    marked = finding(View.MLO).model_copy(update={"kind": kind})
    ds = read_back(cad_sr(version_of(drafted([marked])), SourceStudy(headers())))
    assert values(ds, "Single Image Finding")[0] in values(ds, "Detection Performed")


def test_what_a_reader_removed_is_not_marked() -> None:
    draft = drafted([finding(View.MLO)])
    version = decided(version_of(draft, Status.FINAL), FindingDecision(finding=1, decision=Decision.REJECTED))
    ds = read_back(cad_sr(version, SourceStudy(headers())))
    assert values(ds, "Summary of Detections") == ["Succeeded"]
    assert [i for i in walk(ds) if i.get("ValueType") == "SCOORD"] == []


@pytest.mark.parametrize(("stated", "dates"), [("2020.01.31", ["20200131"] * 4), ("January", [])])
def test_the_image_library_has_dates_as_dicom_writes_them(stated: str, dates: list[str]) -> None:
    with config.disable_value_validation():
        source = SourceStudy(headers(StudyDate=stated))
    ds = read_back(cad_sr(version_of(drafted()), source))
    assert [str(item.Date) for item in walk(ds) if item.get("ValueType") == "DATE"] == dates
