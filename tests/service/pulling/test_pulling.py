"""Studies pulled from Orthanc, by C-MOVE and by DICOMweb, and from services that answer as a test says."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pydicom
import pytest
from pydantic import TypeAdapter
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from amrg.service import queue
from amrg.service.database.engine import database_now, reading
from amrg.service.database.tables import AuditRow, JobKind, JobRow, JobState, StudyRow, StudyState
from amrg.service.intake import receive
from amrg.service.processes.job_loop import JobLoop
from amrg.service.pulling.asking import FoundStudy, ListedInstance, NotPulled, StudyQuery, UnusableQuery
from amrg.service.pulling.handling import Puller
from amrg.service.pulling.requesting import PRIOR_REASON, queue_prior, queue_priors, queue_pull, wake_draft
from amrg.service.pulling.web import PAGE, WebPartner
from amrg.service.settings import AnySource, JobSettings, Settings, WebSource
from amrg.service.storage import Storage
from amrg.service.studies import close_quiet_studies, prior_images, queue_draft
from tests.service.databases import free_port
from tests.service.nodes import RunningNode, changed, draw_study, running_node
from tests.service.orthanc import Orthanc, orthanc_server
from tests.service.senders.partners import Request, web_server

JOBS = JobSettings(lease_seconds=600, attempts=2, partner_attempts=3, backoff_seconds=0)
WAYS = ("dicom", "dicomweb")


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where Orthanc keeps its files."""
    return tmp_path_factory.mktemp("pacs")


@pytest.fixture(scope="module")
def orthanc(storage: Path) -> Iterator[Orthanc]:
    with orthanc_server(StorageDirectory=str(storage), IndexDirectory=str(storage), MaximumStorageCacheSize=0) as it:
        yield it


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return draw_study(tmp_path_factory.mktemp("study"), "now")


@dataclass(frozen=True)
class Site:
    """A node, and the worker that pulls for it, step by step in this process."""

    running: RunningNode
    settings: Settings

    def ask(self, **query: str) -> JobRow:
        with self.running.sessions.begin() as session:
            return queue_pull(session, "pacs", StudyQuery(**query), "local:test")

    def work(self) -> list[JobState]:
        """Do the jobs whose turn it is; the states of all pulls then."""
        puller = Puller(self.settings, self.running.sessions, self.running.storage)
        loop = JobLoop(self.running.sessions, "one", {JobKind.PULL: puller.pull}, JOBS, threading.Event())
        while (lease := queue.take(self.running.sessions, loop.handlers, "one", JOBS)) is not None:
            loop.do(lease)
        return [job.state for job in self.jobs(JobKind.PULL)]

    def jobs(self, kind: JobKind) -> list[JobRow]:
        with reading(self.running.sessions) as session:
            return list(session.scalars(select(JobRow).where(JobRow.kind == kind).order_by(JobRow.id)))

    def here(self) -> list[str]:
        return sorted(row.sop_instance_uid for row in self.running.images())

    def close(self) -> int:
        return close_quiet_studies(self.running.sessions, self.running.storage, self.settings)

    def audited(self, action: str) -> list[dict[str, Any]]:
        with reading(self.running.sessions) as session:
            rows = session.scalars(select(AuditRow).where(AuditRow.action == action).order_by(AuditRow.number))
            return [row.detail for row in rows]


MakeSite = Callable[..., Site]


@pytest.fixture
def site(tmp_path: Path, orthanc: Orthanc) -> Iterator[MakeSite]:
    """Makes a site whose source is Orthanc, one way or the other; Orthanc is empty and knows the node."""
    orthanc.clear()
    # A long quiet period, so that the node's own thread completes nothing before the test does.
    with running_node(tmp_path, quiet_seconds=3600) as running:
        station = {"AET": "AMRG", "Host": "127.0.0.1", "Port": running.node.port}
        httpx.put(f"{orthanc.url}/modalities/amrg", json=station, trust_env=False).raise_for_status()

        def make(way: str, **source: object) -> Site:
            web = {"url": orthanc.web}
            dicom = {"host": "127.0.0.1", "port": orthanc.dicom_port, "ae_title": orthanc.ae_title}
            named = {"name": "pacs", "kind": way, **(dicom if way == "dicom" else web), **source}
            update = {"sources": (TypeAdapter(AnySource).validate_python(named),), "jobs": JOBS, "quiet_seconds": 0}
            return Site(running, running.settings.model_copy(update=update))

        yield make


