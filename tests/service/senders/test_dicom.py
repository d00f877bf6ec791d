"""C-STORE and STOW-RS with Orthanc, with dcmtk's storescp, and with services that answer as a test says."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom.uid import BasicTextSRStorage, MammographyCADSRStorage
from pynetdicom import AE, evt

from amrg.birads import Status
from amrg.delivery.dicom.text import text_sr
from amrg.service.senders import CStoreSender, Outcome, OutgoingDocument, Parked, Retry, Sent, StowSender
from amrg.service.senders.cstore import outcome_of_status
from tests.delivery.dicom.partners import read_back
from tests.delivery.exams import a_source, a_version
from tests.service.databases import free_port
from tests.service.orthanc import Orthanc, orthanc_server
from tests.service.senders.partners import Request, web_server

# pynetdicom leaves the socket of a refused connection to be freed with its object.
refused_connections = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


def a_document(status: Status = Status.FINAL) -> OutgoingDocument:
    content = text_sr(a_version(status), a_source())
    return OutgoingDocument(str(read_back(content).SOPInstanceUID), content)


def when_answered(sender: CStoreSender, document: OutgoingDocument) -> Outcome:
    """The first outcome with an answer: the station may not listen yet, or close before its rejection is read."""
    while (outcome := sender.send(document)) == Retry("no association"):
        time.sleep(0.1)
    return outcome


@pytest.fixture(scope="module")
def orthanc() -> Iterator[Orthanc]:
    with orthanc_server() as running:
        yield running


@pytest.mark.parametrize("way", ["c-store", "stow"])
def test_orthanc_has_the_object_once_however_often_it_is_sent(orthanc: Orthanc, way: str) -> None:
    orthanc.clear()
    document = a_document()
    sender = (
        StowSender(orthanc.web, 60)
        if way == "stow"
        else CStoreSender("127.0.0.1", orthanc.dicom_port, orthanc.ae_title, deadline_seconds=60)
    )
    assert [sender.send(document) for _ in range(2)] == [Sent(), Sent()]
    assert orthanc.instances() == [document.uid]
    stored, sent = read_back(orthanc.file(document.uid)), read_back(document.content)
    assert stored == sent
    assert len(orthanc.get("/patients")) == len(orthanc.get("/studies")) == 1


def test_a_station_that_does_not_know_its_title_rejects_for_good(orthanc: Orthanc) -> None:
    sender = CStoreSender("127.0.0.1", orthanc.dicom_port, "OTHER", deadline_seconds=60)
    assert when_answered(sender, a_document()) == Parked("association rejected: Called AE title not recognised")


@pytest.fixture
def station() -> Iterator[AE]:
    """A station of pynetdicom; a test says what it takes."""
    ae = AE(ae_title="STATION")
    yield ae
    ae.shutdown()


def serve(station: AE, status: int | None) -> tuple[CStoreSender, list[str]]:
    """A sender to the station, and what happens there in its order; without a status it aborts."""
    happened: list[str] = []

    def store(event: evt.Event) -> int:
        happened.append("stored")
        if status is None:
            event.assoc.abort()
        return 0x0110 if status is None else status

    handlers = [
        (evt.EVT_C_STORE, store),
        (evt.EVT_RELEASED, lambda _: happened.append("released")),
        (evt.EVT_ABORTED, lambda _: happened.append("aborted")),
    ]
    server = station.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
    assert server is not None
    return CStoreSender("127.0.0.1", server.server_address[1], "STATION", deadline_seconds=60), happened


STORED = {0x0000: Sent(), 0xB000: Sent(), 0xB007: Sent()}
PASSING = {0xA700: Retry("status A700H, out of resources"), 0x0110: Retry("status 0110H, processing failure")}
REFUSED = {code: Parked(f"status {code:04X}H") for code in (0xA900, 0xC000, 0x0122, 0x0124)}


@pytest.mark.parametrize(("status", "outcome"), {**STORED, **PASSING, **REFUSED}.items())
def test_the_status_decides(status: int, outcome: Outcome) -> None:
    assert outcome_of_status(status) == outcome


def test_the_association_is_released_whatever_the_status(station: AE) -> None:
    station.add_supported_context(BasicTextSRStorage)
    sender, happened = serve(station, 0xA700)
    assert isinstance(sender.send(a_document()), Retry)
    station.shutdown()
    assert happened == ["stored", "released"]


def test_only_what_is_sent_is_proposed_and_a_refusal_is_of_that_object_alone(station: AE) -> None:
    station.add_supported_context(MammographyCADSRStorage)
    sender, happened = serve(station, 0x0000)
    assert sender.send(a_document()) == Parked("the station does not take Basic Text SR Storage")
    station.shutdown()
    assert set(happened) == {"aborted"}  # by pynetdicom, before anything was sent


@refused_connections
def test_an_association_that_is_cut_is_tried_again(station: AE) -> None:
    station.add_supported_context(BasicTextSRStorage)
    sender, _ = serve(station, None)
    assert sender.send(a_document()) == Retry("no answer to C-STORE")
    assert CStoreSender("127.0.0.1", free_port(), "STATION", deadline_seconds=60).send(a_document()) == Retry(
        "no association"
    )


def test_a_full_station_takes_it_later(station: AE) -> None:
    station.add_supported_context(BasicTextSRStorage)
    station.maximum_associations = 1
    sender, _ = serve(station, 0x0000)
    other = AE()
    other.add_requested_context(BasicTextSRStorage)
    taken = other.associate("127.0.0.1", sender.port, ae_title="STATION")
    assert sender.send(a_document()) == Retry("association rejected for now: Local limit exceeded")
    taken.release()
    other.shutdown()


@refused_connections
def test_dcmtk_stores_it(tmp_path: Path) -> None:
    program = shutil.which("storescp")
    if program is None:
        pytest.skip("storescp is not installed (Debian package dcmtk)")
    port, document = free_port(), a_document()
    process = subprocess.Popen([program, "-q", "-aet", "STATION", "-od", str(tmp_path), "-fe", ".dcm", str(port)])
    try:
        sender = CStoreSender("127.0.0.1", port, "STATION", deadline_seconds=60)
        assert when_answered(sender, document) == Sent()
    finally:
        process.terminate()
        process.wait()
    (file,) = tmp_path.glob("*.dcm")
    assert read_back(file.read_bytes()).SOPInstanceUID == document.uid


def dicom_json(tag: str, *instances: tuple[str, int | None]) -> bytes:
    """A STOW-RS answer that names instances in one sequence, with the reason of those that failed."""
    items = [
        {"00081155": {"vr": "UI", "Value": [uid]}}
        | ({} if reason is None else {"00081197": {"vr": "US", "Value": [reason]}})
        for uid, reason in instances
    ]
    return json.dumps({tag: {"vr": "SQ", "Value": items}}).encode()


REFERENCED, FAILED = "00081199", "00081198"
UID = a_document().uid
ANSWERS: dict[str, tuple[int, bytes, Outcome]] = {
    "stored": (200, dicom_json(REFERENCED, (UID, None)), Sent()),
    "stored, in a list": (200, b"[" + dicom_json(REFERENCED, (UID, None)) + b"]", Sent()),
    "stored, others failed": (202, dicom_json(REFERENCED, (UID, None)), Sent()),
    "empty": (200, b"", Retry("HTTP 200, and the object is not there")),
    "another one": (200, dicom_json(REFERENCED, ("1.2", None)), Retry("HTTP 200, and the object is not there")),
    "XML": (200, b"<NativeDicomModel/>", Retry("HTTP 200, and the object is not there")),
    "failed, no room": (202, dicom_json(FAILED, (UID, 0xA700)), Retry("status A700H, out of resources")),
    "none stored": (409, dicom_json(FAILED, (UID, 0x0122)), Parked("status 0122H")),
    "none stored, no reason": (409, dicom_json(FAILED, (UID, None)), Retry("status 0110H, processing failure")),
    "busy": (503, b"", Retry("HTTP 503")),
    "not allowed": (403, b"", Parked("HTTP 403")),
    "moved": (302, b"", Parked("HTTP 302")),
}


@pytest.mark.parametrize(("status", "body", "outcome"), ANSWERS.values(), ids=ANSWERS)
def test_an_object_is_stored_when_the_answer_names_it(status: int, body: bytes, outcome: Outcome) -> None:
    with web_server(lambda r: (status, body) if r.method == "POST" else (200, b"[]")) as service:
        assert StowSender(service.url, 60, token="secret").send(a_document()) == outcome
        (posted, *_) = service.requests
    assert posted.path == "/studies"
    assert posted.headers["authorization"] == "Bearer secret"
    assert posted.headers["content-type"].startswith('multipart/related; type="application/dicom"; boundary=')
    assert "transfer-encoding" not in posted.headers
    assert int(posted.headers["content-length"]) == len(posted.body)


def test_an_object_that_a_query_finds_is_stored() -> None:
    def respond(request: Request) -> tuple[int, bytes]:
        if request.method == "POST":
            return 200, b""
        return 200, json.dumps([{"00080018": {"vr": "UI", "Value": [UID]}}]).encode()

    with web_server(respond) as service:
        assert StowSender(service.url, 60).send(a_document()) == Sent()
        assert service.requests[-1].path == f"/instances?SOPInstanceUID={UID}"


def test_no_service() -> None:
    assert StowSender(f"http://127.0.0.1:{free_port()}", 60).send(a_document()) == Retry("no answer: ConnectError")
