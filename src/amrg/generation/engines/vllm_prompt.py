"""The token ids of a prompt as vLLM takes them: one placeholder an image, which it repeats itself. Loads no vLLM."""

from __future__ import annotations

from typing import Any

from amrg.models.backbones.base import Images, Views, chat_of
from amrg.models.settings import ModelSettings


def prompt_ids(processor: Any, settings: ModelSettings, views: Views, images: Images) -> list[int]:
    """The ids of the chat template's text: those of the local engine before placeholders are repeated.

    The template writes the token that begins a text, so none is added.
    """
    chat = chat_of(settings, views, images)
    text = processor.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
    ids: list[int] = processor.tokenizer.encode(text, add_special_tokens=False)
    return ids
