"""The acts of a reader: edit, sign, addendum, correction, withdrawal. Each is one new version, in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from pydantic import ValidationError
from sqlalchemy import select
from sqlalchemy.orm import Session

from amrg.birads import SIGNED, ReportVersion, Signature, Status
from amrg.core.values import first_complaint
from amrg.service import audit
from amrg.service.database.engine import database_now
from amrg.service.database.tables import StudyRow, StudyState, UserRole, UserRow, VersionRow
from amrg.service.signing.checks import cautions, lost, require_acknowledged
from amrg.service.signing.editing import LONGEST_TEXT, Edit, edited, is_printable, with_addendum
from amrg.service.signing.errors import (
    BadEdit,
    Caution,
    NotAllowed,
    NotFound,
    PatientConflict,
    StaleVersion,
    WrongStatus,
)
from amrg.service.studies import LATE, WITHDRAWN, names_several_patients
from amrg.service.versions import add_version, newest_version, read_version

Deliver = Callable[[Session, VersionRow], object]
"""Queues what a new version has to be delivered as, in its transaction."""

_UNSIGNED = frozenset({Status.DRAFT, Status.PRELIMINARY})
_CORRECTABLE = SIGNED | {Status.WITHDRAWN}
_ACTIONS = {
    Status.FINAL: "report signed",
    Status.APPENDED: "report addendum signed",
    Status.AMENDED: "report correction signed",
    Status.WITHDRAWN: "report withdrawn",
}
_LONGEST_REASON = 1000  # characters


@dataclass(frozen=True)
class Read:
    """What a person acts on: the study, the number of the version that was read, and the person's login."""

    study_instance_uid: str
    number: int
    login: str


@dataclass(frozen=True)
class _Open:
    """A study held for a change, its newest version, and the person who changes it."""

    study: StudyRow
    row: VersionRow
    version: ReportVersion
    user: UserRow


def edit(session: Session, read: Read, changes: Edit, deliver: Deliver) -> VersionRow:
    """Change an unsigned report: a preliminary version, delivered to destinations that want unsigned ones.

    Raises:
        SigningError: of the kind that says why not; nothing was changed.
    """
    held = _open(session, read, _UNSIGNED)
    version = edited(held.version, changes, Status.PRELIMINARY)
    row = _add(session, held, version)
    deliver(session, row)
    _record(session, held, row, "report edited", {"fields": sorted(changes.model_fields_set)})
    return row


@dataclass(frozen=True)
class Review:
    """What a reader is shown before signing: the version, its number, and what is to be acknowledged."""

    number: int
    version: ReportVersion
    cautions: tuple[Caution, ...]


def show_to_sign(session: Session, study_instance_uid: str, login: str) -> Review:
    """The newest version, for a reader who may sign it; that it was read is recorded in the audit trail.

    Raises:
        SigningError: of the kind that says why the person cannot sign it; nothing is to be shown.
    """
    study = session.scalars(select(StudyRow).where(StudyRow.study_instance_uid == study_instance_uid)).one_or_none()
    newest = None if study is None else newest_version(session, study)
    held = _open(session, Read(study_instance_uid, newest.number if newest else 0, login), _UNSIGNED)
    audit.append(session, login, "report read", study_instance_uid, {})
    found = cautions(held.version, held.study, held.row.image_revision)
    return Review(held.row.number, held.version, found)


def sign(session: Session, read: Read, acknowledged: Collection[str], deliver: Deliver) -> VersionRow:
    """Make the report that was read final, in the person's name, and queue its deliveries.

    Args:
        session: a transaction that writes.
        read: the version that was read, which must be the newest.
        acknowledged: keys of the `cautions` that the person has seen; each that stands must be among them.
        deliver: queues the deliveries.

    Raises:
        SigningError: of the kind that says why not; nothing was changed.
    """
    held = _open(session, read, _UNSIGNED)
    return _sign(session, held, _stating(held.version, Status.FINAL), acknowledged, deliver)


def add_addendum(
    session: Session, read: Read, text: str, acknowledged: Collection[str], deliver: Deliver
) -> VersionRow:
    """Add to a signed report what does not change its facts: an appended version.

    Raises:
        SigningError: of the kind that says why not; nothing was changed.
    """
    held = _open(session, read, SIGNED)
    if not is_printable(text) or len(text) > LONGEST_TEXT:
        raise BadEdit(f"text: expected 1 to {LONGEST_TEXT} characters, none of them for control")
    whole = with_addendum(held.version.text, text, database_now(session), held.user.person_name)
    version = _stating(held.version, Status.APPENDED).model_copy(update={"text": whole})
    return _sign(session, held, version, acknowledged, deliver)


def correct(
    session: Session, read: Read, changes: Edit, reason: str, acknowledged: Collection[str], deliver: Deliver
) -> VersionRow:
    """Correct a signed report, or restate a withdrawn one, for a reason: an amended version.

    Raises:
        SigningError: of the kind that says why not; nothing was changed.
    """
    held = _open(session, read, _CORRECTABLE)
    version = edited(held.version, changes, Status.PRELIMINARY)
    version = _stating(version, Status.AMENDED).model_copy(update={"reason": _reason(reason)})
    return _sign(session, held, version, acknowledged, deliver)


