"""Routes for operators: jobs, deliveries, whether the service works, and its measurements for Prometheus."""

from __future__ import annotations

import datetime
from collections.abc import Iterator

from fastapi import APIRouter
from fastapi.responses import Response
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from amrg.core.values import Value
from amrg.service import queue
from amrg.service.api.context import Administrator, Anyone, Held, Program, Reading, RowNumber
from amrg.service.api.pages import Before, Limit, Page, rows_of_page
from amrg.service.database.engine import reading
from amrg.service.database.tables import DeliveryRow, JobKind, JobRow, JobState, StudyRow
from amrg.service.delivering import skip_delivery
from amrg.service.jobs import ListedJob, find_job, listed_jobs, skip_job
from amrg.service.listing import DeliveryState, ListedDelivery, deliveries_of_study, listed_deliveries

router = APIRouter(tags=["operation"])


class Job(Value):
    """A piece of work; a dead one is run again by `POST /jobs/{id}/retry`, or skipped by `POST /jobs/{id}/skip`.

    `study_instance_uid` is empty where a pull names none; `partner` is the destination or source, if there is one.
    """

    id: int
    kind: JobKind
    key: str
    study_instance_uid: str
    partner: str
    state: JobState
    attempts: int
    losses: int
    error: str
    run_after: datetime.datetime
    created_at: datetime.datetime
    finished_at: datetime.datetime | None


class Delivery(Value):
    """One object of one version for one destination.

    One that was set aside is sent again by `POST /jobs/{job_id}/retry`, or skipped by `POST /deliveries/{id}/skip`.
    """

    id: int
    study_instance_uid: str
    version: int
    destination: str
    format: str
    uid: str
    job_id: int | None
    state: DeliveryState
    error: str
    delivered_at: datetime.datetime | None


class Health(Value):
    """Whether the service works."""

    status: str


@router.head("/health", include_in_schema=False)
@router.get("/health")
def health(held: Held) -> Health:
    """Whether the database answers; 503 where it does not. Needs no login."""
    with reading(held.sessions) as session:
        session.execute(text("SELECT number FROM audit LIMIT 1"))
    return Health(status="ok")


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
def metrics(_: Program, session: Reading) -> Response:
    """Measurements for Prometheus: numbers only."""
    own = CollectorRegistry()
    own.register(_Rows(session))
    return Response(generate_latest(own) + generate_latest(REGISTRY), media_type=CONTENT_TYPE_LATEST)


@router.get("/jobs")
def list_jobs(
    _: Administrator,
    session: Reading,
    state: JobState | None = None,
    kind: JobKind | None = None,
    limit: Limit = 50,
    before: Before = None,
) -> Page[Job]:
    """Jobs, newest first."""
    found = select(JobRow)
    if state is not None:
        found = found.where(JobRow.state == state)
    if kind is not None:
        found = found.where(JobRow.kind == kind)
    rows, following = rows_of_page(session, found, JobRow.id, limit, before)
    return Page(items=tuple(map(_job, listed_jobs(session, rows))), next=following)


@router.get("/jobs/{job_id}")
def show_job(job_id: RowNumber, _: Administrator, session: Reading) -> Job:
    """One job."""
    return _job(find_job(session, job_id))


@router.post("/jobs/{job_id}/retry")
def retry_job(job_id: RowNumber, caller: Administrator, held: Held) -> Job:
    """Run a dead job again, from its first attempt on."""
    with held.sessions.begin() as session:
        return _job(listed_jobs(session, [queue.retry(session, job_id, caller.login)])[0])


@router.post("/jobs/{job_id}/skip")
def settle_job(job_id: RowNumber, caller: Administrator, held: Held) -> Job:
    """Settle a dead job without doing it, so that what waits for it can continue."""
    with held.sessions.begin() as session:
        return _job(listed_jobs(session, [skip_job(session, job_id, caller.login)])[0])


@router.get("/deliveries")
def list_deliveries(
    _: Anyone, session: Reading, delivered: bool | None = None, limit: Limit = 50, before: Before = None
) -> Page[Delivery]:
    """Deliveries, newest first."""
    found = select(DeliveryRow)
    if delivered is not None:
        found = found.where(DeliveryRow.delivered_at.is_not(None) if delivered else DeliveryRow.delivered_at.is_(None))
    rows, following = rows_of_page(session, found, DeliveryRow.id, limit, before)
    return Page(items=tuple(map(_delivery, listed_deliveries(session, rows))), next=following)


@router.post("/deliveries/{delivery_id}/skip")
def skip(delivery_id: RowNumber, caller: Administrator, held: Held) -> Delivery:
    """Skip a delivery that was set aside, so that what waits for it is sent."""
    with held.sessions.begin() as session:
        row = skip_delivery(session, delivery_id, caller.login)
        return _delivery(listed_deliveries(session, [row])[0])


def study_deliveries(session: Session, study: StudyRow) -> tuple[Delivery, ...]:
    """What was, or is to be, delivered of a study."""
    return tuple(map(_delivery, deliveries_of_study(session, study)))


def _delivery(listed: ListedDelivery) -> Delivery:
    own = ("id", "destination", "format", "uid", "job_id", "error", "delivered_at")
    facts = {name: getattr(listed.row, name) for name in own}
    return Delivery(study_instance_uid=listed.study_instance_uid, version=listed.version, state=listed.state, **facts)


def _job(listed: ListedJob) -> Job:
    about = {"study_instance_uid": listed.study_instance_uid, "partner": listed.partner}
    return Job.model_validate({**{name: getattr(listed.row, name, None) for name in Job.model_fields}, **about})


class _Rows(Collector):
    """How many studies, jobs and deliveries there are in each state."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The measurements."""
        studies = GaugeMetricFamily("amrg_studies", "Studies by state", labels=["state"])
        for state, count in self._session.execute(select(StudyRow.state, func.count()).group_by(StudyRow.state)):
            studies.add_metric([str(state)], count)
        jobs = GaugeMetricFamily("amrg_jobs", "Jobs by kind and state", labels=["kind", "state"])
        for (kind, job_state), count in queue.counts(self._session).items():
            jobs.add_metric([str(kind), str(job_state)], count)
        waiting = select(func.count()).select_from(DeliveryRow).where(DeliveryRow.delivered_at.is_(None))
        deliveries = GaugeMetricFamily("amrg_deliveries_waiting", "Deliveries that did not arrive yet")
        deliveries.add_metric([], self._session.scalar(waiting) or 0)
        yield from (studies, jobs, deliveries)
