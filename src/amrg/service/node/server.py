"""The node's SCPs: C-ECHO, C-STORE and storage commitment, for the stations that the settings name."""

from __future__ import annotations

import ipaddress
import logging
import ssl
import threading
from collections import Counter
from typing import Any

from pynetdicom import AE, _config, dimse_messages, evt
from pynetdicom.association import Association
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from amrg import __version__
from amrg.core.errors import AmrgError
from amrg.imaging import ImagingError
from amrg.imaging.grouping import is_uid
from amrg.imaging.header import read_header
from amrg.service import queue
from amrg.service.database.engine import reading
from amrg.service.intake import NotReceived, receive, touch
from amrg.service.metrics import ASSOCIATIONS, RECEIVED, REFUSED
from amrg.service.node.accepted import accepted_contexts
from amrg.service.node.commitment import request_commitment
from amrg.service.node.transport import MAX_PDU, NodeServer
from amrg.service.settings import DicomSettings, Sender, Settings
from amrg.service.storage import Spool, Storage, TooLarge
from amrg.service.studies import close_quiet_studies

log = logging.getLogger(__name__)

SUCCESS, OUT_OF_RESOURCES, FAILURE = 0x0000, 0xA700, 0x0110
_CALLING, _CALLED = (1, 1, 3), (1, 1, 7)  # rejected for good: the title is not recognised (PS3.8 9.3.4)
_CONGESTION, _LIMIT = (2, 3, 1), (2, 3, 2)  # rejected for now: temporary congestion, local limit exceeded
_SLOW = 2**16  # bytes after which an object's study can be known while the rest of it arrives
_TICK_SECONDS = 1.0


class NodeError(AmrgError):
    """A node that cannot start: its port is taken, or its certificate cannot be used."""


def quiet_pynetdicom() -> None:
    """Keep what pynetdicom logs of messages, identifiers included, out of every log."""
    _config.LOG_HANDLER_LEVEL = "none"
    _config.LOG_REQUEST_IDENTIFIERS = _config.LOG_RESPONSE_IDENTIFIERS = False
    logging.getLogger("pynetdicom").setLevel(logging.CRITICAL + 1)
    logging.getLogger("pydicom").setLevel(logging.CRITICAL + 1)


