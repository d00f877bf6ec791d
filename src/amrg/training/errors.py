"""Expected failures of a run, each in one line: a full disk, a loss that is not finite, too little memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors import SafetensorError

from amrg.core.errors import AmrgError
from amrg.core.files import is_full
from amrg.training.recipe import Precision, Quantization, Recipe

_MAX_NAMED = 8  # cases in a message
_OUT_OF_MEMORY = ("can't allocate memory", "out of memory")
_DISK_FULL = ("No space left on device", "File too large", "Disk quota exceeded")


class TuningError(AmrgError):
    """A run that cannot start or resume, in one line that says what to do."""


class NonFiniteError(TuningError):
    """A loss or gradient that is not finite; the weights were not updated with it."""


@contextmanager
def translate_failures(folder: Path, memory_advice: str, remains: Callable[[], str]) -> Iterator[None]:
    """Turn a full disk, or memory that ran out, into one line that says what to do.

    `remains`: what is intact, and how to continue once there is room.

    Raises:
        TuningError: the disk is full, or memory ran out.
    """
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise TuningError(f"{folder}: memory ran out; {memory_advice}") from error
    except RuntimeError as error:
        if any(text in str(error) for text in _OUT_OF_MEMORY):
            raise TuningError(f"{folder}: memory ran out; {memory_advice}") from error
        raise
    except (OSError, SafetensorError) as error:
        if not _is_disk_full(error):
            raise
        file = getattr(error, "filename", None) or folder
        raise TuningError(f"{file}: the disk is full; {remains()}") from error


def _is_disk_full(error: BaseException) -> bool:
    """Whether a file could not be written because the disk is full; safetensors passes only the system's message."""
    numbered = isinstance(error, OSError) and is_full(error)
    return numbered or any(text in str(error) for text in _DISK_FULL)


def training_memory_advice(recipe: Recipe) -> str:
    """How a run needs less memory, without what its recipe already sets."""
    ways = []
    if recipe.micro_batch_size > 1:
        dropped = " and for which units dropout drops" if recipe.lora.dropout > 0 else ""
        ways.append(f"lower micro_batch_size (now {recipe.micro_batch_size}; the same but for rounding{dropped})")
    if not recipe.gradient_checkpointing:
        ways.append("set gradient_checkpointing=true (the same result, slower)")
    ways += _smaller_base(recipe)
    ways.append(f"refuse long exams with max_image_tokens (now {recipe.max_image_tokens})")
    return f"the last checkpoint is intact: {', or '.join(ways)}, then resume"


def encoding_memory_advice(recipe: Recipe) -> str:
    """How encoding images before training needs less memory; it already processes one exam at a time."""
    return ", or ".join([*_smaller_base(recipe), "lower settings.encoding.size", "use a smaller base"])


def _smaller_base(recipe: Recipe) -> list[str]:
    """What makes a base smaller and is not set in the recipe."""
    ways = []
    if recipe.precision is Precision.FLOAT32:
        ways.append("set precision=bfloat16")
    if recipe.quantization is Quantization.NONE:
        ways.append("set quantization=nf4 (needs CUDA)")
    return ways


def non_finite_error(what: str, step: int, keys: Sequence[str], recipe: Recipe) -> NonFiniteError:
    """The error of a step whose loss or gradient is not finite: step, cases, what to do."""
    named = ", ".join(keys[:_MAX_NAMED])
    named += f" and {len(keys) - _MAX_NAMED} more" if len(keys) > _MAX_NAMED else ""
    return NonFiniteError(
        f"{what} at step {step} on cases {named}; the weights were not updated, and the last checkpoint is intact: "
        f"lower learning_rate (now {recipe.learning_rate:g}) or raise warmup_ratio (now {recipe.warmup_ratio:g}) in a "
        "new run, or check the cases"
    )
