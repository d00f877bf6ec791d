from __future__ import annotations

import datetime
import logging
import threading

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session, sessionmaker

from amrg.service import queue
from amrg.service.database.engine import database_now, reading
from amrg.service.database.tables import JobKind, JobRow, JobState
from amrg.service.processes.job_loop import JobLoop, Permanent
from amrg.service.queue import Lease, LeaseLost, NoSuchJob
from amrg.service.settings import JobSettings

JOBS = JobSettings(lease_seconds=600, attempts=3, backoff_seconds=0)
DRAFT = (JobKind.DRAFT,)


def add(sessions: sessionmaker[Session], key: str, **payload: object) -> int:
    with sessions.begin() as session:
        return queue.add(session, JobKind.DRAFT, key, payload).id


def take(sessions: sessionmaker[Session], settings: JobSettings = JOBS, worker: str = "one") -> Lease:
    lease = queue.take(sessions, DRAFT, worker, settings)
    assert lease is not None
    return lease


def run_out(sessions: sessionmaker[Session], lease: Lease) -> None:
    """The lease's time passes."""
    with sessions.begin() as session:
        past = database_now(session) - datetime.timedelta(hours=1)
        session.execute(update(JobRow).where(JobRow.id == lease.job_id).values(leased_until=past))


def job(sessions: sessionmaker[Session], number: int) -> JobRow:
    with reading(sessions) as session:
        return session.scalars(select(JobRow).where(JobRow.id == number)).one()


def test_a_key_is_one_job(sessions: sessionmaker[Session]) -> None:
    assert add(sessions, "draft:1:1", study=1) == add(sessions, "draft:1:1", study=2)
    lease = take(sessions)
    assert (lease.key, lease.payload, lease.attempt) == ("draft:1:1", {"study": 1}, 1)
    assert queue.take(sessions, DRAFT, "two", JOBS) is None
    with sessions.begin() as session:
        queue.finish(session, lease)
    assert add(sessions, "draft:1:1") == lease.job_id
    assert queue.take(sessions, DRAFT, "two", JOBS) is None


def test_a_job_is_there_only_with_the_change_that_it_belongs_to(sessions: sessionmaker[Session]) -> None:
    with sessions() as session:
        queue.add(session, JobKind.DRAFT, "a", {})
        session.rollback()
    assert queue.take(sessions, DRAFT, "one", JOBS) is None


def test_jobs_are_taken_in_order_when_their_time_has_come(sessions: sessionmaker[Session]) -> None:
    with sessions.begin() as session:
        later = database_now(session) + datetime.timedelta(hours=1)
        queue.add(session, JobKind.DRAFT, "later", {}, later)
        queue.add(session, JobKind.DELIVER, "other kind", {})
    add(sessions, "a")
    add(sessions, "b")
    assert [take(sessions).key, take(sessions).key] == ["a", "b"]
    assert queue.take(sessions, DRAFT, "one", JOBS) is None


