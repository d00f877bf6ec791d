"""Routes for the report of a study: read, edit, decide on findings, sign, addendum, correction, withdrawal.

Every change names the version that was read in If-Match: that of another is answered with 412, and nothing is lost.
"""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Response
from pydantic import Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from amrg.birads import FindingDecision, ReportVersion
from amrg.core.values import Value
from amrg.service import signing
from amrg.service.api.context import Anyone, Held, Reader, RowNumber, Service, StudyUid, study_row
from amrg.service.api.jobs import Delivery, study_deliveries
from amrg.service.api.problems import ApiError
from amrg.service.api.studies import record_access
from amrg.service.database.engine import reading
from amrg.service.database.tables import VersionRow
from amrg.service.delivering import queue_deliveries
from amrg.service.signing import Deliver, Edit, Read, cautions
from amrg.service.versions import newest_version, read_version

router = APIRouter(prefix="/studies/{study_uid}", tags=["reports"])
Acknowledged = Annotated[tuple[str, ...], Field(max_length=500)]
_TAG = re.compile(r'"(\d{1,9})"')


class CautionItem(Value):
    """What must be acknowledged before signing, by its key."""

    key: str
    message: str


class ReportState(Value):
    """The newest version of a report, what it says, and what a signature has to acknowledge."""

    version: ReportVersion
    author: str
    sha256: str
    cautions: tuple[CautionItem, ...]


class VersionItem(Value):
    """A version in a list."""

    number: int
    status: str
    author: str
    superseded: bool
    sha256: str


class SignatureRequest(Value):
    """A signature; `acknowledged` are the keys of the cautions that the reader has seen."""

    acknowledged: Acknowledged = ()


class AddendumRequest(Value):
    """Text to add to a signed report."""

    text: str = Field(min_length=1, max_length=100_000)
    acknowledged: Acknowledged = ()


class CorrectionRequest(Value):
    """A correction of a signed report, and why."""

    changes: Edit
    reason: str = Field(min_length=1, max_length=1000)
    acknowledged: Acknowledged = ()


class WithdrawalRequest(Value):
    """Why a signed report is withdrawn."""

    reason: str = Field(min_length=1, max_length=1000)


def _what_was_read(
    study_uid: StudyUid, caller: Reader, if_match: Annotated[str | None, Header(max_length=64)] = None
) -> Read:
    """The version that the caller acts on.

    Raises:
        ApiError: the request does not name it.
    """
    if if_match is None:
        raise ApiError(428, "header If-Match is missing; expected the ETag of the report that was read")
    tag = _TAG.fullmatch(if_match.strip())
    if tag is None:
        raise ApiError(412, 'header If-Match: expected the ETag of the report that was read, as "3"')
    return Read(study_uid, int(tag[1]), caller.login)


OnVersion = Annotated[Read, Depends(_what_was_read)]


@router.get("/report")
def read_report(study_uid: StudyUid, caller: Anyone, held: Held, response: Response) -> ReportState:
    """The newest version; its number is the ETag."""
    with reading(held.sessions) as session:
        newest = newest_version(session, study_row(session, study_uid))
        if newest is None:
            raise ApiError(404, f"study {study_uid} has no report yet")
        state = _state(session, study_uid, newest)
    record_access(held, caller.login, "report read", study_uid)
    return _tagged(response, state)


@router.get("/versions")
def list_versions(study_uid: StudyUid, caller: Anyone, held: Held) -> tuple[VersionItem, ...]:
    """All versions, oldest first; none was ever changed."""
    with reading(held.sessions) as session:
        its = VersionRow.study_id == study_row(session, study_uid).id
        rows = session.scalars(select(VersionRow).where(its).order_by(VersionRow.number)).all()
    record_access(held, caller.login, "report versions read", study_uid)
    return tuple(
        VersionItem.model_validate({name: getattr(row, name) for name in VersionItem.model_fields}) for row in rows
    )


