"""Partners that answer as a test says: a receiver of HL7 v2 over MLLP, and a web server."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answers = Callable[[str], list[bytes] | None]
"""The parts that are sent after a message of a control id; None keeps silent until the sender ends the connection."""


def framed(answer: str) -> bytes:
    return b"\x0b" + answer.encode() + b"\x1c\x0d"


def ack(control_id: str, code: str = "AA", end: str = "\r", more: str = "") -> str:
    return f"MSH|^~\\&|RIS|H|AMRG||20261128||ACK^R01^ACK|1|P|2.5.1{end}MSA|{code}|{control_id}{more}{end}"


@dataclass
class Listener:
    """A receiver of MLLP that keeps what it received."""

    port: int
    answers: Answers
    received: list[bytes] = field(default_factory=list)


@contextmanager
def listener(answers: Answers, tls: ssl.SSLContext | None = None) -> Iterator[Listener]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        running = Listener(server.getsockname()[1], answers)
        thread = threading.Thread(target=_accept, args=(server, running, tls), daemon=True)
        thread.start()
        yield running
        server.shutdown(socket.SHUT_RDWR)
        thread.join(timeout=60)


def _accept(server: socket.socket, running: Listener, tls: ssl.SSLContext | None) -> None:
    while True:
        try:
            connection, _ = server.accept()
        except OSError:
            return
        try:
            if tls is not None:
                connection = tls.wrap_socket(connection, server_side=True)
            _answer(connection, running)
        except OSError:
            pass  # the sender has gone
        finally:
            connection.close()


def _answer(connection: socket.socket, running: Listener) -> None:
    message = b""
    while not message.endswith(b"\x1c\x0d"):
        part = connection.recv(1 << 16)
        if not part:
            return
        message += part
    running.received.append(message)
    parts = running.answers(message.split(b"|", 10)[9].decode())
    if parts is None:
        connection.recv(1)
        return
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for part in parts:
        connection.sendall(part)


@dataclass
class Request:
    """What a web server received."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


Respond = Callable[[Request], tuple[int, bytes]]


@dataclass
class WebServer:
    """A web server that answers as `respond` says and keeps the requests."""

    url: str
    respond: Respond
    requests: list[Request] = field(default_factory=list)


@contextmanager
def web_server(respond: Respond, port: int = 0) -> Iterator[WebServer]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _handle(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(int(headers.get("content-length", "0")))
            request = Request(self.command, self.path, headers, body)
            running.requests.append(request)
            status, content = running.respond(request)
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = _handle  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:
            """No log."""

    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        running = WebServer(f"http://127.0.0.1:{server.server_address[1]}", respond)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield running
        server.shutdown()
        thread.join(timeout=60)
