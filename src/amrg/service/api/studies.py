"""Routes for studies: the list, one of them, its images as pictures, and whose study it is."""

from __future__ import annotations

import datetime
import io
from collections.abc import Sequence
from pathlib import Path as FilePath
from typing import Annotated

import numpy as np
from fastapi import APIRouter, Path, Query
from fastapi.responses import Response
from PIL import Image
from pydantic import Field, StringConstraints
from sqlalchemy import select
from sqlalchemy.orm import Session

from amrg.birads import DraftedImage, ImageBox, Laterality, ReportVersion, View
from amrg.core.values import Value
from amrg.imaging import ImagingError, read_mammogram
from amrg.imaging.header import read_header
from amrg.service import audit
from amrg.service.api.context import Anyone, Held, Reader, Reading, StudyUid, study_row
from amrg.service.api.pages import Page, rows_of_page
from amrg.service.api.problems import ApiError
from amrg.service.database.engine import reading
from amrg.service.database.tables import InstanceRow, StudyRow, StudyState, VersionRow
from amrg.service.storage import Storage
from amrg.service.studies import ConflictError, locked, new_images_since_signature, resolve_conflict
from amrg.service.versions import newest_version, read_version

router = APIRouter(tags=["studies"])
Uid = Annotated[str, Path(pattern=r"^[0-9.]{1,64}$", description="SOP Instance UID (0008,0018)")]


class PatientItem(Value):
    """Whose study it is, as the images state it."""

    name: str
    patient_id: str
    issuer: str
    birth_date: str
    sex: str


class StudyItem(Value):
    """A study in a list. `state` and `reason` say where it is and why; `version` is the newest of its report."""

    study_instance_uid: str
    accession_number: str
    study_date: str
    patient: PatientItem
    state: StudyState
    reason: str
    version: int | None
    status: str | None
    received_at: datetime.datetime


class ImageItem(Value):
    """An image of a study, with whose it says it is; side and view as the draft has them, None where it has it not.

    `boxes` are those of the newest report version, in pixels of the image's own file, which has `rows` and `columns`.
    """

    patient: PatientItem
    laterality: Laterality | None
    view: View | None
    rows: int | None
    columns: int | None
    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    sender: str
    received_at: datetime.datetime
    set_aside: str
    boxes: tuple[ImageBox, ...]


class StudyDetail(StudyItem):
    """A study with its images."""

    new_images_since_signature: int
    images: tuple[ImageItem, ...]


class ChosenPatient(Value):
    """Whose study it is, of the patients that its images name."""

    patient_id: str = Field(max_length=256)
    issuer: str | None = Field(None, max_length=256)


class StudyFilters(Value):
    """Which studies: in a state, of an order, from a first to a last study date; and which page of them."""

    state: StudyState | None = None
    accession: Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[^\x00]*$")] | None = None
    since: datetime.date | None = None
    until: datetime.date | None = None
    limit: int = Field(50, ge=1, le=500)
    before: int | None = Field(None, ge=1, le=2**31 - 1)


@router.get("/studies")
def list_studies(_: Anyone, session: Reading, filters: Annotated[StudyFilters, Query()]) -> Page[StudyItem]:
    """Studies, the last to arrive first; each is on exactly one page, whatever arrives meanwhile."""
    found = select(StudyRow)
    if filters.state is not None:
        found = found.where(StudyRow.state == filters.state)
    if filters.accession is not None:
        found = found.where(StudyRow.accession_number == filters.accession)
    if filters.since is not None:
        found = found.where(StudyRow.study_date >= f"{filters.since:%Y%m%d}")
    if filters.until is not None:
        found = found.where(StudyRow.study_date <= f"{filters.until:%Y%m%d}", StudyRow.study_date != "")
    rows, following = rows_of_page(session, found, StudyRow.id, filters.limit, filters.before)
    return Page(items=tuple(study_items(session, rows)), next=following)


@router.get("/studies/{study_uid}")
def read_study(study_uid: StudyUid, caller: Anyone, held: Held) -> StudyDetail:
    """A study with its images; that it was looked at is recorded in the audit trail."""
    with reading(held.sessions) as session:
        study = study_row(session, study_uid)
        item = study_items(session, [study])[0]
        newest = newest_version(session, study)
        version = None if newest is None else read_version(newest)
        rows = session.scalars(
            select(InstanceRow).where(InstanceRow.study_id == study.id, InstanceRow.current).order_by(InstanceRow.id)
        )
        detail = StudyDetail(
            **dict(item),
            new_images_since_signature=new_images_since_signature(session, study),
            images=tuple(_image(row, version, held.storage) for row in rows),
        )
    record_access(held, caller.login, "study read", study_uid)
    return detail