def put(orthanc: Orthanc, files: list[Path]) -> list[str]:
    """Store files in Orthanc; their SOP Instance UIDs."""
    for file in files:
        sent = httpx.post(f"{orthanc.url}/instances", content=file.read_bytes(), trust_env=False)
        sent.raise_for_status()
    return sorted(str(pydicom.dcmread(file, stop_before_pixels=True).SOPInstanceUID) for file in files)


def study_of(file: Path) -> str:
    return str(pydicom.dcmread(file, stop_before_pixels=True).StudyInstanceUID)


def dated(files: list[Path], to: Path, **values: object) -> list[Path]:
    """Copies with other values, as another study's files."""
    to.mkdir()
    return [changed(file, to / file.name, **values) for file in files]


@pytest.mark.parametrize("way", WAYS)
def test_a_study_comes_once_however_often_it_is_asked_for(
    site: MakeSite, orthanc: Orthanc, files: list[Path], way: str
) -> None:
    uids, asked, uid = put(orthanc, files), site(way), study_of(files[0])
    first = asked.ask(study_instance_uid=uid)
    assert asked.work() == [JobState.DONE]
    assert asked.here() == uids
    assert asked.ask(study_instance_uid=uid).id == first.id
    assert asked.work() == [JobState.DONE]
    assert asked.here() == uids
    assert [one["came"] for one in asked.audited("study pulled")] == [4, 0]
    assert len(asked.audited("pull requested")) == 2


@pytest.mark.parametrize("way", WAYS)
def test_only_what_has_the_value_comes(
    site: MakeSite, orthanc: Orthanc, files: list[Path], tmp_path: Path, way: str
) -> None:
    hers = dated(files, tmp_path / "hers", AccessionNumber="A1", PatientID="SECRET 7")
    others = draw_study(tmp_path / "others", "others")
    uids = put(orthanc, hers)
    put(orthanc, dated(others, tmp_path / "theirs", AccessionNumber="A11", PatientID="SECRET 77"))
    asked = site(way)
    asked.ask(accession_number="A1")
    assert asked.work() == [JobState.DONE, JobState.DONE]
    asked.ask(patient_id="SECRET 7")
    assert asked.work() == [JobState.DONE] * 3
    assert asked.here() == uids
    assert [job.key for job in asked.jobs(JobKind.PULL) if "SECRET" in job.key] == []
    assert "SECRET" not in str(asked.audited("pull requested") + asked.audited("source queried"))
    asked.ask(accession_number="A9")
    assert asked.work()[-1] is JobState.DEAD
    assert asked.jobs(JobKind.PULL)[-1].error == "the source has no such study"


def lose(orthanc: Orthanc, storage: Path, uid: str) -> None:
    """Remove an object's file behind Orthanc's back."""
    content = orthanc.file(uid)
    (stored,) = [file for file in storage.rglob("*-*") if file.is_file() and file.read_bytes() == content]
    stored.unlink()


def test_a_file_that_the_source_lost_is_named_and_the_others_come_by_move(
    site: MakeSite, orthanc: Orthanc, storage: Path, files: list[Path]
) -> None:
    lost, *others = put(orthanc, files)
    lose(orthanc, storage, lost)
    asked = site("dicom")
    asked.ask(study_instance_uid=study_of(files[0]))
    assert asked.work() == [JobState.DEAD]
    assert asked.here() == others
    (job,) = asked.jobs(JobKind.PULL)
    assert job.attempts == 2
    assert job.error.startswith("3 of 4 instances are here; the source: 1 x status ")
    assert job.error.endswith(f"missing: {lost}")
    assert asked.audited("study pulled") == []


