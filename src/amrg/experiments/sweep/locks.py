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
    with lock_file(folder, name).open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def lock_file(folder: Path, name: str) -> Path:
    """The file of a lock, in a folder that exists."""
    path = folder / FOLDER / f"{name}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
