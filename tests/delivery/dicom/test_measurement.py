from __future__ import annotations

from io import BytesIO
from pathlib import Path

import highdicom.sr as hd
import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset

from amrg.birads import (
    Category,
    Composition,
    Decision,
    Density,
    Depth,
    Distribution,
    Finding,
    FindingDecision,
    Kind,
    Laterality,
    Location,
    Margin,
    Morphology,
    Quadrant,
    Recommendation,
    Shape,
    Status,
    View,
    lexicon,
)
from amrg.delivery.dicom.codes import COMPOSITIONS, KINDS, descriptors, site
from amrg.delivery.dicom.measurement import measurement_sr
from amrg.delivery.errors import DeliveryError
from amrg.delivery.source import SourceStudy, read_source
from amrg.generation.identifiers import identify, image_boxes
from amrg.imaging import read_studies
from tests.delivery.dicom.partners import dciodvfy_errors, dsrdump, read_back, values, walk
from tests.delivery.exams import (
    DRAFT,
    EXAMS,
    REPORT,
    SEVERAL,
    STATUSES,
    a_source,
    a_version,
    decided,
    drafted,
    finding,
    headers,
    version_of,
)
from tests.imaging.changed import Change, change, write_exam

TRACKING = "Tracking Unique Identifier"
TURNED_BACK = {"A": "P", "P": "A", "R": "L", "L": "R", "F": "H", "H": "F"}
DOT = (63, 41)  # row and column in the hung left view: an image of 200 rows and 160 columns


def groups(content: bytes) -> list[Dataset]:
    """The measurement groups of a report."""
    found = [i for i in walk(read_back(content)) if i.ValueType == "CONTAINER"]
    return [i for i in found if i.ConceptNameCodeSequence[0].CodeMeaning == "Measurement Group"]


@pytest.mark.parametrize("exam", EXAMS)
@pytest.mark.parametrize("status", STATUSES)
def test_every_exam_and_status_is_valid_and_read_by_others(exam: str, status: Status, tmp_path: Path) -> None:
    draft, images = EXAMS[exam]()
    content = measurement_sr(version_of(draft, status), SourceStudy(images))
    assert dciodvfy_errors(content, tmp_path) == []
    assert "Imaging Measurement Report" in dsrdump(content, tmp_path)
    read = hd.srread(BytesIO(content))
    regions = read.content.get_planar_roi_measurement_groups()
    withdrawn = status is Status.WITHDRAWN
    assert len(regions) == (0 if withdrawn else len(draft.boxes))
    assert len(read.content.get_image_measurement_groups()) == (1 if withdrawn else 1 + len(draft.report.assessments))
    assert content == measurement_sr(version_of(draft, status), SourceStudy(images))


def test_a_finding_has_one_identity_on_all_views_and_in_all_versions() -> None:
    draft, images = EXAMS["finding"]()
    found = set()
    for status in (Status.DRAFT, Status.FINAL):
        read = hd.srread(BytesIO(measurement_sr(version_of(draft, status), SourceStudy(images))))
        found |= {str(group.tracking_uid) for group in read.content.get_planar_roi_measurement_groups()}
    assert len(found) == 1


def test_a_draft_without_its_study_has_identities_of_the_study_that_it_is_delivered_into() -> None:
    version = version_of(DRAFT.model_copy(update={"study": None, "boxes": ()}))
    sources = [a_source(), a_source(PatientID="1002"), a_source(StudyInstanceUID="1.2.9")]
    found = [
        {uid for group in groups(measurement_sr(version, source)) for uid in values(group, TRACKING)}
        for source in sources
    ]
    assert len(set.union(*found)) == sum(map(len, found)) > 0


def test_a_breast_with_two_categories_has_the_most_suspicious_one_under_its_own_identity() -> None:
    several, reversed_ = (
        groups(measurement_sr(a_version(report=REPORT.model_copy(update={"assessments": given})), a_source()))
        for given in (SEVERAL, SEVERAL[::-1])
    )
    assessed = [
        {values(g, "Tracking Identifier")[0]: (values(g, TRACKING), values(g, "Assessment Category")) for g in found}
        for found in (several, reversed_)
    ]
    right, left = "Assessment, right breast", "Assessment, left breast"
    assert assessed[0] == assessed[1]
    assert [assessed[0][name][1][0][0] for name in (right, left)] == ["5", "1"]


