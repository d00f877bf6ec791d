"""Deliveries: in order, each once, to real partners; what cannot be sent is seen and holds up only its own line."""

from __future__ import annotations

import datetime
import io
import json
import logging
import threading
from pathlib import Path
from typing import Any

import pydicom
import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session, sessionmaker

from amrg.birads import ReportVersion, Status
from amrg.service import queue
from amrg.service.database.engine import reading
from amrg.service.database.tables import (
    AuditRow,
    DeliveryRow,
    InstanceRow,
    JobKind,
    JobRow,
    StudyRow,
    StudyState,
    VersionRow,
)
from amrg.service.delivering import Deliverer, NoSuchDelivery, queue_deliveries, skip_delivery
from amrg.service.queue import LeaseLost
from amrg.service.senders import Outcome, OutgoingDocument, Sent
from amrg.service.settings import JobSettings
from amrg.service.storage import Storage
from amrg.service.studies import OF_ANOTHER
from tests.delivery.dicom.partners import values
from tests.delivery.exams import DRAFTED, SIGNED_AT
from tests.service.databases import free_port
from tests.service.delivering.sites import Site, a_site, a_study, publish
from tests.service.fhir_servers import medplum_server, read_resource, strict_server
from tests.service.nodes import changed
from tests.service.orthanc import orthanc_server
from tests.service.senders.partners import ack, framed, listener

Sessions = sessionmaker[Session]


def mllp(port: int, name: str = "ris", **more: Any) -> dict[str, object]:
    return {"kind": "mllp", "name": name, "host": "127.0.0.1", "port": port, "deadline_seconds": 60, **more}


def statuses(messages: list[bytes]) -> list[str]:
    """OBR-25 of each message."""
    found = []
    for message in messages:
        (obr,) = [s for s in message.decode().strip("\x0b\x1c\r").split("\r") if s.startswith("OBR|")]
        found.append(obr.split("|")[25])
    return found


def accept(control_id: str) -> list[bytes]:
    return [framed(ack(control_id))]


def test_a_destination_gets_signed_versions_and_drafts_only_where_it_wants_them(
    sqlite_sessions: Sessions, tmp_path: Path
) -> None:
    with listener(accept) as ris, listener(accept) as research:
        site = a_site(sqlite_sessions, tmp_path, [mllp(ris.port), mllp(research.port, "research", sends="all")])
        publish(site, *a_study(site), Status.DRAFT, Status.FINAL, Status.AMENDED, Status.WITHDRAWN)
        site.work()
        assert statuses(ris.received) == ["F", "C", "X"]
        assert statuses(research.received) == ["P", "F", "C", "X"]
    assert {(state, done) for *_, state, done in site.states()} == {("done", True)}


def test_a_withdrawal_of_what_was_never_sent_is_not_sent(sqlite_sessions: Sessions, tmp_path: Path) -> None:
    site = a_site(sqlite_sessions, tmp_path, [mllp(1)])
    publish(site, *a_study(site), Status.DRAFT, Status.WITHDRAWN)
    assert site.states() == []


def test_queueing_again_changes_nothing(sqlite_sessions: Sessions, tmp_path: Path) -> None:
    site = a_site(sqlite_sessions, tmp_path, [mllp(1)])
    publish(site, *a_study(site), Status.FINAL)
    before = site.states()
    with site.sessions.begin() as session:
        (row,) = session.scalars(select(VersionRow))
        queue_deliveries(session, row, site.settings)
    assert site.states() == before


