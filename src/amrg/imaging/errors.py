"""The error of an unreadable file, in one line."""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from amrg.core.errors import AmrgError, first_line


class ImagingError(AmrgError):
    """A file that cannot be read as a mammogram: one line with file, tag, found, expected, what to do."""


def short_reason(error: BaseException) -> str:
    """The first line of an error, at most 160 characters: a decoder may quote what it could not read."""
    return first_line(error)[:160]


def printable_name(name: str) -> str:
    """A name of a file or folder as it can be printed, whatever its bytes."""
    return os.fsencode(name).decode("utf-8", "replace")


@contextmanager
def named_errors(path: Path) -> Iterator[None]:
    """Whatever is raised over the bytes of a file leaves as an `ImagingError` that names it.

    Raises:
        ImagingError: in place of any other exception.
    """
    try:
        yield
    except ImagingError:
        raise
    except MemoryError as error:
        raise ImagingError(f"{path.name}: needs more memory than there is; expected one mammogram a file") from error
    except OSError as error:
        raise ImagingError(
            f"{path.name}: cannot be opened ({error.strerror or error}); check the file and its permissions"
        ) from error
    except Exception as error:  # parsers and decoders raise what their parts raise on broken bytes
        raise ImagingError(f"{path.name}: damaged or no image ({short_reason(error)}); send the file again") from error


class _Quiet:
    """How many blocks of code are inside `without_warnings`, and the filters to go back to after the last."""

    lock = threading.Lock()
    inside = 0
    before = warnings.catch_warnings()


@contextmanager
def without_warnings() -> Iterator[None]:
    """No warning of a library is shown or raised, in any thread: what is odd about a file is a note of the file.

    Filters belong to the process. `warnings.catch_warnings` alone, in two threads together, would leave those of one.
    """
    with _Quiet.lock:
        if _Quiet.inside == 0:
            _Quiet.before = warnings.catch_warnings()
            _Quiet.before.__enter__()
            warnings.simplefilter("ignore")
        _Quiet.inside += 1
    try:
        yield
    finally:
        with _Quiet.lock:
            _Quiet.inside -= 1
            if _Quiet.inside == 0:
                _Quiet.before.__exit__(None, None, None)
