"""The tables of the service.

Times are UTC, and stored as such on both databases. Nothing is deleted but by retention; rows that were replaced stay,
with what replaced them. Documents are the JSON of their value types, checked on reading.
"""

from __future__ import annotations

import datetime
from enum import StrEnum
from typing import Any, ClassVar

from sqlalchemy import (
    JSON,
    DateTime,
    Enum,
    ForeignKey,
    Index,
    MetaData,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


class StudyState(StrEnum):
    """Where a study is; every study is in exactly one, with a reason that a person can read."""

    RECEIVING = "receiving"  # images arrive, or the quiet period has not passed
    WAITING = "waiting"  # complete, to be drafted
    DRAFTED = "drafted"
    SIGNED = "signed"
    NOT_DRAFTED = "not drafted"  # refused or unreadable: the reason says why
    CONFLICT = "patient conflict"  # images of several patients: a person decides
    FAILED = "failed"  # the job was given up after its last attempt


class JobKind(StrEnum):
    """What a job does."""

    DRAFT = "draft"
    DELIVER = "deliver"
    COMMITMENT = "storage commitment"
    PULL = "pull"


class JobState(StrEnum):
    """Where a job is. `DEAD` has failed for good: an operator sees it and may run it again."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    DEAD = "dead"


class UserRole(StrEnum):
    """What a user may do: a reader signs, an administrator manages, a service account only reads and sends studies."""

    READER = "reader"
    ADMINISTRATOR = "administrator"
    SERVICE = "service"


class Utc(TypeDecorator[datetime.datetime]):
    """A time in UTC: SQLite has no time zones, so they are taken off on the way in and put back on the way out."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime.datetime | None, dialect: Dialect) -> datetime.datetime | None:
        """UTC without a zone.

        Raises:
            ValueError: the time has no zone, so nobody knows which it is.
        """
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value} has no time zone")
        return value.astimezone(datetime.UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime.datetime | None, dialect: Dialect) -> datetime.datetime | None:
        """The time with its zone."""
        return None if value is None else value.replace(tzinfo=datetime.UTC)


def _words(kind: type[StrEnum]) -> Enum:
    """A column of words, the same on both databases."""
    return Enum(
        kind, native_enum=False, create_constraint=False, length=24, values_callable=lambda e: list(map(str, e))
    )


_NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
"""Names of constraints, the same on both databases, so that a later step can name what it changes."""


class ServiceTable(DeclarativeBase):
    """Base of all tables."""

    metadata = MetaData(naming_convention=_NAMES)
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime.datetime: Utc,
        dict[str, Any]: JSON,
        str: Text,
        **{kind: _words(kind) for kind in (StudyState, JobKind, JobState, UserRole)},
    }


class StudyRow(ServiceTable):
    """A study. `image_revision` counts its images' changes: a draft is of one of them.

    `received_at` is when bytes of it last arrived. `revision` counts changes of this row, against lost updates.
    """

    __tablename__ = "studies"

    id: Mapped[int] = mapped_column(primary_key=True)
    study_instance_uid: Mapped[str] = mapped_column(String(64), unique=True)
    patient_key: Mapped[str] = mapped_column(default="")
    patient_id: Mapped[str] = mapped_column(default="", index=True)
    issuer_of_patient_id: Mapped[str] = mapped_column(default="")
    patient_name: Mapped[str] = mapped_column(default="")
    birth_date: Mapped[str] = mapped_column(default="")
    sex: Mapped[str] = mapped_column(default="")
    accession_number: Mapped[str] = mapped_column(default="", index=True)
    study_date: Mapped[str] = mapped_column(default="")
    state: Mapped[StudyState] = mapped_column(default=StudyState.RECEIVING, index=True)
    reason: Mapped[str] = mapped_column(default="")
    image_revision: Mapped[int] = mapped_column(default=0)
    received_at: Mapped[datetime.datetime]
    created_at: Mapped[datetime.datetime]
    revision: Mapped[int] = mapped_column(default=1)

    instances: Mapped[list[InstanceRow]] = relationship(back_populates="study")
    versions: Mapped[list[VersionRow]] = relationship(back_populates="study", order_by="VersionRow.number")

    __mapper_args__ = {"version_id_col": revision}  # noqa: RUF012


