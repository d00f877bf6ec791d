from __future__ import annotations

import json
import socket
import threading

import pytest

from amrg.service.senders import FhirSender, Outcome, OutgoingDocument, Parked, Retry, Sent
from tests.service.databases import free_port
from tests.service.senders.partners import web_server

DOCUMENT = OutgoingDocument("report-1", b'{"resourceType": "Bundle", "type": "transaction", "entry": [{}, {}]}')


def response(*statuses: str) -> bytes:
    entries = [{"response": {"status": status}} for status in statuses]
    return json.dumps({"resourceType": "Bundle", "type": "transaction-response", "entry": entries}).encode()


def outcome_of(*codes: str) -> bytes:
    issues = [{"severity": "error", "code": code, "diagnostics": "a patient's name"} for code in codes]
    return json.dumps({"resourceType": "OperationOutcome", "issue": issues}).encode()


ANSWERS: dict[str, tuple[int, bytes, Outcome]] = {
    "stored": (200, response("201 Created", "200 OK"), Sent()),
    "an entry was not": (200, response("201 Created", "412"), Parked("entries were not stored: 412")),
    "an entry is missing": (200, response("200 OK"), Parked("entries were not stored: the answer has 1 of 2")),
    "entries of another kind": (
        200,
        b'{"resourceType": "Bundle", "type": "transaction-response", "entry": [null, {"response": null}]}',
        Parked("entries were not stored: no status, no status"),
    ),
    "entries that are no list": (
        200,
        b'{"resourceType": "Bundle", "type": "transaction-response", "entry": 2}',
        Parked("entries were not stored: the answer has none"),
    ),
    "no entries": (200, response(), Parked("entries were not stored: the answer has none")),
    "another answer": (200, b'{"resourceType": "Patient"}', Retry("the answer is no transaction-response")),
    "a page of a proxy": (200, b"<html>", Retry("the answer is no transaction-response")),
    "invalid": (422, outcome_of("invalid", "code-invalid"), Parked("HTTP 422 (invalid, code-invalid)")),
    "several match": (412, outcome_of("multiple-matches"), Parked("HTTP 412 (multiple-matches)")),
    "not allowed": (401, b"", Parked("HTTP 401")),
    "another writer": (409, b"", Retry("HTTP 409")),
    "too many": (429, b"", Retry("HTTP 429")),
    "down": (503, b"", Retry("HTTP 503")),
    "fault": (500, outcome_of("exception"), Retry("HTTP 500 (exception)")),
    "no transactions": (501, b"", Parked("HTTP 501")),
    "moved": (307, b"", Parked("HTTP 307")),
}


@pytest.mark.parametrize(("status", "body", "outcome"), ANSWERS.values(), ids=ANSWERS)
def test_a_transaction_is_sent_when_every_entry_was_stored(status: int, body: bytes, outcome: Outcome) -> None:
    with web_server(lambda _: (status, body)) as server:
        assert FhirSender(server.url, 60, token="secret").send(DOCUMENT) == outcome
        (request,) = server.requests
    assert (request.method, request.body) == ("POST", DOCUMENT.content)
    assert request.headers["content-type"] == "application/fhir+json"
    assert request.headers["authorization"] == "Bearer secret"


def test_a_server_that_is_down_and_comes_back_gets_it_then() -> None:
    port = free_port()
    sender = FhirSender(f"http://127.0.0.1:{port}", 60)
    assert sender.send(DOCUMENT) == Retry("no answer: ConnectError")
    with web_server(lambda _: (200, response("201", "200")), port):
        assert sender.send(DOCUMENT) == Sent()


def test_a_server_that_keeps_silent_is_given_up() -> None:
    free = threading.Event()

    def hang(_: object) -> tuple[int, bytes]:
        free.wait(60)
        return 200, b""

    with web_server(hang) as server:
        outcome = FhirSender(server.url, 0.3).send(DOCUMENT)
        free.set()
    assert outcome == Retry("no answer in time")


def test_a_server_that_answers_a_byte_at_a_time_is_given_up_at_the_deadline() -> None:
    """Every byte is in time; all of them are not."""
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(1 << 16)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
                while not stop.wait(0.01):
                    try:
                        connection.sendall(b" ")
                    except OSError:
                        return

        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        assert FhirSender(f"http://127.0.0.1:{server.getsockname()[1]}", 0.5).send(DOCUMENT) == Retry(
            "no answer in time"
        )
        stop.set()
        thread.join(timeout=60)
