"""The objects of a report in a PACS: one patient, one study, whatever the images' patient module looks like."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import Any

import httpx
import pytest
from pydicom import config, dcmwrite
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from amrg.birads import Status, View
from amrg.delivery.dicom.cad import cad_sr
from amrg.delivery.dicom.encapsulation import encapsulated_pdf
from amrg.delivery.dicom.measurement import measurement_sr
from amrg.delivery.dicom.text import text_sr
from amrg.delivery.source import SourceStudy
from tests.delivery.dicom.partners import read_back
from tests.delivery.exams import drafted, finding, headers, version_of
from tests.service.orthanc import Orthanc, orthanc_server

PATIENTS: dict[str, dict[str, Any]] = {
    "as usual": {},
    "empty": {"PatientName": "", "PatientID": "", "PatientBirthDate": "", "PatientSex": ""},
    "spaces": {"PatientID": " 10 01 ", "PatientName": "Mueller Anna"},
    "Latin-1": {"SpecificCharacterSet": "ISO_IR 100", "PatientID": "Ä-1", "PatientName": "Müller^Jörg"},
    "Greek": {"SpecificCharacterSet": "ISO_IR 126", "PatientName": "Παπαδοπούλου^Έλενα"},
    "Cyrillic": {"SpecificCharacterSet": "ISO_IR 144", "PatientName": "Иванова^Анна"},
    "Japanese": {
        "SpecificCharacterSet": ["", "ISO 2022 IR 87"],
        "PatientName": "Yamada^Hanako=山田^花子=やまだ^はなこ",
    },
}


@pytest.fixture(scope="module")
def pacs() -> Iterator[Orthanc]:
    with orthanc_server() as running:
        yield running


def as_file(image: Dataset) -> bytes:
    """An image as a modality sends it, in its own character set."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = image.SOPClassUID, image.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.file_meta = meta
    content = BytesIO()
    with config.disable_value_validation():
        dcmwrite(content, image, enforce_file_format=True)
    return content.getvalue()


@pytest.mark.parametrize("patient", PATIENTS)
def test_every_object_is_in_the_study_of_its_images_under_the_same_patient(patient: str, pacs: Orthanc) -> None:
    pacs.clear()
    files = [as_file(image) for image in headers(**PATIENTS[patient])]
    source = SourceStudy(tuple(read_back(file) for file in files))
    draft = drafted([finding(View.CC, View.MLO)])
    unsigned, signed = version_of(draft), version_of(draft, Status.FINAL)
    files += [text_sr(unsigned, source), measurement_sr(unsigned, source)]
    files += [write(signed, source) for write in (text_sr, measurement_sr, cad_sr, encapsulated_pdf)]
    for file in files:
        httpx.post(f"{pacs.url}/instances", content=file, trust_env=False).raise_for_status()
    stored = pacs.get("/instances?expand")
    assert len(stored) == len(files)
    assert len(pacs.get("/patients")) == 1
    assert len(pacs.get("/studies")) == 1
    tags = [pacs.get(f"/instances/{one['ID']}/simplified-tags") for one in stored]
    for keyword in ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "AccessionNumber"):
        assert len({found.get(keyword, "") for found in tags}) == 1, keyword
    kinds = {series["MainDicomTags"]["Modality"] for series in pacs.get("/series?expand")}
    assert kinds == {"MG", "SR", "DOC"}
