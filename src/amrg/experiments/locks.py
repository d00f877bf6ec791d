"""Locks of a sweep's folder: held by a living process, gone with it however it ends. Works on one file system."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FOLDER = "claims"


@contextmanager
def held(folder: Path, name: str) -> Iterator[None]:
    """Hold a lock of a sweep's folder, waiting for whoever holds it."""
    with _file(folder, name).open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def claimed(folder: Path, name: str) -> Iterator[bool]:
    """Hold a lock where nobody else does; says whether it is held."""
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
