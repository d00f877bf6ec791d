"""A loaded model's known answers, from the passes that an export makes anyway, and one more on swapped images."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from amrg.birads import Laterality, View
from amrg.models.decoding.batched import INPUT
from amrg.models.export.verifying import Answers, answers_of, logits_on_swapped
from amrg.models.known_answers import (
    LIKELIEST,
    PROBES,
    SIDES,
    KnownAnswer,
    KnownAnswers,
    Position,
    PromptLength,
    Views,
    drawn_images,
    fold_images,
    image_hash,
    served_name,
)
from amrg.models.load import LoadedModel
from amrg.models.settings import view_name

_PLACES = 6  # decimals of a probability


def known_answers_of(
    loaded: LoadedModel, weights: str, answers: Answers | None = None, base: tuple[str, Answers] | None = None
) -> KnownAnswers:
    """What a loaded model answers to the probes.

    `weights` is the hash of its weights. `answers` are its own on its own rows (None: they are made); `base` is the
    name of its base with that one's answers, its logits on the same rows.
    """
    own = answers_of(loaded) if answers is None else answers
    tokenizer = loaded.processor.tokenizer
    sizes = [len(row) + 1 for row in own.rows]
    base_logits = [None] * len(sizes) if base is None else torch.split(base[1].logits, sizes)
    known = []
    for number, (views, row, logits) in enumerate(zip(PROBES, own.rows, torch.split(own.logits, sizes), strict=True)):
        ids = _prompt_ids(loaded, views)
        known.append(
            KnownAnswer(
                views=views,
                prompt_tokens=len(ids),
                prompt_ids=fold_images(ids, loaded.model.config.image_token_id),
                text=tokenizer.decode(row, skip_special_tokens=True).strip(),
                base_text=None if base is None else _text(tokenizer, base[1].rows[number]),
                positions=_positions(loaded, views, row, (logits, base_logits[number])),
            )
        )
    return KnownAnswers(
        name=served_name(weights),
        weights=weights,
        base=None if base is None else base[0],
        settings=loaded.settings,
        images=image_hash(loaded.settings.encoding.size),
        begin=tokenizer.bos_token_id,
        image=loaded.model.config.image_token_id,
        length=_prompt_length(loaded),
        answers=tuple(known),
    )


def _text(tokenizer: object, row: Sequence[int]) -> str:
    text: str = tokenizer.decode(row, skip_special_tokens=True)  # type: ignore[attr-defined]
    return text.strip()


def _positions(
    loaded: LoadedModel, views: Views, row: Sequence[int], logits: tuple[Tensor, Tensor | None]
) -> tuple[Position, ...]:
    """The answer's tokens, its end last, with the odds of model, base, and model on swapped images."""
    tokenizer, (own, base) = loaded.processor.tokenizer, logits
    swapped = logits_on_swapped(loaded, views, row) if len(views) > 1 else None
    tokens = [*row, loaded.backbone.eos_token_id(loaded.processor)]
    return tuple(
        Position(
            token=tokenizer.decode([token]),
            model=_likeliest(tokenizer, own[i]),
            base={} if base is None else _likeliest(tokenizer, base[i]),
            swapped={} if swapped is None else _likeliest(tokenizer, swapped[i]),
        )
        for i, token in enumerate(tokens)
    )


def _likeliest(tokenizer: object, logits: Tensor) -> dict[str, float]:
    """Probabilities of the likeliest tokens by their text."""
    values, numbers = torch.softmax(logits.double(), -1).topk(min(LIKELIEST, len(logits)))
    found: dict[str, float] = {}
    for value, number in zip(values.tolist(), numbers.tolist(), strict=True):
        token: str = tokenizer.decode([number])  # type: ignore[attr-defined]
        found[token] = round(found.get(token, 0.0) + value, _PLACES)
    return found


def _prompt_ids(loaded: LoadedModel, views: Views) -> list[int]:
    images = drawn_images(views, loaded.settings.encoding.size)
    prompt = loaded.backbone.build_prompt(loaded.processor, loaded.settings, views, images)
    ids: list[int] = prompt.tokens[INPUT].tolist()
    return ids


def _prompt_length(loaded: LoadedModel) -> PromptLength | None:
    """What each view adds to a prompt; None where views do not simply add up."""
    views = [(side, view) for side in SIDES for view in (View.CC, View.MLO)]
    alone = {v: len(_prompt_ids(loaded, (v,))) for v in views}
    twice = {v: len(_prompt_ids(loaded, (v, v))) for v in views}
    first = views[0]
    length = PromptLength(
        rest=2 * alone[first] - twice[first], views={view_name(*v): twice[v] - alone[v] for v in views}
    )
    study: tuple[tuple[Laterality, View], ...] = tuple(views * 2)
    return length if length.of(study) == len(_prompt_ids(loaded, study)) else None
