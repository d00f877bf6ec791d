"""Deliveries for tests: a study with its files in the service's storage, and a worker that does what is due."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from amrg.birads import Draft, ReportVersion, Status
from amrg.imaging import read_studies
from amrg.service import queue
from amrg.service.database.engine import reading
from amrg.service.database.tables import DeliveryRow, InstanceRow, JobKind, JobRow, StudyRow, StudyState, VersionRow
from amrg.service.delivering import Deliverer, NotDelivered, queue_deliveries
from amrg.service.settings import JobSettings, Settings
from amrg.service.storage import Storage
from amrg.service.versions import add_version
from tests.delivery.exams import SIGNED_AT, drafted_of, version_of
from tests.imaging.changed import change_all, put, write_exam

_numbers = itertools.count(1)


@dataclass
class Site:
    """A service with deliveries: its settings, its database, its files."""

    settings: Settings
    sessions: sessionmaker[Session]

    @property
    def deliverer(self) -> Deliverer:
        return Deliverer(self.settings, self.sessions, Storage(self.settings.images))

    def work(self) -> int:
        """Do every job that is due; returns how many attempts there were."""
        deliverer, attempts = self.deliverer, 0
        while (lease := queue.take(self.sessions, [JobKind.DELIVER], "w", self.settings.jobs)) is not None:
            attempts += 1
            try:
                deliverer.deliver(lease)
            except NotDelivered as error:
                with self.sessions.begin() as session:
                    queue.fail(session, lease, str(error), self.settings.jobs)
        return attempts

    def states(self) -> list[tuple[str, int, str, str, bool]]:
        """Deliveries: destination, version, format, state of the job, whether it is delivered."""
        with reading(self.sessions) as session:
            rows = session.execute(
                select(DeliveryRow, VersionRow, JobRow)
                .join(VersionRow, DeliveryRow.version_id == VersionRow.id)
                .join(JobRow, DeliveryRow.job_id == JobRow.id)
                .order_by(DeliveryRow.id)
            )
            return [(d.destination, v.number, d.format, str(j.state), d.delivered_at is not None) for d, v, j in rows]


def a_study(site: Site, uid: str = "1.2.3", accession: str = "A-77") -> tuple[int, Draft]:
    """A study with four images in the storage, and its draft."""
    folder = write_exam(site.settings.images / f"study{next(_numbers)}", uid)
    change_all(folder, put(PatientID="1001", AccessionNumber=accession, PatientName="ZZTOPSECRET^Phi"))
    (study,) = read_studies(folder).studies
    draft = drafted_of(study)
    with site.sessions.begin() as session:
        row = StudyRow(
            study_instance_uid=study.study_instance_uid,
            patient_key=study.patient_key,
            patient_id="1001",
            accession_number=accession,
            state=StudyState.DRAFTED,
            received_at=SIGNED_AT,
            created_at=SIGNED_AT,
        )
        session.add(row)
        session.flush()
        for mammogram in study.mammograms:
            session.add(_instance(row.id, mammogram.sop_instance_uid, mammogram.source, site.settings.images))
        number = row.id
    return number, draft


def _instance(study_id: int, uid: str, file: Path, images: Path) -> InstanceRow:
    return InstanceRow(
        study_id=study_id,
        sop_instance_uid=uid,
        sop_class_uid="1.2.840.10008.5.1.4.1.1.1.2",
        series_instance_uid="1.2",
        transfer_syntax_uid="1.2.840.10008.1.2.1",
        path=str(file.relative_to(images)),
        sha256=uid[-64:],
        size=file.stat().st_size,
        received_at=SIGNED_AT,
    )


def publish(site: Site, study_id: int, draft: Draft, *statuses: Status) -> list[ReportVersion]:
    """Add versions one after the other, with their deliveries."""
    made = []
    for status in statuses:
        with site.sessions.begin() as session:
            study = session.get_one(StudyRow, study_id)
            number = len(session.scalars(select(VersionRow.id).where(VersionRow.study_id == study_id)).all()) + 1
            version = version_of(draft, status).model_copy(update={"number": number})
            queue_deliveries(session, add_version(session, study, version, 1, "anna"), site.settings)
        made.append(version)
    return made


def a_site(sessions: sessionmaker[Session], folder: Path, destinations: list[dict[str, object]]) -> Site:
    """A service that delivers to destinations, as the settings file names them; it does not wait between attempts."""
    facts = {"folder": folder, "destinations": destinations}
    settings = Settings.model_validate(facts).model_copy(
        update={"jobs": JobSettings(backoff_seconds=0, partner_attempts=3)}
    )
    settings.images.mkdir(parents=True, exist_ok=True)
    return Site(settings, sessions)