class Node:
    """A running node. It also closes studies of which nothing arrives any more."""

    def __init__(self, settings: Settings, sessions: sessionmaker[Session], storage: Storage) -> None:
        """Bind the port.

        Raises:
            NodeError: the port is taken, or TLS cannot be set up.
        """
        self.settings, self.sessions, self.storage = settings, sessions, storage
        self._associations: dict[Association, str] = {}
        self._lock, self._stop = threading.Lock(), threading.Event()
        quiet_pynetdicom()
        _config.STORE_RECV_CHUNKED_DATASET = True
        dimse_messages.NamedTemporaryFile = lambda **_: storage.spool()  # where pynetdicom puts what it receives
        self._server = self._bind(settings.dicom)
        self._threads = [
            threading.Thread(target=self._server.serve_forever, args=(0.2,), name="dicom-node", daemon=True),
            threading.Thread(target=self._tick, name="quiet-studies", daemon=True),
        ]

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self._server.server_address[1])

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return self._server.connections

    def start(self) -> None:
        """Accept associations."""
        for thread in self._threads:
            thread.start()

    def stop(self, seconds: float = 30) -> None:
        """Accept no more, let those that are there end within a time, and abort the rest."""
        self._stop.set()
        self._server.shutdown()
        waited = threading.Event()
        for _ in range(int(seconds * 10)):
            if not self._server.connections:
                break
            waited.wait(0.1)
        with self._lock:
            left = list(self._associations)
        for association in left:
            association.abort()
        for thread in self._threads:
            thread.join(5)

    def _bind(self, dicom: DicomSettings) -> NodeServer:
        entity = AE(dicom.ae_title)
        entity.maximum_pdu_size = MAX_PDU
        entity.maximum_associations = dicom.associations + 10_000  # `_requested` counts them
        entity.network_timeout = entity.dimse_timeout = dicom.idle_seconds
        entity.acse_timeout = min(30.0, dicom.idle_seconds)
        entity.implementation_version_name = f"AMRG_{__version__}"[:16]
        handlers: list[Any] = [
            (evt.EVT_REQUESTED, self._requested),
            (evt.EVT_C_ECHO, lambda _: SUCCESS),
            (evt.EVT_C_STORE, self._store),
            (evt.EVT_N_ACTION, self._commit),
        ]
        try:
            tls = _tls(dicom)
            server: NodeServer = entity.make_server(
                (dicom.host, dicom.port),
                contexts=accepted_contexts(),
                evt_handlers=handlers,
                server_class=NodeServer,
            )
        except OSError as error:
            raise NodeError(
                f"DICOM node: {dicom.host} port {dicom.port}: {error.strerror or error}; "
                "choose another port, or end what uses it, and check the certificate's files"
            ) from error
        server.tls, server.idle_seconds, server.most = tls, dicom.idle_seconds, dicom.associations
        entity._servers.append(server)
        return server

    def _requested(self, event: evt.Event) -> None:
        """Reject an association that may not be, before it is negotiated."""
        association: Association = event.assoc
        primitive = association.requestor.primitive
        calling, called = str(primitive.calling_ae_title).strip(), str(primitive.called_ae_title).strip()
        address = association.requestor.address
        reason = self._refusal(association, calling, called, address)
        ASSOCIATIONS.labels("refused" if reason else "accepted").inc()
        if reason is not None:
            log.warning("association from %s refused: result %d, source %d, reason %d", address, *reason)
            association.acse.send_reject(*reason)
            association.kill()

    def _refusal(
        self, association: Association, calling: str, called: str, address: str
    ) -> tuple[int, int, int] | None:
        dicom = self.settings.dicom
        if called != dicom.ae_title.strip():
            return _CALLED
        if not may_send(dicom.senders, calling, address):
            return _CALLING
        with self._lock:
            self._associations = {a: title for a, title in self._associations.items() if a.is_alive()}
            a_sender = Counter(self._associations.values())[calling]
            if len(self._associations) >= dicom.associations or a_sender >= dicom.associations_a_sender:
                return _LIMIT
            self._associations[association] = calling
        try:
            with reading(self.sessions) as session:
                return _CONGESTION if queue.is_full(session, self.settings.jobs) else None
        except SQLAlchemyError:
            return _CONGESTION

    def _store(self, event: evt.Event) -> int:
        """Answer a C-STORE: 0000 only when file and row are durable."""
        spool: Spool | None = event.request._dataset_file
        if spool is None:
            return FAILURE
        announced = (str(event.request.AffectedSOPClassUID), str(event.request.AffectedSOPInstanceUID))
        try:
            received = receive(self.sessions, self.storage, spool, event.assoc.requestor.ae_title.strip(), announced)
        except NotReceived as error:
            return self._refuse(error.status, str(error))
        except (OSError, TooLarge, SQLAlchemyError) as error:
            return self._refuse(OUT_OF_RESOURCES, "no room" if isinstance(error, OSError) else type(error).__name__)
        except Exception as error:  # whatever it is, the sender keeps its copy
            return self._refuse(FAILURE, type(error).__name__)
        finally:
            self.storage.done(spool)
        RECEIVED.labels("duplicate" if received.duplicate else "new").inc()
        return SUCCESS

    def _refuse(self, status: int, why: str) -> int:
        log.warning("an object was not stored, status %04X: %s", status, why)
        REFUSED.labels(f"{status:04X}").inc()
        return status

    def _commit(self, event: evt.Event) -> tuple[int, None]:
        """Answer a request for storage commitment; the report is a job."""
        try:
            sender = event.assoc.requestor.ae_title.strip()
            return request_commitment(self.sessions, self.settings, sender, event.action_information), None
        except Exception as error:
            return self._refuse(FAILURE, f"storage commitment: {type(error).__name__}"), None

    def _tick(self) -> None:
        """Restart the quiet period of what is arriving, and queue what is complete."""
        while not self._stop.wait(_TICK_SECONDS):
            try:
                for spool in self.storage.receiving():
                    self._touch(spool)
                close_quiet_studies(self.sessions, self.storage, self.settings)
            except (SQLAlchemyError, OSError) as error:
                log.warning("studies are not completed at the moment: %s", type(error).__name__)

    def _touch(self, spool: Spool) -> None:
        if spool.study_instance_uid is None and spool.size > _SLOW:
            try:
                uid = read_header(spool.path).text("StudyInstanceUID")
            except ImagingError:
                return  # its header has not arrived yet
            spool.study_instance_uid = uid if is_uid(uid) else None
        if spool.study_instance_uid is not None and spool.grew():
            touch(self.sessions, spool.study_instance_uid)


def may_send(senders: tuple[Sender, ...], calling: str, address: str) -> bool:
    """Whether a station may send: one that the settings name, or any of this machine where they name none."""
    try:
        where = ipaddress.ip_address(address)
    except ValueError:
        return False
    if not senders:
        return where.is_loopback
    return any(
        sender.ae_title.strip() == calling
        and (not sender.address or where in ipaddress.ip_network(sender.address, strict=False))
        for sender in senders
    )


def _tls(dicom: DicomSettings) -> ssl.SSLContext | None:
    """TLS as BCP 195 wants it (PS3.15 B.9): 1.2 or later; senders need a certificate where `tls_ca` is set.

    Raises:
        OSError: a file is missing or has no certificate or key.
    """
    if dicom.tls_certificate is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(dicom.tls_certificate, dicom.tls_key)
    if dicom.tls_ca is not None:
        context.load_verify_locations(dicom.tls_ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context
