"""Reports and studies to deliver, in every status."""

from __future__ import annotations

import datetime

from pydicom.dataset import Dataset
from pydicom.uid import DigitalMammographyXRayImageStorageForPresentation

from amrg.birads import (
    Assessment,
    Category,
    Composition,
    Draft,
    DraftedImage,
    DraftedStudy,
    Finding,
    Indication,
    Kind,
    Laterality,
    Location,
    Margin,
    Provenance,
    Quadrant,
    Report,
    ReportVersion,
    Shape,
    Signature,
    Status,
    View,
    draft_banner,
    render,
)
from amrg.delivery import SourceStudy

NOW = datetime.datetime(2026, 11, 28, 12, 0, tzinfo=datetime.UTC)
SIGNATURE = Signature(name="Doe^Jane^^Dr", organization="General Hospital", signed_at=NOW, identifier="4711")
MASS = Finding(
    kind=Kind.MASS,
    laterality=Laterality.RIGHT,
    location=Location(quadrant=Quadrant.UPPER_OUTER, clock=10),
    shape=Shape.IRREGULAR,
    margin=Margin.SPICULATED,
    size_mm=14,
    category=Category.HIGHLY_SUGGESTIVE,
)
REPORT = Report(
    indication=Indication.SCREENING,
    composition=Composition.C,
    findings=(MASS,),
    assessments=(
        Assessment(category=Category.HIGHLY_SUGGESTIVE, laterality=Laterality.RIGHT),
        Assessment(category=Category.NEGATIVE, laterality=Laterality.LEFT),
    ),
    provenance=Provenance(software="amrg 0.1.0", model="embedded", model_hash="ab" * 32),
)
UIDS = {view: f"1.2.826.0.1.3680043.8.498.{number}" for number, view in enumerate(("RCC", "LCC", "RMLO", "LMLO"), 1)}
STUDY = DraftedStudy(
    study_instance_uid="1.2.826.0.1.3680043.8.498.100",
    date=datetime.date(2026, 11, 27),
    patient_key="0" * 16,
    images=tuple(
        DraftedImage(laterality=Laterality(name[0]), view=View(name[1:]), sop_instance_uid=uid)
        for name, uid in UIDS.items()
    ),
)


def a_draft(report: Report = REPORT, text: str | None = None) -> Draft:
    """A draft of the study, with the text given or as rendered."""
    written = render(report) if text is None else text
    return Draft(banner=draft_banner("embedded"), study=STUDY, report=report, text=written, model_text=written)


def a_version(
    status: Status = Status.FINAL, report: Report = REPORT, text: str | None = None, number: int = 2
) -> ReportVersion:
    """A version of the report, signed where its status needs it."""
    draft = a_draft(report, text)
    unsigned = status in (Status.DRAFT, Status.PRELIMINARY)
    return ReportVersion(
        number=number,
        created_at=NOW,
        draft=draft,
        report=report.model_copy(update={"status": status}),
        text=draft.text,
        signature=None if unsigned else SIGNATURE,
        reason="wrong side" if status in (Status.AMENDED, Status.WITHDRAWN) else "",
    )


def a_source(**changes: object) -> SourceStudy:
    """The headers of its four images; `changes` are keywords of DICOM for all of them."""
    images = []
    for name, uid in UIDS.items():
        image = Dataset()
        image.SpecificCharacterSet = "ISO_IR 192"
        image.StudyInstanceUID, image.SOPInstanceUID = STUDY.study_instance_uid, uid
        image.SeriesInstanceUID = "1.2.826.0.1.3680043.8.498.200"
        image.SOPClassUID, image.Modality = DigitalMammographyXRayImageStorageForPresentation, "MG"
        image.PatientName, image.PatientID, image.IssuerOfPatientID = "Müller^Anna", "4711-X", "HOSPITAL"
        image.PatientBirthDate, image.PatientSex = "19610203", "F"
        image.AccessionNumber, image.StudyID = "A123", "1"
        image.StudyDate, image.StudyTime = "20261127", "101500"
        image.ImageLaterality, image.ViewPosition = name[0], name[1:]
        for keyword, value in changes.items():
            setattr(image, keyword, value)
        images.append(image)
    return SourceStudy(tuple(images))
