"""A server of the OpenAI chat API on this machine that answers by rule, and misbehaves where it is told to."""

from __future__ import annotations

import base64
import io
import json
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from math import log
from typing import Any

import numpy as np
from PIL import Image

from amrg.birads import AnswerForm, Laterality, View
from amrg.generation.engines.agreement import EngineAgreement, save_agreement
from amrg.models import ModelSettings, ViewEncoding
from amrg.models.known_answers import (
    PROBES,
    KnownAnswer,
    KnownAnswers,
    Position,
    PromptLength,
    drawn_images,
    image_hash,
    served_name,
)
from amrg.models.settings import view_name

SIZE = 32
BEGIN, IMAGE = 2, 8
VERSION = "0.32.0"
WEIGHTS = "ab" * 32
REST, OF_A_VIEW = 10, 7
TEXT = "Breast composition: ACR B. No suspicious finding. BI-RADS 1. Routine screening."
LISTED = f"FINDINGS LIST\nnone\nACR B\nBI-RADS 1\nREPORT\n{TEXT}"


def known_answers(answer: AnswerForm = AnswerForm.NARRATIVE, base: bool = True) -> KnownAnswers:
    """Of a model that writes `a b`, whose base writes `c b`, on which swapped images have half that effect."""
    settings = ModelSettings(encoding=ViewEncoding(size=SIZE), instruction="Report.", answer=answer, max_new_tokens=64)
    answers = []
    for views in PROBES:
        position = Position(
            token="a",
            model={"a": 0.9, "c": 0.1},
            base={"a": 0.1, "c": 0.9} if base else {},
            swapped={"a": 0.5, "c": 0.5} if len(views) > 1 else {},
        )
        answers.append(
            KnownAnswer(
                views=views,
                prompt_tokens=REST + OF_A_VIEW * len(views),
                prompt_ids=_ids(len(views)),
                text="a b",
                base_text="c b" if base else None,
                positions=(position, position.model_copy(update={"token": " b"})),
            )
        )
    sides = [(side, view) for side in Laterality for view in (View.CC, View.MLO)]
    return KnownAnswers(
        name=served_name(WEIGHTS),
        weights=WEIGHTS,
        base="someone/base" if base else None,
        settings=settings,
        images=image_hash(SIZE),
        begin=BEGIN,
        image=IMAGE,
        length=PromptLength(rest=REST, views={view_name(*v): OF_A_VIEW for v in sides}),
        answers=tuple(answers),
    )


def _ids(images: int) -> tuple[int, ...]:
    """A prompt's ids, with every run of image tokens as one."""
    return (BEGIN, *[t for i in range(images) for t in (20 + i, IMAGE)], 9)


