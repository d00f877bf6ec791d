"""A server of the OpenAI chat API as amrg asks it: greedy, images as PNG data URLs, one line for whatever goes wrong.

What leaves this machine is the model's name, the images at the size that the model takes, and the prompt's text: no
identifier, no date, nothing of the DICOM header. No `uuid` is sent with an image: servers would take it as the image's
identity, and answer from the one that they saw under it before.
"""

from __future__ import annotations

import base64
import io
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import exp
from typing import Any
from urllib.parse import urlsplit

import openai
from openai import OpenAI

from amrg.generation.engines.base import Image, Request, ServerLost
from amrg.models.errors import ModelError
from amrg.models.known_answers import LIKELIEST, ServedAnswer
from amrg.models.settings import user_turn
from amrg.models.views import to_pil

KEY = "AMRG_ENGINE_API_KEY"
"""The environment variable of the server's key. Not OPENAI_API_KEY, which would go to whatever server is named."""
TRIES = 5
_AWAY = frozenset({429, 502, 503, 504})
"""Statuses of a server that is busy, or behind a gateway that does not reach it."""
SECONDS = 600.0  # of one request, in the server's queue included
LENGTH = "length"
ODDS: Mapping[str, Any] = {"logprobs": True, "top_logprobs": LIKELIEST}
"""The fields of a request that ask for the odds of each token."""

_DATA_URL = re.compile(r"data:image/[^\s\"']*")
_LOCAL = ("localhost", "127.0.0.1", "::1")


class RequestRefused(ModelError):
    """A request that the server refuses, or fails at while it answers others."""


@dataclass(frozen=True)
class ChatAnswer:
    """A server's answer: text, why it ended, tokens of the prompt (None where it does not count), tokens with odds."""

    text: str
    finish_reason: str
    prompt_tokens: int | None
    served: ServedAnswer

    @property
    def cut(self) -> bool:
        """Whether it was cut at its length limit."""
        return self.finish_reason == LENGTH


@dataclass(frozen=True)
class Server:
    """A server by the URL of its API (`https://host:8000/v1`). Safe to use from several threads."""

    url: str

    @classmethod
    def at(cls, url: str) -> Server:
        """The server at a URL.

        Raises:
            ModelError: it is no URL of http or https, or holds a password.
        """
        parts = urlsplit(url)
        if parts.username is not None or parts.password is not None or parts.query:
            raise ModelError(f"--engine openai: the URL holds a user, password or query; set {KEY} to the key instead")
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ModelError(f"--engine openai:{url}: expected a URL such as http://localhost:8000/v1")
        return cls(url.rstrip("/"))

    @property
    def unencrypted(self) -> bool:
        """Whether images travel in the clear to another machine."""
        parts = urlsplit(self.url)
        return parts.scheme == "http" and parts.hostname not in _LOCAL

    @cached_property
    def _client(self) -> OpenAI:
        return OpenAI(base_url=self.url, api_key=os.environ.get(KEY) or "none", max_retries=TRIES - 1, timeout=SECONDS)

    def models(self) -> tuple[str, ...]:
        """The names of the models that it serves.

        Raises:
            ModelError: it does not answer, or not as this API.
        """
        return tuple(model.id for model in self._ask(lambda: list(self._client.models.list())))

    def version(self) -> str | None:
        """The server's version, where it tells one, as vLLM does."""
        found = self._outside_api("get", "/version", {})
        return None if found is None else str(found.get("version"))

    def token_ids(self, model: str, content: Sequence[Mapping[str, Any]]) -> tuple[int, ...] | None:
        """The ids of a prompt's tokens, where it tells them, as vLLM does."""
        found = self._outside_api("post", "/tokenize", {"model": model, "messages": _turn(content)})
        tokens = None if found is None else found.get("tokens")
        return tuple(tokens) if isinstance(tokens, list) and all(isinstance(t, int) for t in tokens) else None

    def chat(
        self, model: str, content: Sequence[Mapping[str, Any]], max_tokens: int, more: Mapping[str, Any] | None = None
    ) -> ChatAnswer:
        """A greedy answer; `more` are other fields of the request, such as `ODDS`.

        Raises:
            ServerLost: it does not answer.
            RequestRefused: it refuses this request.
            ModelError: it does not answer as this API.
        """
        made = self._ask(
            lambda: self._client.chat.completions.create(
                model=model,
                messages=_turn(content),
                max_tokens=max_tokens,
                temperature=0.0,
                top_p=1.0,
                n=1,
                extra_body={"repetition_penalty": 1.0, **(more or {})},  # checkpoints publish 1.05, and servers take it
            )
        )
        return _read_answer(made, self.url)

    def _ask(self, call: Any) -> Any:
        """What a call returns; errors as one line without the request in it."""
        try:
            return call()
        except openai.APIStatusError as error:
            line = f"{self.url}: status {error.status_code}: {_plain(_message(error))}"
            if error.status_code in (401, 403):
                raise ModelError(f"{line}; set {KEY} to a key that it accepts") from None
            if error.status_code == 404:
                raise ModelError(
                    f"{line}; expected the URL of the API with its /v1, and a model that it serves"
                ) from None
            if error.status_code in _AWAY:  # after all tries
                raise ServerLost(line) from None
            raise RequestRefused(line) from None
        except openai.APIConnectionError as error:
            cause = error.__cause__ or error
            raise ServerLost(
                f"{self.url}: no answer after {TRIES} tries ({_plain(str(cause) or 'timed out')})"
            ) from None
        except (openai.OpenAIError, ValueError) as error:
            raise ModelError(f"{self.url}: does not answer as the OpenAI API ({_plain(str(error))})") from None

    def _outside_api(self, method: str, path: str, body: Mapping[str, Any]) -> dict[str, Any] | None:
        """A JSON document from outside the API; None where the server has no such thing."""
        root = self._client.with_options(base_url=self.url.removesuffix("/v1"), max_retries=0)
        options = {"body": body} if method == "post" else {}
        try:
            found = getattr(root, method)(path, cast_to=object, **options)
        except (openai.OpenAIError, ValueError):
            return None
        return found if isinstance(found, dict) else None


