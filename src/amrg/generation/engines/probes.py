"""What a server must prove before it drafts: it serves the model asked for, and shows it whole studies in order."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import takewhile
from typing import Any, Protocol

from amrg.birads import AnswerForm
from amrg.birads.answer_pattern import findings_first_pattern
from amrg.generation.engines.base import EngineDrifted, Request
from amrg.models.errors import ModelError
from amrg.models.known_answers import (
    KnownAnswer,
    KnownAnswers,
    ServedAnswer,
    comparable_tokens,
    distance,
    drawn_images,
    fold_images,
    total_variation,
)
from amrg.models.settings import ModelSettings

FAR = 0.25
"""Mean total variation of odds from which an answer is another model's: rounding to bfloat16 leaves a tenth of that."""
SEEN = 0.01
"""The least that swapped images must change a known answer's odds for their order to be probed."""

_TRIAL = "amrg-ok"
_STRUCTURED: tuple[Any, ...] = (lambda pattern: {"structured_outputs": {"regex": pattern}}, lambda p: {"regex": p})
"""The fields in which vLLM, and SGLang, take a regular expression; each ignores the other's."""


class ProbeTarget(Protocol):
    """What can be asked for a known answer: a server, or an engine in this process."""

    @property
    def place(self) -> str:
        """Its name in messages."""

    def answer(self, known: KnownAnswer, request: Request) -> tuple[ServedAnswer, int | None]:
        """Its answer to a known study with odds, where it has them, and the tokens that it counts in the prompt."""

    def prompt_ids(self, known: KnownAnswer, request: Request) -> tuple[int, ...] | None:
        """The ids of the prompt's tokens, where it tells them."""


@dataclass(frozen=True)
class Proof:
    """What was found out: lines for the user."""

    notes: tuple[str, ...]


def prove(target: ProbeTarget, known: KnownAnswers) -> Proof:
    """Ask for every known answer.

    Raises:
        ModelError: the answers are another model's (or the base's), or the prompt is not the one that was trained on:
            a text begins twice, an image is missing, images are in another order.
    """
    served = []
    for answer in known.answers:
        request = known_request(answer, known.settings)
        refuse_other_prompt(target.prompt_ids(answer, request), answer, known, target.place)
        found, counted = target.answer(answer, request)
        refuse_other_length(counted, answer, known, target.place)
        served.append(found)
    notes = []
    if any(found.odds for found in served):
        for answer, found in zip(known.answers, served, strict=True):
            notes += _refuse_other_odds(answer, found, known, target.place)
    else:
        _refuse_other_texts(served, known, target.place)
        notes.append(f"{target.place}: gives no odds of tokens, so it is known by {len(served)} texts alone")
    return Proof(tuple(notes))


def known_request(answer: KnownAnswer, settings: ModelSettings) -> Request:
    """A known study as an engine takes it."""
    return Request(answer.views, tuple(drawn_images(answer.views, settings.encoding.size)))


def refuse_other_length(counted: int | None, answer: KnownAnswer, known: KnownAnswers, place: str) -> None:
    """Refuse a prompt of another number of tokens than the one that was trained on.

    Raises:
        ModelError: says what is missing or too much.
    """
    if counted is None or counted == answer.prompt_tokens:
        return
    raise ModelError(
        f"{place}: the prompt of {len(answer.views)} images has {counted} tokens, expected {answer.prompt_tokens}: "
        + _why_other_length(counted - answer.prompt_tokens, answer, known)
    )


def _why_other_length(surplus: int, answer: KnownAnswer, known: KnownAnswers) -> str:
    """The likeliest reason for a prompt that is too long or too short."""
    each = known.length.views.values() if known.length is not None else ()
    if surplus == 1 and known.begin is not None:
        return "one <bos> too many; serve with the chat template of the export, which writes one"
    if surplus == -1 and known.begin is not None:
        return "its <bos> is missing; serve with the chat template and tokenizer of the export"
    if surplus < 0 and any(-surplus >= tokens - 8 for tokens in each):
        return f"images are dropped; allow {len(answer.views)} and more images a prompt (vLLM: --limit-mm-per-prompt)"
    return "serve with the chat template and the image processor of the export, without pan and scan"


