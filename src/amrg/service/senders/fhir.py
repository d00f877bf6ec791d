"""FHIR transactions over HTTP."""

from __future__ import annotations

import json
import ssl
from dataclasses import dataclass
from typing import Any

import httpx

from amrg.service.senders.http import HttpAnswer, Requests, refused, unanswered
from amrg.service.senders.outcome import Outcome, OutgoingDocument, Parked, Retry, Sent

FHIR_JSON = "application/fhir+json"


@dataclass(frozen=True)
class FhirSender:
    """Posts transactions to the base URL of a server. Every entry is a PUT, so a repeated one gives the same state."""

    url: str
    deadline_seconds: float = 30
    token: str = ""
    tls: ssl.SSLContext | None = None

    def send(self, document: OutgoingDocument) -> Outcome:
        """Post a transaction: done when the server says that every entry of it was stored."""
        headers = {"Content-Type": FHIR_JSON, "Accept": FHIR_JSON, "Accept-Encoding": "identity"}
        try:
            with Requests.within(self.deadline_seconds, self.tls, self.token) as requests:
                answer = requests.send("POST", self.url, headers, content=document.content)
        except httpx.HTTPError as error:
            return unanswered(error)
        if not answer.is_success:
            return refused(answer.status, _issues(answer))
        return _stored(answer, len(json.loads(document.content)["entry"]))


def _stored(answer: HttpAnswer, sent: int) -> Outcome:
    """Whether a transaction's answer names a success for every entry that was sent (FHIR R4 3.1.0.11.2)."""
    found = _document(answer)
    if found.get("resourceType") != "Bundle" or found.get("type") != "transaction-response":
        return Retry("the answer is no transaction-response")
    entries = found.get("entry")
    statuses = [_status(entry) for entry in entries] if isinstance(entries, list) else []
    if failed := [status for status in statuses if not status.startswith("2")]:
        return Parked(f"entries were not stored: {', '.join(failed)}")
    if len(statuses) < sent:
        return Parked(f"entries were not stored: the answer has {f'{len(statuses)} of {sent}' if statuses else 'none'}")
    return Sent()


def _status(entry: object) -> str:
    """The HTTP status of an entry, without the text that may follow it."""
    response = entry.get("response") if isinstance(entry, dict) else None
    status = str(response.get("status", ""))[:3] if isinstance(response, dict) else ""
    return status if status.isdecimal() else "no status"


def _issues(answer: HttpAnswer) -> str:
    """The codes of an OperationOutcome, not its texts."""
    issues = _document(answer).get("issue", [])
    codes = [issue.get("code", "") for issue in issues if isinstance(issue, dict)] if isinstance(issues, list) else []
    return ", ".join(code for code in codes if isinstance(code, str) and code.replace("-", "").isalpha())[:80]


def _document(answer: HttpAnswer) -> dict[str, Any]:
    found = answer.json()
    return found if isinstance(found, dict) else {}
