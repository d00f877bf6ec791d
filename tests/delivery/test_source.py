"""The study that a report is delivered into: one value an identifier, dates and times as HL7 and FHIR have them."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydicom.dataset import Dataset

from amrg.delivery.errors import DeliveryError
from amrg.delivery.source import SourceStudy, read_source, study_date, study_time
from tests.imaging.changed import change_all, put, write_exam


@pytest.mark.parametrize("keyword", ["PatientID", "AccessionNumber", "FillerOrderNumberImagingServiceRequest"])
def test_an_identifier_of_two_values_is_refused(keyword: str, tmp_path: Path) -> None:
    exam = change_all(write_exam(tmp_path), put(**{keyword: ["P", "2"]}))
    with pytest.raises(DeliveryError, match=rf"CC.dcm: {keyword} has 2 values"):
        read_source(sorted(exam.glob("*.dcm")))


@pytest.mark.parametrize("number", ["A\\1", "A\n1", "A" * 17])
def test_an_accession_number_is_a_short_string(number: str) -> None:
    with pytest.raises(DeliveryError, match=r"accession number: found .*, expected at most 16 characters"):
        SourceStudy((Dataset(),)).with_accession(number)


@pytest.mark.parametrize(
    ("stated", "read"),
    [
        (("20200102", "101112.123"), ("20200102", "101112")),
        (("2020.01.02", "10:11:12"), ("20200102", "101112")),
        (("20200102", "1011"), ("20200102", "1011")),
        (("20200230", "noon"), ("", "")),
        ((None, None), ("", "")),
    ],
)
def test_date_and_time_of_a_study(stated: tuple[str | None, str | None], read: tuple[str, str]) -> None:
    header = Dataset()
    header.add_new("StudyDate", "LO", stated[0])
    header.add_new("StudyTime", "LO", stated[1])
    assert (study_date(header), study_time(header)) == read
