"""Atomic writes: a file is complete or absent, even when a run is killed."""

from __future__ import annotations

import errno
import glob
import os
import platform
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What the system says of a file that there is no room for."""


def is_full(error: OSError) -> bool:
    """Whether a file could not be written because there is no room left for it."""
    return error.errno in FULL


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """A temporary path to write to; it replaces `path` at the end, and is removed where writing fails.

    An `OSError` of writing names `path`.

    Every process has a temporary path of its own, so several may write the same file: the last to finish wins.
    """
    _remove_abandoned(path)
    partial = path.with_name(f"{_partial_prefix(path)}{os.getpid()}{_PARTIAL}")
    try:
        yield partial
        honour_umask(partial)
        partial.replace(path)
    except BaseException as error:
        partial.unlink(missing_ok=True)  # it would fill the disk
        if isinstance(error, OSError) and error.filename in (None, str(partial)):
            error.filename = str(path)
        raise


@contextmanager
def made_folder(folder: Path) -> Iterator[None]:
    """A folder that exists in the block. Of those that were made for it, the empty ones are removed at its end."""
    made = [one for one in (folder, *folder.parents) if not one.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    finally:
        with suppress(OSError):  # not empty
            for one in made:
                one.rmdir()


def why_taken(folder: Path) -> str | None:
    """Why a folder cannot be an output that must be new or empty; None where it can."""
    if not os.path.lexists(folder) or (folder.is_dir() and not any(folder.iterdir())):
        return None
    return f"{folder}: exists and is {'not empty' if folder.is_dir() else 'a file'}; name another folder"


def honour_umask(file: Path) -> None:
    """Give a file that only its owner may read the mode that new files get: libraries write with mode 0600."""
    if stat.S_IMODE(file.stat().st_mode) != _OWNER_ONLY:
        return
    new = file.with_name(f"{file.name}.mode")
    new.touch()
    try:
        file.chmod(stat.S_IMODE(new.stat().st_mode))
    finally:
        new.unlink(missing_ok=True)


def write_text(path: Path, lines: Iterable[str]) -> int:
    """Write lines to a file, atomically; returns how many."""
    count = 0
    with atomic_write(path) as partial, partial.open("w", encoding="utf-8", newline="\n") as file:
        for count, line in enumerate(lines, start=1):  # noqa: B007
            file.write(line + "\n")
    return count


_PARTIAL = ".partial"
_OWNER_ONLY = 0o600


def _partial_prefix(path: Path) -> str:
    """The start of this machine's temporary names: another machine's processes cannot be looked up from here."""
    return f"{path.name}.{platform.node()}-"


def _remove_abandoned(path: Path) -> None:
    """Remove temporary files of processes on this machine that no longer run."""
    for left in path.parent.glob(f"{glob.escape(_partial_prefix(path))}*{_PARTIAL}"):
        number = left.name.removeprefix(_partial_prefix(path)).removesuffix(_PARTIAL)
        if number.isdecimal() and not _is_running(int(number)):
            left.unlink(missing_ok=True)


def _is_running(process: int) -> bool:
    """Whether a process of this machine runs, of any user."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
