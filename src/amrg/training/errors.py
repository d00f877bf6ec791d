"""What can end a run before its time, said in one line: a full disk, a loss that is no number, too little memory."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors import SafetensorError

from amrg.training.recipe import Precision, Quantization, Recipe

_SHOWN = 8  # cases named in a message
_OUT_OF_MEMORY = ("can't allocate memory", "out of memory")
_NO_ROOM = ("No space left on device", "File too large", "Disk quota exceeded")


class TuningError(ValueError):
    """A run that cannot begin or go on, in one line with a way forward."""


class NotANumber(TuningError):
    """A loss or gradient that is not a finite number; nothing was learned from it."""


@contextmanager
def translate_failures(folder: Path, with_less: str) -> Iterator[None]:
    """Turn what the machine lacks into a line that says what to do; `with_less`, where memory ran out.

    Raises:
        TuningError: the disk is full, or memory ran out.
    """
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise TuningError(f"{folder}: memory ran out; {with_less}") from error
    except RuntimeError as error:
        if any(words in str(error) for words in _OUT_OF_MEMORY):
            raise TuningError(f"{folder}: memory ran out; {with_less}") from error
        raise
    except (OSError, SafetensorError) as error:
        if not _is_full(error):
            raise
        raise TuningError(
            f"{folder}: no room left to write; the last whole checkpoint is kept: free some space, then resume"
        ) from error


def _is_full(error: BaseException) -> bool:
    """Whether a file could not be written for want of room; safetensors gives the system's words alone."""
    numbered = getattr(error, "errno", None) in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)
    return numbered or any(words in str(error) for words in _NO_ROOM)


def to_tune_with_less(recipe: Recipe) -> str:
    """How a run takes less memory, as far as its recipe has not asked for that."""
    ways = []
    if recipe.micro_batch_size > 1:
        dropped = " and for which units dropout drops" if recipe.lora.dropout > 0 else ""
        ways.append(f"lower micro_batch_size (now {recipe.micro_batch_size}; the same but for rounding{dropped})")
    if not recipe.gradient_checkpointing:
        ways.append("set gradient_checkpointing=true (the same result, slower)")
    ways += _smaller_base(recipe)
    ways.append(f"skip long exams with max_image_tokens (now {recipe.max_image_tokens})")
    return f"the last whole checkpoint is kept: {', or '.join(ways)}, then resume"


def to_see_with_less(recipe: Recipe) -> str:
    """How a base sees pictures before training in less memory; it sees one exam at a time already."""
    return ", or ".join([*_smaller_base(recipe), "lower settings.encoding.size", "take a smaller base"])


def _smaller_base(recipe: Recipe) -> list[str]:
    """What makes a base smaller that a recipe has not asked for."""
    ways = []
    if recipe.precision is Precision.FLOAT32:
        ways.append("set precision=bfloat16")
    if recipe.quantization is Quantization.NONE:
        ways.append("set quantization=nf4 (needs CUDA)")
    return ways


def not_a_number(what: str, step: int, keys: Sequence[str], recipe: Recipe) -> NotANumber:
    """The error of a step whose loss or gradient is no number: which step, which cases, what to do."""
    named = ", ".join(keys[:_SHOWN]) + (f" and {len(keys) - _SHOWN} more" if len(keys) > _SHOWN else "")
    return NotANumber(
        f"{what} at step {step} on cases {named}; the weights were not updated, and the last checkpoint is intact: "
        f"lower learning_rate (now {recipe.learning_rate:g}) or raise warmup_ratio (now {recipe.warmup_ratio:g}) in a "
        "new run, or check the cases"
    )