def test_many_workers_share_jobs_without_taking_one_twice(sessions: sessionmaker[Session]) -> None:
    for number in range(24):
        add(sessions, f"job {number:02}")
    taken: list[str] = []

    def work(name: str) -> None:
        while (lease := queue.take(sessions, DRAFT, name, JOBS)) is not None:
            taken.append(lease.key)

    workers = [threading.Thread(target=work, args=(f"worker {n}",)) for n in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sorted(taken) == [f"job {number:02}" for number in range(24)]


def test_a_worker_that_lost_its_lease_can_neither_commit_nor_send(sessions: sessionmaker[Session]) -> None:
    add(sessions, "a")
    stopped = take(sessions, worker="stopped")
    run_out(sessions, stopped)
    with pytest.raises(LeaseLost), sessions.begin() as session:
        queue.renew(session, stopped)  # before it sends
    second = take(sessions, worker="second")
    assert (second.job_id, second.fence) == (stopped.job_id, stopped.fence + 1)
    with pytest.raises(LeaseLost), sessions.begin() as session:  # noqa: PT012
        queue.add(session, JobKind.DELIVER, "what the draft would have queued", {})
        queue.finish(session, stopped)
    with sessions.begin() as session:
        queue.finish(session, second)
    with reading(sessions) as session:
        assert [(j.key, j.state) for j in session.scalars(select(JobRow))] == [("a", JobState.DONE)]


def test_a_job_that_fails_is_tried_again_and_then_set_aside(sessions: sessionmaker[Session]) -> None:
    number = add(sessions, "a")
    states = []
    for _ in range(3):
        lease = take(sessions)
        with sessions.begin() as session:
            states.append(queue.fail(session, lease, "no room", JOBS))
    assert states == [JobState.WAITING, JobState.WAITING, JobState.DEAD]
    assert (job(sessions, number).error, job(sessions, number).attempts) == ("no room", 3)
    assert queue.take(sessions, DRAFT, "one", JOBS) is None


def test_waits_double_up_to_the_longest(sessions: sessionmaker[Session]) -> None:
    settings = JobSettings(attempts=9, backoff_seconds=100, longest_backoff_seconds=300)
    number, waits = add(sessions, "a"), []
    for _ in range(3):
        lease = take(sessions, settings)
        with sessions.begin() as session:
            queue.fail(session, lease, "", settings)
            now = database_now(session)
        waits.append(round((job(sessions, number).run_after - now).total_seconds(), -1))
        with sessions.begin() as session:
            session.execute(update(JobRow).values(run_after=now))
    assert waits == [100, 200, 300]


def test_a_job_that_ends_its_worker_twice_is_set_aside_and_an_operator_may_run_it_again(
    sessions: sessionmaker[Session],
) -> None:
    number = add(sessions, "poison")
    add(sessions, "harmless")
    for worker in ("first", "second"):
        assert take(sessions, worker=worker).key == "poison"
        with sessions.begin() as session:
            assert queue.release(session, worker) == 1
    assert take(sessions).key == "harmless"
    dead = job(sessions, number)
    assert (dead.state, dead.error) == (JobState.DEAD, "set aside: the worker ended 2 times while it had this job")
    with sessions.begin() as session:
        queue.retry(session, number, "admin")
    assert take(sessions).key == "poison"
    with pytest.raises(NoSuchJob, match=f"job {number}: is running"), sessions.begin() as session:
        queue.retry(session, number, "admin")
    with pytest.raises(NoSuchJob, match="does not exist"), sessions.begin() as session:
        queue.retry(session, 4711, "admin")


def test_a_heartbeat_holds_a_job_that_takes_longer_than_its_lease(sessions: sessionmaker[Session]) -> None:
    short = JobSettings(lease_seconds=0.3)
    add(sessions, "a")
    lease = take(sessions, short)
    taken = job(sessions, lease.job_id).leased_until
    assert taken is not None
    with queue.heartbeat(sessions, lease) as lost:
        while (job(sessions, lease.job_id).leased_until or taken) <= taken + datetime.timedelta(seconds=0.6):
            lost.wait(0.05)
        assert not lost.is_set()
        assert queue.take(sessions, DRAFT, "two", short) is None
        with sessions.begin() as session:  # another worker has it, as after a long stop
            session.execute(update(JobRow).values(fence=9))
        assert lost.wait(60)


def test_a_job_given_back_by_a_stopping_worker_costs_no_attempt(sessions: sessionmaker[Session]) -> None:
    add(sessions, "a")
    with sessions.begin() as session:
        queue.put_back(session, take(sessions))
    assert take(sessions).attempt == 1


def test_senders_wait_while_too_many_studies_do(sessions: sessionmaker[Session]) -> None:
    add(sessions, "a")
    add(sessions, "b")
    with reading(sessions) as session:
        assert queue.is_full(session, JobSettings(most_waiting=2))
        assert not queue.is_full(session, JobSettings(most_waiting=3))
        assert queue.counts(session) == {(JobKind.DRAFT, JobState.WAITING): 2}


def test_the_log_has_the_reason_where_it_is_amrg_s_own_and_the_class_where_it_may_name_a_patient(
    sessions: sessionmaker[Session], caplog: pytest.LogCaptureFixture
) -> None:
    def reason(error: Exception) -> str:
        def handler(_: Lease) -> None:
            raise error

        with sessions.begin() as session:
            job = queue.add(session, JobKind.DELIVER, str(error), {}).id
        with caplog.at_level(logging.WARNING):
            loop = JobLoop(sessions, "w", {JobKind.DELIVER: handler}, JobSettings(), threading.Event())
            lease = queue.take(sessions, [JobKind.DELIVER], "w", JobSettings())
            assert lease is not None
            loop.do(lease)
        return caplog.messages[-1].removeprefix(f"job {job} failed in attempt 1: ")

    assert reason(Permanent("ris: no connection: Connection refused")) == "ris: no connection: Connection refused"
    assert reason(ValueError("Roe^Mary")) == "ValueError"
