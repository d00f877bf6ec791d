"""Versions against the audit trail: what a person signed is what the database still has."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import select
from sqlalchemy.orm import Session

from amrg.service.database.tables import AuditRow, StudyRow, VersionRow
from amrg.service.versions import document_sha256

_AT_A_TIME = 200


def altered_versions(session: Session) -> Iterator[str]:
    """Versions that do not state what the trail recorded of them, a line each, and recorded ones that are missing."""
    recorded = {}
    rows = select(AuditRow.subject, AuditRow.detail).where(AuditRow.action.like("report %"))
    for subject, detail in session.execute(rows):
        if "version" in detail and "sha256" in detail:
            recorded[subject, detail["version"]] = detail["sha256"]
    versions = (
        select(StudyRow.study_instance_uid, VersionRow)
        .join(StudyRow, StudyRow.id == VersionRow.study_id)
        .order_by(VersionRow.id)
        .execution_options(yield_per=_AT_A_TIME)
    )
    for study, version in session.execute(versions):
        name = f"study {study}, version {version.number}"
        known = recorded.pop((study, version.number), None)
        if document_sha256(version.document) != version.sha256:
            yield f"{name}: altered: its document is not that of its digest"
        elif known not in (None, version.sha256):
            yield f"{name}: altered: its digest is not the one in the audit trail"
        elif known is None and version.document.get("signature"):
            yield f"{name}: signed, and not in the audit trail"
        session.expunge(version)
    for study, number in sorted(recorded):
        yield f"study {study}, version {number}: in the audit trail, and removed"
