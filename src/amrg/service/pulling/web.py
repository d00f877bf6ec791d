"""A source that is asked by QIDO-RS and read by WADO-RS (PS3.18 10.6, 10.4); what comes is stored as a C-STORE is."""

from __future__ import annotations

import re
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

import httpx
from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser
from sqlalchemy.orm import Session, sessionmaker

from amrg.service.intake import NotReceived, receive
from amrg.service.pulling.asking import FoundStudy, Instances, ListedInstance, NotPulled, StudyQuery
from amrg.service.senders.http import Requests, unanswered
from amrg.service.senders.stow import data_sets, values_of
from amrg.service.settings import WebSource
from amrg.service.storage import Spool, Storage, TooLarge

PAGE = 200
_RESERVED = re.compile(r"[^A-Za-z0-9._~-]")
_JSON = {"Accept": "application/dicom+json", "Accept-Encoding": "identity"}
_FILE = {"Accept": 'multipart/related; type="application/dicom"; transfer-syntax=*', "Accept-Encoding": "identity"}
_STUDY, _SERIES, _CLASS, _INSTANCE = "0020000D", "0020000E", "00080016", "00080018"
_ACCESSION, _PATIENT, _ISSUER, _DATE, _MODALITIES = "00080050", "00100020", "00100021", "00080020", "00080061"


@dataclass(frozen=True)
class WebPartner:
    """A DICOMweb service. Files that come are stored in `storage`, with the source's name as their sender."""

    source: WebSource
    sessions: sessionmaker[Session]
    storage: Storage
    tls: ssl.SSLContext | None = None

    def find(self, query: StudyQuery) -> list[FoundStudy]:
        """The studies of a query.

        Raises:
            NotPulled: the service does not answer, or not as QIDO-RS does.
        """
        # Orthanc, for one, does not decode %20 in a value: `?` finds at least the same, and what it finds is compared.
        keys = {keyword: _RESERVED.sub("?", value) for keyword, value in query.keys().items()}
        wanted = {**keys, "includefield": f"{_ISSUER},{_MODALITIES}"}
        found = map(_study, self._listed("studies", wanted, _STUDY).values())
        return [study for study in found if query.matches(study)]

    def instances(self, study_instance_uid: str) -> Instances:
        """The instances of a study.

        Raises:
            NotPulled: as above.
        """
        found = self._listed(f"studies/{study_instance_uid}/instances", {}, _INSTANCE)
        return {uid: ListedInstance(_text(one, _SERIES), _text(one, _CLASS)) for uid, one in found.items()}

    def retrieve(self, study_instance_uid: str, missing: Instances) -> str:
        """Read instances, each by itself: one that is lost there does not keep the others.

        Raises:
            NotPulled: the service does not answer, or there is no room here.
        """
        results = [self._read(study_instance_uid, uid, listed) for uid, listed in missing.items()]
        return "; ".join(f"{results.count(one)} x {one}" for one in dict.fromkeys(results))

    def _listed(self, path: str, wanted: dict[str, str], key: str) -> dict[str, dict[str, Any]]:
        """All pages of a list, by UID. A server may give less than the limit, or ignore `offset`.

        Raises:
            NotPulled: no answer, or a full page again and again, so that the rest of the list is not available.
        """
        found: dict[str, dict[str, Any]] = {}
        with self._requests() as requests:
            while True:
                page = {**wanted, "limit": str(PAGE), "offset": str(len(found))}
                answer = requests.send("GET", f"{self._url}/{path}?{urlencode(page, safe='?,')}", _JSON)
                if answer.status == HTTPStatus.NO_CONTENT:
                    return found
                document = answer.json()
                if answer.status != HTTPStatus.OK or not isinstance(document, list):
                    raise NotPulled(f"QIDO-RS: HTTP {answer.status}; expected 200 with a list, or 204")
                items = {uid: one for one in data_sets(document) if (uid := _text(one, key))}
                if not items.keys() - found.keys():
                    if len(items) == PAGE:
                        raise NotPulled(f"the source ignores offset and lists no more than {PAGE}; narrow the query")
                    return found
                found |= items

    def _read(self, study: str, uid: str, listed: ListedInstance) -> str:
        """Read and store an instance; returns what became of it."""
        spool = self.storage.spool()
        try:
            url = f"{self._url}/studies/{study}/series/{listed.series_instance_uid}/instances/{uid}"
            with self._requests() as requests:
                refusal = _download(requests, url, spool)
            if refusal:
                return refusal
            announced = (listed.sop_class_uid, uid) if listed.sop_class_uid else None
            with self.storage.undisturbed():
                receive(self.sessions, self.storage, spool, self.source.name, announced)
        except (NotReceived, TooLarge) as error:
            return str(error)
        except OSError as error:
            raise NotPulled("no room, or the disk fails") from error
        finally:
            self.storage.done(spool)
        return "stored"

    @property
    def _url(self) -> str:
        return str(self.source.url).rstrip("/")

    @contextmanager
    def _requests(self) -> Iterator[Requests]:
        token = "" if self.source.token is None else self.source.token.get_secret_value()
        try:
            with Requests.within(self.source.deadline_seconds, self.tls, token) as requests:
                yield requests
        except httpx.HTTPError as error:
            raise NotPulled(unanswered(error).reason) from error


def _download(requests: Requests, url: str, spool: Spool) -> str:
    """Stream the one part of an answer into a file; returns why there is none, empty where it is complete.

    Raises:
        httpx.HTTPError: no answer in time.
    """
    parts: list[None] = []
    ends: list[None] = []

    def data(content: bytes, start: int, end: int) -> None:
        if len(parts) == 1:
            spool.write(content[start:end])

    callbacks: Any = {
        "on_part_begin": lambda: parts.append(None),
        "on_part_data": data,
        "on_end": lambda: ends.append(None),
    }
    with requests.client.stream("GET", url, headers=_FILE) as answer:
        if answer.status_code != HTTPStatus.OK:
            return f"WADO-RS: HTTP {answer.status_code}"
        try:
            parser = MultipartParser(_boundary(answer.headers.get("content-type", "")), callbacks)
            for content in answer.iter_raw():
                parser.write(content)
                if time.monotonic() > requests.end:
                    raise httpx.ReadTimeout("the deadline has passed")
            parser.finalize()
        except MultipartParseError:
            return "WADO-RS: an answer that is not multipart as its header says"
    return "" if len(parts) == len(ends) == 1 else f"WADO-RS: {len(parts)} parts, complete or not; expected one"


def _boundary(content_type: str) -> str:
    """The boundary of an answer.

    Raises:
        MultipartParseError: it has none.
    """
    message = Message()
    message["content-type"] = content_type
    boundary = message.get_param("boundary", header="content-type")
    if message.get_content_type() != "multipart/related" or not isinstance(boundary, str) or not boundary:
        raise MultipartParseError("no multipart/related with a boundary")
    return boundary


def _text(found: dict[str, Any], tag: str) -> str:
    return str(next(iter(values_of(found, tag)), "")).strip()


def _study(found: dict[str, Any]) -> FoundStudy:
    return FoundStudy(
        _text(found, _STUDY),
        _text(found, _ACCESSION),
        _text(found, _PATIENT),
        _text(found, _ISSUER),
        _text(found, _DATE),
        tuple(map(str, values_of(found, _MODALITIES))),
    )