@router.get("/versions/{number}")
def read_one_version(study_uid: StudyUid, number: RowNumber, caller: Anyone, held: Held) -> ReportVersion:
    """One version."""
    with reading(held.sessions) as session:
        study = study_row(session, study_uid)
        row = session.scalars(
            select(VersionRow).where(VersionRow.study_id == study.id, VersionRow.number == number)
        ).one_or_none()
        if row is None:
            raise ApiError(404, f"study {study_uid} has no version {number}")
        version = read_version(row)
    record_access(held, caller.login, "report read", study_uid)
    return version


@router.get("/deliveries")
def list_study_deliveries(study_uid: StudyUid, caller: Anyone, held: Held) -> tuple[Delivery, ...]:
    """What was, or is to be, delivered of a study."""
    with reading(held.sessions) as session:
        found = study_deliveries(session, study_row(session, study_uid))
    record_access(held, caller.login, "deliveries read", study_uid)
    return found


@router.patch("/report")
def edit(on: OnVersion, changes: Edit, held: Held, response: Response) -> ReportState:
    """Change facts or text of an unsigned report."""
    with held.sessions.begin() as session:
        row = signing.edit(session, on, changes, _deliver(held))
        return _tagged(response, _state(session, on.study_instance_uid, row))


@router.post("/report/findings")
def decide(on: OnVersion, decision: FindingDecision, held: Held, response: Response) -> ReportState:
    """Accept, reject, edit or add a finding of an unsigned report."""
    with held.sessions.begin() as session:
        newest = newest_version(session, study_row(session, on.study_instance_uid))
        if newest is None:
            raise ApiError(404, f"study {on.study_instance_uid} has no report yet")
        changes = signing.decide(read_version(newest), decision)
        row = signing.edit(session, on, changes, _deliver(held))
        return _tagged(response, _state(session, on.study_instance_uid, row))


@router.post("/report/signature", status_code=201)
def sign(on: OnVersion, request: SignatureRequest, held: Held, response: Response) -> ReportState:
    """Make the report final, in the caller's name, and have it delivered."""
    with held.sessions.begin() as session:
        row = signing.sign(session, on, request.acknowledged, _deliver(held))
        return _tagged(response, _state(session, on.study_instance_uid, row))


@router.post("/report/addenda", status_code=201)
def add_addendum(on: OnVersion, request: AddendumRequest, held: Held, response: Response) -> ReportState:
    """Add text to a signed report."""
    with held.sessions.begin() as session:
        row = signing.add_addendum(session, on, request.text, request.acknowledged, _deliver(held))
        return _tagged(response, _state(session, on.study_instance_uid, row))


@router.post("/report/corrections", status_code=201)
def correct(on: OnVersion, request: CorrectionRequest, held: Held, response: Response) -> ReportState:
    """Correct a signed report."""
    with held.sessions.begin() as session:
        row = signing.correct(session, on, request.changes, request.reason, request.acknowledged, _deliver(held))
        return _tagged(response, _state(session, on.study_instance_uid, row))


@router.post("/report/withdrawal", status_code=201)
def withdraw(on: OnVersion, request: WithdrawalRequest, held: Held, response: Response) -> ReportState:
    """Take a signed report back."""
    with held.sessions.begin() as session:
        row = signing.withdraw(session, on, request.reason, _deliver(held))
        return _tagged(response, _state(session, on.study_instance_uid, row))


def _deliver(held: Service) -> Deliver:
    return lambda session, row: queue_deliveries(session, row, held.settings)


def _state(session: Session, study_uid: str, row: VersionRow) -> ReportState:
    version, study = read_version(row), study_row(session, study_uid)
    found = () if version.signature is not None else cautions(version, study, row.image_revision)
    return ReportState(
        version=version,
        author=row.author,
        sha256=row.sha256,
        cautions=tuple(CautionItem(key=caution.key, message=caution.message) for caution in found),
    )


def _tagged(response: Response, state: ReportState) -> ReportState:
    response.headers["ETag"] = f'"{state.version.number}"'
    return state
