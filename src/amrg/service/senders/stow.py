"""DICOM objects over STOW-RS (PS3.18 10.5)."""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import httpx

from amrg.service.senders.cstore import outcome_of_status
from amrg.service.senders.http import HttpAnswer, Requests, refused, unanswered
from amrg.service.senders.outcome import Outcome, OutgoingDocument, Retry, Sent

_JSON = {"Accept": "application/dicom+json", "Accept-Encoding": "identity"}
_REFERENCED, _FAILED = "00081199", "00081198"
_INSTANCE, _REASON = "00081155", "00081197"


@dataclass(frozen=True)
class StowSender:
    """Stores objects in a DICOMweb service, one a request.

    A service that answers 200 may have stored nothing, and one that answers 202 stored only some: an object is sent
    when its UID is in ReferencedSOPSequence of the answer, or when a query finds it.
    """

    url: str
    deadline_seconds: float = 30
    token: str = ""
    tls: ssl.SSLContext | None = None

    def send(self, document: OutgoingDocument) -> Outcome:
        """Store an object."""
        # The type is quoted (RFC 2387); the body has a length, since some services read chunked ones as empty.
        boundary = hashlib.sha256(document.content).hexdigest()[:40]
        kind = f'multipart/related; type="application/dicom"; boundary={boundary}'
        try:
            with Requests.within(self.deadline_seconds, self.tls, self.token) as requests:
                answer = requests.send(
                    "POST",
                    f"{self.url.rstrip('/')}/studies",
                    {"Content-Type": kind, **_JSON},
                    content=multipart(document.content, boundary),
                )
                return _outcome(answer, document.uid) or self._found(requests, document.uid, answer.status)
        except httpx.HTTPError as error:
            return unanswered(error)

    def _found(self, requests: Requests, uid: str, status: int) -> Outcome:
        """Whether the service has an object that its answer did not name."""
        answer = requests.send("GET", f"{self.url.rstrip('/')}/instances", _JSON, params={"SOPInstanceUID": uid})
        if answer.status == HTTPStatus.OK and any(
            uid in values_of(one, "00080018") for one in data_sets(answer.json())
        ):
            return Sent()
        return Retry(f"HTTP {status}, and the object is not there")


def multipart(content: bytes, boundary: str) -> bytes:
    """One object as the body of a request."""
    mark = boundary.encode()
    return b"--%b\r\nContent-Type: application/dicom\r\n\r\n%b\r\n--%b--\r\n" % (mark, content, mark)


def _outcome(answer: HttpAnswer, uid: str) -> Outcome | None:
    """What an answer says of an object; None where it says success, or nothing that can be read, and not of which."""
    if not answer.is_success and answer.status != HTTPStatus.CONFLICT:
        return refused(answer.status)
    found = next(data_sets([answer.json()]), {})
    for item in _sequence(found, _FAILED):
        if uid in values_of(item, _INSTANCE) or answer.status == HTTPStatus.CONFLICT:
            reasons = [reason for reason in values_of(item, _REASON) if isinstance(reason, int)]
            return outcome_of_status(reasons[0] if reasons else _PROCESSING_FAILURE)
    if answer.is_success and any(uid in values_of(item, _INSTANCE) for item in _sequence(found, _REFERENCED)):
        return Sent()
    return None if answer.is_success else refused(answer.status)


_PROCESSING_FAILURE = 0x0110


def data_sets(found: Any) -> Iterator[dict[str, Any]]:
    """The data sets of a DICOM JSON document: a list of them, or one alone."""
    for item in found if isinstance(found, list) else []:
        if isinstance(item, list):
            yield from data_sets(item)
        elif isinstance(item, dict):
            yield item


def _sequence(found: dict[str, Any], tag: str) -> Iterator[dict[str, Any]]:
    yield from data_sets(values_of(found, tag))


def values_of(found: dict[str, Any], tag: str) -> list[Any]:
    """The values of an attribute of a DICOM JSON data set; none where it is absent or empty."""
    element = found.get(tag)
    values = element.get("Value") if isinstance(element, dict) else None
    return values if isinstance(values, list) else []
