"""File locks of a sweep's folder: released when the process ends, however it ends. Work on one file system."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FOLDER = "locks"


@contextmanager
def hold_lock(folder: Path, name: str) -> Iterator[None]:
    """Hold a lock of a sweep's folder; waits until it is free."""
    with _file(folder, name).open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def try_lock(folder: Path, name: str) -> Iterator[bool]:
    """Hold a lock if it is free; yields whether it is held."""
    with _file(folder, name).open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def _file(folder: Path, name: str) -> Path:
    path = folder / FOLDER / f"{name}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
