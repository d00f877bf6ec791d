"""Sources over TLS: only the one whose certificate the site trusts is asked, by C-FIND and by DICOMweb."""

from __future__ import annotations

import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE, evt
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelFind

from amrg.service.database.engine import open_database
from amrg.service.pulling.asking import NotPulled, StudyQuery
from amrg.service.pulling.dimse import DicomPartner
from amrg.service.pulling.web import WebPartner
from amrg.service.senders.tls import client_context
from amrg.service.settings import DicomSource, WebSource
from amrg.service.storage import Storage
from tests.service.certificates import certificate

# pynetdicom leaves the socket of a connection that failed to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
QUERY = StudyQuery(study_instance_uid="1.2.3")


def find(_event: evt.Event) -> object:
    found = Dataset()
    found.QueryRetrieveLevel, found.StudyInstanceUID = "STUDY", "1.2.3"
    yield 0xFF00, found


def test_a_dicom_source_is_the_one_of_its_certificate(tmp_path: Path) -> None:
    file, context = certificate(tmp_path)
    station = AE("PACS")
    station.add_supported_context(StudyRootQueryRetrieveInformationModelFind)
    handlers = [(evt.EVT_C_FIND, find)]
    server = station.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers, ssl_context=context)
    assert server is not None
    try:
        port = server.socket.getsockname()[1]
        source = DicomSource(name="pacs", kind="dicom", host="127.0.0.1", port=port, ae_title="PACS")
        (found,) = DicomPartner(source, "AMRG", client_context(file)).find(QUERY)
        assert found.study_instance_uid == "1.2.3"
        for tls in (client_context(None), None):  # an unknown authority; no TLS at all
            with pytest.raises(NotPulled, match="no association"):
                DicomPartner(source.model_copy(update={"deadline_seconds": 2}), "AMRG", tls).find(QUERY)
    finally:
        server.shutdown()


class Web(BaseHTTPRequestHandler):
    """Answers every query with one study."""

    def do_GET(self) -> None:
        content = b'[{"0020000D": {"vr": "UI", "Value": ["1.2.3"]}}]'
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """No log."""


class WebServer(ThreadingHTTPServer):
    """A server that says nothing of a stranger's failed handshake."""

    def handle_error(self, *_: object) -> None:
        """No traceback."""


def test_a_dicomweb_source_is_the_one_of_its_certificate(tmp_path: Path) -> None:
    file, context = certificate(tmp_path)
    sessions = open_database(f"sqlite:///{tmp_path / 'amrg.sqlite3'}")

    def partner(tls: ssl.SSLContext | None) -> WebPartner:
        source = WebSource.model_validate({"name": "vna", "kind": "dicomweb", "url": url})
        return WebPartner(source, sessions, Storage(tmp_path / "images"), tls)

    with WebServer(("127.0.0.1", 0), Web) as server:
        # Shaking hands is the handler's: a stranger's failed handshake leaves no socket behind.
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        url = f"https://127.0.0.1:{server.server_address[1]}"
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        assert [one.study_instance_uid for one in partner(client_context(file)).find(QUERY)] == ["1.2.3"]
        with pytest.raises(NotPulled):
            partner(None).find(QUERY)
        server.shutdown()
