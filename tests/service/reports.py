"""A drafted study and its readers, as rows, for tests of signing and of the API."""

from __future__ import annotations

import datetime
from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from amrg.birads import (
    Assessment,
    Category,
    Composition,
    Draft,
    Finding,
    ImageBox,
    Kind,
    Laterality,
    Location,
    Margin,
    Quadrant,
    Recommendation,
    Report,
    Shape,
    View,
    ViewBox,
    unsigned_version,
)
from amrg.service.database.tables import StudyRow, StudyState, UserRole, UserRow
from amrg.service.versions import add_version
from tests.delivery.exams import draft_of

NOW = datetime.datetime(2026, 11, 28, 12, 0, tzinfo=datetime.UTC)
STUDY = "1.2.826.0.1.3680043.10.1"
MASS = Finding(
    kind=Kind.MASS,
    laterality=Laterality.RIGHT,
    location=Location(quadrant=Quadrant.UPPER_OUTER),
    shape=Shape.IRREGULAR,
    margin=Margin.SPICULATED,
    category=Category.HIGH_SUSPICION,
    probability=0.8,
)
CALCIFICATIONS = Finding(
    kind=Kind.CALCIFICATIONS, laterality=Laterality.LEFT, location=Location(quadrant=Quadrant.LOWER_INNER)
)
REPORT = Report(
    composition=Composition.B,
    findings=(MASS,),
    assessments=(
        Assessment(category=Category.HIGH_SUSPICION, laterality=Laterality.RIGHT),
        Assessment(category=Category.NEGATIVE, laterality=Laterality.LEFT),
    ),
    recommendation=Recommendation.BIOPSY,
)
VIEWS = [(side, view) for side in Laterality for view in (View.CC, View.MLO)]


def a_draft(report: Report = REPORT, study: str = STUDY, uids: Sequence[str] = ()) -> Draft:
    """A draft with four images, and a box of its first finding on one."""
    uids = uids or [f"{study}.{number}" for number, _ in enumerate(VIEWS, 1)]
    box = ViewBox(laterality=Laterality.RIGHT, view=View.CC, left=10, top=20, right=30, bottom=40)
    boxes = (ImageBox(finding=1, sop_instance_uid=uids[0], box=box),) if report.findings else ()
    return draft_of(report, dict(zip(VIEWS, uids, strict=True)), study, boxes=boxes)


def add_user(sessions: sessionmaker[Session], name: str = "anna", **fields: object) -> None:
    """A reader, unless the fields say otherwise."""
    facts = {"role": UserRole.READER, "person_name": "Doe^Anna", "organization": "General Hospital", **fields}
    with sessions.begin() as session:
        session.add(UserRow(name=name, created_at=NOW, **facts))


def add_study(sessions: sessionmaker[Session], uid: str = STUDY, draft: Draft | None = None, **fields: object) -> None:
    """A study that is drafted."""
    facts = {"state": StudyState.DRAFTED, "image_revision": 4, "patient_id": "P1", "patient_name": "Roe^Mary", **fields}
    with sessions.begin() as session:
        study = StudyRow(study_instance_uid=uid, received_at=NOW, created_at=NOW, **facts)
        session.add(study)
        session.flush()
        version = unsigned_version(a_draft(study=uid) if draft is None else draft, NOW)
        add_version(session, study, version, image_revision=4, author="worker")


def drafted_as(sessions: sessionmaker[Session], uid: str, draft: Draft, text: str = "") -> None:
    """Give a study that was received a draft, with a text of a reader's own where there is one."""
    with sessions.begin() as session:
        study = session.scalars(select(StudyRow).where(StudyRow.study_instance_uid == uid)).one()
        study.state = StudyState.DRAFTED
        version = unsigned_version(draft, NOW)
        version = version.model_copy(update={"text": text or version.text})
        add_version(session, study, version, study.image_revision, author="worker")
