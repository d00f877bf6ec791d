"""Messages of HL7 v2 over MLLP (HL7 "Transport Specification: MLLP, Release 1"), each on a connection of its own.

One connection a message: what a receiver still says about an earlier message cannot be taken for an answer to this one.
Even so an answer counts only where it names the message (MSA-2 is MSH-10).
"""

from __future__ import annotations

import re
import socket
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass

from amrg.service.senders.outcome import Outcome, OutgoingDocument, Parked, Retry, Sent

START, END = b"\x0b", b"\x1c\x0d"
_MOST_BYTES = 1 << 20  # of answers: an acknowledgment has some hundred
_SEGMENT_ENDS = re.compile(r"[\r\n]+")
_ACCEPTED, _ERROR, _REJECTED = ("AA", "CA"), ("AE", "CE"), ("AR", "CR")


@dataclass(frozen=True)
class Acknowledgment:
    """An answer: MSA-1, the control id that it is about (MSA-2), and the error code of ERR-3 or MSA-6, if any."""

    code: str
    control_id: str
    error: str = ""


@dataclass(frozen=True)
class MllpSender:
    """Sends messages to a host and port; `deadline_seconds` is for all of it, from connecting to the answer."""

    host: str
    port: int
    deadline_seconds: float = 30
    tls: ssl.SSLContext | None = None

    def send(self, document: OutgoingDocument) -> Outcome:
        """Send a message and wait for its acknowledgment.

        No answer, or none that can be read, is no acknowledgment: the message is sent again with the same control id.
        """
        clock = _Clock(time.monotonic() + self.deadline_seconds)
        try:
            with self._connected(clock) as connection:
                connection.settimeout(clock.left())
                connection.sendall(START + document.content + END)
                return self._answered(connection, clock, document.uid)
        except TimeoutError:
            return Retry(f"no answer within {self.deadline_seconds:g} s")
        except OSError as error:
            return Retry(f"no connection: {_named(error)}")

    def _connected(self, clock: _Clock) -> socket.socket:
        connection = socket.create_connection((self.host, self.port), timeout=clock.left())
        if self.tls is None:
            return connection
        try:
            connection.settimeout(clock.left())
            return self.tls.wrap_socket(connection, server_hostname=self.host)
        except BaseException:
            connection.close()
            raise

    def _answered(self, connection: socket.socket, clock: _Clock, control_id: str) -> Outcome:
        """Read frames until one acknowledges the message; others are thrown away."""
        received, others = b"", 0
        while len(received) < _MOST_BYTES:
            try:
                connection.settimeout(clock.left())
                part = connection.recv(1 << 16)
            except TimeoutError:
                return Retry(f"no answer within {self.deadline_seconds:g} s: {_why_unanswered(received, others)}")
            if not part:
                return Retry(f"closed without an answer: {_why_unanswered(received, others)}")
            received += part
            frames, received = split_frames(received)
            for frame in frames:
                answer = read_acknowledgment(frame)
                if answer is not None and answer.control_id == control_id:
                    return _outcome(answer)
                others += 1
        return Retry(f"{_MOST_BYTES >> 20} MiB of answer without an acknowledgment")


@dataclass(frozen=True)
class _Clock:
    """A time that everything must be done by."""

    end: float

    def left(self) -> float:
        """Seconds that are left.

        Raises:
            TimeoutError: none are.
        """
        left = self.end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


def split_frames(received: bytes) -> tuple[list[bytes], bytes]:
    """The content of all whole frames, and the rest; what is outside of frames before the last one is dropped."""
    *whole, rest = received.split(END)
    return [part.rpartition(START)[2] for part in whole if START in part], rest


def read_acknowledgment(frame: bytes) -> Acknowledgment | None:
    """The acknowledgment in a frame, or None where it is another message. Any ends of segments are read."""
    segments = list(_segments(frame))
    found = {name: fields for name, *fields in reversed(segments)}
    if not segments or segments[0][0] != "MSH" or "MSA" not in found:
        return None
    answer = [*found["MSA"], *[""] * 6]
    error = [*found.get("ERR", []), *[""] * 3]
    code = (error[2] or answer[5]).partition("^")[0]
    return Acknowledgment(answer[0].strip(), answer[1].strip(), code if re.fullmatch(r"[0-9]{3}", code) else "")


def _segments(frame: bytes) -> Iterator[list[str]]:
    """The fields of each segment; only delimiters and codes matter, so that any character set can be read as one."""
    text = frame.decode("latin-1").strip("\r\n\x0b\x1c ")
    separator = text[3:4] or "|"
    for segment in _SEGMENT_ENDS.split(text):
        yield segment.split(separator)


def _outcome(answer: Acknowledgment) -> Outcome:
    error = f", error {answer.error}" if answer.error else ""
    if answer.code in _ACCEPTED:
        return Sent()
    if answer.code in _REJECTED:
        return Parked(f"rejected by the receiver ({answer.code}{error})")
    if answer.code in _ERROR:
        return Retry(f"error of the receiver ({answer.code}{error})")
    return Retry("an acknowledgment without a known code in MSA-1")


def _why_unanswered(rest: bytes, others: int) -> str:
    if others:
        return f"{others} answers were about other messages"
    if START in rest:
        return "an answer was begun and not ended"
    return "what came was outside of an MLLP frame" if rest else "nothing came"


def _named(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return f"TLS: {error.reason or type(error).__name__}"
    return error.strerror or type(error).__name__
