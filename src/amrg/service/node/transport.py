"""Connections of the node, with a bound on everything that a stranger decides: bytes, time, number, and their end.

pynetdicom reads as many bytes as a peer announces, waits for them without end, shakes hands for TLS in the thread that
accepts, and may leave the socket of an aborted association open (pynetdicom 806, 979, 1086). Here every connection has
a thread that opens it, waits for its end and closes what is left.
"""

from __future__ import annotations

import logging
import socket
import ssl
import threading
import time
from collections import Counter
from typing import Any

from pynetdicom.association import Association
from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.pdu_primitives import P_DATA
from pynetdicom.transport import AssociationSocket, RequestHandler, ThreadedAssociationServer

log = logging.getLogger(__name__)

MAX_PDU = 2**17
"""The largest P-DATA that the node asks for, PS3.8 D.1."""
_LARGEST_PDU = 2**20  # no A-ASSOCIATE-RQ is near this; what is larger is no DICOM
_LARGEST_MESSAGE = 2**24  # command sets and data sets that are kept in memory: all but C-STORE
_CHUNK = 2**18
_SPARE = 32  # connections beyond the associations allowed, so that these can be refused in DICOM's words


class BoundedSocket(AssociationSocket):
    """A socket that reads no more than a PDU may have, and waits no longer than `seconds` for all of it."""

    seconds: float = 60

    def recv(self, nr_bytes: int) -> bytearray:
        """Read that many bytes; fewer where the peer closed.

        Raises:
            OSError: more than a PDU may have, or not there in time. The connection is closed.
        """
        if nr_bytes > _LARGEST_PDU:
            log.warning("connection from %s closed: it announced a PDU of %d bytes", self._peer(), nr_bytes)
            self.close()
            raise ConnectionAbortedError("PDU too long")
        received, deadline = bytearray(nr_bytes), time.monotonic() + self.seconds
        view, count = memoryview(received), 0
        while count < nr_bytes:
            if self.socket is None or time.monotonic() > deadline:
                self.close()
                raise TimeoutError("the rest of a PDU did not arrive")
            read = self.socket.recv_into(view[count : count + _CHUNK])
            if not read:
                break
            count += read
        view.release()
        return received[:count]

    def _peer(self) -> str:
        try:
            return str(self.socket.getpeername()[0]) if self.socket is not None else "unknown"
        except OSError:
            return "unknown"


class GuardedDimse(DIMSEServiceProvider):
    """Messages of one association: one that is malformed or too long ends the association, and nothing else."""

    message: Any

    def receive_primitive(self, primitive: P_DATA) -> None:
        """Add a fragment to the message that is being received."""
        try:
            super().receive_primitive(primitive)
        except Exception as error:  # pynetdicom's decoders raise what their parts raise on broken bytes
            self._end(f"malformed message ({type(error).__name__})")
            return
        message = self.message
        if message is not None and not message._data_set_file:
            length = message.encoded_command_set.tell() + (message.data_set.tell() if message.data_set else 0)
            if length > _LARGEST_MESSAGE:
                self._end("message too long")

    def _end(self, why: str) -> None:
        log.warning("association with %s ended: %s", self.assoc.requestor.address, why)
        self.drop()
        self.dul.event_queue.put("Evt19")

    def drop(self) -> None:
        """Forget the message that is being received, with its file."""
        message, self.message = self.message, None
        if message is not None and message._data_set_file:
            message._data_set_file.discard()


class Connection(RequestHandler):
    """One connection, from TLS to the closed socket, in a thread of its own."""

    server: NodeServer
    request: Any

    def setup(self) -> None:
        """Set the deadlines, and shake hands where TLS is used."""
        self.request.settimeout(self.server.idle_seconds)
        self.request.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if self.server.tls is not None:
            self.request = self.server.tls.wrap_socket(self.request, server_side=True)

    def handle(self) -> None:
        """Serve the association until it ends."""
        association = self._create_association()
        association.start()
        association.join()
        association.dimse.drop()

    def finish(self) -> None:
        """Close the socket, however the association ended."""
        try:
            self.request.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        finally:
            self.request.close()

    def _create_association(self) -> Association:
        association = super()._create_association()
        connected = association.dul.socket
        connected.__class__ = BoundedSocket  # a second socket would announce the connection twice
        connected.seconds = self.server.idle_seconds
        association.dimse = GuardedDimse(association)
        return association


class NodeServer(ThreadedAssociationServer):
    """Accepts connections, up to a number in all and a number an address."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    idle_seconds: float = 60
    most: int = 64
    tls: ssl.SSLContext | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._connected: Counter[str] = Counter()
        self._count_lock = threading.Lock()
        super().__init__(*args, request_handler=Connection, **kwargs)

    @property
    def connections(self) -> int:
        """How many connections are open."""
        with self._count_lock:
            return self._connected.total()

    def verify_request(self, _request: object, client_address: Any) -> bool:
        """Whether there is a place for a connection; what is refused is closed without an answer."""
        with self._count_lock:
            if self._connected.total() < self.most + _SPARE:
                return True
        log.warning("connection from %s closed: %d are open", client_address[0], self.most + _SPARE)
        return False

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """One connection, counted while it is open. Never raises."""
        with self._count_lock:
            self._connected[client_address[0]] += 1
        try:
            self.finish_request(request, client_address)
        except Exception as error:
            log.warning("connection from %s closed: %s", client_address[0], type(error).__name__)
        finally:
            self.shutdown_request(request)
            with self._count_lock:
                self._connected[client_address[0]] -= 1
                self._connected += Counter()  # addresses without a connection are forgotten

    def handle_error(self, _request: object, client_address: Any) -> None:
        """A line instead of a traceback on stderr."""
        log.warning("connection from %s closed after an error", client_address[0])
