"""A lock on a file, released when the process ends, however it ends. Works on one file system."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def try_lock(file: Path) -> Iterator[bool]:
    """Hold the lock of a file if it is free; yields whether it is held. The file is made where it is missing."""
    with file.open("ab") as opened:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
