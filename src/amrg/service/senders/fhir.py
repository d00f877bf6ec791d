"""FHIR transactions over HTTP."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import httpx

from amrg.service.senders.outcome import Document, Outcome, Parked, Retry, Sent

FHIR_JSON = "application/fhir+json"
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
class FhirSender:
    """Posts transactions to the base URL of a server. Every entry is a PUT, so a repeated one gives the same state."""

    url: str
    deadline_seconds: float = 30
    token: str = ""
    tls: ssl.SSLContext | None = None

    def send(self, document: Document) -> Outcome:
        """Post a transaction: done when the server says that every entry of it was stored."""
        headers = {"Content-Type": FHIR_JSON, "Accept": FHIR_JSON, **bearer(self.token)}
        try:
            with http_client(self.deadline_seconds, self.tls) as client:
                answer = client.post(self.url, content=document.content, headers=headers)
        except httpx.HTTPError as error:
            return Retry(http_failure(error))
        if not answer.is_success:
            return refused(answer.status_code, _issues(answer))
        return _stored(answer)


def http_client(deadline_seconds: float, tls: ssl.SSLContext | None) -> httpx.Client:
    """A client that takes no proxy from the environment and follows no redirect: a report goes where the site says."""
    return httpx.Client(timeout=deadline_seconds, verify=tls or True, trust_env=False)


def bearer(token: str) -> dict[str, str]:
    """The header for a token; none for an empty one."""
    return {"Authorization": f"Bearer {token}"} if token else {}


def http_failure(error: httpx.HTTPError) -> str:
    """What went wrong on the way, without the URL, which may name a patient."""
    return "no answer in time" if isinstance(error, httpx.TimeoutException) else f"no answer: {type(error).__name__}"


def refused(status: int, detail: str = "") -> Outcome:
    """What an HTTP status other than success means for the document."""
    reason = f"HTTP {status}{f' ({detail})' if detail else ''}"
    if status in TRY_AGAIN or (status >= HTTPStatus.INTERNAL_SERVER_ERROR and status not in _NEVER):
        return Retry(reason)
    return Parked(reason)


def _stored(answer: httpx.Response) -> Outcome:
    """Whether a transaction's answer names a success for every entry (FHIR R4 3.1.0.11.2)."""
    found = _document(answer)
    if found.get("resourceType") != "Bundle" or found.get("type") != "transaction-response":
        return Retry("the answer is no transaction-response")
    statuses = [str(entry.get("response", {}).get("status", "")) for entry in found.get("entry", [])]
    failed = [status[:3] for status in statuses if not status.startswith("2")]
    if failed or not statuses:
        return Parked(f"entries were not stored: {', '.join(failed) or 'the answer has none'}")
    return Sent()


def _issues(answer: httpx.Response) -> str:
    """The codes of an OperationOutcome, not its texts."""
    issues = _document(answer).get("issue", [])
    codes = [issue.get("code", "") for issue in issues if isinstance(issue, dict)] if isinstance(issues, list) else []
    return ", ".join(code for code in codes if isinstance(code, str) and code.replace("-", "").isalpha())[:80]


def _document(answer: httpx.Response) -> dict[str, Any]:
    try:
        found = answer.json()
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
