"""The study that a report is of, as its images' headers state it: what every delivered object repeats."""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError

from amrg.delivery.errors import DeliveryError
from amrg.imaging.evidence.patients import date_in

_ONE_OF_A_STUDY = ("StudyInstanceUID", "PatientID", "IssuerOfPatientID")
_ORDER_NUMBERS = (
    "AccessionNumber",
    "PlacerOrderNumberImagingServiceRequest",
    "FillerOrderNumberImagingServiceRequest",
)
_LONGEST_ACCESSION = 16  # characters of a short string (PS3.5 6.2)
_TIME = re.compile(r"([0-9]{2}(?:[0-9]{2}){0,2})(?:\.[0-9]{1,6})?")


@dataclass(frozen=True)
class SourceStudy:
    """The images of one study of one patient: their data sets without pixels, in the order given, at least one."""

    images: tuple[Dataset, ...]

    @property
    def header(self) -> Dataset:
        """The data set that patient and study are read from: the first image's."""
        return self.images[0]

    @property
    def study_instance_uid(self) -> str:
        """Study Instance UID (0020,000D)."""
        return str(self.header.StudyInstanceUID)

    def with_accession(self, number: str) -> SourceStudy:
        """The study under the accession number of its order, where the images name none.

        Raises:
            DeliveryError: they name another one, or it is no accession number (VR SH).
        """
        if not number.isprintable() or "\\" in number or len(number) > _LONGEST_ACCESSION:
            raise DeliveryError(
                f"accession number: found {number!r}, expected at most {_LONGEST_ACCESSION} characters without a "
                "backslash or control characters"
            )
        stated = str(self.header.get("AccessionNumber", "") or "").strip()
        if stated not in ("", number):
            raise DeliveryError(f"accession number {number}: the images state {stated}; leave it out, or correct them")
        images = tuple(copy.copy(image) for image in self.images)
        for image in images:
            image.AccessionNumber = number
        return SourceStudy(images)

    def image(self, sop_instance_uid: str) -> Dataset:
        """The image of a SOP Instance UID.

        Raises:
            DeliveryError: it is none of the study.
        """
        for image in self.images:
            if image.SOPInstanceUID == sop_instance_uid:
                return image
        raise DeliveryError(
            f"the report is about image {sop_instance_uid}, which is not in study {self.study_instance_uid}; "
            "name the folder with all images of the study"
        )


def read_source(files: Sequence[Path]) -> SourceStudy:
    """The headers of a study's images.

    Raises:
        DeliveryError: a file is no DICOM image, or the files are of several studies or patients.
    """
    if not files:
        raise DeliveryError("a report is delivered into its study, and no image of the study was given")
    images = tuple(_header(file) for file in files)
    for keyword in _ONE_OF_A_STUDY:
        found = sorted({str(image.get(keyword, "")).strip() for image in images})
        if len(found) > 1:
            raise DeliveryError(
                f"the images have {len(found)} values of {keyword}; a report is of one study of one patient"
            )
    return SourceStudy(images)


def patient_id(header: Dataset) -> str:
    """Patient ID (0010,0020), which a report of a named patient is filed under.

    Raises:
        DeliveryError: it is empty, so that a receiver could file the report under nobody.
    """
    found = str(header.get("PatientID", "") or "").strip()
    if not found:
        raise DeliveryError("the images have no PatientID (0010,0020); a report for a hospital's system needs one")
    return found


def study_date(header: Dataset) -> str:
    """Study Date (0008,0020) as `20200131`, also from ACR-NEMA's `2020.01.31`; empty where it is absent or no date."""
    return _date(header, "StudyDate")


def birth_date(header: Dataset) -> str:
    """Patient's Birth Date (0010,0030), as above."""
    return _date(header, "PatientBirthDate")


def _date(header: Dataset, keyword: str) -> str:
    found = date_in(str(header.get(keyword, "") or ""))
    return "" if found is None else f"{found:%Y%m%d}"


def study_time(header: Dataset) -> str:
    """Study Time (0008,0030) as `101112`, `1011` or `10`, also from ACR-NEMA's `10:11:12`; empty where it is none."""
    found = _TIME.fullmatch(str(header.get("StudyTime", "") or "").strip().replace(":", ""))
    return "" if found is None else found[1]


def _header(file: Path) -> Dataset:
    try:
        image = pydicom.dcmread(file, stop_before_pixels=True)
    except (InvalidDicomError, OSError, EOFError) as error:
        raise DeliveryError(f"{file.name}: no readable DICOM file; expected an image of the study") from error
    missing = [
        k for k in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID") if not image.get(k)
    ]
    if missing:
        raise DeliveryError(f"{file.name}: no {missing[0]}; a report can only be delivered into a DICOM study")
    for keyword in (*_ONE_OF_A_STUDY, *_ORDER_NUMBERS):
        if keyword in image and image[keyword].VM > 1:
            raise DeliveryError(
                f"{file.name}: {keyword} has {image[keyword].VM} values, parted by a backslash; expected one: correct "
                "the images"
            )
    return image
