"""Studies as the command line lists and names them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from amrg.core.errors import AmrgError
from amrg.service.database.tables import DeliveryRow, StudyRow, StudyState, VersionRow
from amrg.service.versions import newest_version


class NoSuchStudy(AmrgError):
    """A study that is not here, or a name that several have."""


@dataclass(frozen=True)
class ListedStudy:
    """A study and the newest version of its report, None where it has none."""

    study: StudyRow
    newest: VersionRow | None


def list_studies(session: Session, state: StudyState | None, limit: int) -> list[ListedStudy]:
    """The studies that arrived last, newest first; those of one state where it is named."""
    found = select(StudyRow).order_by(StudyRow.id.desc()).limit(limit)
    rows = session.scalars(found if state is None else found.where(StudyRow.state == state))
    return [ListedStudy(study, newest_version(session, study)) for study in rows]


def find_study(session: Session, name: str) -> StudyRow:
    """The study of a Study Instance UID, or of an accession number that one study has.

    Raises:
        NoSuchStudy: there is none, or several have the accession number.
    """
    rows: Sequence[StudyRow] = session.scalars(
        select(StudyRow).where(or_(StudyRow.study_instance_uid == name, StudyRow.accession_number == name)).limit(2)
    ).all()
    if not name or not rows:
        raise NoSuchStudy(f"study {name[:64]!r}: not here; expected a Study Instance UID or an accession number")
    exact = [row for row in rows if row.study_instance_uid == name]
    if len(rows) > 1 and not exact:
        raise NoSuchStudy(f"accession number {name[:64]!r}: several studies have it; name a Study Instance UID")
    return (exact or rows)[0]


def deliveries_of_study(session: Session, study: StudyRow) -> list[tuple[int, DeliveryRow]]:
    """What was, or is to be, delivered of a study, with the number of the version."""
    found = (
        select(VersionRow.number, DeliveryRow)
        .join(VersionRow, VersionRow.id == DeliveryRow.version_id)
        .where(VersionRow.study_id == study.id)
        .order_by(DeliveryRow.id)
    )
    return [(number, row) for number, row in session.execute(found)]
