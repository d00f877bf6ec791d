"""What is to be pulled: jobs, added by a person's request or for a new study's priors."""

from __future__ import annotations

import datetime
from dataclasses import asdict
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from amrg.core.hashing import sha256_of_text
from amrg.service import audit, queue
from amrg.service.database.engine import database_now
from amrg.service.database.tables import InstanceRow, JobKind, JobRow, JobState, StudyRow
from amrg.service.pulling.asking import FoundStudy, StudyQuery
from amrg.service.settings import AnySource, Settings, SettingsError

PRIOR_REASON = "pulled as an earlier study of a patient; to have it drafted, pull it by its Study Instance UID"
"""Why a prior has no draft of its own: it was reported when it was made."""
_OPEN = (JobState.WAITING, JobState.RUNNING)


def source_of(settings: Settings, name: str) -> AnySource:
    """The source of a name.

    Raises:
        SettingsError: the settings have none.
    """
    found = [source for source in settings.sources if source.name == name]
    if not found:
        known = ", ".join(source.name for source in settings.sources) or "none"
        raise SettingsError(f"source {name[:64]!r}: not in the settings; known: {known}")
    return found[0]


def queue_pull(session: Session, source: str, query: StudyQuery, actor: str) -> JobRow:
    """The job that pulls what a query finds, recorded in the audit trail; one that has ended runs again.

    A job's key, which logs and lists show, has no number of a patient.
    """
    if query.study_instance_uid:
        job = queue_study(session, source, query.study_instance_uid)
        subject = query.study_instance_uid
    else:
        key = f"pull:{sha256_of_text(*asdict(query).values())[:16]}:{source}"
        job = _again(session, key, {"source": source, "query": asdict(query)})
        subject = key
    audit.append(session, actor, "pull requested", subject, {"source": source, "job": job.id})
    return job


def queue_study(session: Session, source: str, study_instance_uid: str) -> JobRow:
    """The job that pulls a study; one that has ended runs again."""
    key = f"pull:{study_instance_uid}:{source}"
    return _again(session, key, {"source": source, "study_instance_uid": study_instance_uid})


def queue_prior(session: Session, source: str, found: FoundStudy, study_id: int) -> None:
    """Pull an earlier study for a new one, unless it is here."""
    uid = found.study_instance_uid
    here = select(InstanceRow.id).join(StudyRow).where(StudyRow.study_instance_uid == uid).limit(1)
    if session.scalar(here) is None:
        payload = {"source": source, "study_instance_uid": uid, "for_study": study_id}
        queue.add(session, JobKind.PULL, f"prior:{uid}:{source}", payload)


def queue_priors(session: Session, study: StudyRow, settings: Settings) -> datetime.datetime | None:
    """Ask for the priors of a complete study; returns until when its draft waits for them, None where it does not."""
    sources = [source for source in settings.sources if source.priors]
    if not sources or not study.patient_id.strip() or not study.study_date:
        return None
    waits = [
        source.wait_seconds
        for source in sources
        if queue.add(
            session, JobKind.PULL, f"priors:{study.id}:{source.name}", {"source": source.name, "for_study": study.id}
        ).state
        in _OPEN
    ]
    return database_now(session) + datetime.timedelta(seconds=max(waits)) if waits else None


def is_prior(session: Session, study: StudyRow) -> bool:
    """Whether a study came as a prior of another one, and nobody asked for it by its UID."""
    uid = study.study_instance_uid
    keys = [JobRow.key.like(f"{kind}:{uid}:%") for kind in ("prior", "pull")]
    as_prior, by_name = (session.scalar(select(JobRow.id).where(key).limit(1)) for key in keys)
    return as_prior is not None and by_name is None


def wake_draft(session: Session, study_id: int) -> None:
    """Let a draft that waits for priors begin, when no job of them is left."""
    session.flush()
    left = (JobRow.kind == JobKind.PULL, JobRow.state.in_(_OPEN), JobRow.payload["for_study"].as_integer() == study_id)
    if session.scalar(select(JobRow.id).where(*left).limit(1)) is None:
        study = session.get_one(StudyRow, study_id)
        waiting = (JobRow.key == f"draft:{study_id}:{study.image_revision}", JobRow.state == JobState.WAITING)
        held = update(JobRow).where(*waiting, JobRow.attempts == 0)
        session.execute(held.values(run_after=database_now(session)))


def _again(session: Session, key: str, payload: dict[str, Any]) -> JobRow:
    job = queue.add(session, JobKind.PULL, key, payload)
    if job.state not in _OPEN:
        job.state, job.attempts, job.losses, job.finished_at = JobState.WAITING, 0, 0, None
        job.run_after = database_now(session)
    return job
