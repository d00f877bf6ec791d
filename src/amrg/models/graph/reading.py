"""The files of a checkpoint that is read without transformers, and their errors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from amrg.core.errors import first_line
from amrg.models.errors import ModelError


@contextmanager
def reading(file: Path) -> Iterator[Path]:
    """A file to read in the block, where any error is the file's.

    Raises:
        ModelError: it is missing or damaged; names it.
    """
    try:
        yield file
    except ModelError:
        raise
    except Exception as error:  # tokenizers raises no narrower class
        why = error.strerror if isinstance(error, OSError) and error.strerror else first_line(error)
        raise ModelError(
            f"model {file.parent.name}: {file.name} is missing or damaged ({why}); expected a complete checkpoint: "
            "copy it again"
        ) from error
