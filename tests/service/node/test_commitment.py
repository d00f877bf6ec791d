from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE, evt
from pynetdicom.sop_class import StorageCommitmentPushModel, StorageCommitmentPushModelInstance
from sqlalchemy import select

from amrg.service import queue
from amrg.service.database.engine import reading
from amrg.service.database.tables import JobKind, JobRow, JobState
from amrg.service.processes.job_loop import JobLoop
from amrg.service.processes.partners import Partners
from amrg.service.settings import DicomSettings, JobSettings, Sender
from tests.service.databases import free_port
from tests.service.nodes import RunningNode, draw_study, running_node
from tests.service.orthanc import orthanc_server

JOBS = JobSettings(lease_seconds=600, partner_attempts=3, backoff_seconds=0)


@dataclass
class Station:
    """A modality: asks for commitment, and listens for the report on its own port."""

    port: int
    reports: list[tuple[int, Dataset]] = field(default_factory=list)

    def ask(self, node: RunningNode, information: Dataset, calling: str = "STATION") -> int:
        entity = AE(calling)
        entity.add_requested_context(StorageCommitmentPushModel)
        association = entity.associate("127.0.0.1", node.node.port, ae_title="AMRG")
        status, _ = association.send_n_action(
            information, 1, StorageCommitmentPushModel, StorageCommitmentPushModelInstance
        )
        association.release()
        return int(status.Status)

    def listen(self) -> object:
        entity = AE("STATION")
        entity.add_supported_context(StorageCommitmentPushModel, scu_role=False, scp_role=True)

        def report(event: evt.Event) -> tuple[int, None]:
            self.reports.append((event.event_type, event.event_information))
            return 0, None

        return entity.start_server(
            ("127.0.0.1", self.port), block=False, evt_handlers=[(evt.EVT_N_EVENT_REPORT, report)]
        )


def request(references: list[tuple[str, str]], uid: str = "1.2.3.99") -> Dataset:
    information = Dataset()
    information.TransactionUID = uid
    information.ReferencedSOPSequence = []
    for kind, instance in references:
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = kind, instance
        information.ReferencedSOPSequence.append(item)
    return information


@pytest.fixture
def station() -> Station:
    return Station(free_port())


@pytest.fixture
def node(tmp_path: Path, station: Station) -> Iterator[RunningNode]:
    dicom = DicomSettings(senders=(Sender(ae_title="STATION", port=station.port), Sender(ae_title="UNKNOWN")))
    with running_node(tmp_path / "node", dicom) as running:
        running.send(*draw_study(tmp_path / "study"))
        yield running


def report(node: RunningNode) -> JobState:
    """The partner worker does the job that waits."""
    partners = Partners(node.settings, node.sessions, node.storage)
    loop = JobLoop(node.sessions, "partners", {JobKind.COMMITMENT: partners.report}, JOBS, threading.Event())
    lease = queue.take(node.sessions, loop.handlers, "partners", JOBS)
    assert lease is not None
    loop.do(lease)
    with reading(node.sessions) as session:
        return session.scalars(select(JobRow.state).where(JobRow.id == lease.job_id)).one()


def known(node: RunningNode) -> list[tuple[str, str]]:
    return [(image.sop_class_uid, image.sop_instance_uid) for image in node.images()]


# pynetdicom leaves the socket of a connection that was refused to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_what_is_stored_is_committed_on_a_new_association(node: RunningNode, station: Station) -> None:
    assert station.ask(node, request(known(node))) == 0x0000
    assert report(node) is JobState.WAITING  # its listener is down
    server = station.listen()
    assert report(node) is JobState.DONE
    assert station.ask(node, request(known(node))) == 0x0000  # the same again: the same answer
    assert report(node) is JobState.DONE
    server.shutdown()  # type: ignore[attr-defined]
    assert [kind for kind, _ in station.reports] == [1, 1]
    for _, information in station.reports:
        assert information.TransactionUID == "1.2.3.99"
        assert len(information.ReferencedSOPSequence) == 4
        assert "FailedSOPSequence" not in information


def test_what_is_not_stored_is_named_with_its_reason(node: RunningNode, station: Station) -> None:
    (a, b, c, d), lost = known(node), "1.2.3.4"
    node.storage.path_of(node.images()[2].path).unlink()
    whole = node.storage.path_of(node.images()[3].path)
    whole.write_bytes(whole.read_bytes()[:-2] + b"xx")
    wrong_class = "1.2.840.10008.5.1.4.1.1.7"
    assert station.ask(node, request([a, (wrong_class, b[1]), c, d, (a[0], lost)])) == 0x0000
    server = station.listen()
    report(node)
    server.shutdown()  # type: ignore[attr-defined]
    ((kind, information),) = station.reports
    assert kind == 2
    assert [item.ReferencedSOPInstanceUID for item in information.ReferencedSOPSequence] == [a[1]]
    failed = {item.ReferencedSOPInstanceUID: item.FailureReason for item in information.FailedSOPSequence}
    assert failed == {b[1]: 0x0119, c[1]: 0x0110, d[1]: 0x0110, lost: 0x0112}


def test_requests_that_cannot_be_answered_are_refused(node: RunningNode, station: Station) -> None:
    assert station.ask(node, request([])) == 0x0115
    empty = Dataset()
    empty.TransactionUID = "1.2.3.98"
    assert station.ask(node, empty) == 0x0115
    assert station.ask(node, request(known(node)), calling="UNKNOWN") == 0x0110


def test_orthanc_asks_for_commitment_and_gets_the_report(tmp_path: Path) -> None:
    port = free_port()
    station = {"AET": "AMRG", "Host": "127.0.0.1", "Port": port, "AllowStorageCommitment": True}
    with orthanc_server(DicomModalities={"amrg": station}) as orthanc:
        dicom = DicomSettings(senders=(Sender(ae_title="ORTHANC", port=orthanc.dicom_port),))
        with running_node(tmp_path / "node", dicom, port=port) as node:
            files = draw_study(tmp_path / "study")
            for file in files:
                httpx.post(f"{orthanc.url}/instances", content=file.read_bytes(), trust_env=False).raise_for_status()
            stored = [one["ID"] for one in orthanc.get("/instances?expand")]
            url = f"{orthanc.url}/modalities/amrg"
            httpx.post(f"{url}/store", json=stored[:3], trust_env=False, timeout=60).raise_for_status()
            asked = httpx.post(f"{url}/storage-commitment", json={"Resources": stored}, trust_env=False, timeout=60)
            path = asked.raise_for_status().json()["Path"]
            assert report(node) is JobState.DONE
            answer = orthanc.get(path)
    assert (answer["Status"], len(answer["Success"])) == ("Failure", 3)
    (failed,) = answer["Failures"]
    assert "was not available" in failed["Description"]  # what Orthanc says of 0112H
