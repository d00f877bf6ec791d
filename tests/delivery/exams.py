"""Drafts and versions of reports of a drawn exam, and the exam's headers: for tests of delivery and of the service."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence

from pydicom.dataset import Dataset

from amrg.birads import (
    Assessment,
    Category,
    Composition,
    Draft,
    DraftedImage,
    DraftedStudy,
    Finding,
    FindingDecision,
    ImageBox,
    Kind,
    Laterality,
    Location,
    Margin,
    Provenance,
    Quadrant,
    Recommendation,
    Report,
    ReportVersion,
    Shape,
    Signature,
    Status,
    View,
    ViewBox,
    decided_findings,
    draft_banner,
    render,
)
from amrg.delivery.source import SourceStudy
from amrg.imaging import Study

ZONE = datetime.timezone(datetime.timedelta(hours=1))
DRAFTED = datetime.datetime(2026, 1, 31, 8, 5, tzinfo=ZONE)
SIGNED_AT = datetime.datetime(2026, 1, 31, 9, 12, tzinfo=ZONE)
VIEWS = tuple((side, view) for view in (View.CC, View.MLO) for side in Laterality)
STATUSES = (Status.DRAFT, Status.FINAL, Status.AMENDED, Status.APPENDED, Status.WITHDRAWN)
MODEL = "amrg-embedded"


def image_header(side: Laterality, view: View, number: int, **attributes: object) -> Dataset:
    """The header of a view, 2000 rows of 1600 columns."""
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.1.2", f"1.2.3.4.{number}"
    ds.StudyInstanceUID, ds.SeriesInstanceUID = "1.2.3", f"1.2.3.{1 + number // 3}"
    ds.PatientName, ds.PatientID, ds.PatientBirthDate, ds.PatientSex = "Doe^Jane", "1001", "19600102", "F"
    ds.StudyDate, ds.StudyTime, ds.StudyID, ds.AccessionNumber = "20260130", "101112", "77", "A-77"
    ds.ReferringPhysicianName, ds.Modality, ds.PresentationIntentType = "", "MG", "FOR PRESENTATION"
    ds.Rows, ds.Columns, ds.ImageLaterality, ds.ViewPosition = 2000, 1600, side.value, view.value
    ds.PixelSpacing = [0.1, 0.1]
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return ds


def headers(views: Sequence[tuple[Laterality, View]] = VIEWS, **attributes: object) -> tuple[Dataset, ...]:
    """The headers of an exam."""
    return tuple(image_header(side, view, n, **attributes) for n, (side, view) in enumerate(views, 1))


def finding(*views: View) -> Finding:
    """A suspicious mass in the left breast, with a box on each view."""
    boxes = tuple(
        ViewBox(laterality=Laterality.LEFT, view=v, left=100.5, top=200.25, right=300.5, bottom=420.75) for v in views
    )
    return Finding(
        kind=Kind.MASS,
        laterality=Laterality.LEFT,
        location=Location(quadrant=Quadrant.UPPER_OUTER, clock=2),
        shape=Shape.IRREGULAR,
        margin=Margin.SPICULATED,
        size_mm=18,
        category=Category.HIGHLY_SUGGESTIVE,
        boxes=boxes,
        probability=0.83,
    )


def drafted(findings: Sequence[Finding] = (), views: Sequence[tuple[Laterality, View]] = VIEWS) -> Draft:
    """A draft of an exam with findings, or a negative one."""
    worst = Category.HIGHLY_SUGGESTIVE if findings else Category.NEGATIVE
    sides = dict.fromkeys(side for side, _ in views)
    report = Report(
        composition=Composition.B,
        findings=tuple(findings),
        assessments=tuple(
            Assessment(category=worst if side is Laterality.LEFT else Category.NEGATIVE, laterality=side)
            for side in sides
        ),
        recommendation=Recommendation.BIOPSY if findings else Recommendation.ROUTINE,
        provenance=Provenance(software="amrg 0.1.0", model=MODEL, model_hash="ab" * 32),
    )
    uids = {view: f"1.2.3.4.{n}" for n, view in enumerate(views, 1)}
    return draft_of(report, uids, suspicion=0.71, model_text="")


def draft_of(
    report: Report, uids: Mapping[tuple[Laterality, View], str], study: str = "1.2.3", **changes: object
) -> Draft:
    """The draft of a report on a study's images, named by their views, with the boxes of its findings on them."""
    text = render(report)
    facts = {
        "banner": draft_banner(MODEL),
        "study": DraftedStudy(
            study_instance_uid=study,
            date=datetime.date(2026, 1, 30),
            accession_number="A-77",
            patient_key="c0ffee",
            images=tuple(DraftedImage(laterality=s, view=v, sop_instance_uid=uid) for (s, v), uid in uids.items()),
        ),
        "boxes": tuple(
            ImageBox(finding=n, sop_instance_uid=uids[box.laterality, box.view], box=box)
            for n, f in enumerate(report.findings, 1)
            for box in f.boxes
        ),
        "text": text,
        "model_text": text,
    }
    return Draft(report=report, **{**facts, **changes})


