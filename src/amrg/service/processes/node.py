"""The process that others talk to: the DICOM node and the HTTP API."""

from __future__ import annotations

import logging
import socket
import threading

import uvicorn
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from amrg.service.api.app import create_app
from amrg.service.database.engine import reading
from amrg.service.database.tables import InstanceRow
from amrg.service.node.server import Node, NodeError
from amrg.service.settings import Settings
from amrg.service.storage import Storage

log = logging.getLogger(__name__)


def run_service(settings: Settings, sessions: sessionmaker[Session], stop: threading.Event) -> None:
    """Receive until stopped.

    Raises:
        NodeError: a port is taken, or a certificate cannot be used.
    """
    storage = Storage(settings.images, settings.dicom.object_megabytes * 2**20, settings.reserve_megabytes * 2**20)
    node = Node(settings, sessions, storage)
    half = storage.clear_incoming()
    orphans = storage.remove_orphans(lambda: _paths(sessions))
    if half or orphans:
        log.info("removed %d half received files and %d that no row points to", half, orphans)
    api = Api(settings)
    node.start()
    api.start()
    log.info("DICOM node %s on %s port %d", settings.dicom.ae_title, settings.dicom.host, node.port)
    log.info("HTTP API on %s port %d", settings.http.host, settings.http.port)
    while not stop.wait(1):
        if not api.is_alive():
            raise NodeError("the HTTP API ended")
    api.stop()
    node.stop()


def _paths(sessions: sessionmaker[Session]) -> list[str]:
    """Where the files of all rows are."""
    with reading(sessions) as session:
        return list(session.scalars(select(InstanceRow.path)))


class Api(threading.Thread):
    """The HTTP API, in a thread of the node's process."""

    def __init__(self, settings: Settings) -> None:
        """Bind its port.

        Raises:
            NodeError: the port is taken, or the certificate cannot be used.
        """
        super().__init__(name="http-api", daemon=True)
        http = settings.http
        try:
            self._socket = socket.create_server((http.host, http.port), backlog=256)
            config = uvicorn.Config(
                create_app(settings),
                log_config=None,
                access_log=False,
                ssl_certfile=http.tls_certificate,
                ssl_keyfile=http.tls_key,
                timeout_graceful_shutdown=20,
                server_header=False,
            )
            config.load()
        except OSError as error:
            raise NodeError(
                f"HTTP API: {http.host} port {http.port}: {error.strerror or error}; "
                "choose another port, or end what uses it, and check the certificate's files"
            ) from error
        self._server = uvicorn.Server(config)

    def run(self) -> None:
        """Answer requests until stopped."""
        self._server.run(sockets=[self._socket])

    def stop(self) -> None:
        """Let the requests that have begun end, and answer no more."""
        self._server.should_exit = True
        self.join(30)
