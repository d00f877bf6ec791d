"""The engine of a model behind a server of the OpenAI chat API: vLLM, SGLang, any that is compatible."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from amrg.birads import AnswerForm
from amrg.core.plurals import counted
from amrg.generation.engines.base import GREEDY, Generation, ModelIdentity, Request, ServerLost, Unanswered
from amrg.generation.engines.openai_client import (
    ODDS,
    ChatAnswer,
    RequestRefused,
    Server,
    blank,
    content_of,
)
from amrg.generation.engines.probes import Proof, known_request, prove, refuse_drift, structure_of
from amrg.models.errors import ModelError
from amrg.models.known_answers import KnownAnswer, KnownAnswers, PromptLength, ServedAnswer
from amrg.models.settings import ModelSettings

IN_FLIGHT = 8
"""Requests that are sent before the first answer is back, where nobody says how many."""
CANARY = 100
"""After so many answers, and after the last of a run, a known study and a blank one are sent again."""


@dataclass(frozen=True)
class Probing:
    """A server as the probes ask it for a known model."""

    server: Server
    known: KnownAnswers

    @property
    def place(self) -> str:
        """Its URL."""
        return self.server.url

    def answer(self, known: KnownAnswer, request: Request) -> tuple[ServedAnswer, int | None]:
        """Its answer to a known study, with odds where it has them."""
        found = self.chat(request, len(known.positions), ODDS)
        return found.served, found.prompt_tokens

    def prompt_ids(self, known: KnownAnswer, request: Request) -> tuple[int, ...] | None:
        """The prompt's token ids, of a server that has `/tokenize`."""
        return self.server.token_ids(self.known.name, content_of(request, self.known.settings.full_instruction))

    def chat(self, request: Request, max_tokens: int, more: Mapping[str, Any]) -> ChatAnswer:
        """An answer to a study by the settings of the known answers."""
        content = content_of(request, self.known.settings.full_instruction)
        return self.server.chat(self.known.name, content, max_tokens, more)

    def text_of(self, fields: Mapping[str, Any]) -> str:
        """What it answers to a text without images, with fields of its own; nothing where it refuses them."""
        try:
            return self.server.chat(self.known.name, [{"type": "text", "text": "Report."}], 16, fields).text
        except RequestRefused:
            return ""

    def canaries(self) -> tuple[ServedAnswer, ...]:
        """Its answers to a known study and to the same views in black."""
        known = self.known.answers[-1]
        request = known_request(known, self.known.settings)
        return tuple(self.chat(r, len(known.positions), ODDS).served for r in (request, blank(request)))


@dataclass
class _Watch:
    """Counts answers since the canaries were last sent; they must be answered as at the start."""

    probing: Probing
    start: tuple[ServedAnswer, ...]
    answers: int = 0
    alike: float = field(default_factory=time.time)  # when the canaries were last sent and answered so
    lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self) -> None:
        with self.lock:
            self.answers += 1
        self.confirm(CANARY)

    def confirm(self, least: int = 1) -> None:
        """Send the canaries if there are at least so many answers since they were last sent."""
        with self.lock:
            if self.answers < least:
                return
            self.answers = 0
        sent = time.time()
        for start, now in zip(self.start, self.probing.canaries(), strict=True):
            refuse_drift(start, now, self.alike, self.probing.place)
        self.alike = sent