class InstanceRow(ServiceTable):
    """A received image. Of several contents of one SOP Instance UID all stay, and the last to arrive is current.

    `path` is relative to the storage folder, and nothing in it comes from the wire. `sha256` is of the data set,
    without the file meta. `set_aside` is why a person took it out of its study, empty for an image of it.
    """

    __tablename__ = "instances"
    __table_args__ = (UniqueConstraint("sop_instance_uid", "sha256"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("studies.id"), index=True)
    sop_instance_uid: Mapped[str] = mapped_column(String(64), index=True)
    sop_class_uid: Mapped[str] = mapped_column(String(64))
    series_instance_uid: Mapped[str] = mapped_column(String(64))
    transfer_syntax_uid: Mapped[str] = mapped_column(String(64))
    patient_key: Mapped[str] = mapped_column(default="")
    patient_id: Mapped[str] = mapped_column(default="")
    issuer_of_patient_id: Mapped[str] = mapped_column(default="")
    patient_name: Mapped[str] = mapped_column(default="")
    birth_date: Mapped[str] = mapped_column(default="")
    sex: Mapped[str] = mapped_column(default="")
    path: Mapped[str]
    sha256: Mapped[str] = mapped_column(String(64))
    size: Mapped[int]
    current: Mapped[bool] = mapped_column(default=True)
    set_aside: Mapped[str] = mapped_column(default="")
    sender: Mapped[str] = mapped_column(default="")
    received_at: Mapped[datetime.datetime]

    study: Mapped[StudyRow] = relationship(back_populates="instances")


class VersionRow(ServiceTable):
    """A version of a study's report: `document` is a `ReportVersion`, `text_sha256` the digest of what was signed."""

    __tablename__ = "versions"
    __table_args__ = (UniqueConstraint("study_id", "number"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("studies.id"), index=True)
    number: Mapped[int]
    status: Mapped[str] = mapped_column(String(16))
    image_revision: Mapped[int]
    document: Mapped[dict[str, Any]]
    sha256: Mapped[str] = mapped_column(String(64))
    author: Mapped[str] = mapped_column(default="")
    superseded: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime.datetime]

    study: Mapped[StudyRow] = relationship(back_populates="versions")


class JobRow(ServiceTable):
    """A piece of work. `key` makes it one: what has the same key is the same job.

    A worker holds a job until `leased_until` by the database's clock; `fence` grows with every lease, and only the
    holder of the last one may finish the job. `attempts` counts leases, `losses` those whose worker was never heard of
    again.
    """

    __tablename__ = "jobs"
    __table_args__ = (Index("jobs_by_turn", "state", "run_after"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[JobKind]
    key: Mapped[str] = mapped_column(String(200), unique=True)
    payload: Mapped[dict[str, Any]]
    state: Mapped[JobState] = mapped_column(default=JobState.WAITING)
    attempts: Mapped[int] = mapped_column(default=0)
    losses: Mapped[int] = mapped_column(default=0)
    run_after: Mapped[datetime.datetime]
    leased_until: Mapped[datetime.datetime | None]
    fence: Mapped[int] = mapped_column(default=0)
    worker: Mapped[str] = mapped_column(default="")
    error: Mapped[str] = mapped_column(default="")
    created_at: Mapped[datetime.datetime]
    finished_at: Mapped[datetime.datetime | None]


class DeliveryRow(ServiceTable):
    """One object of one version for one destination; `uid` is fixed before the first attempt."""

    __tablename__ = "deliveries"
    __table_args__ = (UniqueConstraint("version_id", "destination", "format"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    version_id: Mapped[int] = mapped_column(ForeignKey("versions.id"), index=True)
    destination: Mapped[str] = mapped_column(String(64))
    format: Mapped[str] = mapped_column(String(16))
    uid: Mapped[str] = mapped_column(String(128))
    job_id: Mapped[int | None] = mapped_column(ForeignKey("jobs.id"))
    error: Mapped[str] = mapped_column(default="")
    delivered_at: Mapped[datetime.datetime | None]
    created_at: Mapped[datetime.datetime]


class UserRow(ServiceTable):
    """A person or a program that may log in: by a local password (argon2) or through OpenID Connect (`subject`).

    `name` is the login, `person_name` the name that a signature has (DICOM PN).
    """

    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(64), unique=True)
    person_name: Mapped[str] = mapped_column(default="")
    organization: Mapped[str] = mapped_column(default="")
    role: Mapped[UserRole]
    password_hash: Mapped[str] = mapped_column(default="")
    subject: Mapped[str | None] = mapped_column(String(255), unique=True)
    failed_logins: Mapped[int] = mapped_column(default=0)
    locked_until: Mapped[datetime.datetime | None]
    active: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime.datetime]


class SessionRow(ServiceTable):
    """A login; only the token's hash is stored."""

    __tablename__ = "sessions"

    token_sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    csrf_token: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime.datetime]
    expires_at: Mapped[datetime.datetime]


class AuditRow(ServiceTable):
    """One step, in order of `number`; `sha256` is of this row and of the one before it, so a changed row shows."""

    __tablename__ = "audit"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime.datetime]
    actor: Mapped[str] = mapped_column(String(80))
    action: Mapped[str] = mapped_column(String(40), index=True)
    subject: Mapped[str] = mapped_column(String(128), default="", index=True)
    detail: Mapped[dict[str, Any]]
    sha256: Mapped[str] = mapped_column(String(64))


class CommitmentRow(ServiceTable):
    """A request for storage commitment (PS3.4 J) and the answer to it."""

    __tablename__ = "commitments"

    transaction_uid: Mapped[str] = mapped_column(String(64), primary_key=True)
    sender: Mapped[str] = mapped_column(String(16))
    request: Mapped[dict[str, Any]]
    reported_at: Mapped[datetime.datetime | None]
    created_at: Mapped[datetime.datetime]