def content_of(request: Request, instruction: str) -> list[dict[str, Any]]:
    """A study as content of a chat: each view named before its image, then the instruction."""
    (turn,) = user_turn(request.views, [to_pil(image) for image in request.images], instruction)
    return [_as_url(part) if part["type"] == "image" else part for part in turn["content"]]


def _as_url(part: Mapping[str, Any]) -> dict[str, Any]:
    """An image as a PNG in a data URL: no pixel changes on the way."""
    packed = io.BytesIO()
    part["image"].save(packed, "PNG", compress_level=1)
    url = "data:image/png;base64," + base64.b64encode(packed.getvalue()).decode("ascii")
    return {"type": "image_url", "image_url": {"url": url}}


def blank(request: Request) -> Request:
    """The same views, all of their images black."""
    images: tuple[Image, ...] = tuple(image * 0 for image in request.images)
    return Request(request.views, images)


def _turn(content: Sequence[Mapping[str, Any]]) -> Any:
    return [{"role": "user", "content": list(content)}]


def _read_answer(made: Any, url: str) -> ChatAnswer:
    """A completion as far as amrg reads it."""
    try:
        (choice,) = made.choices
        listed = getattr(choice.logprobs, "content", None) or []
        odds = tuple({t.token: exp(t.logprob) for t in entry.top_logprobs or []} for entry in listed)
        tokens = tuple(str(entry.token) for entry in listed)
        text = (choice.message.content or "").strip()
        counted = None if made.usage is None else made.usage.prompt_tokens
        answer = ServedAnswer(text, tokens, odds if any(odds) else ())
        return ChatAnswer(text, str(choice.finish_reason), counted, answer)
    except (AttributeError, TypeError, ValueError) as error:
        raise ModelError(f"{url}: does not answer as the OpenAI API ({_plain(str(error))})") from None


def _message(error: openai.APIStatusError) -> str:
    """What the server says, without what the client puts before it."""
    found = error.body.get("message") if isinstance(error.body, dict) else None
    return found if isinstance(found, str) else error.message


def _plain(text: str) -> str:
    """The first line of a server's message, without images that it may repeat."""
    line = next(iter(text.strip().splitlines()), "")
    return _DATA_URL.sub("(image)", line)[:200].rstrip(".")
