from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amrg.service.senders import MllpSender, Outcome, OutgoingDocument, Parked, Retry, Sent
from amrg.service.senders.mllp import END, split_frames
from amrg.service.senders.tls import client_context
from tests.service.certificates import certificate
from tests.service.databases import free_port
from tests.service.senders.partners import Answers, ack, framed, listener

CONTENT = b"MSH|^~\\&|AMRG||RIS||20261128||ORU^R01^ORU_R01|%b|P|2.5.1\rPID|1\r"
SHORT = 0.4
LONG = 60.0


def document(control_id: str = "Aa1") -> OutgoingDocument:
    return OutgoingDocument(control_id, CONTENT % control_id.encode())


def send(answers: Answers, seconds: float = LONG) -> Outcome:
    with listener(answers) as receiver:
        outcome = MllpSender("127.0.0.1", receiver.port, seconds).send(document())
        assert receiver.received == [b"\x0b" + CONTENT % b"Aa1" + b"\x1c\x0d"]
    return outcome


ACCEPTED: dict[str, Answers] = {
    "accepted": lambda i: [framed(ack(i))],
    "commit accepted": lambda i: [framed(ack(i, "CA"))],
    "byte by byte": lambda i: [bytes([b]) for b in framed(ack(i))],
    "after the answer to another message, in one packet": lambda i: [framed(ack("M0", "AR")) + framed(ack(i))],
    "after another kind of message": lambda i: [framed(CONTENT.decode()), framed(ack(i))],
    "after noise": lambda i: [b"\x00\r\n" + framed(ack(i))],
    "no last segment end": lambda i: [framed(ack(i).rstrip("\r"))],
    "line feeds": lambda i: [framed(ack(i, end="\n"))],
    "CR LF": lambda i: [framed(ack(i, end="\r\n"))],
    "empty segments": lambda i: [framed(ack(i, end="\r\r"))],
}


@pytest.mark.parametrize("answers", ACCEPTED.values(), ids=ACCEPTED)
def test_a_message_is_sent_when_its_own_acknowledgment_accepts_it(answers: Answers) -> None:
    assert send(answers) == Sent()


NOT_ACKNOWLEDGED: dict[str, tuple[Answers, str]] = {
    "of another message": (lambda _: [framed(ack("M0"))], "1 answers were about other messages"),
    "of no message": (lambda _: [framed(ack(""))], "1 answers were about other messages"),
    "in lower case": (lambda i: [framed(ack(i.lower()))], "1 answers were about other messages"),
    "no frame": (lambda i: [ack(i).encode()], "outside of an MLLP frame"),
    "half a frame": (lambda i: [framed(ack(i))[:-2]], "begun and not ended"),
    "only 0x1C": (lambda i: [framed(ack(i))[:-1]], "begun and not ended"),
    "only 0x0B": (lambda _: [b"\x0b"], "begun and not ended"),
    "closed": (lambda _: [], "nothing came"),
    "error": (lambda i: [framed(ack(i, "AE"))], "error of the receiver (AE)"),
    "record locked": (lambda i: [framed(ack(i, "AE", more="||||206"))], "error of the receiver (AE, error 206)"),
    "commit error": (lambda i: [framed(ack(i, "CE"))], "error of the receiver (CE)"),
    "no code": (lambda i: [framed(ack(i, ""))], "without a known code"),
}


@pytest.mark.parametrize(("answers", "why"), NOT_ACKNOWLEDGED.values(), ids=NOT_ACKNOWLEDGED)
def test_a_message_without_an_acknowledgment_of_its_own_is_sent_again(answers: Answers, why: str) -> None:
    outcome = send(answers)
    assert isinstance(outcome, Retry)
    assert why in outcome.reason


@pytest.mark.parametrize("code", ["AR", "CR"])
def test_a_rejected_message_is_parked(code: str) -> None:
    assert send(lambda i: [framed(ack(i, code, more="|name of a patient|||207"))]) == Parked(
        f"rejected by the receiver ({code}, error 207)"
    )


def test_a_receiver_that_keeps_silent_is_given_up_at_the_deadline() -> None:
    assert send(lambda _: None, SHORT) == Retry("no answer within 0.4 s: nothing came")


def test_a_late_acknowledgment_of_one_message_is_none_of_the_next() -> None:
    """Nothing for the first; when the second arrives, the first is acknowledged and the receiver dies."""
    answers: dict[str, list[bytes] | None] = {"first": None, "second": [framed(ack("first"))]}
    with listener(lambda i: answers[i]) as receiver:
        assert isinstance(MllpSender("127.0.0.1", receiver.port, SHORT).send(document("first")), Retry)
        assert isinstance(MllpSender("127.0.0.1", receiver.port, LONG).send(document("second")), Retry)


def test_no_receiver() -> None:
    outcome = MllpSender("127.0.0.1", free_port(), LONG).send(document())
    assert outcome == Retry("no connection: Connection refused")


@given(st.lists(st.binary(max_size=20).filter(lambda b: not set(b) & set(b"\x0b\x1c\x0d")), max_size=4), st.data())
def test_frames_are_found_however_the_bytes_are_cut(contents: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(b"\x0b" + content + END for content in contents)
    frames: list[bytes] = []
    rest = b""
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        found, rest = split_frames(rest + stream[:size])
        frames += found
        stream = stream[size:]
    assert (frames, rest) == (contents, b"")


def test_over_tls_the_receiver_must_be_the_one_of_the_certificate(tmp_path: Path) -> None:
    file, context = certificate(tmp_path)
    with listener(lambda i: [framed(ack(i))], context) as receiver:
        assert MllpSender("127.0.0.1", receiver.port, LONG, client_context(file)).send(document()) == Sent()
        stranger = MllpSender("127.0.0.1", receiver.port, LONG, client_context(None)).send(document())
    assert stranger == Retry("no connection: TLS: CERTIFICATE_VERIFY_FAILED")