@dataclass
class Rules:
    """How the server answers. `faults` names what it does wrong; `trouble` are the first chat requests that fail.

    `together`: requests wait until two are there.
    """

    known: KnownAnswers
    faults: frozenset[str] = frozenset()
    trouble: list[str] = field(default_factory=list)
    key: str | None = None
    text: str = TEXT
    chats: list[dict[str, Any]] = field(default_factory=list)
    running: int = 0
    most: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    together: threading.Event | None = None

    @property
    def studies(self) -> list[dict[str, Any]]:
        """The requests for whole answers, in the order in which they came."""
        return [chat for chat in self.chats if chat["max_tokens"] == self.known.settings.max_new_tokens]

    def answer(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """A completion."""
        content = body["messages"][0]["content"]
        images = [_pixels(part["image_url"]["url"]) for part in content if part["type"] == "image_url"]
        shown = images[:1] if "drops images" in self.faults else images
        text, ends = self._text(body, images), "stop"
        if body["max_tokens"] == self.known.settings.max_new_tokens and "runs on" in self.faults:
            text, ends = text + " " * 40, "length"
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": ends}
        if body.get("logprobs") and "no odds" not in self.faults:
            choice["logprobs"] = {"content": self._odds(images)[: body["max_tokens"]]}
        return {
            "id": "1",
            "object": "chat.completion",
            "created": 0,
            "model": body["model"],
            "choices": [choice],
            "usage": {"prompt_tokens": self._tokens(len(shown)), "completion_tokens": 2, "total_tokens": 3},
        }

    def _tokens(self, images: int) -> int:
        return REST + OF_A_VIEW * images + ("begins twice" in self.faults)

    def _text(self, body: Mapping[str, Any], images: list[np.ndarray]) -> str:
        pattern = (body.get("structured_outputs") or {}).get("regex") if "has structure" in self.faults else None
        if not images:
            return pattern or "Report"
        if not self._known(images):
            return LISTED if pattern else self.text
        return "c b" if "is its base" in self.faults else "a b"

    def _known(self, images: list[np.ndarray]) -> bool:
        drawn = [drawn_images(views, SIZE) for views in PROBES]
        return any(len(d) == len(images) and all(map(np.array_equal, d, images)) for d in drawn)

    def _odds(self, images: list[np.ndarray]) -> list[dict[str, Any]]:
        of, token = {"a": 0.9, "c": 0.1}, "a"
        if "is its base" in self.faults:
            of, token = {"a": 0.1, "c": 0.9}, "c"
        if "swaps images" in self.faults and len(images) > 1:
            of = {"a": 0.5, "c": 0.5}
        if "is another" in self.faults:
            of, token = {"z": 1.0}, "z"
        top = [{"token": t, "logprob": log(p), "bytes": None} for t, p in of.items()]
        found = [{"token": t, "logprob": log(0.9), "bytes": None, "top_logprobs": top} for t in (token, " b")]
        if "drifts" in self.faults and len(self.studies) > 2:  # after the same first token
            found[1] |= {"token": " d", "top_logprobs": [{"token": " d", "logprob": log(0.9), "bytes": None}]}
        return found


def _pixels(url: str) -> np.ndarray:
    head, _, packed = url.partition(",")
    assert head == "data:image/png;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(packed))))


class _Handler(BaseHTTPRequestHandler):
    rules: Rules
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if "unreachable" in self.rules.faults:
            self._send(503, "<html>a gateway's page</html>")
        elif self.path == "/v1/models":
            name = "another" if "serves another" in self.rules.faults else self.rules.known.name
            self._send(
                200, {"object": "list", "data": [{"id": name, "object": "model", "created": 0, "owned_by": "x"}]}
            )
        elif self.path == "/version":
            self._send(200, {"version": VERSION})
        else:
            self._send(404, {"detail": "Not Found"})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/tokenize":
            images = sum(part["type"] == "image_url" for part in body["messages"][0]["content"])
            ids = [t for i in _ids(images) for t in ([i] * 4 if i == IMAGE else [i])]
            tells = "tells tokens" in self.rules.faults
            self._send(200, {"tokens": [BEGIN, *ids] if "begins twice" in self.rules.faults else ids}) if tells else (
                self._send(404, {"detail": "Not Found"})
            )
            return
        with self.rules.lock:
            trouble = self.rules.trouble.pop(0) if self.rules.trouble else ""
            self.rules.chats.append({**body, "headers": dict(self.headers)})
            self.rules.running += 1
            self.rules.most = max(self.rules.most, self.rules.running)
        if self.rules.together is not None:
            if self.rules.running > 1:
                self.rules.together.set()
            self.rules.together.wait(20)
        try:
            self._chat(body, "503" if "unreachable" in self.rules.faults else trouble)
        finally:
            with self.rules.lock:
                self.rules.running -= 1

    def _chat(self, body: Mapping[str, Any], trouble: str) -> None:
        if self.rules.key is not None and self.headers.get("Authorization") != f"Bearer {self.rules.key}":
            self._send(401, {"error": {"message": "wrong key"}})
        elif trouble == "closes":
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b'{"id": ')
            self.close_connection = True
        elif trouble == "page":
            self._send(200, "<html>a proxy's page</html>")
        elif trouble:
            url = body["messages"][0]["content"][-2]["image_url"]["url"]
            self._send(int(trouble), {"error": {"message": f"no: {url}\nsecond line"}})
        else:
            self._send(200, self.rules.answer(body))

    def _send(self, status: int, document: Any) -> None:
        packed = document.encode() if isinstance(document, str) else json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/html" if isinstance(document, str) else "application/json")
        if status in (429, 503):
            self.send_header("Retry-After-Ms", "10")
        self.send_header("Content-Length", str(len(packed)))
        self.end_headers()
        self.wfile.write(packed)

    def log_message(self, *_: object) -> None:
        """Nothing is logged."""


class _Server(ThreadingHTTPServer):
    """A server whose open connections end with it, as those of a process do: none is answered after that."""

    def __init__(self, port: int, handler: type[_Handler]) -> None:
        super().__init__(("127.0.0.1", port), handler)
        self._connections: list[socket.socket] = []

    def process_request(self, request: Any, client_address: Any) -> None:
        self._connections.append(request)
        super().process_request(request, client_address)

    def server_close(self) -> None:
        super().server_close()
        for connection in self._connections:
            with suppress(OSError):  # closed already
                connection.shutdown(socket.SHUT_RDWR)


def trust(url: str, known: KnownAnswers) -> None:
    """Keep a record by which the server is trusted, as `amrg model check` does, in the user's state folder."""
    save_agreement(
        EngineAgreement(
            engine=f"openai:{url}",
            model=known.name,
            weights=known.weights,
            answer=known.settings.answer,
            version=f"{url}, version {VERSION}",
            studies=2,
            failed=0,
            findings=4,
            matched=4,
            categories=2,
            texts=2,
            at_least=0.95,
        )
    )


@contextmanager
def serving(rules: Rules, port: int = 0) -> Iterator[str]:
    """The URL of a server that answers by rule, on a free port or the one named, for as long as the block lasts."""
    server = _Server(port, type("Handler", (_Handler,), {"rules": rules}))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