def test_a_finding_is_coded() -> None:
    draft, images = EXAMS["finding"]()
    content = measurement_sr(version_of(draft), SourceStudy(images))
    group = groups(content)[-1]
    assert values(group, "Finding") == ["Mammographic breast mass"]
    assert values(group, "Finding Site") == ["Upper outer quadrant of breast"]
    assert values(group, "Laterality") == ["Left"]
    assert values(group, "Assessment Category") == ["5 - Highly suggestive of malignancy"]
    assert values(group, "Algorithm Name") == ["amrg-embedded"]
    assert values(group, "Long axis") == ["18.0"]
    assert group.ContentTemplateSequence[0].TemplateIdentifier == "1410"
    assert values(read_back(content), "Breast composition") == ["Scattered fibroglandular densities"]


def test_a_finding_without_a_place_has_a_group_without_a_region() -> None:
    draft = drafted([finding()])
    last = groups(measurement_sr(version_of(draft), SourceStudy(headers())))[-1]
    assert last.ContentTemplateSequence[0].TemplateIdentifier == "1501"
    assert values(last, "Finding") == ["Mammographic breast mass"]


def test_every_word_of_the_lexicon_has_a_code_of_sixteen_characters() -> None:
    full = [Finding(kind=kind, laterality=Laterality.LEFT) for kind in Kind]
    full += [Finding(kind=Kind.MASS, location=Location(quadrant=q)) for q in Quadrant]
    full += [Finding(kind=Kind.MASS, location=Location(clock=hour)) for hour in range(1, 13)]
    full += [Finding(kind=Kind.MASS, location=Location(depth=depth)) for depth in Depth]
    for field, words in (
        ("shape", Shape),
        ("margin", Margin),
        ("density", Density),
        ("morphology", Morphology),
        ("distribution", Distribution),
        ("category", Category),
        ("change", lexicon.Change),
        ("recommendation", Recommendation),
    ):
        full += [Finding(kind=Kind.MASS, **{field: word}) for word in words]
    for each in full:
        stated = [KINDS[each.kind], site(each)[0], *(code for pair in descriptors(each) for code in pair)]
        assert all(0 < len(code.value) <= 16 and 0 < len(code.meaning) <= 64 for code in stated)
    assert len({descriptors(Finding(kind=Kind.MASS, category=c))[0][1].value for c in Category}) == len(Category)
    places = {site(Finding(kind=Kind.MASS, location=Location(quadrant=q))) for q in Quadrant}
    assert len(places) == len(Quadrant)
    assert len({code.value for code in COMPOSITIONS.values()}) == len(Composition)


def test_an_edited_finding_has_the_marks_that_the_model_drew() -> None:
    draft = drafted([finding(View.CC), finding(View.MLO)])
    smaller = finding().model_copy(update={"size_mm": 7})
    rejected = FindingDecision(finding=1, decision=Decision.REJECTED)
    edited = FindingDecision(finding=2, decision=Decision.EDITED, result=smaller)
    version = decided(version_of(draft, Status.FINAL), rejected, edited)
    (*_, before), (*_, after) = (
        groups(measurement_sr(v, SourceStudy(headers()))) for v in (version_of(draft), version)
    )
    for name in (TRACKING, "Algorithm Name"):
        assert values(after, name) == values(before, name) != []
    marks = [[i.GraphicData for i in walk(group) if i.get("ValueType") == "SCOORD"] for group in (before, after)]
    assert marks[0] == marks[1] != []
    assert [box.finding for box in version.boxes] == [1]


def test_findings_that_nobody_decided_are_refused() -> None:
    version = version_of(drafted([finding(View.MLO)]))
    version = version.model_copy(update={"report": version.report.model_copy(update={"findings": ()})})
    with pytest.raises(DeliveryError, match="0 findings, and decisions of 1"):
        measurement_sr(version, SourceStudy(headers()))


