"""The token ids of a prompt as vLLM takes them: one placeholder an image. Loads no vLLM."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

BEGIN_OF_IMAGE = {"gemma3": "boi_token_index"}
"""By family, the configuration's name of the token that vLLM replaces by an image, where it is not the image token."""


def one_placeholder_an_image(ids: Sequence[int], config: Any) -> list[int]:
    """Token ids as the chat template writes them, before a processor puts in as many placeholders as an image takes.

    Of Gemma 3 an image is `\\n\\n<start_of_image>`, its tokens, `<end_of_image>\\n\\n`, which stand for
    `<start_of_image>`; of the other families a run of image tokens, which stands for one.
    """
    image = config.image_token_id
    folded = [token for i, token in enumerate(ids) if token != image or i == 0 or ids[i - 1] != image]
    if config.model_type not in BEGIN_OF_IMAGE:
        return folded
    begin = getattr(config, BEGIN_OF_IMAGE[config.model_type])
    made: list[int] = []
    skip = 0
    for token in folded:
        if skip:
            skip -= 1
        elif token == begin:
            made[-1] = begin  # in place of the line ends before it
            skip = 3  # the image, its end, the line ends after it
        else:
            made.append(token)
    return made
