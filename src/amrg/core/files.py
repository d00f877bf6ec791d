"""Files that are there whole or not at all, however a run was broken off."""

from __future__ import annotations

import glob
import os
import platform
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """A path beside `path` to write to; what was written takes its place at the end, and nothing where that fails.

    Every process writes to a path of its own, so any number may write the same file: the last to end stays.
    """
    _remove_abandoned(path)
    partial = path.with_name(f"{_partial_prefix(path)}{os.getpid()}{_PARTIAL}")
    try:
        yield partial
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)  # it would take the room that is wanted
        raise


def write_text(path: Path, lines: Iterable[str]) -> int:
    """Write lines to a file that is there whole or not at all; returns how many."""
    count = 0
    with atomic_write(path) as partial, partial.open("w", encoding="utf-8", newline="\n") as file:
        for count, line in enumerate(lines, start=1):  # noqa: B007
            file.write(line + "\n")
    return count


_PARTIAL = ".partial"


def _partial_prefix(path: Path) -> str:
    """How the names begin that this machine's processes write a file under: another machine's are not ours to judge."""
    return f"{path.name}.{platform.node()}-"


def _remove_abandoned(path: Path) -> None:
    """Remove what processes of this machine that were killed had written of a file."""
    for left in path.parent.glob(f"{glob.escape(_partial_prefix(path))}*{_PARTIAL}"):
        number = left.name.removeprefix(_partial_prefix(path)).removesuffix(_PARTIAL)
        if number.isdecimal() and not _is_running(int(number)):
            left.unlink(missing_ok=True)


def _is_running(process: int) -> bool:
    """Whether a process of this machine is there, whosever it is."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