@dataclass(frozen=True)
class OpenAIEngine:
    """A proven server. `max_batch` requests are in flight together; texts come in the order of the requests.

    `length` counts the tokens of prompts, None where that is not known; `structure` are fields by which the server
    keeps to the form of an answer. There are no image features: findings are drafted as the model states them, without
    places, as of any model whose tower locates none.
    """

    probing: Probing
    settings: ModelSettings
    identity: ModelIdentity
    length: PromptLength | None
    structure: Mapping[str, Any]
    notes: tuple[str, ...]
    max_batch: int
    watch: _Watch
    decoding: str = GREEDY

    def generate(self, requests: Sequence[Request]) -> Iterator[Generation | Unanswered]:
        """Greedy texts. A request that is refused, cut at its length twice, or of another length is unanswered."""
        waiting: deque[Future[Generation | Unanswered]] = deque()
        remaining = iter(requests)
        pool = ThreadPoolExecutor(self.max_batch, thread_name_prefix="engine")
        try:
            for request in remaining:
                waiting.append(pool.submit(self._one, request))
                if len(waiting) > self.max_batch:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def confirm(self) -> None:
        """Send the known study and the blank one, if anything was answered since they were last sent."""
        self.watch.confirm()

    def _one(self, request: Request) -> Generation | Unanswered:
        content = content_of(request, self.settings.full_instruction)
        limit = self.settings.max_new_tokens
        try:
            for _ in range(2):  # an answer that runs on may end in another batch
                found = self.probing.server.chat(self.probing.known.name, content, limit, self.structure)
                if not found.cut:
                    break
        except ServerLost as error:
            self.probing.server.models()  # raises where it is gone for the others too
            return Unanswered(str(error))
        except RequestRefused as error:
            return Unanswered(str(error))
        self.watch.count()
        return self._checked(request, found)

    def _checked(self, request: Request, found: ChatAnswer) -> Generation | Unanswered:
        """The text, unless it is not a whole answer to the whole request."""
        if found.cut:
            return Unanswered(
                f"{self.probing.place}: its answer was cut at {self.settings.max_new_tokens} tokens, twice"
            )
        if found.finish_reason != "stop":
            return Unanswered(f"{self.probing.place}: its answer ended with {found.finish_reason!r}, expected 'stop'")
        expected = None if self.length is None else self.length.of(request.views)
        if None not in (expected, found.prompt_tokens) and found.prompt_tokens != expected:
            return Unanswered(
                f"{self.probing.place}: the prompt of {counted(len(request.images), 'image')} had "
                f"{found.prompt_tokens} tokens there, expected {expected}: the server did not take all of it"
            )
        return Generation(found.text)


def connect(
    url: str, known: KnownAnswers, max_batch: int | None = None, answer: AnswerForm | None = None
) -> OpenAIEngine:
    """The engine of a server that has proven to serve a model; `answer` is the form requested of it (None: its own).

    Raises:
        ModelError: it does not answer, serves no model of that name, or answers as another; one line.
    """
    server = Server.at(url)
    names = server.models()
    if known.name not in names:
        raise ModelError(
            f"{server.url}: serves {', '.join(names) or 'nothing'}, expected {known.name}; start it with this name "
            f"(vLLM: --served-model-name {known.name}, an adapter: --lora-modules {known.name}=FOLDER)"
        )
    probing = Probing(server, known)
    proof = prove(probing, known)
    settings = known.settings if answer is None else known.settings.model_copy(update={"answer": answer})
    structure, lacking = structure_of(settings, probing.text_of)
    version = server.version()
    return OpenAIEngine(
        probing=probing,
        settings=settings,
        identity=ModelIdentity(
            name=known.name,
            weights=known.weights,
            device=server.url if version is None else f"{server.url}, version {version}",
            dtype="the server's",
            chat_template=None,
        ),
        length=_length(probing, settings),
        structure=structure,
        notes=tuple(_notes(server, proof, lacking)),
        max_batch=max_batch or IN_FLIGHT,
        watch=_Watch(probing, probing.canaries()),
    )


def _length(probing: Probing, settings: ModelSettings) -> PromptLength | None:
    """The tokens of prompts, those of another instruction than the known answers' as the server counts them."""
    known = probing.known
    if settings == known.settings or known.length is None:
        return known.length
    views = known.answers[-1].views
    content = content_of(known_request(known.answers[-1], settings), settings.full_instruction)
    counted_there = probing.server.chat(known.name, content, 1).prompt_tokens
    of_views, usual = known.length.of(views), known.length.rest
    if counted_there is None or of_views is None:
        return None
    return known.length.model_copy(update={"rest": counted_there - (of_views - usual)})


def _notes(server: Server, proof: Proof, lacking: str | None) -> Iterator[str]:
    yield from proof.notes
    if lacking is not None:
        yield f"{server.url}: {lacking}"
    if server.unencrypted:
        yield f"{server.url}: images travel there unencrypted; use https outside a network that you trust"