def test_a_correction_waits_for_its_report_and_nothing_else_does(sessions: Sessions, tmp_path: Path) -> None:
    refuse = {"AR"}

    def answers(control_id: str) -> list[bytes]:
        return [framed(ack(control_id, refuse.pop() if refuse else "AA"))]

    with listener(answers) as ris:
        site = a_site(sessions, tmp_path, [mllp(ris.port)])
        publish(site, *a_study(site, "1.2.3", "A-1"), Status.FINAL, Status.AMENDED)
        publish(site, *a_study(site, "1.2.4", "A-2"), Status.FINAL)
        site.work()
        assert [s[3:] for s in site.states()] == [("dead", False), ("waiting", False), ("done", True)]
        assert statuses(ris.received) == ["F", "F"]
        with site.sessions.begin() as session:
            (job,) = session.scalars(select(JobRow).where(JobRow.error.like("waits %")))
            assert job.attempts == 0
            dead = session.scalars(select(DeliveryRow.job_id).order_by(DeliveryRow.id)).first()
            assert dead is not None
            queue.retry(session, dead, "admin")
        site.work()
        assert statuses(ris.received) == ["F", "F", "F", "C"]
    assert {s[3:] for s in site.states()} == {("done", True)}


def test_three_workers_keep_every_line_in_order_and_send_nothing_twice(sessions: Sessions, tmp_path: Path) -> None:
    errors = iter([True, False] * 8)
    accepted: list[bytes] = []

    def answers(control_id: str) -> list[bytes]:
        if next(errors, False):
            return [framed(ack(control_id, "AE"))]
        accepted.append(control_id.encode())
        return [framed(ack(control_id))]

    with listener(answers) as ris:
        site = a_site(sessions, tmp_path, [mllp(ris.port)])
        site.settings = site.settings.model_copy(update={"jobs": JobSettings(backoff_seconds=0, partner_attempts=99)})
        lines = [publish(site, *a_study(site, f"1.2.{n}", f"A-{n}"), Status.FINAL, Status.AMENDED) for n in range(4)]
        workers = [threading.Thread(target=site.work, daemon=True) for _ in range(3)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join(timeout=120)
        site.work()  # whatever the last of them put back
        assert [s[3:] for s in site.states()] == [("done", True)] * 8
        for line in lines:
            control_ids = [_control_id(site, version) for version in line]
            assert [one for one in accepted if one in control_ids] == control_ids


def _control_id(site: Site, version: ReportVersion) -> bytes:
    """MSH-10 of a version, as it was fixed when its delivery was queued."""
    assert version.draft.study is not None
    with reading(site.sessions) as session:
        found = (
            select(DeliveryRow.uid)
            .join(VersionRow, DeliveryRow.version_id == VersionRow.id)
            .join(StudyRow, VersionRow.study_id == StudyRow.id)
            .where(
                VersionRow.number == version.number,
                StudyRow.study_instance_uid == version.draft.study.study_instance_uid,
            )
        )
        return session.scalars(found).one().encode()


def test_a_person_can_skip_what_a_receiver_will_never_take(sessions: Sessions, tmp_path: Path) -> None:
    refuse = ["AR"]
    with listener(lambda number: [framed(ack(number, refuse.pop() if refuse else "AA"))]) as ris:
        site = a_site(sessions, tmp_path, [mllp(ris.port)])
        publish(site, *a_study(site), Status.FINAL, Status.AMENDED)
        site.work()
        with site.sessions.begin() as session:
            (dead,) = session.scalars(
                select(DeliveryRow).join(JobRow, DeliveryRow.job_id == JobRow.id).where(JobRow.state == "dead")
            )
            assert dead.error
            skip_delivery(session, dead.id, "admin")
        site.work()
        assert statuses(ris.received) == ["F", "C"]
    assert [s[3:] for s in site.states()] == [("done", False), ("done", True)]
    with site.sessions.begin() as session, pytest.raises(NoSuchDelivery, match="set aside"):
        skip_delivery(session, 2, "admin")


def test_a_draft_that_was_refused_holds_up_no_signed_report(sqlite_sessions: Sessions, tmp_path: Path) -> None:
    refuse = ["AR"]
    with listener(lambda number: [framed(ack(number, refuse.pop() if refuse else "AA"))]) as ris:
        site = a_site(sqlite_sessions, tmp_path, [mllp(ris.port, sends="all")])
        publish(site, *a_study(site), Status.DRAFT, Status.FINAL)
        site.work()
        assert statuses(ris.received) == ["P", "F"]
        with site.sessions.begin() as session:
            queue.retry(session, session.scalars(select(JobRow.id).where(JobRow.state == "dead")).one(), "admin")
        site.work()  # it would take the place of the signed report
        assert statuses(ris.received) == ["P", "F"]
    assert [s[3:] for s in site.states()] == [("dead", False), ("done", True)]


def test_an_error_is_tried_again_with_the_same_control_id_until_the_last_attempt(
    sqlite_sessions: Sessions, tmp_path: Path
) -> None:
    with listener(lambda number: [framed(ack(number, "AE"))]) as ris:
        site = a_site(sqlite_sessions, tmp_path, [mllp(ris.port)])
        publish(site, *a_study(site), Status.FINAL)
        assert site.work() == site.settings.jobs.partner_attempts
        assert len(ris.received) == site.settings.jobs.partner_attempts
        assert len(set(ris.received)) == 1
    assert [s[3:] for s in site.states()] == [("dead", False)]


def test_a_worker_killed_after_sending_sends_the_same_again_and_one_that_lost_its_lease_nothing(
    sessions: Sessions, tmp_path: Path
) -> None:
    with listener(accept) as ris:
        site = a_site(sessions, tmp_path, [mllp(ris.port)])
        publish(site, *a_study(site), Status.FINAL)
        first = queue.take(site.sessions, [JobKind.DELIVER], "one", site.settings.jobs)
        assert first is not None
        with site.sessions.begin() as session:
            queue.release(session, "one")  # it is known to have ended
        second = queue.take(site.sessions, [JobKind.DELIVER], "two", site.settings.jobs)
        assert second is not None
        with pytest.raises(LeaseLost):
            site.deliverer.deliver(first)
        assert ris.received == []
        site.deliverer.deliver(second)
        with site.sessions.begin() as session:  # as if it had been killed before it committed
            session.scalars(select(DeliveryRow)).one().delivered_at = None
            session.scalars(select(JobRow)).one().state = "waiting"  # type: ignore[assignment]
        site.work()
        assert len(ris.received) == 2
        assert len(set(ris.received)) == 1


def test_what_was_delivered_is_not_sent_again(sqlite_sessions: Sessions, tmp_path: Path) -> None:
    with listener(accept) as ris:
        site = a_site(sqlite_sessions, tmp_path, [mllp(ris.port)])
        publish(site, *a_study(site), Status.FINAL)
        site.work()
        with site.sessions.begin() as session:
            session.scalars(select(JobRow)).one().state = "waiting"  # type: ignore[assignment]
        site.work()
        assert len(ris.received) == 1


def test_nothing_goes_out_while_the_patient_is_in_doubt(sqlite_sessions: Sessions, tmp_path: Path) -> None:
    with listener(accept) as ris:
        site = a_site(sqlite_sessions, tmp_path, [mllp(ris.port)])
        publish(site, *a_study(site), Status.FINAL)
        with site.sessions.begin() as session:
            session.scalars(select(StudyRow)).one().state = StudyState.CONFLICT
        assert site.work() == 1
        assert ris.received == []
        assert [s[3:] for s in site.states()] == [("waiting", False)]


def test_a_withdrawal_goes_out_while_the_patient_is_in_doubt_and_what_was_held_back_never_does(
    sessions: Sessions, tmp_path: Path
) -> None:
    with listener(accept) as ris:
        site = a_site(sessions, tmp_path, [mllp(ris.port)])
        number, draft = a_study(site)
        publish(site, number, draft, Status.DRAFT, Status.FINAL)
        site.work()
        with site.sessions.begin() as session:
            session.get_one(StudyRow, number).state = StudyState.CONFLICT
        publish(site, number, draft, Status.AMENDED)
        site.work()
        publish(site, number, draft, Status.WITHDRAWN)
        site.work()
        assert statuses(ris.received) == ["F", "X"]
        assert [(s[1], *s[3:]) for s in site.states()] == [(2, "done", True), (3, "done", False), (4, "done", True)]
        with reading(site.sessions) as session:
            assert session.get_one(StudyRow, number).state is StudyState.CONFLICT
            skipped = session.scalars(select(AuditRow).where(AuditRow.action == "delivery skipped")).all()
            assert [row.detail["version"] for row in skipped] == [3]


def test_a_report_whose_images_were_decided_to_be_another_patients_is_not_sent(
    sqlite_sessions: Sessions, tmp_path: Path
) -> None:
    with listener(accept) as ris:
        site = a_site(sqlite_sessions, tmp_path, [mllp(ris.port)])
        number, draft = a_study(site)
        publish(site, number, draft, Status.FINAL)
        site.work()
        publish(site, number, draft, Status.APPENDED)
        set_images_aside(site, OF_ANOTHER)
        assert site.work() == 1
        assert [s[3:] for s in site.states()] == [("done", True), ("waiting", False)]
        set_images_aside(site, "")
        site.work()
        publish(site, number, draft, Status.AMENDED)
        set_images_aside(site, OF_ANOTHER)
        site.work()
        publish(site, number, draft, Status.WITHDRAWN)
        site.work()
        assert statuses(ris.received) == ["F", "C", "X"]
        assert [s[3:] for s in site.states()] == [("done", True)] * 2 + [("done", False), ("done", True)]


def set_images_aside(site: Site, why: str) -> None:
    """What a person decides about all images; waits end, as they do after a while."""
    with site.sessions.begin() as session:
        session.execute(update(InstanceRow).values(set_aside=why))
        session.execute(update(JobRow).values(run_after=SIGNED_AT))


@pytest.mark.parametrize("what", ["destination", "character", "image"])
def test_what_can_never_be_sent_is_set_aside_and_says_why(what: str, sqlite_sessions: Sessions, tmp_path: Path) -> None:
    site = a_site(sqlite_sessions, tmp_path, [mllp(1, receiver={"character_set": "8859/1"})])
    number, draft = a_study(site)
    text = "≥ 5 mm" if what == "character" else "No finding."
    publish(site, number, draft.model_copy(update={"text": text}), Status.FINAL)
    if what == "destination":
        site.settings = site.settings.model_copy(update={"destinations": ()})
    if what == "image":
        for file in site.settings.images.rglob("*.dcm"):
            file.write_bytes(b"spoilt")
    assert site.work() == 1
    assert [s[3:] for s in site.states()] == [("dead", False)]
    expected = {"destination": "no destination ris", "character": "U+2265", "image": "no readable DICOM"}[what]
    with reading(site.sessions) as session:
        assert expected in session.scalars(select(DeliveryRow)).one().error
        audited = session.scalars(select(AuditRow).where(AuditRow.action == "delivery set aside")).one()
    assert expected in audited.detail["error"]


def test_a_fhir_server_that_is_down_gets_the_report_when_it_is_back(sqlite_sessions: Sessions, tmp_path: Path) -> None:
    port = free_port()
    site = a_site(
        sqlite_sessions,
        tmp_path,
        [{"kind": "fhir", "name": "ehr", "url": f"http://127.0.0.1:{port}/", "deadline_seconds": 60}],
    )
    number, draft = a_study(site)
    publish(site, number, draft, Status.FINAL)
    lease = queue.take(site.sessions, [JobKind.DELIVER], "w", site.settings.jobs)
    assert lease is not None
    with pytest.raises(Exception, match="ehr: no answer"):
        site.deliverer.deliver(lease)
    with site.sessions.begin() as session:
        queue.fail(session, lease, "no answer", site.settings.jobs)
    with strict_server(port) as (_, server):
        publish(site, number, draft, Status.AMENDED)
        site.work()
        reports = [r for url, r in server.resources.items() if url.startswith("DiagnosticReport/")]
        assert [r["status"] for r in reports] == ["amended"]
        provenances = [url for url in server.resources if url.startswith("Provenance/")]
        assert len(provenances) == 2
        changes = server.changes
        with site.sessions.begin() as session:  # the last delivery again
            last = session.scalars(select(DeliveryRow).order_by(DeliveryRow.id.desc())).first()
            assert last is not None
            last.delivered_at = None
            session.get_one(JobRow, last.job_id).state = "waiting"  # type: ignore[assignment]
        site.work()
        assert server.changes == changes


def test_what_a_reader_removed_before_signing_reaches_nobody(sqlite_sessions: Sessions, tmp_path: Path) -> None:
    with strict_server() as (url, server), strict_server() as (research, all_of_it):
        destinations: list[dict[str, object]] = [
            {"kind": "fhir", "name": "ehr", "url": url, "deadline_seconds": 60},
            {"kind": "fhir", "name": "research", "url": research, "deadline_seconds": 60, "sends": "all"},
        ]
        site = a_site(sqlite_sessions, tmp_path, destinations)
        number, draft = a_study(site)
        publish(site, number, draft, Status.DRAFT)
        publish(
            site,
            number,
            draft.model_copy(update={"report": draft.report.model_copy(update={"findings": ()})}),
            Status.FINAL,
        )
        site.work()
    masses = [
        [r["status"] for r in state.resources.values() if r.get("code", {}).get("text") == "Mass"]
        for state in (server, all_of_it)
    ]
    assert masses == [[], ["entered-in-error"]]


def test_medplum_takes_every_version_and_shows_its_pdf(tmp_path: Path, sqlite_sessions: Sessions) -> None:
    with medplum_server() as url:
        site = a_site(
            sqlite_sessions,
            tmp_path,
            [{"kind": "fhir", "name": "ehr", "url": url, "deadline_seconds": 60, "sends": "all"}],
        )
        publish(site, *a_study(site), Status.DRAFT, Status.FINAL, Status.APPENDED, Status.AMENDED)
        site.work()
        assert {s[3:] for s in site.states()} == {("done", True)}
        with reading(site.sessions) as session:
            uid = session.scalars(select(DeliveryRow.uid)).first()
        report = read_resource(url, f"DiagnosticReport/{uid}")
        assert report["status"] == "amended"
        assert [f["contentType"] for f in report["presentedForm"]][1] == "application/pdf"
        observations = [read_resource(url, of["reference"]) for of in report["result"]]
        assert {o["status"] for o in observations} == {"amended"}


def test_orthanc_gets_sr_and_pdf_once_under_the_same_study(tmp_path: Path, sqlite_sessions: Sessions) -> None:
    with orthanc_server() as orthanc:
        destinations: list[dict[str, object]] = [
            {
                "kind": "c-store",
                "name": "pacs",
                "host": "127.0.0.1",
                "port": orthanc.dicom_port,
                "ae_title": orthanc.ae_title,
                "formats": ["sr", "pdf"],
            },
            {"kind": "stow", "name": "archive", "url": orthanc.web, "formats": ["sr", "pdf", "measurements"]},
        ]
        site = a_site(sqlite_sessions, tmp_path, destinations)
        publish(site, *a_study(site), Status.FINAL)
        site.work()
        assert {s[3:] for s in site.states()} == {("done", True)}
        stored = [pydicom.dcmread(io.BytesIO(orthanc.file(uid))) for uid in orthanc.instances()]
        assert sorted(ds.Modality for ds in stored) == ["DOC", "SR", "SR"]
        assert len({(ds.StudyInstanceUID, ds.PatientID) for ds in stored}) == 1
        with reading(site.sessions) as session:
            assert {ds.SOPInstanceUID for ds in stored} == set(session.scalars(select(DeliveryRow.uid)))


def test_no_patient_in_logs_and_errors(
    sqlite_sessions: Sessions, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    names = "MSH|^~\\&|RIS||||||ACK|1|P|2.5.1\rMSA|AR|{}|ZZTOPSECRET\rERR|||207|E||||ZZTOPSECRET^Phi\r"
    with listener(lambda number: [framed(names.format(number))]) as ris:
        site = a_site(sqlite_sessions, tmp_path, [mllp(ris.port)])
        publish(site, *a_study(site), Status.FINAL)
        site.work()
    with reading(site.sessions) as session:
        kept = [row.error for row in session.scalars(select(DeliveryRow))]
        kept += [row.error for row in session.scalars(select(JobRow))]
        kept += [json.dumps(row.detail) for row in session.scalars(select(AuditRow))]
    assert "ZZTOPSECRET" not in " ".join([*kept, caplog.text])


def test_a_sender_gets_the_identity_that_was_fixed_when_it_was_queued(
    sqlite_sessions: Sessions, tmp_path: Path
) -> None:
    sent: list[OutgoingDocument] = []

    class Recording:
        def send(self, document: OutgoingDocument) -> Outcome:
            sent.append(document)
            return Sent()

    site = a_site(sqlite_sessions, tmp_path, [mllp(1)])
    publish(site, *a_study(site), Status.FINAL)
    with reading(site.sessions) as session:
        uid = session.scalars(select(DeliveryRow.uid)).one()
    lease = queue.take(site.sessions, [JobKind.DELIVER], "w", site.settings.jobs)
    assert lease is not None
    Deliverer(site.settings, site.sessions, Storage(site.settings.images), lambda *_: Recording()).deliver(lease)
    assert [document.uid for document in sent] == [uid]
    assert f"|{uid}|P|2.5.1".encode() in sent[0].content


@pytest.mark.parametrize("minutes", [-1, 1])
def test_cad_says_that_a_mammogram_of_the_study_was_not_looked_at(
    minutes: int, sqlite_sessions: Sessions, tmp_path: Path
) -> None:
    sent: list[OutgoingDocument] = []

    class Recording:
        def send(self, document: OutgoingDocument) -> Outcome:
            sent.append(document)
            return Sent()

    pacs = {"kind": "c-store", "name": "pacs", "host": "127.0.0.1", "port": 1, "ae_title": "PACS", "formats": ["cad"]}
    site = a_site(sqlite_sessions, tmp_path, [pacs])
    number, draft = a_study(site)
    spot = site.settings.images / "spot.dcm"
    with site.sessions.begin() as session:
        image = session.scalars(select(InstanceRow).limit(1)).one()
        changed(site.settings.images / image.path, spot, SOPInstanceUID="1.2.9", PatientOrientation=["P", "F"])
        of_it = {column: getattr(image, column) for column in ("sop_class_uid", "transfer_syntax_uid", "size")}
        late = DRAFTED + datetime.timedelta(minutes=minutes)
        row = InstanceRow(study_id=number, sop_instance_uid="1.2.9", series_instance_uid="1.2", **of_it)
        row.path, row.sha256, row.received_at = "spot.dcm", "0" * 64, late
        session.execute(update(InstanceRow).values(received_at=DRAFTED))
        session.add(row)
    publish(site, number, draft, Status.DRAFT, Status.FINAL)
    lease = queue.take(site.sessions, [JobKind.DELIVER], "w", site.settings.jobs)
    assert lease is not None
    Deliverer(site.settings, site.sessions, Storage(site.settings.images), lambda *_: Recording()).deliver(lease)
    (summary,) = values(pydicom.dcmread(io.BytesIO(sent[0].content)), "Summary of Detections")
    assert summary == ("Partially Succeeded" if minutes < 0 else "Succeeded")  # what arrived since is of a later draft
