"""A server is proven before it drafts, what it does wrong is one line, and a study is drafted whole or not at all."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from amrg.birads import AnswerForm, Laterality, View
from amrg.generation.engines import openai_engine
from amrg.generation.engines.base import EngineDrifted, Generation, Request, Unanswered
from amrg.generation.engines.openai_client import KEY, Server
from amrg.generation.engines.openai_engine import OpenAIEngine, connect
from amrg.generation.engines.probes import refuse_drift
from amrg.models import ModelError
from amrg.models.known_answers import ServedAnswer
from tests.generation.serving import LISTED, SIZE, TEXT, Rules, known_answers, serving

VIEWS = tuple((side, view) for view in (View.CC, View.MLO) for side in Laterality)


def requests(count: int, views: Sequence[tuple[Laterality, View]] = VIEWS) -> list[Request]:
    """Studies of images that differ."""
    rng = np.random.default_rng(1)
    return [
        Request(tuple(views), tuple(rng.integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8) for _ in views))
        for _ in range(count)
    ]


def rules(*faults: str, **more: Any) -> Rules:
    return Rules(more.pop("known", known_answers()), frozenset(faults), **more)


def images_of(chat: dict[str, Any]) -> int:
    return sum(part["type"] == "image_url" for part in chat["messages"][0]["content"])


def test_what_is_sent_is_the_prompt_greedy_and_nothing_else() -> None:
    given = rules()
    with serving(given) as url:
        engine = connect(url, given.known)
        assert list(engine.generate(requests(1))) == [Generation(TEXT)]
    (chat,) = given.studies
    fields = {"model", "messages", "max_tokens", "temperature", "top_p", "n", "repetition_penalty", "headers"}
    assert chat.keys() == fields
    assert (chat["model"], chat["temperature"], chat["max_tokens"], chat["repetition_penalty"]) == (
        given.known.name,
        0.0,
        64,
        1.0,
    )
    (turn,) = chat["messages"]
    kinds = [part["text"] if part["type"] == "text" else part["type"] for part in turn["content"]]
    assert kinds == ["RCC", "image_url", "LCC", "image_url", "RMLO", "image_url", "LMLO", "image_url", "Report."]
    assert all(part.keys() == {"type", "image_url"} for part in turn["content"] if part["type"] == "image_url")
    assert all(p["image_url"].keys() == {"url"} for p in turn["content"] if p["type"] == "image_url")  # no uuid
    assert (engine.identity.name, engine.identity.weights) == (given.known.name, given.known.weights)
    assert engine.identity.device.startswith(url)
    assert engine.identity.device.endswith("version 0.32.0")


@pytest.mark.parametrize("faults", [(), ("tells tokens",)], ids=["plain", "with /tokenize"])
def test_a_server_that_behaves_is_taken_without_a_word(faults: tuple[str, ...]) -> None:
    given = rules(*faults)
    with serving(given) as url:
        assert connect(url, given.known).notes == ()


@pytest.mark.parametrize(
    ("faults", "message"),
    [
        (("serves another",), r"serves another, expected amrg-abababababab; .*--served-model-name amrg-abababababab"),
        (("is its base",), r"answers as the base someone/base, not as amrg-abababababab"),
        (("is its base", "no odds"), r"answers 'c b', expected 'a b'"),
        (("is another",), r"the answers are not those of|answers as the base"),
        (("begins twice",), r"has 39 tokens, expected 38: one <bos> too many"),
        (("begins twice", "tells tokens"), r"it begins with 2 <bos>, expected 1"),
        (("drops images",), r"has 17 tokens, expected 38: images are dropped; .*--limit-mm-per-prompt"),
        (("swaps images",), r"answers as if the images came in another order"),
    ],
)
def test_a_server_that_is_not_what_it_should_be_is_refused(faults: tuple[str, ...], message: str) -> None:
    given = rules(*faults)
    with serving(given) as url, pytest.raises(ModelError, match=message) as raised:
        connect(url, given.known)
    assert "\n" not in str(raised.value)
    assert given.studies == []  # no study was sent


def test_another_model_is_refused_where_there_is_no_base_to_be_told_from() -> None:
    given = rules("is another", known=known_answers(base=False))
    with serving(given) as url, pytest.raises(ModelError, match="the answers are not those of amrg-abababababab"):
        connect(url, given.known)


def test_an_answer_that_is_cut_is_asked_for_once_more_and_then_failed() -> None:
    given = rules("runs on")
    with serving(given) as url:
        (found,) = connect(url, given.known).generate(requests(1))
    assert isinstance(found, Unanswered)
    assert "cut at 64 tokens, twice" in found.message
    assert len(given.studies) == 2


def test_a_study_of_which_an_image_is_lost_on_the_way_is_failed() -> None:
    given = rules()
    with serving(given) as url:
        engine = connect(url, given.known)
        given.faults = frozenset({"drops images"})
        whole, part = engine.generate([*requests(1, VIEWS[:1]), *requests(1)])
    assert whole == Generation(TEXT)
    assert isinstance(part, Unanswered)
    assert "4 images had 17 tokens there, expected 38" in part.message


@pytest.mark.parametrize("trouble", [["429"], ["503", "429", "503"], ["closes"]], ids=["429", "503 and 429", "closed"])
def test_a_server_that_is_busy_or_closes_the_connection_is_asked_again(trouble: list[str]) -> None:
    given = rules()
    with serving(given) as url:
        engine = connect(url, given.known)
        given.trouble[:] = trouble
        assert list(engine.generate(requests(1))) == [Generation(TEXT)]
    assert len(given.studies) == 1 + len(trouble)


def test_a_request_that_is_refused_is_one_row_and_the_others_go_on() -> None:
    given = rules()
    with serving(given) as url:
        engine = connect(url, given.known, max_batch=1)
        given.trouble[:] = ["400"]
        first, second = engine.generate(requests(2))
    assert isinstance(first, Unanswered)
    assert first.message == f"{url}: status 400: no: (image)"  # neither the image nor a second line
    assert second == Generation(TEXT)


def test_a_server_that_is_gone_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("openai._base_client.BaseClient._calculate_retry_timeout", lambda *_, **__: 0.0)
    given = rules()
    with serving(given) as url:
        engine = connect(url, given.known, max_batch=1)
    with pytest.raises(ModelError, match="no answer after 5 tries"):
        list(engine.generate(requests(3)))


def test_a_gateway_that_does_not_reach_its_server_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("openai._base_client.BaseClient._calculate_retry_timeout", lambda *_, **__: 0.0)
    given = rules()
    with serving(given) as url:
        engine = connect(url, given.known, max_batch=1)
        given.faults = frozenset({"unreachable"})
        with pytest.raises(ModelError, match="status 503"):
            list(engine.generate(requests(3)))


def test_a_page_in_place_of_an_answer_is_one_line() -> None:
    given = rules()
    with serving(given) as url:
        engine = connect(url, given.known)
        given.trouble[:] = ["page"]
        with pytest.raises(ModelError, match="does not answer as the OpenAI API"):
            list(engine.generate(requests(1)))


def test_answers_come_in_the_order_of_the_studies_and_no_more_are_in_flight_than_allowed() -> None:
    given = rules()
    with serving(given) as url:
        engine = connect(url, given.known, max_batch=3)
        given.most, given.together = 0, threading.Event()
        sent = [*requests(4), *requests(1, VIEWS[:1]), *requests(4)]
        given.faults = frozenset({"drops images"})  # all but the fifth fail, which shows the order
        found = list(engine.generate(sent))
    assert [isinstance(answer, Generation) for answer in found] == [i == 4 for i in range(9)]
    assert 1 < given.most <= 3


def test_known_studies_are_sent_again_and_a_server_that_answers_otherwise_is_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(openai_engine, "CANARY", 2)
    steady = rules()
    with serving(steady) as url:
        engine = connect(url, steady.known, max_batch=1)
        before = len(steady.chats)
        assert len(list(engine.generate(requests(5)))) == 5
    tokens = len(steady.known.answers[-1].positions)
    sent = [chat["max_tokens"] for chat in steady.chats[before:] if chat not in steady.studies]
    assert sent == [tokens] * 2 * 2
    drifting = rules("drifts")
    with serving(drifting) as url:
        engine = connect(url, drifting.known, max_batch=1)
        with pytest.raises(ModelError, match=r"another answer .* what it answered after .* must be drafted"):
            list(engine.generate(requests(5)))


def test_the_last_answers_of_a_run_are_confirmed_once() -> None:
    given = rules()
    with serving(given) as url:
        engine = connect(url, given.known, max_batch=1)
        engine.confirm()  # of no answer
        before = len(given.chats)
        list(engine.generate(requests(3)))
        given.faults = frozenset({"drifts"})
        with pytest.raises(EngineDrifted, match="another answer"):
            engine.confirm()
        engine.confirm()
    assert len(given.chats) == before + 3 + 2


def answered(*tokens: str) -> ServedAnswer:
    """An answer whose tokens are sure but for one alternative."""
    return ServedAnswer("".join(tokens), tokens, tuple({token: 0.95, "?": 0.05} for token in tokens))


@pytest.mark.parametrize("same", [0, 1, 30])
def test_an_answer_that_differs_after_any_number_of_equal_tokens_is_another(same: int) -> None:
    start, now = answered(*["a"] * same, "b", "c"), answered(*["a"] * same, "d", "e")
    with pytest.raises(EngineDrifted, match=r"\(odds 0.95 apart\)"):
        refuse_drift(start, now, 0.0, "there")
    refuse_drift(start, start, 0.0, "there")


def test_a_near_tie_that_turns_is_no_other_answer() -> None:
    start = ServedAnswer("a b", ("a", " b"), ({"a": 0.51, "c": 0.49}, {" b": 1.0}))
    now = ServedAnswer("c d", ("c", " d"), ({"a": 0.49, "c": 0.51}, {" d": 1.0}))
    refuse_drift(start, now, 0.0, "there")


def test_the_form_of_answers_is_enforced_where_the_server_can() -> None:
    known = known_answers(AnswerForm.FINDINGS_FIRST)
    can, cannot = rules("has structure", known=known), rules(known=known)
    with serving(can) as url:
        engine = connect(url, known)
        assert engine.notes == ()
        assert list(engine.generate(requests(1))) == [Generation(LISTED)]
    assert "regex" in can.studies[0]["structured_outputs"]
    with serving(cannot) as url:
        engine = connect(url, known)
        assert "no structured output there" in engine.notes[0]
        assert list(engine.generate(requests(1))) == [Generation(TEXT)]
    assert "structured_outputs" not in cannot.studies[0]


def test_another_form_of_answer_has_a_prompt_of_another_length() -> None:
    given = rules(known=known_answers(AnswerForm.FINDINGS_FIRST))
    with serving(given) as url:
        engine: OpenAIEngine = connect(url, given.known, answer=AnswerForm.NARRATIVE)
        assert engine.length == given.known.length  # this server counts every text alike
        assert list(engine.generate(requests(1))) == [Generation(TEXT)]


def test_the_key_is_sent_and_never_shown(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    given = rules(key="secret-key")
    with serving(given) as url:
        with pytest.raises(ModelError, match=f"status 401: .*; set {KEY}"):
            connect(url, given.known)
        monkeypatch.setenv(KEY, "secret-key")
        engine = connect(url, given.known)
    assert "secret-key" not in caplog.text + repr(engine) + repr(engine.identity)


@pytest.mark.parametrize(
    "url", ["localhost:8000/v1", "ftp://host/v1", "http://user:word@host/v1", "http://host/v1?k=1"]
)
def test_what_is_no_url_of_a_server_is_one_line_without_a_password(url: str) -> None:
    with pytest.raises(ModelError, match="--engine openai") as raised:
        Server.at(url)
    assert "word" not in str(raised.value).replace("password", "")


def test_images_in_the_clear_to_another_machine_are_noted() -> None:
    assert Server.at("http://elsewhere:8000/v1").unencrypted
    assert not any(Server.at(url).unencrypted for url in ("https://elsewhere/v1", "http://localhost:8000/v1"))