def test_a_list_that_the_source_cannot_make_is_said(
    site: MakeSite, orthanc: Orthanc, storage: Path, files: list[Path]
) -> None:
    lose(orthanc, storage, put(orthanc, files)[0])  # Orthanc's QIDO-RS reads every file
    asked = site("dicomweb")
    asked.ask(study_instance_uid=study_of(files[0]))
    assert asked.work() == [JobState.DEAD]
    (job,) = asked.jobs(JobKind.PULL)
    assert (job.attempts, job.error) == (3, "QIDO-RS: HTTP 500; expected 200 with a list, or 204")


def test_an_instance_that_wado_has_not_is_counted(tmp_path: Path, sessions: sessionmaker[Session]) -> None:
    answers = iter([(404, b""), (200, b"no multipart"), (404, b"")])
    missing = {f"1.2.{number}": ListedInstance("1.2") for number in range(3)}
    with web_server(lambda _: next(answers)) as server:
        said = partner(server.url, tmp_path, sessions).retrieve("1.2", missing)
    assert said == "2 x WADO-RS: HTTP 404; 1 x WADO-RS: an answer that is not multipart as its header says"
    assert list((tmp_path / "images").rglob("*.part")) == []


def test_a_node_that_the_source_does_not_know_is_named_and_tried_again(
    site: MakeSite, orthanc: Orthanc, files: list[Path]
) -> None:
    put(orthanc, files)
    asked = site("dicom")
    other = {"AET": "AMRG", "Host": "127.0.0.1", "Port": free_port()}
    httpx.put(f"{orthanc.url}/modalities/amrg", json=other, trust_env=False).raise_for_status()
    asked.ask(study_instance_uid=study_of(files[0]))
    assert asked.work() == [JobState.DEAD]
    (job,) = asked.jobs(JobKind.PULL)
    assert job.attempts == 3
    assert job.error.startswith("none of 4 instances came; the source: 4 x status ")
    assert asked.here() == []


@pytest.mark.parametrize("way", WAYS)
def test_a_draft_waits_for_the_two_newest_priors_which_are_not_drafted(
    site: MakeSite, orthanc: Orthanc, files: list[Path], tmp_path: Path, way: str
) -> None:
    now, priors = dated(files, tmp_path / "now", StudyDate="20250101"), []
    for number, date in enumerate(("20240101", "20210101", "20230101", "20260101"), 1):
        drawn = draw_study(tmp_path / f"drawn{number}", f"drawn{number}")
        patient = {"PatientID": pydicom.dcmread(now[0], stop_before_pixels=True).PatientID, "StudyDate": date}
        priors.append(dated(drawn, tmp_path / f"prior{number}", **patient))
        put(orthanc, priors[-1])
    asked = site(way, priors=True, wait_seconds=3600)
    assert asked.running.send(*now) == 0
    assert asked.close() == 1
    (draft,) = asked.jobs(JobKind.DRAFT)
    with reading(asked.running.sessions) as session:
        assert draft.run_after > database_now(session)
    assert asked.work() == [JobState.DONE] * 3
    assert asked.close() == 2
    studies = {row.study_instance_uid: row for row in asked.running.studies()}
    newest = [study_of(priors[number][0]) for number in (0, 2)]
    assert sorted(studies) == sorted([study_of(now[0]), *newest])
    for uid in newest:
        assert (studies[uid].state, studies[uid].reason) == (StudyState.NOT_DRAFTED, PRIOR_REASON)
    (draft,) = asked.jobs(JobKind.DRAFT)
    with reading(asked.running.sessions) as session:
        assert draft.run_after <= database_now(session)
        assert len(prior_images(session, asked.running.storage, studies[study_of(now[0])])) == 8
    asked.ask(study_instance_uid=newest[0])  # a person wants this one drafted
    asked.work()
    assert asked.close() == 1
    assert {row.study_instance_uid: row.state for row in asked.running.studies()}[newest[0]] is StudyState.WAITING