def refuse_other_prompt(ids: tuple[int, ...] | None, answer: KnownAnswer, known: KnownAnswers, place: str) -> None:
    """Refuse a prompt of other tokens than the one that was trained on, where the server tells its tokens.

    Raises:
        ModelError: names the first that differs.
    """
    if ids is None:
        return
    found = fold_images(ids, known.image)
    if found == answer.prompt_ids:
        return
    begins = [len(list(takewhile(lambda t: t == known.begin, row))) for row in (found, answer.prompt_ids)]
    images = [row.count(known.image) for row in (found, answer.prompt_ids)]
    if begins[0] != begins[1]:
        why = f"it begins with {begins[0]} <bos>, expected {begins[1]}"
    elif images[0] != images[1]:
        why = f"it has {images[0]} images, expected {images[1]}"
    else:
        pairs = zip(found, answer.prompt_ids, strict=False)
        at = next((i for i, (one, other) in enumerate(pairs) if one != other), min(len(found), len(answer.prompt_ids)))
        why = f"it differs from token {at} on (text and images in another order, or another template)"
    raise ModelError(f"{place}: the prompt is not the one of training: {why}; serve with the export's chat template")


def _refuse_other_odds(answer: KnownAnswer, served: ServedAnswer, known: KnownAnswers, place: str) -> list[str]:
    """Refuse the odds of the base, of swapped images, of another model; notes where order does not show."""
    far = distance(answer, served)
    order_shows = far.swapped is not None and far.swapped_from_model >= SEEN
    others = {"base": far.base, "swapped": far.swapped if order_shows else None}
    nearest, least = min(((name, d) for name, d in others.items() if d is not None), key=_second, default=("", 1.0))
    if far.model > FAR and least > FAR:
        raise ModelError(
            f"{place}: the answers are not those of {known.name} (odds {far.model:.2f} apart, expected at most {FAR}); "
            "serve the weights of this export, not quantised further"
        )
    if far.model > least / 2 and nearest == "base":
        raise ModelError(
            f"{place}: answers as the base {known.base}, not as {known.name} (odds {far.model:.1e} from the model's, "
            f"{least:.1e} from the base's): the adapter is not applied, or only in part; serve the export with "
            "--merge, or its adapter under its own name with the options that `amrg export` prints"
        )
    if far.model > least / 2:
        raise ModelError(
            f"{place}: answers as if the images came in another order (odds {far.model:.1e} from those of the order "
            f"sent, {least:.1e} from the reverse); vLLM: --interleave-mm-strings, or the export's template"
        )
    if len(answer.views) > 1 and not order_shows:
        return [f"{place}: the order of images is not proven: the known answers hardly depend on it"]
    return []


def _second(pair: tuple[str, float]) -> float:
    return pair[1]


def _refuse_other_texts(served: list[ServedAnswer], known: KnownAnswers, place: str) -> None:
    """Refuse texts that are not the model's, or that are its base's as well."""
    for answer, found in zip(known.answers, served, strict=True):
        if not found.text.startswith(answer.text):
            raise ModelError(f"{place}: answers {found.text[:40]!r}, expected {answer.text[:40]!r} of {known.name}")
    if known.base is not None and all(answer.text == answer.base_text for answer in known.answers):
        raise ModelError(
            f"{place}: gives no odds of tokens (logprobs), and {known.name} and its base write the same known answers: "
            "which of the two is served cannot be decided; use a server with logprobs, such as vLLM"
        )


def structure_of(settings: ModelSettings, try_it: Any) -> tuple[Mapping[str, Any], str | None]:
    """The fields by which a server keeps to the form of an answer, and a line where it cannot.

    `try_it(fields)` is the text that it answers with those fields. Nothing is asked for where the answer is narrative.
    """
    if settings.answer is not AnswerForm.FINDINGS_FIRST:
        return {}, None
    for fields in _STRUCTURED:
        if re.fullmatch(_TRIAL, try_it(fields(_TRIAL))):
            return fields(findings_first_pattern()), None
    return {}, "no structured output there: the form of answers is not enforced"


def refuse_drift(start: ServedAnswer, now: ServedAnswer, since: float, place: str) -> None:
    """Refuse a server that answers the same study otherwise than at the start, and did not `since`, seconds since 1970.

    Its odds are compared token by token up to the first that differs. The largest difference counts: the mean would
    hide one study's answer behind the words that all answers begin with.

    Raises:
        EngineDrifted: so it does.
    """
    shared = comparable_tokens(start.tokens, now.tokens)
    pairs = list(zip(start.odds[:shared], now.odds[:shared], strict=False))
    drift = max(total_variation(*pair) for pair in pairs) if pairs else float(start.text != now.text)
    if drift > FAR:
        time = datetime.datetime.fromtimestamp(since, datetime.UTC).isoformat(timespec="seconds")
        raise EngineDrifted(
            f"{place}: a study that is sent again and again now gets another answer (odds {drift:.2f} apart): a cache "
            f"mixes studies up, or the model was exchanged; what it answered after {time} must be drafted again",
            since,
        )
