"""The jobs that pull: a query that becomes a job for each study, and a study with every instance accounted for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from amrg.imaging.evidence.patients import date_in
from amrg.imaging.grouping import is_uid
from amrg.service import audit, queue
from amrg.service.database.engine import database_now, reading
from amrg.service.database.tables import InstanceRow, StudyRow, StudyState
from amrg.service.processes.job_loop import Permanent
from amrg.service.pulling.asking import FoundStudy, Instances, NotPulled, StudyPartner, StudyQuery, UnusableQuery
from amrg.service.pulling.dimse import DicomPartner
from amrg.service.pulling.requesting import PRIOR_REASON, queue_prior, queue_study, source_of, wake_draft
from amrg.service.pulling.web import WebPartner
from amrg.service.queue import Lease
from amrg.service.senders.tls import client_context
from amrg.service.settings import AnySource, DicomSource, Settings, SettingsError
from amrg.service.storage import Storage

MOST_PRIORS = 2
_MOST_NAMED = 10


@dataclass(frozen=True)
class Puller:
    """Pulls from the sources of the settings."""

    settings: Settings
    sessions: sessionmaker[Session]
    storage: Storage

    def pull(self, lease: Lease) -> None:
        """Do a job of `requesting`.

        Raises:
            NotPulled: the source did not answer, or instances are missing; a later attempt may have them.
            Permanent: no attempt would help.
            LeaseLost: another worker has the job by now.
        """
        payload = lease.payload
        try:
            source = source_of(self.settings, str(payload["source"]))
        except SettingsError as error:
            raise Permanent(str(error)) from error
        partner = self._partner(source)
        try:
            if "study_instance_uid" in payload:
                self._pull_study(lease, partner, str(payload["study_instance_uid"]))
            elif "query" in payload:
                self._pull_found(lease, partner, StudyQuery(**payload["query"]))
            else:
                self._ask_for_priors(lease, partner, int(payload["for_study"]))
        except UnusableQuery as error:
            raise Permanent(str(error)) from error

    def _partner(self, source: AnySource) -> StudyPartner:
        if isinstance(source, DicomSource):
            certificate = (source.tls_certificate, source.tls_key)
            tls = None if source.tls_ca is None else client_context(source.tls_ca, *certificate)
            return DicomPartner(source, self.settings.dicom.ae_title, tls)
        tls = None if source.tls_ca is None else client_context(source.tls_ca)
        return WebPartner(source, self.sessions, self.storage, tls)

    def _pull_found(self, lease: Lease, partner: StudyPartner, query: StudyQuery) -> None:
        found = [study for study in partner.find(query) if is_uid(study.study_instance_uid)]
        if not found:
            raise Permanent("the source has no such study")
        source = str(lease.payload["source"])
        with self.sessions.begin() as session:
            for study in found:
                queue_study(session, source, study.study_instance_uid)
            queue.finish(session, lease)
            audit.append(session, audit.SYSTEM, "source queried", lease.key, {"source": source, "studies": len(found)})

    def _ask_for_priors(self, lease: Lease, partner: StudyPartner, study_id: int) -> None:
        with reading(self.sessions) as session:
            study = session.get_one(StudyRow, study_id)
            query = StudyQuery(patient_id=study.patient_id.strip(), modality="MG")
        found = [one for one in partner.find(query) if is_uid(one.study_instance_uid) and _is_earlier(one, study)]
        newest = sorted(found, key=lambda one: (one.study_date, one.study_instance_uid))[-MOST_PRIORS:]
        source = str(lease.payload["source"])
        with self.sessions.begin() as session:
            for prior in newest:
                queue_prior(session, source, prior, study_id)
            queue.finish(session, lease)
            detail = {"source": source, "priors": [prior.study_instance_uid for prior in newest]}
            audit.append(session, audit.SYSTEM, "priors queried", study.study_instance_uid, detail)
            wake_draft(session, study_id)

    def _pull_study(self, lease: Lease, partner: StudyPartner, uid: str) -> None:
        """Have what is missing of a study come, and count what is here then, whatever the source answer."""
        listed = {sop: where for sop, where in partner.instances(uid).items() if is_uid(sop)}
        if not listed:
            raise Permanent("the source has no such study, or lists no instance of it")
        answer = ""
        if missing := self._missing(uid, listed):
            with self.sessions.begin() as session:
                queue.renew(session, lease)  # nothing is asked for under a lease that was lost
            answer = partner.retrieve(uid, missing)
            if still := self._missing(uid, listed):
                raise self._incomplete(lease, len(listed), sorted(still), answer)
        with self.sessions.begin() as session:
            queue.finish(session, lease)
            detail = {"source": str(lease.payload["source"]), "instances": len(listed), "came": len(missing)}
            audit.append(session, audit.SYSTEM, "study pulled", uid, detail)
            _after(session, lease.payload, uid)

    def _missing(self, study_instance_uid: str, listed: Instances) -> Instances:
        of_study = select(InstanceRow.sop_instance_uid).join(StudyRow)
        with reading(self.sessions) as session:
            here = set(session.scalars(of_study.where(StudyRow.study_instance_uid == study_instance_uid)))
        return {uid: where for uid, where in listed.items() if uid not in here}

    def _incomplete(self, lease: Lease, listed: int, missing: list[str], answer: str) -> NotPulled | Permanent:
        """What is wrong: nothing came, which may pass, or a part, which is set aside after a few attempts."""
        if len(missing) == listed:
            return NotPulled(f"none of {listed} instances came; the source: {answer}")
        more = f" and {len(missing) - _MOST_NAMED} more" if len(missing) > _MOST_NAMED else ""
        named = ", ".join(missing[:_MOST_NAMED])
        line = f"{listed - len(missing)} of {listed} instances are here; the source: {answer}; missing: {named}{more}"
        return NotPulled(line) if lease.attempt < self.settings.jobs.attempts else Permanent(line)


def _is_earlier(found: FoundStudy, study: StudyRow) -> bool:
    """Whether a study may be a prior: made before, and not of another issuer's patient. The files decide later."""
    day, today = date_in(found.study_date), date_in(study.study_date)
    one, other = found.issuer.casefold(), study.issuer_of_patient_id.strip().casefold()
    of_her = one == other or not one or not other
    return day is not None and today is not None and day < today and of_her


def _after(session: Session, payload: Mapping[str, Any], uid: str) -> None:
    """A prior lets the draft that waits for it begin; one that a person asks for now is to be drafted as well."""
    if "for_study" in payload:
        wake_draft(session, int(payload["for_study"]))
        return
    found = select(StudyRow).where(StudyRow.study_instance_uid == uid, StudyRow.reason == PRIOR_REASON)
    study = session.scalars(found.with_for_update()).one_or_none()
    if study is not None:
        study.state, study.reason, study.received_at = StudyState.RECEIVING, "", database_now(session)