def test_jobs_of_priors_are_counted_on_both_databases(
    sessions: sessionmaker[Session], files: list[Path], tmp_path: Path
) -> None:
    storage = Storage(tmp_path / "images")
    spool = storage.spool()
    spool.write(files[0].read_bytes())
    number = receive(sessions, storage, spool, "STATION").study_id
    source = WebSource.model_validate({"name": "vna", "kind": "dicomweb", "url": "http://127.0.0.1", "priors": True})
    settings = Settings(sources=(source,))
    with sessions.begin() as session:
        study = session.get_one(StudyRow, number)
        until = queue_priors(session, study, settings)
        assert until is not None
        queue_draft(session, study, until)
        queue_prior(session, "vna", FoundStudy("1.2.3"), number)
        queue_prior(session, "vna", FoundStudy(study.study_instance_uid), number)  # it is here
    for left in (2, 1, 0):
        with sessions.begin() as session:
            wake_draft(session, number)
            due = session.scalars(select(JobRow.run_after).where(JobRow.kind == JobKind.DRAFT)).one()
            assert (due <= database_now(session)) is (left == 0)
        lease = queue.take(sessions, [JobKind.PULL], "one", JOBS)
        assert (lease is not None) is (left > 0)
        if lease is not None:
            with sessions.begin() as session:
                queue.finish(session, lease)


def listing(respond: Callable[[int, int], range], most: int) -> Callable[[Request], tuple[int, bytes]]:
    """A list of `most` instances, of which a page has those that `respond` says for limit and offset."""

    def answer(request: Request) -> tuple[int, bytes]:
        asked = parse_qs(urlsplit(request.path).query)
        page = respond(int(asked["limit"][0]), int(asked["offset"][0]))
        items = [{"00080018": {"vr": "UI", "Value": [f"1.2.{n}"]}} for n in page if n < most]
        return 200, json.dumps(items).encode()

    return answer


PAGES: dict[str, Callable[[int, int], range]] = {
    "as asked": lambda limit, offset: range(offset, offset + limit),
    "shorter than asked": lambda limit, offset: range(offset, offset + 7),
    "overlapping": lambda limit, offset: range(max(0, offset - 3), offset + 7),
    "everything at once": lambda limit, offset: range(1000),
}


LISTS = [(how, most) for how in PAGES for most in (0, 5, PAGE, PAGE + 3)]
LISTS.remove(("everything at once", PAGE))  # looks as a list that is cut does: below


@pytest.mark.parametrize(("how", "most"), LISTS)
def test_every_page_is_read_once(tmp_path: Path, sessions: sessionmaker[Session], how: str, most: int) -> None:
    with web_server(listing(PAGES[how], most)) as server:
        assert len(partner(server.url, tmp_path, sessions).instances("1.2")) == most


def test_a_full_page_that_comes_again_is_no_whole_list(tmp_path: Path, sessions: sessionmaker[Session]) -> None:
    with web_server(listing(lambda limit, offset: range(limit), 1000)) as server:
        with pytest.raises(NotPulled, match="ignores offset"):
            partner(server.url, tmp_path, sessions).instances("1.2")
        assert len(server.requests) == 2


@pytest.mark.parametrize("answer", [(500, b""), (200, b"no JSON"), (200, b"{}"), (302, b"")])
def test_no_list_is_no_empty_list(tmp_path: Path, sessions: sessionmaker[Session], answer: tuple[int, bytes]) -> None:
    with web_server(lambda _: answer) as server, pytest.raises(NotPulled):
        partner(server.url, tmp_path, sessions).find(StudyQuery(patient_id="SECRET"))


def partner(url: str, folder: Path, sessions: sessionmaker[Session]) -> WebPartner:
    source = WebSource.model_validate({"name": "vna", "kind": "dicomweb", "url": url, "deadline_seconds": 60})
    return WebPartner(source, sessions, Storage(folder / "images"))


@pytest.mark.parametrize("value", ["*", "1?", "A1\\A2"])
def test_wildcards_are_not_asked_for(value: str) -> None:
    with pytest.raises(UnusableQuery, match="wildcard"):
        StudyQuery(accession_number=value)