@router.get(
    "/studies/{study_uid}/images/{sop_instance_uid}/picture",
    response_class=Response,
    responses={200: {"content": {"image/png": {}}}},
)
def picture(
    study_uid: StudyUid,
    sop_instance_uid: Uid,
    caller: Anyone,
    held: Held,
    height: Annotated[int, Query(ge=64, le=8192)] = 2048,
) -> Response:
    """An image as it is presented, on the grid of its own file, as PNG; `height` is the most that is returned."""
    with reading(held.sessions) as session:
        study = study_row(session, study_uid)
        row = session.scalars(
            select(InstanceRow).where(
                InstanceRow.study_id == study.id,
                InstanceRow.sop_instance_uid == sop_instance_uid,
                InstanceRow.current,
            )
        ).one_or_none()
        if row is None:
            raise ApiError(404, f"image {sop_instance_uid} is not in study {study_uid}")
        file = held.storage.path_of(row.path)
    drafted = _drafted_view(held, study_uid, sop_instance_uid)
    try:
        pixels = read_mammogram(file, *drafted).file_pixels()
    except ImagingError as error:
        # The line of the error may have what a header states.
        raise ApiError(409, f"image {sop_instance_uid} cannot be shown: {type(error).__name__}") from error
    record_access(held, caller.login, "image read", study_uid)
    image = Image.fromarray(np.rint(pixels * 255).astype(np.uint8))
    image.thumbnail((height * 4, height), Image.Resampling.LANCZOS)
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return Response(stream.getvalue(), media_type="image/png")


@router.post("/studies/{study_uid}/patient")
def choose_patient(study_uid: StudyUid, chosen: ChosenPatient, caller: Reader, held: Held) -> StudyItem:
    """Decide whose study it is where its images name several patients; it is then drafted."""
    with held.sessions.begin() as session:
        study = locked(session, study_row(session, study_uid).id)
        try:
            resolve_conflict(session, held.storage, study, chosen.patient_id, caller.login, chosen.issuer)
        except ConflictError as error:
            raise ApiError(409, str(error)) from error
        return study_items(session, [study])[0]


def study_items(session: Session, rows: Sequence[StudyRow]) -> list[StudyItem]:
    """Studies as a list has them."""
    newest = {
        study_id: (number, status)
        for study_id, number, status in session.execute(
            select(VersionRow.study_id, VersionRow.number, VersionRow.status).where(
                VersionRow.study_id.in_([row.id for row in rows]),
                ~VersionRow.superseded,
            )
        )
    }
    return [_item(row, *newest.get(row.id, (None, None))) for row in rows]


def record_access(held: Held, login: str, action: str, study_uid: str) -> None:
    """Record in the audit trail that somebody has looked at a patient's data."""
    with held.sessions.begin() as session:
        audit.append(session, login, action, study_uid, {})


def _item(row: StudyRow, version: int | None, status: str | None) -> StudyItem:
    return StudyItem(
        study_instance_uid=row.study_instance_uid,
        accession_number=row.accession_number,
        study_date=row.study_date,
        patient=_patient(row),
        state=row.state,
        reason=row.reason,
        version=version,
        status=status,
        received_at=row.received_at,
    )


def _patient(row: StudyRow | InstanceRow) -> PatientItem:
    return PatientItem(
        name=row.patient_name,
        patient_id=row.patient_id,
        issuer=row.issuer_of_patient_id,
        birth_date=row.birth_date,
        sex=row.sex,
    )


def _image(row: InstanceRow, version: ReportVersion | None, storage: Storage) -> ImageItem:
    boxes = () if version is None else version.boxes
    view = _drafted_image(version, row.sop_instance_uid)
    rows, columns = _shape(storage.path_of(row.path))
    return ImageItem(
        patient=_patient(row),
        laterality=None if view is None else view.laterality,
        view=None if view is None else view.view,
        rows=rows,
        columns=columns,
        sop_instance_uid=row.sop_instance_uid,
        sop_class_uid=row.sop_class_uid,
        transfer_syntax_uid=row.transfer_syntax_uid,
        sender=row.sender,
        received_at=row.received_at,
        set_aside=row.set_aside,
        boxes=tuple(box for box in boxes if box.sop_instance_uid == row.sop_instance_uid),
    )


def _shape(file: FilePath) -> tuple[int | None, int | None]:
    """Rows and columns that a file states, None where it cannot be read any more."""
    try:
        header = read_header(file)
    except ImagingError:
        return None, None
    return header.integer("Rows"), header.integer("Columns")


def _drafted_image(version: ReportVersion | None, sop_instance_uid: str) -> DraftedImage | None:
    """What the draft has of an image; None where it has it not."""
    images = () if version is None or version.draft.study is None else version.draft.study.images
    return next((image for image in images if image.sop_instance_uid == sop_instance_uid), None)


def _drafted_view(held: Held, study_uid: str, sop_instance_uid: str) -> tuple[Laterality | None, View | None]:
    """Side and projection that the draft has for an image, for files whose headers do not say."""
    with reading(held.sessions) as session:
        newest = newest_version(session, study_row(session, study_uid))
    image = _drafted_image(None if newest is None else read_version(newest), sop_instance_uid)
    return (None, None) if image is None else (image.laterality, image.view)
