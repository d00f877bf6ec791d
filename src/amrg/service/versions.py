"""Versions of a study's report as rows: added, never changed; each with a digest of what it states."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from amrg.birads import ReportVersion
from amrg.core.hashing import sha256_of_text
from amrg.service.database.tables import StudyRow, VersionRow


def add_version(
    session: Session, study: StudyRow, version: ReportVersion, image_revision: int, author: str
) -> VersionRow:
    """Add a version after those there are, which it supersedes.

    Args:
        session: a transaction that holds the study's row, so that no other adds a version of the same number.
        study: whose report it is.
        version: what it states; its number is the next one.
        image_revision: the study's images that it is of.
        author: the login of the person, or the part of the service, that made it.

    Raises:
        ValueError: its number is not the next one.
    """
    newest = newest_version(session, study)
    if version.number != (expected := 1 if newest is None else newest.number + 1):
        raise ValueError(f"version {version.number} of a report whose next version is {expected}")
    document = version.model_dump(mode="json")
    row = VersionRow(
        study_id=study.id,
        number=version.number,
        status=str(version.status),
        image_revision=image_revision,
        document=document,
        sha256=document_sha256(document),
        author=author,
        created_at=version.created_at,
    )
    session.execute(
        update(VersionRow).where(VersionRow.study_id == study.id, ~VersionRow.superseded).values(superseded=True)
    )
    session.add(row)
    session.flush()
    return row


def newest_version(session: Session, study: StudyRow) -> VersionRow | None:
    """The newest version of a study's report, None where it has none."""
    found = select(VersionRow).where(VersionRow.study_id == study.id).order_by(VersionRow.number.desc()).limit(1)
    return session.scalars(found).one_or_none()


def read_version(row: VersionRow) -> ReportVersion:
    """What a version states."""
    return ReportVersion.model_validate(row.document)


def document_sha256(document: dict[str, Any]) -> str:
    """The digest of what a version states, which its row and the audit trail have: of its JSON with sorted keys."""
    return sha256_of_text(json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False))