EXAMS = {
    "finding": lambda: (drafted([finding(View.CC, View.MLO)]), headers()),
    "negative": lambda: (drafted(), headers()),
    "one view": lambda: (drafted([finding(View.MLO)], VIEWS[3:]), headers(VIEWS[3:])),
    "one view, negative": lambda: (drafted((), VIEWS[:1]), headers(VIEWS[:1])),
}
"""Draft and headers of the exams that every format is tested with."""


def drafted_of(study: Study) -> Draft:
    """A draft with a finding, of a study's own images."""
    draft = drafted([finding(View.CC, View.MLO)])
    uids = {(m.laterality, m.view): m.sop_instance_uid for m in study.mammograms}
    assert draft.study is not None
    images = tuple(i.model_copy(update={"sop_instance_uid": uids[i.laterality, i.view]}) for i in draft.study.images)
    of = draft.study.model_copy(
        update={"study_instance_uid": study.study_instance_uid, "patient_key": study.patient_key, "images": images}
    )
    boxes = tuple(b.model_copy(update={"sop_instance_uid": uids[b.box.laterality, b.box.view]}) for b in draft.boxes)
    return draft.model_copy(update={"study": of, "boxes": boxes})


def version_of(draft: Draft, status: Status = Status.DRAFT, text: str = "", reason: str = "") -> ReportVersion:
    """A version of a status: the draft is version 1, signed is 2, what follows it 3."""
    signed = status not in (Status.DRAFT, Status.PRELIMINARY)
    signature = Signature(
        name="Müller^Anna^^Dr.", organization="Brustzentrum Süd", signed_at=SIGNED_AT, identifier="4711"
    )
    follows = status in (Status.AMENDED, Status.APPENDED, Status.WITHDRAWN)
    return ReportVersion(
        number=3 if follows else 2 if signed else 1,
        created_at=SIGNED_AT if signed else DRAFTED,
        draft=draft,
        report=draft.report.model_copy(update={"status": status}),
        text=text or draft.text,
        signature=signature if signed else None,
        reason=reason or ("wrong side" if follows else ""),
    )


def decided(version: ReportVersion, *decisions: FindingDecision) -> ReportVersion:
    """A version with a reader's decisions, and the findings that follow from them."""
    findings, unconfirmed = decided_findings(version.draft, decisions)
    report = version.report.model_copy(update={"findings": findings, "unconfirmed": unconfirmed})
    return version.model_copy(update={"decisions": decisions, "report": report})


SEVERAL = (
    Assessment(category=Category.HIGHLY_SUGGESTIVE, laterality=Laterality.RIGHT),
    Assessment(category=Category.NEGATIVE, laterality=Laterality.LEFT),
    Assessment(category=Category.BENIGN, laterality=Laterality.RIGHT),
)
"""The assessments of a report with two categories for one breast, the milder one last."""
DRAFT = drafted([finding(View.CC, View.MLO)])
REPORT = DRAFT.report


def a_version(
    status: Status = Status.FINAL, report: Report = REPORT, text: str = "", number: int | None = None
) -> ReportVersion:
    """A version of a report, signed where its status needs it."""
    draft = DRAFT.model_copy(update={"report": report, "text": text or render(report) or "No finding."})
    version = version_of(draft, status)
    return version if number is None else version.model_copy(update={"number": number})


def a_source(**changes: object) -> SourceStudy:
    """The headers of its four images; `changes` are keywords of DICOM for all of them."""
    return SourceStudy(headers(VIEWS, **{"IssuerOfPatientID": "HOSPITAL", **changes}))
