"""Requests over HTTP that end by a deadline, whatever the other side does."""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import httpx

from amrg.service.senders.outcome import Outcome, Parked, Retry

MOST_BYTES = 16 << 20  # of an answer
TRY_AGAIN = frozenset(
    {
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.CONFLICT,  # another writer was faster: the next attempt writes the same state
        HTTPStatus.LOCKED,
        HTTPStatus.TOO_EARLY,
        HTTPStatus.TOO_MANY_REQUESTS,
    }
)
"""What a server answers that may take the same request later; so may one with any 5xx but 501 and 505."""
_NEVER = frozenset({HTTPStatus.NOT_IMPLEMENTED, HTTPStatus.HTTP_VERSION_NOT_SUPPORTED})


@dataclass(frozen=True)
class HttpAnswer:
    """A status and what came with it."""

    status: int
    content: bytes

    @property
    def is_success(self) -> bool:
        """Whether the status is 2xx."""
        return self.status // 100 == 2

    def json(self) -> Any:
        """The document, None where it is no JSON."""
        try:
            return json.loads(self.content)
        except ValueError:
            return None


@dataclass(frozen=True)
class Requests:
    """Requests to one server, all of which end by `end`, a time of the monotonic clock.

    No proxy is taken from the environment and no redirect is followed: a report goes where the site says.
    """

    client: httpx.Client
    end: float

    @staticmethod
    def within(seconds: float, tls: ssl.SSLContext | None, token: str) -> Requests:
        """Requests that may take so many seconds together. `token` is sent as a bearer token, unless it is empty."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        client = httpx.Client(headers=headers, timeout=seconds, verify=tls or True, trust_env=False)
        return Requests(client, time.monotonic() + seconds)

    def __enter__(self) -> Requests:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()

    def send(self, method: str, url: str, headers: Mapping[str, str], **what: Any) -> HttpAnswer:
        """A request and its answer; `what` is its `content` or `params`.

        Raises:
            httpx.HTTPError: there was none in time, or a longer one than any that is expected.
        """
        request = self.client.build_request(method, url, headers=dict(headers), timeout=self._left(), **what)
        answer = self.client.send(request, stream=True)
        try:
            content = b""
            for part in answer.iter_raw():  # a part at a time: a timeout of httpx is for each of them
                content += part
                self._left()
                if len(content) > MOST_BYTES:
                    raise httpx.ReadError("an answer that does not end")
        finally:
            answer.close()
        return HttpAnswer(answer.status_code, content)

    def _left(self) -> float:
        """Seconds that are left.

        Raises:
            httpx.ReadTimeout: none are.
        """
        left = self.end - time.monotonic()
        if left <= 0:
            raise httpx.ReadTimeout("the deadline has passed")
        return left


def unanswered(error: httpx.HTTPError) -> Retry:
    """What went wrong on the way, without the URL, which may name a patient."""
    timed_out = isinstance(error, httpx.TimeoutException)
    return Retry("no answer in time" if timed_out else f"no answer: {type(error).__name__}")


def refused(status: int, detail: str = "") -> Outcome:
    """What an HTTP status other than success means for the document."""
    reason = f"HTTP {status}{f' ({detail})' if detail else ''}"
    if status in TRY_AGAIN or (status >= HTTPStatus.INTERNAL_SERVER_ERROR and status not in _NEVER):
        return Retry(reason)
    return Parked(reason)