def withdraw(session: Session, read: Read, reason: str, deliver: Deliver) -> VersionRow:
    """Take back a signed report, for a reason: those who received it are sent the withdrawal.

    Raises:
        SigningError: of the kind that says why not; nothing was changed.
    """
    held = _open(session, read, SIGNED, needs_one_patient=False)
    version = _stating(held.version, Status.WITHDRAWN).model_copy(update={"reason": _reason(reason)})
    return _sign(session, held, version, None, deliver)


def signature_of(session: Session, user: UserRow) -> Signature:
    """The signature of a reader, now.

    Raises:
        NotAllowed: the reader has no name or organization that a signature can state.
    """
    try:
        return Signature(
            name=user.person_name, organization=user.organization, signed_at=database_now(session), identifier=user.name
        )
    except ValidationError as error:
        raise NotAllowed(
            f"user {user.name}: a signature needs a person's name and organization ({first_complaint(error)}); "
            "an administrator sets them"
        ) from error


def _open(session: Session, read: Read, statuses: Collection[Status], *, needs_one_patient: bool = True) -> _Open:
    """Hold the study for this transaction, and check that the person may act on the version that was read."""
    user = session.scalars(select(UserRow).where(UserRow.name == read.login)).one_or_none()
    if user is None or not user.active or user.role is not UserRole.READER:
        raise NotAllowed(f"user {read.login}: not an active reader; only readers edit and sign reports")
    study = session.scalars(
        select(StudyRow)
        .where(StudyRow.study_instance_uid == read.study_instance_uid)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one_or_none()
    row = None if study is None else newest_version(session, study)
    if study is None or row is None:
        why = "not here" if study is None else f"no report yet, the study is {study.state}"
        raise NotFound(f"study {read.study_instance_uid}: {why}")
    if row.number != read.number:
        raise StaleVersion(f"version {read.number} was read; the newest is {row.number}: read that one first")
    version = read_version(row)
    if version.status not in statuses:
        allowed = " or ".join(sorted(statuses))
        raise WrongStatus(f"version {row.number} is {version.status}; expected one that is {allowed}")
    if needs_one_patient and _is_in_doubt(session, study):
        raise PatientConflict("the study's images name several patients; decide whose they are first")
    return _Open(study, row, version, user)


def _is_in_doubt(session: Session, study: StudyRow) -> bool:
    """Whether it is not certain whose study it is, also where images still arrive and nobody looked at them yet."""
    if study.state is StudyState.RECEIVING:
        return names_several_patients(session, study)
    return study.state is StudyState.CONFLICT


def _stating(version: ReportVersion, status: Status) -> ReportVersion:
    report = version.report.model_copy(update={"status": status, "narrative": version.text})
    return version.model_copy(update={"report": report, "reason": ""})


def _reason(text: str) -> str:
    if not is_printable(text) or len(text) > _LONGEST_REASON:
        raise BadEdit(f"reason: expected 1 to {_LONGEST_REASON} characters, none of them for control")
    return text.strip()


def _sign(
    session: Session, held: _Open, version: ReportVersion, acknowledged: Collection[str] | None, deliver: Deliver
) -> VersionRow:
    """Add a version with the person's signature; `acknowledged` is None where there is nothing to acknowledge."""
    found: tuple[Caution, ...] = ()
    if acknowledged is not None:
        found = (*cautions(version, held.study, held.row.image_revision), *lost(held.version, version))
    signed = version.model_copy(update={"signature": signature_of(session, held.user)})
    require_acknowledged(found, acknowledged or ())
    reasons = [WITHDRAWN] if version.status is Status.WITHDRAWN else []
    if held.study.image_revision > held.row.image_revision:
        reasons.append(LATE)
    if held.study.state is StudyState.CONFLICT:  # a withdrawal is sent all the same, and decides nothing
        reasons.append(held.study.reason)
    else:
        held.study.state = StudyState.SIGNED
    held.study.reason = "; ".join(reasons)
    row = _add(session, held, signed)
    deliver(session, row)
    action = _ACTIONS[version.status]
    _record(session, held, row, action, {"acknowledged": sorted(caution.key for caution in found)})
    return row


def _add(session: Session, held: _Open, version: ReportVersion) -> VersionRow:
    """Add a version, checked as a whole; it is of the images that the one before it is of."""
    facts = {**dict(version), "number": held.row.number + 1, "created_at": database_now(session)}
    checked = ReportVersion.model_validate(facts)
    return add_version(session, held.study, checked, held.row.image_revision, held.user.name)


def _record(session: Session, held: _Open, row: VersionRow, action: str, detail: Mapping[str, object]) -> None:
    stated = {"version": row.number, "sha256": row.sha256, **detail}
    audit.append(session, held.user.name, action, held.study.study_instance_uid, stated)