def test_a_finding_that_a_person_added_has_no_algorithm() -> None:
    draft = drafted([finding(View.MLO)])
    result = Finding(kind=Kind.DISTORTION, laterality=Laterality.RIGHT, category=Category.SUSPICIOUS)
    added = FindingDecision(decision=Decision.ADDED, result=result)
    version = decided(version_of(draft, Status.FINAL), added)
    drawn, by_hand = groups(measurement_sr(version, SourceStudy(headers())))[-2:]
    assert values(drawn, "Algorithm Name") == ["amrg-embedded"]
    assert values(by_hand, "Algorithm Name") == []


def drawn(name: str) -> np.ndarray:
    """A breast with one bright pixel at `DOT` of the left view as it hangs."""
    rows, columns = np.mgrid[:200, :160]
    inside = ((rows - 100) / 84) ** 2 + (columns / 112) ** 2
    image = np.where(inside < 1, 2500 - 1500 * inside, 0).astype(np.uint16)
    image[DOT] = 4095
    return image[:, ::-1].copy() if name.startswith("R") else image


def stored(quarters: int, mirrored: bool, inverted: bool) -> Change:
    """A change that stores the same view turned clockwise, mirrored, or with the lowest values bright."""

    def how(ds: Dataset) -> None:
        across, down = ds.PatientOrientation
        image = ds.pixel_array
        if mirrored:
            image, across = image[:, ::-1], TURNED_BACK[across]
        for _ in range(quarters):
            across, down = "".join(TURNED_BACK[letter] for letter in down), across
        image = np.rot90(image, -quarters)
        if inverted:
            image, ds.PhotometricInterpretation = 4095 - image, "MONOCHROME1"
            ds.PresentationLUTShape, ds.PixelIntensityRelationshipSign = "INVERSE", 1
        ds.Rows, ds.Columns = image.shape
        ds.PatientOrientation = [across, down]
        ds.PixelData = np.ascontiguousarray(image).astype("<u2").tobytes()

    return how


@pytest.mark.parametrize("inverted", [False, True], ids=["MONOCHROME2", "MONOCHROME1"])
@pytest.mark.parametrize(("quarters", "mirrored"), [(0, False), (1, False), (2, False), (3, False), (0, True)])
@pytest.mark.parametrize("name", ["LMLO", "RMLO"])
def test_a_mark_is_on_its_pixel_of_the_file_however_it_is_stored(
    name: str, quarters: int, mirrored: bool, inverted: bool, tmp_path: Path
) -> None:
    path = change(write_exam(tmp_path, draw=drawn) / f"{name}.dcm", stored(quarters, mirrored, inverted))
    (study,) = read_studies(path).studies
    row, column = map(int, np.unravel_index(study.mammograms[0].pixels().argmax(), (200, 160)))
    assert (row, column) == (DOT if name == "LMLO" else (DOT[0], 159 - DOT[1]))  # as it hangs
    around = {"left": column - 4.0, "top": row - 4.0, "right": column + 5.0, "bottom": row + 5.0}
    side = Laterality(name[0])
    box = finding(View.MLO).boxes[0].model_copy(update={**around, "laterality": side})
    report = drafted([finding().model_copy(update={"boxes": (box,), "laterality": side})]).report
    draft = drafted().model_copy(
        update={"report": report, "study": identify(study), "boxes": tuple(image_boxes(report, study))}
    )
    content = measurement_sr(version_of(draft), read_source([path]))
    (region,) = [i for i in walk(read_back(content)) if i.ValueType == "SCOORD"]
    points = np.array(region.GraphicData).reshape(-1, 2)
    in_file = pydicom.dcmread(path).pixel_array
    at = np.unravel_index(in_file.argmin() if inverted else in_file.argmax(), in_file.shape)
    centre = (points.min(0) + points.max(0)) / 2
    np.testing.assert_allclose(centre, (at[1] + 0.5, at[0] + 0.5), atol=0.5)
    (image,) = region.ContentSequence
    assert image.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == study.mammograms[0].sop_instance_uid
